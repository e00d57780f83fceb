//! Folded views in memory, so that the next load reads only what came after.
//!
//! * An entry is immutable, and of this app's store only: nobody can change what another is deciding on.
//! * It is written by loads, after they have read; never by a command for what it has yet to record.
//! * Losing one costs a longer read, nothing else.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use factlog_core::{Position, Timestamp};
use quick_cache::sync::Cache;

/// Views an app keeps at most, unless told otherwise.
pub(crate) const VIEWS: usize = 1_000;

/// Which view of what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    pub(crate) view: TypeId,
    pub(crate) scope: Arc<str>,
}

/// A fold as it was.
#[derive(Clone, Debug)]
pub(crate) struct Cached {
    /// What [`crate::model::Slot`] gave away; only it knows the type.
    pub(crate) fold: Arc<dyn Any + Send + Sync>,
    /// The head of the snapshot it was read from.
    pub(crate) head: Option<Position>,
    /// When that was, by the app's clock, at the latest.
    pub(crate) at: Timestamp,
}

/// A bounded number of them.
pub(crate) struct Views(Option<Cache<CacheKey, Cached>>);

impl Views {
    pub(crate) fn new(most: usize) -> Self {
        Self((0 < most).then(|| Cache::new(most)))
    }

    pub(crate) fn get(&self, key: &CacheKey) -> Option<Cached> {
        self.0.as_ref()?.get(key)
    }

    pub(crate) fn forget(&self, key: &CacheKey) {
        if let Some(cache) = &self.0 {
            cache.remove(key);
        }
    }

    /// Keeps what is newest, also where two loads end in the other order.
    pub(crate) fn put(&self, key: CacheKey, new: Cached) {
        let Some(cache) = &self.0 else { return };
        if cache.get(&key).is_none_or(|old| old.head <= new.head) {
            cache.insert(key, new);
        }
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views").field("kept", &self.0.as_ref().map_or(0, Cache::len)).finish_non_exhaustive()
    }
}
