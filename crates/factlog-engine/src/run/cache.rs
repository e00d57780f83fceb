//! The memory for index files: the cache of pages that were read and checked, and the room for whole filters.
//!
//! Both bounds are in bytes. A file's number is new each time it is opened, so pages of a file that is gone are never
//! found again and make room for others by age.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Bytes that the cache needs for an entry beside the page, about.
const ENTRY_BYTES: usize = 96;

#[derive(Clone, Copy, Debug)]
struct Weight;

impl Weighter<(u64, u64), Arc<[u8]>> for Weight {
    fn weight(&self, _: &(u64, u64), page: &Arc<[u8]>) -> u64 {
        (page.len() + ENTRY_BYTES) as u64
    }
}

/// A bounded cache of checked pages, and what is left of the room for filters.
pub(crate) struct Pages {
    cache: Cache<(u64, u64), Arc<[u8]>, Weight>,
    filter_room: AtomicU64,
}

impl Pages {
    /// A cache of about this many bytes, and room for so many bytes of filters.
    pub(crate) fn new(bytes: u64, filter_bytes: u64) -> Self {
        let pages = usize::try_from(bytes / (super::PAGE + ENTRY_BYTES) as u64).unwrap_or(usize::MAX).max(16);
        Self { cache: Cache::with_weighter(pages, bytes, Weight), filter_room: AtomicU64::new(filter_bytes) }
    }

    /// Takes room for a filter, if there is as much.
    pub(crate) fn take_filter_room(&self, bytes: u64) -> bool {
        let left = |room: u64| room.checked_sub(bytes);
        self.filter_room.try_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }

    /// Gives room back that was taken.
    pub(crate) fn give_filter_room(&self, bytes: u64) {
        self.filter_room.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A number for a file that is being opened; no other has it.
    pub(crate) fn next_file() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// A page of a file; what is not there is read by `read`, which has to check it. Two that miss at the same time
    /// both read.
    pub(crate) fn get<E>(
        &self,
        (file, page): (u64, u64),
        read: impl FnOnce() -> Result<Arc<[u8]>, E>,
    ) -> Result<Arc<[u8]>, E> {
        if let Some(found) = self.cache.get(&(file, page)) {
            return Ok(found);
        }
        let found = read()?;
        self.cache.insert((file, page), found.clone());
        Ok(found)
    }

    /// The bytes it holds now.
    pub(crate) fn bytes(&self) -> u64 {
        self.cache.weight()
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_keeps_its_bound_and_answers_right() {
        let pages = Pages::new(100 * 4096, 0);
        let file = Pages::next_file();
        assert_ne!(file, Pages::next_file());
        for round in 0..3_u64 {
            for number in 0..1_000 {
                let page = pages.get((file, number), || Ok::<_, ()>(vec![number as u8; 4096].into()));
                assert_eq!(page.expect("it is read")[7], number as u8, "round {round}");
                assert!(pages.bytes() <= 100 * 4096);
            }
        }
        assert!(pages.get((file, 5_000), || Err(())).is_err(), "what cannot be read is not there");
        let page = pages.get((file, 5_000), || Ok::<_, ()>(vec![9; 4096].into())).expect("it is read");
        let again = pages.get((file, 5_000), || Err(())).expect("it is held");
        assert!(Arc::ptr_eq(&page, &again));
    }
}
