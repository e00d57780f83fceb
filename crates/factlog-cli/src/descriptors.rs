//! File descriptors: as many as the system gives, and a part of them kept for the store.

use rustix::process::{Resource, getrlimit, setrlimit};

/// What the store and the process need besides connections.
const KEPT: u64 = 512;

/// Takes as many file descriptors as the process may have, and answers how many connections they allow, `most` at most.
///
/// Where connections could take all of them, the store could open no file, and those who are connected would pay for it.
pub(crate) fn connections(most: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some() && limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Where it is refused, what there was is what there is.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    allowed(getrlimit(Resource::Nofile).current, most)
}

/// `None` is no limit.
fn allowed(descriptors: Option<u64>, most: usize) -> usize {
    let Some(descriptors) = descriptors else { return most };
    // A small limit is shared.
    let left = descriptors.saturating_sub(KEPT).max(descriptors / 2).max(1);
    usize::try_from(left).unwrap_or(most).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if a flood of connections could keep the store from opening a file.
    #[test]
    fn the_store_keeps_some() {
        assert_eq!(allowed(None, 10_000), 10_000);
        assert_eq!(allowed(Some(1 << 20), 10_000), 10_000);
        assert_eq!(allowed(Some(4_096), 10_000), 3_584);
        assert_eq!(allowed(Some(1_024), 10_000), 512);
        assert_eq!(allowed(Some(256), 10_000), 128);
    }
}
