//! Snapshots in memory: a cache of bounded size that the process takes with it.

use std::fmt;
use std::future::ready;

use factlog_core::{BoxFuture, Result};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::{SnapshotKey, SnapshotStore};

/// How many snapshots the cache is laid out for; it may hold more or fewer.
const ENTRIES_EXPECTED: usize = 10_000;
/// Parts the bytes are divided into. A snapshot has to fit into one.
const PARTS: usize = 4;

/// Keeps snapshots in memory, the least useful ones giving way beyond its bound.
///
/// A snapshot larger than a quarter of the bound is not kept; its view is folded in full each time.
pub struct MemorySnapshots {
    cache: Cache<SnapshotKey, Vec<u8>, Bytes>,
}

impl MemorySnapshots {
    /// The bytes it keeps at most, unless told otherwise: 64 MiB.
    pub const BYTES_MAX: u64 = 64 << 20;

    /// At most this many bytes of snapshots and their keys.
    pub fn with_capacity(bytes: u64) -> Self {
        let options = OptionsBuilder::new()
            .shards(PARTS)
            .estimated_items_capacity(ENTRIES_EXPECTED)
            .weight_capacity(bytes)
            .build()
            .expect("items and weight are given");
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { cache: Cache::with_options(options, Bytes, hasher, lifecycle) }
    }
}

impl Default for MemorySnapshots {
    fn default() -> Self {
        Self::with_capacity(Self::BYTES_MAX)
    }
}

impl fmt::Debug for MemorySnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entries, bytes) = (self.cache.len(), self.cache.weight());
        f.debug_struct("MemorySnapshots")
            .field("entries", &entries)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

impl SnapshotStore for MemorySnapshots {
    fn load(&self, key: &SnapshotKey) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(ready(Ok(self.cache.get(key))))
    }

    fn save(&self, key: &SnapshotKey, bytes: Vec<u8>) -> BoxFuture<'_, Result<()>> {
        self.cache.insert(key.clone(), bytes);
        Box::pin(ready(Ok(())))
    }
}

/// What an entry weighs: its own bytes and those of its key.
#[derive(Clone, Copy, Debug)]
struct Bytes;

impl Weighter<SnapshotKey, Vec<u8>> for Bytes {
    fn weight(&self, key: &SnapshotKey, snapshot: &Vec<u8>) -> u64 {
        (size_of::<SnapshotKey>() + key.id.len() + snapshot.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn key(n: usize) -> SnapshotKey {
        SnapshotKey { view: "account", version: 1, fingerprint: 7, id: format!("account:{n}") }
    }

    /// Promise 9: a bound in entries alone lets a few large states fill the memory.
    #[test]
    fn many_large_snapshots_stay_within_the_bytes_allowed() {
        let bound = 1 << 20;
        let snapshots = MemorySnapshots::with_capacity(bound);
        let save = |n, bytes| {
            let saved = snapshots.save(&key(n), vec![0; bytes]).now_or_never().expect("at once");
            saved.expect("saves");
        };
        let kept = |n| snapshots.load(&key(n)).now_or_never().expect("at once").expect("loads").is_some();
        (0..500).for_each(|n| save(n, 20 << 10));
        assert!(snapshots.cache.weight() <= bound, "{snapshots:?}");
        assert!((30..=51).contains(&(0..500).filter(|n| kept(*n)).count()), "and it is used: {snapshots:?}");
        save(500, 2 << 20);
        assert!(!kept(500), "one that does not fit is not kept");
    }
}
