//! Between typed events and stored bytes: JSON data, JSON metadata, and what can go wrong.
//!
//! It never guesses: data that does not fit and versions from the future are errors with the facts.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use factlog_core::{
    Event as RawEvent, EventId, Position, RecordedEvent, Revision, StreamId, Tags, Timestamp,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{EventSet, Fact, Metadata, Stored};

/// An event as it was recorded, as a typed fact.
///
/// ```
#[doc = include_str!("docs/counter.txt")]
/// # let app = App::new(MemoryStore::new());
/// app.execute(Raise { counter: 1 }).correlation("order-7").await?;
/// let raised: &Recorded<Raised> = &app.history(tags![counter = 1]?).await?[0];
/// assert_eq!((raised.position, raised.event.counter), (Position::FIRST, 1));
/// assert_eq!(raised.metadata().correlation_id(), Some("order-7"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded<E> {
    /// Its place in the store.
    pub position: Position,
    /// When the store recorded it: "as known at". When it was true is the event's own data.
    pub recorded_at: Timestamp,
    /// Its place in its stream, where it has one.
    pub revision: Option<Revision>,
    /// Its identity.
    pub id: EventId,
    /// The stream it lies in, if any.
    pub stream: Option<StreamId>,
    /// Its place among the facts that one stored event is read as, from 0; see [`Split`](crate::Split).
    pub index: u32,
    /// The fact.
    pub event: E,
    metadata: Bytes,
    /// The labels of a fact that is not what is stored itself.
    tags: Option<Tags>,
}

impl<E: EventSet> Recorded<E> {
    /// Reads a stored event as facts of the set, in order: one, or what it is [split](crate::Split) into.
    ///
    /// # Errors
    /// [`CodecError`] with the position: the type is not in the set, its version is newer than this program
    /// knows, or data or metadata do not fit.
    pub fn facts(raw: &RecordedEvent) -> Result<impl Iterator<Item = Self> + use<E>, CodecError> {
        let (mut first, mut more) = (None, Vec::new());
        Self::each(raw, &mut |fact| match first {
            None => first = Some(fact),
            Some(_) => more.push(fact),
        })?;
        if !more.is_empty() {
            more.extend(first.take());
            more.sort_by_key(|fact: &Self| fact.index);
        }
        Ok(first.into_iter().chain(more))
    }

    /// The same behind others, for who reads many; what fails leaves none.
    pub(crate) fn facts_into(raw: RecordedEvent, facts: &mut Vec<Self>) -> Result<(), CodecError> {
        let start = facts.len();
        let read = stored(&raw).and_then(|stored| {
            let each = &mut |fact| facts.push(Self::bare(&raw, fact));
            E::facts(&stored, each).map_err(|error| error.at(raw.position))
        });
        if let Err(error) = read {
            facts.truncate(start);
            return Err(error);
        }
        let Some((last, others)) = facts[start..].split_last_mut() else { return Ok(()) };
        for fact in others.iter_mut() {
            fact.stream.clone_from(&raw.event.stream);
            fact.metadata.clone_from(&raw.event.metadata);
        }
        (last.stream, last.metadata) = (raw.event.stream, raw.event.metadata);
        if !others.is_empty() {
            facts[start..].sort_by_key(|fact| fact.index);
        }
        Ok(())
    }

    /// Hands on the facts, in any order.
    fn each(raw: &RecordedEvent, fact: &mut dyn FnMut(Self)) -> Result<(), CodecError> {
        let stored = stored(raw)?;
        E::facts(&stored, &mut |found| fact(Self::of(raw, found))).map_err(|error| error.at(raw.position))
    }

    fn of(raw: &RecordedEvent, fact: Fact<E>) -> Self {
        let (stream, metadata) = (raw.event.stream.clone(), raw.event.metadata.clone());
        Self { stream, metadata, ..Self::bare(raw, fact) }
    }

    /// A fact that lacks its stream and metadata.
    fn bare(raw: &RecordedEvent, fact: Fact<E>) -> Self {
        Self {
            position: raw.position,
            recorded_at: raw.recorded_at,
            revision: raw.revision,
            id: raw.event.id,
            stream: None,
            index: fact.index,
            event: fact.event,
            metadata: Bytes::new(),
            tags: fact.tags,
        }
    }
}

impl<E> Recorded<E> {
    /// The facts about the fact: correlation, causation and the writer's own entries.
    pub fn metadata(&self) -> Metadata {
        Metadata::parse(&self.metadata)
    }

    /// Whether it is among what these labels ask for: what is stored is already, a fact that it is split into may not be.
    pub(crate) fn has(&self, tags: &Tags) -> bool {
        self.tags.as_ref().is_none_or(|own| tags.iter().all(|tag| own.contains(tag)))
    }
}

/// Why an event could not be written or read: a sentence with its type, version and position.
#[derive(Clone, Debug)]
pub struct CodecError {
    event_type: String,
    version: u32,
    position: Option<Position>,
    problem: Problem,
}

#[derive(Clone, Debug)]
enum Problem {
    UnknownType { known: String },
    NewerVersion { known: u32 },
    Data(Cause),
    Metadata(Cause),
    Encode(Cause),
}

type Cause = Arc<dyn StdError + Send + Sync>;

impl CodecError {
    /// The type of the event in question.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The version of its shape.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Where it is stored; `None` for one that was to be written.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Whether it is of no type in the set.
    pub(crate) fn is_unknown_type(&self) -> bool {
        matches!(self.problem, Problem::UnknownType { .. })
    }

    pub(crate) fn unknown_type(stored: &Stored<'_>, known: &[&str]) -> Self {
        Self::of(stored, Problem::UnknownType { known: known.join(", ") })
    }

    pub(crate) fn encode(name: &str, version: u32, cause: Box<dyn StdError + Send + Sync>) -> Self {
        Self { event_type: name.to_owned(), version, position: None, problem: Problem::Encode(cause.into()) }
    }

    fn of(stored: &Stored<'_>, problem: Problem) -> Self {
        Self { event_type: stored.event_type.to_owned(), version: stored.version, position: None, problem }
    }

    fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (event_type, version) = (&self.event_type, self.version);
        let verb = if matches!(self.problem, Problem::Encode(_)) { "write" } else { "read" };
        write!(f, "cannot {verb} {event_type} version {version}")?;
        if let Some(position) = self.position {
            write!(f, " at position {position}")?;
        }
        match &self.problem {
            Problem::UnknownType { known } => write!(
                f,
                ": the type is not in the set asked for, which has {known}; add it to the event set"
            ),
            Problem::NewerVersion { known } => write!(
                f,
                ": this program knows versions up to {known}; a newer program wrote it, deploy that one here"
            ),
            Problem::Data(_) => f.write_str(
                ": its data does not fit the struct; give the field a serde default, or raise the version and write an upcast",
            ),
            Problem::Metadata(_) => f.write_str(
                ": its metadata is no JSON object with a number as `schema`; it was not written by this framework",
            ),
            Problem::Encode(_) => {
                f.write_str(": a tag, the stream or the data is out of bounds; correct the event")
            }
        }
    }
}

impl StdError for CodecError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.problem {
            Problem::Data(cause) | Problem::Metadata(cause) | Problem::Encode(cause) => Some(cause.as_ref()),
            Problem::UnknownType { .. } | Problem::NewerVersion { .. } => None,
        }
    }
}

/// Reads data of exactly the version `known`; the derive has dealt with older ones.
pub fn decode_json<E: DeserializeOwned>(stored: &Stored<'_>, known: u32) -> Result<E, CodecError> {
    if known < stored.version {
        return Err(CodecError::of(stored, Problem::NewerVersion { known }));
    }
    serde_json::from_slice(stored.data)
        .map_err(|cause| CodecError::of(stored, Problem::Data(Arc::new(cause))))
}

/// The stored event that a fact becomes.
pub(crate) fn raw_event<E: EventSet>(
    event: &E,
    id: EventId,
    metadata: &Metadata,
) -> Result<RawEvent, CodecError> {
    let encoded = event.encode()?;
    let (name, version) = (encoded.name, encoded.version);
    let event_type =
        name.parse().map_err(|cause: factlog_core::Error| CodecError::encode(name, version, cause.into()))?;
    Ok(RawEvent {
        id,
        event_type,
        tags: encoded.tags,
        data: encoded.data,
        metadata: metadata.encode(version),
        content_type: factlog_core::ContentType::JSON,
        stream: encoded.stream,
    })
}

/// What decoding needs to know of a stored event.
fn stored(raw: &RecordedEvent) -> Result<Stored<'_>, CodecError> {
    let version = schema_version(&raw.event.metadata).map_err(|cause| CodecError {
        event_type: raw.event.event_type.to_string(),
        version: 1,
        position: Some(raw.position),
        problem: Problem::Metadata(Arc::new(cause)),
    })?;
    Ok(Stored { event_type: raw.event.event_type.as_str(), version, data: &raw.event.data })
}

/// The `schema` of metadata that is a JSON object or empty; absent and 1 are the same.
fn schema_version(metadata: &[u8]) -> serde_json::Result<u32> {
    #[derive(Deserialize)]
    struct Schema {
        #[serde(default = "one")]
        schema: u32,
    }
    fn one() -> u32 {
        1
    }
    if metadata.is_empty() || says_nothing(metadata) {
        return Ok(1);
    }
    let schema = serde_json::from_slice::<Schema>(metadata)?.schema;
    Ok(schema.max(1))
}

/// Whether an object has no such member for sure: nothing in it reads `"schema"`, and no name in it is escaped.
fn says_nothing(metadata: &[u8]) -> bool {
    const NAME: &[u8; 8] = b"\"schema\"";
    let [b'{', members @ .., b'}'] = metadata else { return false };
    !members.contains(&b'\\') && !members.windows(NAME.len()).any(|place| place == NAME)
}
