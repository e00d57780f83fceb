//! What goes in and out as JSON where no type of the program has that shape: events keep their bytes and are written by hand.

#![expect(dead_code, reason = "fields are only described; `json`, `body` and `read` read and write them")]

use factlog_core::limits;
use serde_json::Value;
use utoipa::ToSchema;

use super::names::{After, Base64, EventId, EventType, MediaType, Position, Revision, StreamId, Tag, Time};
use crate::http::conditions::Wrapper;

const _: () = assert!(limits::TAGS_MAX == 64 && limits::APPEND_EVENTS_MAX == 100_000);

/// An event to append.
///
/// Data that is no JSON is a string, where `content_type` says text, or in `data_base64`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    #[schema(value_type = EventType, rename = "type")]
    event_type: String,
    /// Without it one is made, from the `Idempotency-Key` where there is one
    #[schema(value_type = Option<EventId>)]
    id: String,
    #[schema(value_type = Option<StreamId>)]
    stream: String,
    #[schema(value_type = Vec<Tag>, required = false, max_items = 64)]
    tags: Vec<String>,
    /// `application/json` where there is none, `application/octet-stream` beside `data_base64`
    #[schema(value_type = Option<MediaType>)]
    content_type: String,
    /// Kept byte for byte; not together with `data_base64`
    #[schema(required = false)]
    data: Value,
    #[schema(value_type = Option<Base64>)]
    data_base64: String,
    /// Kept byte for byte, 64 KiB at most; not together with `metadata_base64`
    #[schema(required = false)]
    metadata: Value,
    #[schema(value_type = Option<Base64>)]
    metadata_base64: String,
}

/// A CloudEvent 1.0; `subject` is its stream.
#[derive(ToSchema)]
pub(crate) struct CloudEvent {
    #[schema(pattern = "^1[.]0$")]
    specversion: String,
    /// One that is no UUID makes one, with the source
    #[schema(min_length = 1)]
    id: String,
    #[schema(min_length = 1)]
    source: String,
    #[schema(value_type = EventType, rename = "type")]
    event_type: String,
    #[schema(value_type = Option<StreamId>)]
    subject: String,
    #[schema(value_type = Option<MediaType>)]
    datacontenttype: String,
    #[schema(required = false)]
    data: Value,
    #[schema(value_type = Option<Base64>)]
    data_base64: String,
    /// A JSON array of tags
    tags: Option<String>,
}

/// One event, of either form.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum AnyEvent {
    Ours(Event),
    Cloud(CloudEvent),
}

/// Events, all of which are written or none.
#[derive(ToSchema)]
#[schema(min_items = 1, max_items = 100000)]
pub(crate) struct Events(Vec<AnyEvent>);

/// NDJSON: an event a line.
#[derive(ToSchema)]
#[schema(min_items = 1, max_items = 100000)]
pub(crate) struct Lines(Vec<AnyEvent>);

/// What is to be appended: an event, several, or several with conditions.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Append {
    One(AnyEvent),
    Several(Events),
    Conditional(Wrapper<'static>),
}

/// An event as it was recorded.
#[derive(ToSchema)]
pub(crate) struct RecordedEvent {
    #[schema(value_type = Position)]
    position: u64,
    /// Of an event in a stream
    #[schema(value_type = Revision, required = false)]
    revision: u64,
    #[schema(value_type = Time)]
    recorded_at: String,
    #[schema(value_type = EventId)]
    id: String,
    #[schema(value_type = EventType, rename = "type")]
    event_type: String,
    #[schema(value_type = StreamId, required = false)]
    stream: String,
    #[schema(value_type = Vec<Tag>, required = false, min_items = 1, max_items = 64)]
    tags: Vec<String>,
    /// Where it is not `application/json`, or the data is none
    #[schema(value_type = MediaType, required = false)]
    content_type: String,
    #[schema(required = false)]
    data: Value,
    #[schema(value_type = Base64, required = false)]
    data_base64: String,
    #[schema(required = false)]
    metadata: Value,
    #[schema(value_type = Base64, required = false)]
    metadata_base64: String,
}

/// Events of one snapshot.
#[derive(ToSchema)]
pub(crate) struct Page {
    #[schema(max_items = 1000)]
    events: Vec<RecordedEvent>,
    /// The last position of the snapshot; `null` in an empty store
    #[schema(value_type = Option<Position>, required = true)]
    head: Option<u64>,
    /// The `after` of the next page (backwards: its `until`); `null` where nothing is left
    #[schema(value_type = Option<After>, required = true)]
    next: Option<u64>,
}

/// NDJSON: an event a line.
#[derive(ToSchema)]
#[schema(max_items = 1000)]
pub(crate) struct RecordedLines(Vec<RecordedEvent>);

/// A message of Server-Sent Events.
#[derive(ToSchema)]
pub(crate) struct Message {
    /// The position of the event, or of the head that was caught up with
    #[schema(required = false, pattern = "^[1-9][0-9]*$")]
    id: String,
    /// Absent, that is `message`, for an event
    #[schema(required = false, pattern = "^(message|caught-up|end)$")]
    event: String,
    /// A recorded event, `{"position":9}` or a problem, in JSON
    data: String,
    /// What to wait before connecting again, in milliseconds
    #[schema(required = false)]
    retry: u64,
}
