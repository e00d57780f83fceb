//! Events: what is appended ([`Event`]) and what is read ([`RecordedEvent`]).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use uuid::Uuid;

use crate::limits;
use crate::{Error, EventType, Position, Result, Revision, StreamId, Tag, Tags, Timestamp};

/// The identity of an event, a UUID. It makes repeating an append safe.
///
/// ```
/// # use factlog_core::EventId;
/// let id: EventId = "4000d4e9-32ed-5d13-a2ca-ba9245cc3b97".parse()?;
/// assert_eq!(id.to_string(), "4000d4e9-32ed-5d13-a2ca-ba9245cc3b97");
/// # Ok::<(), factlog_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Uuid);

impl EventId {
    /// A new time-ordered id (UUID version 7).
    pub fn generate() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "ids come from the caller; this is the default it may choose"
        )]
        let id = Uuid::now_v7();
        Self(id)
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Its bytes, in the order RFC 9562 writes them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl From<Uuid> for EventId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<EventId> for Uuid {
    fn from(id: EventId) -> Self {
        id.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({})", self.0)
    }
}

impl FromStr for EventId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Uuid::try_parse(text).map(Self).map_err(|cause| {
            Error::invalid(format!("{text:?} is no UUID, so it is no event id")).because(cause)
        })
    }
}

/// The media type of an event's data: 1 to 255 bytes; `application/json` unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentType(Cow<'static, str>);

impl ContentType {
    /// `application/json`.
    pub const JSON: Self = Self(Cow::Borrowed("application/json"));
    /// `application/octet-stream`.
    pub const BYTES: Self = Self(Cow::Borrowed("application/octet-stream"));

    /// Checks the bound and takes the text as it is.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when it is empty or longer than 255 bytes.
    pub fn new(text: &str) -> Result<Self> {
        if text == Self::JSON.as_str() {
            return Ok(Self::JSON);
        }
        if text.is_empty() || text.len() > limits::CONTENT_TYPE_BYTES_MAX {
            let (length, max) = (text.len(), limits::CONTENT_TYPE_BYTES_MAX);
            return Err(Error::invalid(format!("content type has {length} bytes; 1 to {max} are allowed")));
        }
        Ok(Self(Cow::Owned(text.to_owned())))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ContentType {
    fn default() -> Self {
        Self::JSON
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A fact to append. It has no position and no time yet.
///
/// ```
/// use factlog_core::{Event, EventType, StreamId, Tags};
///
/// let event = Event::new(EventType::new("account.opened")?, r#"{"owner":"Ada"}"#)
///     .in_stream(StreamId::new("account-42")?)
///     .tagged(Tags::new(["account:42"])?);
/// assert_eq!(event.tags.len(), 1);
/// # Ok::<(), factlog_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Identity for idempotency.
    pub id: EventId,
    /// What kind of fact it is.
    pub event_type: EventType,
    /// The labels it is found by.
    pub tags: Tags,
    /// The fact itself, opaque to the store: at most 16 MiB.
    pub data: Bytes,
    /// Facts about the fact (correlation, causation, user), by habit a JSON object or empty: at most 64 KiB.
    pub metadata: Bytes,
    /// The media type of `data`.
    pub content_type: ContentType,
    /// The ordered sequence it belongs to, if any.
    pub stream: Option<StreamId>,
}

impl Event {
    /// A fact with a new id, in no stream, without tags and metadata, of content type JSON.
    pub fn new(event_type: EventType, data: impl Into<Bytes>) -> Self {
        Self {
            id: EventId::generate(),
            event_type,
            tags: Tags::NONE,
            data: data.into(),
            metadata: Bytes::new(),
            content_type: ContentType::JSON,
            stream: None,
        }
    }

    /// The same with this id.
    #[must_use]
    pub fn with_id(mut self, id: EventId) -> Self {
        self.id = id;
        self
    }

    /// The same in this stream.
    #[must_use]
    pub fn in_stream(mut self, stream: StreamId) -> Self {
        self.stream = Some(stream);
        self
    }

    /// The same with these tags.
    #[must_use]
    pub fn tagged(mut self, tags: Tags) -> Self {
        self.tags = tags;
        self
    }

    /// The same with this metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl Into<Bytes>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// The same with this content type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: ContentType) -> Self {
        self.content_type = content_type;
        self
    }

    /// Bytes of its content, which the bound of an append counts.
    pub fn size(&self) -> usize {
        let stream = self.stream.as_ref().map_or(0, |stream| stream.as_str().len());
        let tags: usize = self.tags.iter().map(|tag: &Tag| tag.as_str().len()).sum();
        self.event_type.as_str().len()
            + self.content_type.as_str().len()
            + stream
            + tags
            + self.data.len()
            + self.metadata.len()
    }

    pub(crate) fn check_bounds(&self) -> Result<()> {
        let bounds = [
            ("data", self.data.len(), limits::DATA_BYTES_MAX),
            ("metadata", self.metadata.len(), limits::METADATA_BYTES_MAX),
        ];
        for (what, length, max) in bounds {
            if length > max {
                let (id, event_type) = (self.id, &self.event_type);
                let message = format!(
                    "{what} of event {id} ({event_type}) has {length} bytes; at most {max} are allowed"
                );
                return Err(Error::invalid(message));
            }
        }
        Ok(())
    }
}

/// A fact as it was recorded: immutable, with its place and the time the store learned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the store.
    pub position: Position,
    /// When the store recorded it. Never decreases with position.
    pub recorded_at: Timestamp,
    /// Its place in its stream, where it has one.
    pub revision: Option<Revision>,
    /// What was appended.
    pub event: Event,
}
