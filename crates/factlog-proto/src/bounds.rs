//! Bounds of messages, related to those of the contract at compile time.

use factlog_core::limits;

/// What an event takes in a message besides the bytes the contract counts: its id, its place, a tag and a length for
/// each field.
const EVENT_FRAME_BYTES: usize = 96 + limits::TAGS_MAX * 4;
/// The most a name in a condition takes: a stream id with its frame, and the frame of its item.
const TERM_BYTES: usize = limits::STREAM_ID_BYTES_MAX + 16;

/// Bytes of the largest request: 160 MiB. Whatever append the contract allows is smaller.
pub const REQUEST_BYTES_MAX: usize = 160 << 20;

const _: () = assert!(
    limits::APPEND_BYTES_MAX
        + limits::APPEND_EVENTS_MAX * EVENT_FRAME_BYTES
        + (limits::CONDITION_TERMS_MAX + limits::CONDITIONS_MAX) * TERM_BYTES
        + limits::TRACKING_SOURCE_BYTES_MAX
        < REQUEST_BYTES_MAX
);

/// Bytes of events after which a server sends a batch: 64 KiB. A subscriber that does not read costs the server one or two of them,
/// and larger ones are no faster. Each counts as [`Event::size`](factlog_core::Event::size)
/// and [`ITEM_BYTES`].
pub const BATCH_BYTES: usize = 64 << 10;

/// What each item of a batch counts besides the bytes of its event.
pub const ITEM_BYTES: usize = 64;

/// Bytes of the largest answer: 32 MiB. A batch that is nearly full and one more event of the largest size is smaller.
pub const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Everything of one event but its data and metadata.
const EVENT_NAMES_BYTES: usize = limits::EVENT_TYPE_BYTES_MAX
    + limits::CONTENT_TYPE_BYTES_MAX
    + limits::STREAM_ID_BYTES_MAX
    + limits::TAGS_MAX * limits::TAG_BYTES_MAX;

const _: () = assert!(
    BATCH_BYTES / ITEM_BYTES * EVENT_FRAME_BYTES
        + BATCH_BYTES
        + limits::DATA_BYTES_MAX
        + limits::METADATA_BYTES_MAX
        + EVENT_NAMES_BYTES
        < ANSWER_BYTES_MAX
);
