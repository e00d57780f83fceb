//! What a worker tells of itself, a line of JSON each, and how whoever listens can rely on the order of the lines.
//!
//! * A question is told before it is asked, and its answer after it has come. Lines are written by one call each, under
//!   one lock, into one pipe, so their order is an order of moments within the process.
//! * So if the answer of A stands before the question B, A had been answered before B was asked: the store's order must
//!   agree. If it stands behind, nothing is claimed, though it may have been so. The supervisor may believe that less
//!   happened in sequence than did, never more.
//! * What is in the pipe outlives the process. A line without its end was being written when the process was killed, and
//!   nothing follows it: it counts as not told. An answer that was not told is an answer that nobody got.
//! * Of an event only its id, its place and a fingerprint of all that was read of it is told.

use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;

use factlog_core::{
    AppendError, Appended, Conflict, ErrorKind, Event, ExpectedRevision, FailedCondition, Position,
    RecordedEvent,
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Line {
    /// Written by the supervisor only: what all lives that follow have in common.
    World { seed: u32, event_bytes: usize },
    /// Written by the supervisor only: another life begins.
    Life(u32),
    /// The store is open, with this head.
    Opened(u64),
    /// A client is about to ask.
    Asked(u32, Question),
    /// A client was answered what it asked last.
    Answered(u32, Answer),
    /// The worker was told to end: all was brought to its end, and the store closed.
    Closed,
    /// The worker cannot go on.
    Failed(Refusal),
}

/// What is asked; [`World`](crate::asking::World) knows the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Question {
    Append {
        number: u64,
        head: u64,
        revision: Option<u64>,
    },
    Read {
        number: u64,
        head: u64,
    },
    /// Begins a subscription, and takes what it has to deliver.
    Follow {
        number: u64,
        head: u64,
    },
    /// What the subscription with this number delivers next.
    Next {
        number: u64,
    },
    Tracking {
        number: u64,
    },
    Head,
}

/// What came of it. Positions are 0 for none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Appended { first: u64, last: u64, revisions: Vec<(String, u64)>, deduplicated: bool },
    Conflict(Vec<Failed>),
    Refused(Refusal),
    Read { head: u64, found: Vec<Found> },
    Delivered { found: Vec<Found>, caught_up: Option<u64> },
    Position(u64),
}

/// An error: its kind as the contract names it, and its sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) kind: String,
    pub(crate) message: String,
}

/// A condition that did not hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Failed {
    Revision { index: usize, stream: String, expected: Expected, actual: Option<u64> },
    NoneMatch { index: usize, position: u64 },
    Tracking { source: String, position: u64, recorded: u64 },
}

/// The contract's words for where a stream must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Expected {
    Any,
    NoStream,
    Exists,
    At(u64),
}

/// An event that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) position: u64,
    pub(crate) recorded_at: i64,
    pub(crate) revision: Option<u64>,
    pub(crate) id: u128,
    pub(crate) fingerprint: u64,
}

/// The worker's mouth.
#[derive(Debug)]
pub(crate) struct Teller(Mutex<File>);

impl Teller {
    /// On the standard output, without the buffer that it usually has.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Mutex::new(File::from(io::stdout().as_fd().try_clone_to_owned()?))))
    }

    /// Tells a line. Without a listener there is nothing left to do: the process ends.
    pub(crate) fn tell(&self, line: &Line) {
        let mut text = serde_json::to_vec(line).expect("plain data");
        text.push(b'\n');
        let mut out = self.0.lock().expect("nobody panics while telling");
        if out.write_all(&text).is_err() {
            std::process::exit(4);
        }
    }
}

impl Found {
    pub(crate) fn of(recorded: &RecordedEvent) -> Self {
        Self {
            position: recorded.position.get(),
            recorded_at: recorded.recorded_at.as_micros(),
            revision: recorded.revision.map(|revision| revision.get()),
            id: u128::from_be_bytes(*recorded.event.id.as_bytes()),
            fingerprint: fingerprint(&recorded.event),
        }
    }
}

/// A hash of everything in an event.
pub(crate) fn fingerprint(event: &Event) -> u64 {
    let mut hash = Xxh3::new();
    let mut part = |bytes: &[u8]| {
        hash.write_u64(bytes.len() as u64);
        hash.write(bytes);
    };
    part(event.id.as_bytes());
    part(event.event_type.as_str().as_bytes());
    part(event.stream.as_ref().map_or("", |stream| stream.as_str()).as_bytes());
    part(event.content_type.as_str().as_bytes());
    part(&event.data);
    part(&event.metadata);
    event.tags.iter().for_each(|tag| part(tag.as_str().as_bytes()));
    hash.finish()
}

impl Answer {
    /// What came of an append.
    pub(crate) fn of_append(result: Result<Appended, AppendError>) -> Self {
        match result {
            Ok(Appended { first, last, revisions, deduplicated }) => {
                let revisions = revisions.into_iter();
                let revisions =
                    revisions.map(|at| (at.stream.as_str().to_owned(), at.revision.get())).collect();
                Self::Appended { first: first.get(), last: last.get(), revisions, deduplicated }
            }
            Err(AppendError::Conflict(Conflict { failed })) => {
                Self::Conflict(failed.into_iter().map(Failed::of).collect())
            }
            Err(AppendError::Failed(error)) => Self::Refused(Refusal::of(&error)),
        }
    }

    /// The answer of a question whose answer is one position.
    pub(crate) fn of_position(result: factlog_core::Result<Option<Position>>) -> Self {
        match result {
            Ok(position) => Self::Position(Position::number(position)),
            Err(error) => Self::Refused(Refusal::of(&error)),
        }
    }
}

impl Refusal {
    pub(crate) fn of(error: &factlog_core::Error) -> Self {
        Self { kind: format!("{:?}", error.kind()), message: error.to_string() }
    }

    /// Whether it is of this kind.
    pub(crate) fn is(&self, kind: ErrorKind) -> bool {
        self.kind == format!("{kind:?}")
    }
}

impl Failed {
    fn of(failed: FailedCondition) -> Self {
        match failed {
            FailedCondition::Revision { index, stream, expected, actual } => Self::Revision {
                index,
                stream: stream.as_str().to_owned(),
                expected: Expected::of(expected),
                actual: actual.map(|revision| revision.get()),
            },
            FailedCondition::NoneMatch { index, position } => {
                Self::NoneMatch { index, position: position.get() }
            }
            FailedCondition::Tracking { stale, recorded } => Self::Tracking {
                source: stale.source.as_str().to_owned(),
                position: stale.position.get(),
                recorded: recorded.get(),
            },
            other => unreachable!("a sort of condition that nobody asks for: {other:?}"),
        }
    }
}

impl Expected {
    fn of(expected: ExpectedRevision) -> Self {
        match expected {
            ExpectedRevision::Any => Self::Any,
            ExpectedRevision::NoStream => Self::NoStream,
            ExpectedRevision::Exists => Self::Exists,
            ExpectedRevision::At(revision) => Self::At(revision.get()),
        }
    }
}
