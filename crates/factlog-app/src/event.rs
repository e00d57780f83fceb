//! Events as the user's own types: one struct per fact, one enum per set of facts.
//!
//! * A struct has a name, a schema version, tags and perhaps a stream; the derive writes them down.
//! * This module does not know positions, stores or folds.

use bytes::Bytes;
use factlog_core::{Result, StreamId, Tags};
use serde::Serialize;

use crate::{CodecError, Fact};

/// A fact: a struct with a name that never changes. Derive it.
///
/// ```
/// # extern crate factlog_app as factlog;
/// # fn main() {
/// use factlog::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
/// #[event(name = "account.withdrawn", tags(account = account_id), stream = "account-{account_id}")]
/// struct Withdrawn {
///     account_id: u64,
///     amount: u64,
/// }
/// assert_eq!(Withdrawn::NAME, "account.withdrawn");
/// # }
/// ```
///
/// | in `#[event(...)]` | meaning |
/// |---|---|
/// | `name = "account.withdrawn"` | the type under which it is stored, past tense, for ever; required |
/// | `tags(account = account_id, owner)` | the tags `account:<field>` and `owner:<field>`, by `Display`; an `Option` gives a tag only when it is `Some` |
/// | `stream = "account-{account_id}"` | the stream it is appended to |
/// | `version = 2, upcast(WithdrawnV1)` | the shape changed: stored events of version 1 are read as `WithdrawnV1` and lifted by [`Upcast`] |
/// | `renamed_from("account.debited")` | names it was stored under before; they are still read and asked for. The version counts on when a name changes |
/// | `split_from(Movements)` | stored events of another kind are read as this one, too: see [`Split`](crate::Split) |
/// | `crate = path` | where the framework is, if not at `::factlog` |
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "no `Event` here",
    note = "write `#[derive(Event, Serialize, Deserialize)] #[event(name = \"thing.happened\")]` on the struct"
)]
pub trait Event: Serialize + Send + Sync + Sized + 'static {
    /// The type under which it is stored.
    const NAME: &'static str;
    /// The version of its shape, from 1.
    const VERSION: u32;
    /// Every name it was ever stored under, the present one first; a name may stand twice.
    const NAMES: &'static [&'static str];
    /// Every name it is read from: its own, and those of what is split into it.
    const SOURCES: &'static [&'static str] = Self::NAMES;
    /// The keys of its labels, those of older shapes among them; the empty one where they are not known, as without the
    /// derive. A view that asks for a key that no event of its set has is refused: see [`View::tags`](crate::View::tags).
    const TAG_KEYS: &'static [&'static str] = &[""];

    /// The labels it is found by.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](factlog_core::ErrorKind::Invalid) where a field's text makes a tag longer than 255 bytes.
    fn tags(&self) -> Result<Tags>;

    /// The stream it is appended to, if any.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](factlog_core::ErrorKind::Invalid) where a field's text makes the id longer than 512 bytes.
    fn stream(&self) -> Result<Option<StreamId>>;

    /// Reads what is stored, of this or any older version.
    ///
    /// # Errors
    /// [`CodecError`]: the version is newer than this program knows, or the data does not fit the struct.
    fn decode(stored: &Stored<'_>) -> Result<Self, CodecError>;

    /// Hands on what a stored event under one of [`SOURCES`](Self::SOURCES) amounts to: itself, or what it is split into.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn facts(stored: &Stored<'_>, fact: &mut dyn FnMut(Fact<Self>)) -> Result<(), CodecError> {
        fact(Fact::stored(Self::decode(stored)?));
        Ok(())
    }
}

/// The types a view or a command deals in: an enum with one event in each variant. Derive it.
///
/// A single [`Event`] is a set of one.
///
/// ```
/// # extern crate factlog_app as factlog;
/// # fn main() {
/// # use factlog::{Event, EventSet};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
/// #[event(name = "account.opened")]
/// struct Opened;
/// #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
/// #[event(name = "account.closed")]
/// struct Closed;
///
/// #[derive(EventSet, Clone, Debug, PartialEq)]
/// enum AccountEvent {
///     Opened(Opened),
///     Closed(Closed),
/// }
/// assert_eq!(AccountEvent::NAMES, ["account.opened", "account.closed"]);
/// assert_eq!(AccountEvent::from(Closed), AccountEvent::Closed(Closed));
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of events",
    label = "no `EventSet` here",
    note = "write `#[derive(EventSet)]` on an enum whose variants each hold one event, or `#[derive(Event)]` on a struct"
)]
pub trait EventSet: Send + Sync + Sized + 'static {
    /// Every name any of its events was ever stored under, or is split from: what a query must ask for.
    const NAMES: &'static [&'static str];
    /// The present name and version of each of its events: what a cached fold depends on.
    const SCHEMAS: &'static [(&'static str, u32)];
    /// The present name of each of its events, with the keys of its labels; empty where they are not known.
    const TAG_KEYS: &'static [(&'static str, &'static [&'static str])] = &[];

    /// What to store of it.
    ///
    /// # Errors
    /// [`CodecError`] where a tag or the stream is out of bounds, or serde refuses a value.
    fn encode(&self) -> Result<Encoded, CodecError>;

    /// Reads what is stored as itself, of this or any older version and name.
    ///
    /// # Errors
    /// [`CodecError`], also for a name that no event of the set has or had.
    fn decode(stored: &Stored<'_>) -> Result<Self, CodecError>;

    /// Hands on every fact of the set that a stored event under one of [`NAMES`](Self::NAMES) amounts to.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn facts(stored: &Stored<'_>, fact: &mut dyn FnMut(Fact<Self>)) -> Result<(), CodecError> {
        fact(Fact::stored(Self::decode(stored)?));
        Ok(())
    }
}

impl<E: Event> EventSet for E {
    const NAMES: &'static [&'static str] = E::SOURCES;
    const SCHEMAS: &'static [(&'static str, u32)] = &[(E::NAME, E::VERSION)];
    const TAG_KEYS: &'static [(&'static str, &'static [&'static str])] = &[(E::NAME, E::TAG_KEYS)];

    fn encode(&self) -> Result<Encoded, CodecError> {
        encode(self)
    }

    fn decode(stored: &Stored<'_>) -> Result<Self, CodecError> {
        if E::NAMES.contains(&stored.event_type) {
            E::decode(stored)
        } else {
            Err(CodecError::unknown_type(stored, E::NAMES))
        }
    }

    fn facts(stored: &Stored<'_>, fact: &mut dyn FnMut(Fact<Self>)) -> Result<(), CodecError> {
        if !E::SOURCES.contains(&stored.event_type) {
            return Err(CodecError::unknown_type(stored, E::SOURCES));
        }
        E::facts(stored, fact)
    }
}

/// Lifts an event from the shape it had before: total, so that every stored event has a present meaning.
///
/// ```
/// # extern crate factlog_app as factlog;
/// # fn main() {
/// # use factlog::{Event, Upcast};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "account.opened")]
/// struct OpenedV1 { name: String }
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "account.opened", version = 2, upcast(OpenedV1))]
/// struct Opened { owner: String, limit: u64 }
///
/// impl Upcast<OpenedV1> for Opened {
///     fn upcast(old: OpenedV1) -> Self {
///         Self { owner: old.name, limit: 0 }
///     }
/// }
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made from its older shape `{Old}`",
    label = "missing `impl Upcast<{Old}> for {Self}`",
    note = "write `impl Upcast<{Old}> for {Self} {{ fn upcast(old: {Old}) -> Self {{ ... }} }}`"
)]
pub trait Upcast<Old>: Sized {
    /// The present shape of an older event.
    fn upcast(old: Old) -> Self;
}

/// What is stored of one event, before it has a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The type under which it is stored.
    pub name: &'static str,
    /// The version of its shape.
    pub version: u32,
    /// The labels it is found by.
    pub tags: Tags,
    /// The stream it is appended to, if any.
    pub stream: Option<StreamId>,
    /// The fact itself, as JSON.
    pub data: Bytes,
}

/// What to store of one event.
pub fn encode<E: Event>(event: &E) -> Result<Encoded, CodecError> {
    let invalid = |cause| CodecError::encode(E::NAME, E::VERSION, cause);
    let data = serde_json::to_vec(event).map_err(|cause| invalid(cause.into()))?;
    Ok(Encoded {
        name: E::NAME,
        version: E::VERSION,
        tags: event.tags().map_err(|cause| invalid(cause.into()))?,
        stream: event.stream().map_err(|cause| invalid(cause.into()))?,
        data: data.into(),
    })
}

/// What decoding needs to know of a stored event.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// The type under which it is stored.
    pub event_type: &'a str,
    /// The version of its shape: `schema` in its metadata, 1 where that says nothing.
    pub version: u32,
    /// The fact itself, as JSON.
    pub data: &'a [u8],
}
