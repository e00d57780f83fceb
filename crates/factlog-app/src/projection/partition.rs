//! Virtual partitions: keys are dealt to 1024 of them by a hash that never changes, and workers own ranges of them.
//!
//! * The number and the hash are part of the format (`docs/format.md`): a checkpoint is of a range of partitions.
//! * It knows neither leases nor documents.

use std::ops::Range;

use factlog_core::{Error, Result};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// How many virtual partitions there are.
pub const PARTITIONS: u16 = 1024;

/// The partition of a key: XXH3-64 of the key as JSON, modulo 1024. It is the same for ever.
///
/// ```
/// # extern crate factlog_app as factlog;
/// assert_eq!(factlog::projection::partition(&"order-7")?, factlog::projection::partition(&"order-7")?);
/// # Ok::<(), factlog::Error>(())
/// ```
///
/// # Errors
/// `Invalid` where serde refuses to write the key as JSON.
pub fn partition<K: Serialize>(key: &K) -> Result<u16> {
    let json = serde_json::to_vec(key).map_err(|cause| {
        Error::invalid("a key of a read model cannot be written as JSON; use plain types").because(cause)
    })?;
    Ok(of_json(&json))
}

pub(super) fn of_json(key: &[u8]) -> u16 {
    u16::try_from(xxh3_64(key) % u64::from(PARTITIONS)).expect("less than 1024")
}

/// The range of one of so many slots; together they are all partitions, and no two share one.
pub(super) fn slot(index: u16, of: u16) -> Range<u16> {
    assert!(index < of);
    assert!(of <= PARTITIONS);
    let bound = |index: u16| u32::from(index) * u32::from(PARTITIONS) / u32::from(of);
    let narrow = |bound: u32| u16::try_from(bound).expect("at most 1024");
    narrow(bound(index))..narrow(bound(index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 39: a hash that changes with the program or the platform breaks the order within a key.
    #[test]
    fn the_partition_of_a_key_never_changes() {
        assert_eq!(partition(&"order-7").expect("a key"), 344);
        assert_eq!(partition(&42_u64).expect("a key"), 401);
        assert_eq!(partition(&("a", 1)).expect("a key"), 808);
        assert_eq!(of_json(br#""order-7""#), partition(&"order-7").expect("a key"));
    }

    #[test]
    fn slots_cover_every_partition_once() {
        for of in [1, 2, 3, 7, 1000, 1024] {
            let mut next = 0;
            for index in 0..of {
                let range = slot(index, of);
                assert_eq!(range.start, next);
                assert!(range.start < range.end);
                next = range.end;
            }
            assert_eq!(next, PARTITIONS);
        }
    }
}
