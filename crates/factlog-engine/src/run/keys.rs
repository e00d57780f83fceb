//! Keys: the bytes that postings are kept for, and the hashes of keys and event ids.
//!
//! A key is one byte that says its kind, then a name. Hashes are seeded by the store, so that nobody outside can
//! prepare names that collide.

use factlog_core::{Category, EventId, EventType, StreamId, Tag};
use uuid::Uuid;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The events of one stream.
pub(crate) const STREAM: u8 = 1;
/// The events of all streams of a category.
pub(crate) const CATEGORY: u8 = 2;
/// The events of a type.
pub(crate) const EVENT_TYPE: u8 = 3;
/// The events with a tag.
pub(crate) const TAG: u8 = 4;
/// How many kinds there are.
pub(crate) const KINDS: usize = 4;
/// No key is longer.
pub(crate) const KEY_BYTES_MAX: usize = 1030;

const _: () = assert!(factlog_core::limits::STREAM_ID_BYTES_MAX < KEY_BYTES_MAX);
const _: () = assert!(factlog_core::limits::TAG_BYTES_MAX < KEY_BYTES_MAX);
const _: () = assert!(factlog_core::limits::EVENT_TYPE_BYTES_MAX < KEY_BYTES_MAX);

/// Puts a key together.
pub(crate) fn key(kind: u8, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + name.len());
    key.push(kind);
    key.extend_from_slice(name.as_bytes());
    key
}

/// The key of a stream.
pub(crate) fn stream(stream: &StreamId) -> Vec<u8> {
    key(STREAM, stream.as_str())
}

/// The key of a category.
pub(crate) fn category(category: &Category) -> Vec<u8> {
    key(CATEGORY, category.as_str())
}

/// The key of an event type.
pub(crate) fn event_type(event_type: &EventType) -> Vec<u8> {
    key(EVENT_TYPE, event_type.as_str())
}

/// The key of a tag.
pub(crate) fn tag(tag: &Tag) -> Vec<u8> {
    key(TAG, tag.as_str())
}

/// The seed of a store's hashes.
pub(crate) fn seed(store: Uuid) -> u64 {
    xxh3_64(store.as_bytes())
}

/// The hash of a key.
pub(crate) fn hash(seed: u64, key: &[u8]) -> u64 {
    xxh3_64_with_seed(key, seed)
}

/// The hash of an event id: 40 bits.
pub(crate) fn id_hash(seed: u64, id: &EventId) -> u64 {
    xxh3_64_with_seed(id.as_bytes(), seed) >> 24
}

/// What two runs, or a run and the log, must agree in: sums over all postings and all ids, in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) postings: u64,
    pub(crate) ids: u64,
}

impl Fingerprint {
    /// Adds what another has counted.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { postings: self.postings.wrapping_add(other.postings), ids: self.ids.wrapping_add(other.ids) }
    }
}

/// What a posting adds to the fingerprint.
pub(crate) fn fingerprint_of_posting(key_hash: u64, position: u64) -> u64 {
    xxh3_64_with_seed(&position.to_le_bytes(), key_hash)
}

/// What an id adds to the fingerprint.
pub(crate) fn fingerprint_of_id(id_hash: u64, position: u64) -> u64 {
    xxh3_64_with_seed(&position.to_le_bytes(), id_hash)
}
