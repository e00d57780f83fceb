//! Appends: what is written, under which conditions, and what came of it.

use std::collections::HashSet;
use std::fmt;

use crate::limits;
use crate::query::check_count;
use crate::{Error, Event, Position, Query, Result, Revision, StreamId, TrackingSource};

/// One atomic write: events, the conditions under which they may be written, and how far a consumer has come.
///
/// ```
/// use factlog_core::{Append, AppendCondition, Event, EventType, ExpectedRevision, StreamId};
///
/// let stream = StreamId::new("account-42")?;
/// let opened = Event::new(EventType::new("account.opened")?, "{}").in_stream(stream.clone());
/// let append = Append::new([opened]).when(AppendCondition::Revision { stream, expected: ExpectedRevision::NoStream });
/// append.validate()?;
/// # Ok::<(), factlog_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// At least one event; they become visible together and next to each other.
    pub events: Vec<Event>,
    /// All must hold.
    pub conditions: Vec<AppendCondition>,
    /// Recorded in the same commit.
    pub tracking: Option<Tracking>,
}

impl Append {
    /// These events, unconditionally.
    pub fn new(events: impl IntoIterator<Item = Event>) -> Self {
        Self { events: events.into_iter().collect(), conditions: Vec::new(), tracking: None }
    }

    /// The same under one more condition.
    #[must_use]
    pub fn when(mut self, condition: AppendCondition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The same, recording how far a consumer has come.
    #[must_use]
    pub fn tracking(mut self, tracking: Tracking) -> Self {
        self.tracking = Some(tracking);
        self
    }

    /// Checks every bound; stores call it first.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid): no event, a bound of [`limits`] passed, an id twice.
    pub fn validate(&self) -> Result<()> {
        if self.events.is_empty() {
            return Err(Error::invalid("an append without events; give at least one"));
        }
        check_count("events in one append", self.events.len(), limits::APPEND_EVENTS_MAX)?;
        check_count("conditions of one append", self.conditions.len(), limits::CONDITIONS_MAX)?;
        let mut ids = HashSet::with_capacity(self.events.len());
        let mut size = 0;
        for event in &self.events {
            event.check_bounds()?;
            size += event.size();
            if !ids.insert(event.id) {
                return Err(Error::invalid(format!(
                    "event id {} twice in one append; give each event its own",
                    event.id
                )));
            }
        }
        check_count("bytes in one append", size, limits::APPEND_BYTES_MAX)?;
        self.conditions.iter().try_for_each(|condition| match condition {
            AppendCondition::Revision { .. } => Ok(()),
            AppendCondition::NoneMatch { query, .. } => query.validate(),
        })?;
        let terms = self.conditions.iter().map(AppendCondition::terms).sum();
        check_count(
            "items, types and tags in the conditions of one append",
            terms,
            limits::CONDITION_TERMS_MAX,
        )
    }
}

/// What must be so at the very moment of the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendCondition {
    /// The stream is where the caller believes it to be.
    Revision {
        /// The stream.
        stream: StreamId,
        /// Where it must be.
        expected: ExpectedRevision,
    },
    /// No event above `after` matches: the dynamic consistency boundary.
    NoneMatch {
        /// What the decision was about.
        query: Query,
        /// The head of the snapshot the decision was made on; `None` for an empty store.
        after: Option<Position>,
    },
}

impl AppendCondition {
    /// [`AppendCondition::NoneMatch`].
    pub fn none_match(query: Query, after: Option<Position>) -> Self {
        Self::NoneMatch { query, after }
    }

    /// How many items, types and tags it has, at least 1: what it costs to hold and to check.
    pub fn terms(&self) -> usize {
        match self {
            Self::Revision { .. } | Self::NoneMatch { query: Query::All, .. } => 1,
            Self::NoneMatch { query: Query::AnyOf(items), .. } => {
                items.iter().map(|item| 1 + item.types.len() + item.tags.len()).sum()
            }
        }
    }

    /// [`AppendCondition::Revision`].
    pub fn revision(stream: StreamId, expected: ExpectedRevision) -> Self {
        Self::Revision { stream, expected }
    }
}

/// Where a stream must be for an append to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpectedRevision {
    /// Anywhere.
    Any,
    /// It has no event yet.
    NoStream,
    /// It has at least one event.
    Exists,
    /// Its last event has this revision.
    At(Revision),
}

impl ExpectedRevision {
    /// Whether a stream whose last revision is `actual` satisfies it.
    pub fn holds(self, actual: Option<Revision>) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual.is_none(),
            Self::Exists => actual.is_some(),
            Self::At(revision) => actual == Some(revision),
        }
    }
}

impl fmt::Display for ExpectedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any revision"),
            Self::NoStream => f.write_str("no stream"),
            Self::Exists => f.write_str("an existing stream"),
            Self::At(revision) => write!(f, "revision {revision}"),
        }
    }
}

/// How far a consumer has processed an upstream log. It must grow; a stale one is a [`Conflict`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tracking {
    /// The upstream log.
    pub source: TrackingSource,
    /// The last position processed there.
    pub position: Position,
}

/// What an append came to: where its events are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of its first event.
    pub first: Position,
    /// The position of its last event.
    pub last: Position,
    /// For each stream it wrote to, in order of first mention, the revision of its last event there.
    pub revisions: Vec<StreamRevision>,
    /// Whether the events had been recorded before, so that nothing was written now.
    pub deduplicated: bool,
}

/// A stream and a revision in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamRevision {
    /// The stream.
    pub stream: StreamId,
    /// The revision.
    pub revision: Revision,
}

/// A lost race: every condition that failed. A value to decide on, not a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// At least one, in the order of the append's conditions, the tracking last.
    pub failed: Vec<FailedCondition>,
}

/// One condition that did not hold, and what broke it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailedCondition {
    /// The stream is somewhere else.
    Revision {
        /// Which of the append's conditions, from 0.
        index: usize,
        /// The stream.
        stream: StreamId,
        /// Where it was expected.
        expected: ExpectedRevision,
        /// Where it is; `None` if it has no event.
        actual: Option<Revision>,
    },
    /// An event above `after` matches.
    NoneMatch {
        /// Which of the append's conditions, from 0.
        index: usize,
        /// The newest event that matches.
        position: Position,
    },
    /// The tracking would not grow.
    Tracking {
        /// What the append wanted to record.
        stale: Tracking,
        /// What is recorded.
        recorded: Position,
    },
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, failed) in self.failed.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            failed.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for FailedCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revision { stream, expected, actual: Some(actual), .. } => {
                write!(f, "stream {stream} is at revision {actual}, expected {expected}")
            }
            Self::Revision { stream, expected, actual: None, .. } => {
                write!(f, "stream {stream} does not exist, expected {expected}")
            }
            Self::NoneMatch { index, position } => {
                write!(f, "the event at position {position} matches condition {index}, which allows none")
            }
            Self::Tracking { stale, recorded } => {
                let (source, position) = (&stale.source, stale.position);
                write!(f, "tracking of {source} is at {recorded} already, so {position} is stale")
            }
        }
    }
}
