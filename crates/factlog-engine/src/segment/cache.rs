//! The memory that reading segments may take: pages of tables, dictionaries made ready, footers.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use xxhash_rust::xxh3::xxh3_128;

use super::codec::Dictionary;
use super::footer::Description;
use super::table::TopEntry;

/// What was read of a segment's end.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) description: Description,
    pub(super) top: Box<[TopEntry]>,
}

/// Dictionaries that are remembered by their content.
const MADE_MAX: usize = 8;
/// What a dictionary of its own weighs, which takes about 45 KiB, against one that another segment has too.
const OWN: u64 = 64;

/// Whether a segment's dictionary takes memory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    Own,
    Shared,
}

#[derive(Clone, Copy, Debug)]
struct Weigh;

impl Weighter<u64, (Arc<Dictionary>, Share)> for Weigh {
    fn weight(&self, _: &u64, (_, share): &(Arc<Dictionary>, Share)) -> u64 {
        match share {
            Share::Own => OWN,
            Share::Shared => 1,
        }
    }
}

/// Bounded caches for all segments of a store; a segment is known by its first position.
pub(crate) struct SegmentCache {
    /// A page of 4096 bytes each.
    pages: Cache<(u64, u64), Arc<[u8]>>,
    /// Most segments have the dictionary of the one before, so that few are made and many have one.
    dictionaries: Cache<u64, (Arc<Dictionary>, Share), Weigh>,
    /// The last ones that were made, with a hash of their bytes.
    made: Mutex<VecDeque<(u128, Arc<Dictionary>)>>,
    /// 16 bytes for 253 blocks, and some 300 for each segment.
    opened: Cache<u64, Arc<Opened>>,
}

impl SegmentCache {
    /// Room for so many pages of tables, different dictionaries, and footers.
    pub(crate) fn new(pages: usize, dictionaries: usize, footers: usize) -> Self {
        let weight = dictionaries as u64 * OWN;
        Self {
            pages: Cache::new(pages),
            dictionaries: Cache::with_weighter(dictionaries * 16, weight, Weigh),
            made: Mutex::default(),
            opened: Cache::new(footers),
        }
    }

    /// A page of a table, read if it is not there.
    pub(super) fn page<E>(
        &self,
        segment: u64,
        page: u64,
        read: impl FnOnce() -> Result<Arc<[u8]>, E>,
    ) -> Result<Arc<[u8]>, E> {
        get_or(&self.pages, (segment, page), read)
    }

    /// A segment's dictionary; one that is not there is read, and made unless another segment has the same.
    pub(super) fn dictionary<E>(
        &self,
        segment: u64,
        read: impl FnOnce() -> Result<Vec<u8>, E>,
        make: impl FnOnce(&[u8]) -> Result<Dictionary, E>,
    ) -> Result<Arc<Dictionary>, E> {
        if let Some((known, _)) = self.dictionaries.get(&segment) {
            return Ok(known);
        }
        let bytes = read()?;
        let hash = xxh3_128(&bytes);
        let same = self.made.lock().iter().find(|(known, _)| *known == hash).map(|(_, same)| same.clone());
        let (dictionary, share) = match same {
            Some(same) => (same, Share::Shared),
            None => (Arc::new(make(&bytes)?), Share::Own),
        };
        if share == Share::Own {
            let mut made = self.made.lock();
            made.push_front((hash, dictionary.clone()));
            made.truncate(MADE_MAX);
        }
        self.dictionaries.insert(segment, (dictionary.clone(), share));
        Ok(dictionary)
    }

    pub(super) fn opened<E>(
        &self,
        segment: u64,
        read: impl FnOnce() -> Result<Arc<Opened>, E>,
    ) -> Result<Arc<Opened>, E> {
        get_or(&self.opened, segment, read)
    }
}

/// Two who miss at once both read: nobody waits for another's disk.
fn get_or<K, V, E>(cache: &Cache<K, V>, key: K, read: impl FnOnce() -> Result<V, E>) -> Result<V, E>
where
    K: Eq + std::hash::Hash,
    V: Clone,
{
    if let Some(value) = cache.get(&key) {
        return Ok(value);
    }
    let value = read()?;
    cache.insert(key, value.clone());
    Ok(value)
}

impl fmt::Debug for SegmentCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentCache").finish_non_exhaustive()
    }
}
