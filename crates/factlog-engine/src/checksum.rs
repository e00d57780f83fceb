//! Checksums that cover content and place, so that a block of another store, file or offset never passes.
//!
//! The algorithm is XXH3-64 (<https://github.com/Cyan4973/xxHash>); the seed is the XXH3-64 of the place.

use uuid::Uuid;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Where bytes belong: the store, the file (its kind and number) and the offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) store: Uuid,
    pub(crate) file: FileKind,
    pub(crate) number: u64,
    pub(crate) offset: u64,
}

/// The kinds of files; the numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Wal = 1,
    Segment = 2,
    Run = 3,
}

impl Place {
    /// The seed of every checksum at this place.
    pub(crate) fn seed(self) -> u64 {
        let mut bytes = [0; 40];
        bytes[..16].copy_from_slice(self.store.as_bytes());
        bytes[16..24].copy_from_slice(&(self.file as u64).to_le_bytes());
        bytes[24..32].copy_from_slice(&self.number.to_le_bytes());
        bytes[32..].copy_from_slice(&self.offset.to_le_bytes());
        xxh3_64(&bytes)
    }
}

/// A store's own number: the seed of its manifest's checksum and of its hashes.
pub(crate) fn seed_of(store: Uuid) -> u64 {
    xxh3_64(store.as_bytes())
}

/// The checksum of `bytes` at a place with this seed.
pub(crate) fn checksum(seed: u64, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}

/// Whether the last eight bytes are the checksum of those before them.
pub(crate) fn trailer_holds(seed: u64, bytes: &[u8]) -> bool {
    let Some((content, trailer)) = bytes.split_last_chunk::<8>() else {
        return false;
    };
    checksum(seed, content) == u64::from_le_bytes(*trailer)
}

/// Appends the checksum of all bytes so far.
pub(crate) fn push_trailer(seed: u64, bytes: &mut Vec<u8>) {
    let sum = checksum(seed, bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
}
