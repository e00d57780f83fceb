//! Snapshots in memory: a bounded cache that the process takes with it.

use std::fmt;
use std::future::ready;

use factlog_core::{BoxFuture, Result};
use quick_cache::sync::Cache;

use super::{SnapshotKey, SnapshotStore};

/// Keeps snapshots in memory, the least useful ones giving way beyond its bound.
pub struct MemorySnapshots {
    cache: Cache<SnapshotKey, Vec<u8>>,
}

impl MemorySnapshots {
    /// The snapshots it keeps at most, unless told otherwise.
    pub const ENTRIES_MAX: usize = 10_000;

    /// At most `entries` snapshots.
    pub fn with_capacity(entries: usize) -> Self {
        Self { cache: Cache::new(entries) }
    }
}

impl Default for MemorySnapshots {
    fn default() -> Self {
        Self::with_capacity(Self::ENTRIES_MAX)
    }
}

impl fmt::Debug for MemorySnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySnapshots").field("entries", &self.cache.len()).finish_non_exhaustive()
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
