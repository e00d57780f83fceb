//! Every bound of the contract, in one place, each with its unit.

/// Bytes of one event's data: 16 MiB.
pub const DATA_BYTES_MAX: usize = 16 << 20;
/// Bytes of one event's metadata: 64 KiB.
pub const METADATA_BYTES_MAX: usize = 64 << 10;
/// Bytes of an event type's name.
pub const EVENT_TYPE_BYTES_MAX: usize = 255;
/// Bytes of one tag.
pub const TAG_BYTES_MAX: usize = 255;
/// Tags on one event or in one query item.
pub const TAGS_MAX: usize = 64;
/// Bytes of a stream id, and of a category.
pub const STREAM_ID_BYTES_MAX: usize = 512;
/// Bytes of a content type.
pub const CONTENT_TYPE_BYTES_MAX: usize = 255;
/// Bytes of a tracking source's name.
pub const TRACKING_SOURCE_BYTES_MAX: usize = 255;
/// Tracking sources one store remembers.
pub const TRACKING_SOURCES_MAX: usize = 65_536;
/// Events of one append.
pub const APPEND_EVENTS_MAX: usize = 100_000;
/// Bytes of one append, counted as [`Event::size`](crate::Event::size): 64 MiB.
pub const APPEND_BYTES_MAX: usize = 64 << 20;
/// Conditions of one append.
pub const CONDITIONS_MAX: usize = 1_000;
/// Items of one query.
pub const QUERY_ITEMS_MAX: usize = 1_000;
/// Event types of one query item.
pub const QUERY_TYPES_MAX: usize = 1_000;

/// Items, types and tags in all conditions of one append, together.
pub const CONDITION_TERMS_MAX: usize = 100_000;

const _: () = assert!(DATA_BYTES_MAX + METADATA_BYTES_MAX < APPEND_BYTES_MAX);
