//! The memory that reading segments may take: pages of tables, dictionaries made ready, footers.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::codec::Dictionary;
use super::footer::Description;
use super::table::TopEntry;

/// What was read of a segment's end.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) description: Description,
    pub(super) top: Box<[TopEntry]>,
}

/// Bounded caches for all segments of a store; a segment is known by its first position.
pub(crate) struct SegmentCache {
    /// A page of 4096 bytes each.
    pages: Cache<(u64, u64), Arc<[u8]>>,
    /// About 45 KiB each.
    dictionaries: Cache<u64, Arc<Dictionary>>,
    /// 16 bytes for 253 blocks, and some 300 for each segment.
    opened: Cache<u64, Arc<Opened>>,
}

impl SegmentCache {
    /// Room for so many pages of tables, dictionaries, and footers.
    pub(crate) fn new(pages: usize, dictionaries: usize, footers: usize) -> Self {
        Self { pages: Cache::new(pages), dictionaries: Cache::new(dictionaries), opened: Cache::new(footers) }
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

    pub(super) fn dictionary<E>(
        &self,
        segment: u64,
        read: impl FnOnce() -> Result<Arc<Dictionary>, E>,
    ) -> Result<Arc<Dictionary>, E> {
        get_or(&self.dictionaries, segment, read)
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
