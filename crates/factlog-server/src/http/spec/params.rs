//! Parameters and headers that operations take, for the document. What a handler knows is held against it by a test.

#![expect(dead_code, reason = "fields are only described; the handlers read requests by themselves")]

use utoipa::IntoParams;

use super::names::{After, Category, EventType, Limit, Position, PrincipalName, Revision, StreamId, Tag};

/// The stream of a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfStream {
    /// The stream
    #[param(value_type = StreamId, inline)]
    id: String,
}

/// The key of a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfKey {
    /// The public part of the key
    id: String,
}

/// The principal of a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfPrincipal {
    /// The principal
    #[param(value_type = PrincipalName, inline)]
    name: String,
}

/// What is to be decided.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Deciding {
    #[param(pattern = "^(read|append|admin)$")]
    action: String,
    /// The stream of the event; without it, an event in no stream
    #[param(value_type = StreamId, inline, required = false)]
    stream: String,
    /// The type of the event
    #[param(value_type = EventType, inline, required = false, rename = "type")]
    event_type: String,
    /// A tag of the event; may be repeated, 64 different ones at most
    #[param(value_type = Vec<Tag>, inline, required = false)]
    tag: Vec<String>,
    /// Somebody else than whoever asks
    #[param(value_type = PrincipalName, inline, required = false, rename = "as")]
    somebody: String,
}

/// Which part of a page's events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Events above this position; 0 is the beginning
    #[param(value_type = After, inline, required = false)]
    after: u64,
    /// Events up to and including this position
    #[param(value_type = Position, inline, required = false)]
    until: u64,
    /// How many events at most. A page also ends after 4 MiB
    #[param(value_type = Limit, inline, required = false)]
    limit: u64,
    /// Newest first
    #[param(required = false)]
    backwards: bool,
}

/// Which events, by what stands on them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Choosing {
    /// One of these types; may be repeated
    #[param(value_type = Vec<EventType>, inline, required = false, rename = "type", max_items = 1000)]
    event_type: Vec<String>,
    /// All of these tags; may be repeated, 64 different ones at most
    #[param(value_type = Vec<Tag>, inline, required = false)]
    tag: Vec<String>,
}

/// Where in the whole log.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Where {
    /// Streams of this category; not together with `stream`
    #[param(value_type = Category, inline, required = false)]
    category: String,
    /// This stream; not together with `category`
    #[param(value_type = StreamId, inline, required = false)]
    stream: String,
}

/// Where in a stream.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct From {
    /// Events from this revision on
    #[param(value_type = Revision, inline, required = false)]
    from_revision: u64,
}

/// Which streams.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    /// Streams whose names begin so
    #[param(required = false)]
    prefix: String,
    /// Streams after this one, in the order of their bytes
    #[param(value_type = StreamId, inline, required = false)]
    after: String,
    /// How many streams at most
    #[param(value_type = Limit, inline, required = false)]
    limit: u64,
}

/// Where a follower begins.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Beginning {
    /// Events above this position; 0, as without it, is the beginning. Beyond the head is refused
    #[param(value_type = After, inline, required = false)]
    after: u64,
    /// `end`: what is appended from now on; not together with `after`
    #[param(required = false, pattern = "^end$")]
    from: String,
}

/// Where a follower goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct GoingOn {
    /// The `id` of the last message: it goes on after that. It goes before `after` and `from`
    #[param(required = false, rename = "Last-Event-ID", pattern = "^[0-9]{0,19}$")]
    last_event_id: String,
}

/// How far a projection may be behind.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Lagging {
    /// Further behind is not well; otherwise as the program says
    #[param(required = false, value_type = u64, maximum = 4_294_967_295_u64)]
    max_lag_seconds: u32,
}

/// How often an append is written.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct Idempotent {
    /// Makes the ids of events that have none: the same request under the same key is written once, for ever
    #[param(required = false, rename = "Idempotency-Key", min_length = 1, max_length = 255)]
    idempotency_key: String,
}

/// At which revision of its stream an append happens.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct Matching {
    /// Only if the stream is at this revision, its `ETag`; `*`: only if it has an event
    #[param(required = false, rename = "If-Match", pattern = "^([*]|\"[0-9]{1,19}\")$")]
    if_match: String,
    /// `*`: only if the stream has no event; not together with `If-Match`
    #[param(required = false, rename = "If-None-Match", pattern = "^[*]$")]
    if_none_match: String,
}

/// What a reader of a stream has already.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct Having {
    /// `ETag`s of the stream, with commas between, or `*`: answered 304 while it is at one of these revisions
    #[param(
        required = false,
        rename = "If-None-Match",
        pattern = "^([*]|(W/)?\"[0-9]{1,19}\"(, (W/)?\"[0-9]{1,19}\")*)$"
    )]
    if_none_match: String,
}
