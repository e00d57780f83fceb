//! The cache of pages that were read and checked, shared by all files that have pages.
//!
//! Its bound is in bytes. A file's number is new each time it is opened, so pages of a file that is gone are never
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

/// A bounded cache of checked pages.
pub(crate) struct Pages(Cache<(u64, u64), Arc<[u8]>, Weight>);

impl Pages {
    /// A cache of about this many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let pages = usize::try_from(bytes / (super::PAGE + ENTRY_BYTES) as u64).unwrap_or(usize::MAX).max(16);
        Self(Cache::with_weighter(pages, bytes, Weight))
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
        if let Some(found) = self.0.get(&(file, page)) {
            return Ok(found);
        }
        let found = read()?;
        self.0.insert((file, page), found.clone());
        Ok(found)
    }

    /// The bytes it holds now.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.weight()
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
        let pages = Pages::new(100 * 4096);
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
