//! What can be said of a running projection: how far it is, how it is, and why it is not.

use std::time::Duration;

use factlog_core::{Error, Position, Timestamp};

use crate::CodecError;

/// What to do when a read model is not far enough in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// Answer [`ProjectionError::Behind`].
    Error,
    /// Answer with [`Freshness::stale`], so that the caller can show what there is and say so.
    Stale,
}

/// How fresh a read model is after waiting for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Every event up to and including this position is in it.
    pub applied: Option<Position>,
    /// Whether that is less than what was waited for.
    pub stale: bool,
}

/// A projection as it is now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProjectionStatus {
    /// Its name.
    pub name: &'static str,
    /// The version of its meaning.
    pub version: u32,
    /// What it is doing.
    pub state: ProjectionState,
    /// Every event up to and including this position is in what readers see, but for parked keys.
    pub applied: Option<Position>,
    /// When what readers see last moved, or was seen to have the whole log; `None` where this program has not looked yet.
    pub advanced_at: Option<Timestamp>,
    /// Events it has folded since it was started, rebuilds included.
    pub events: u64,
    /// Why its present version began from the first event when it was started, if it did.
    pub rebuilt_because: Option<String>,
    /// Keys that stand still because one of their events could not be applied, in what this program runs.
    pub parked: u64,
    /// Events that could not be read and were passed over by choice, since it was started.
    pub unread: u64,
    /// Side effects that are yet to be carried out, 1,000 counted at most, about a second ago.
    pub effects_owed: u64,
    /// Why the first of them could not be carried out when this program last tried; later ones wait for it.
    pub effects_problem: Option<String>,
    /// Every generation there is, oldest first.
    pub generations: Vec<GenerationStatus>,
    /// Where each range of partitions of what readers see is, by its first partition.
    pub(super) ranges: Vec<(u16, Option<Position>)>,
    /// Whether `applied` is known to be about this log, and to be this version's.
    pub(super) proven: bool,
    /// Why what readers would see is not shown, although something better is on its way.
    pub(super) withheld: Option<ProjectionError>,
}

/// One set of documents of a projection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GenerationStatus {
    /// Its number, from 1.
    pub number: u64,
    /// The version of the projection that it is of.
    pub version: u32,
    /// What it is there for.
    pub phase: GenerationPhase,
    /// Every event up to and including this position is in it.
    pub applied: Option<Position>,
    /// Positions it passed per second lately.
    pub rate: f64,
    /// When it will have caught up at that rate, if it is behind and moving.
    pub remaining: Option<Duration>,
}

/// What a generation is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationPhase {
    /// It is built beside the one readers see.
    Building,
    /// Readers see it.
    Serving,
    /// It was served before, and one can switch back to it.
    Kept,
}

/// How far what readers see is behind the store, as the store says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Positions between what is applied and the head, whether they concern the read model or not.
    pub events: u64,
    /// How long the first event that is not applied has been recorded; zero where there is none.
    pub time: Duration,
}

impl ProjectionStatus {
    pub(super) fn first(name: &'static str, version: u32, rebuilt_because: Option<String>) -> Self {
        Self {
            name,
            version,
            state: ProjectionState::CatchingUp,
            applied: None,
            advanced_at: None,
            events: 0,
            rebuilt_because,
            parked: 0,
            unread: 0,
            effects_owed: 0,
            effects_problem: None,
            generations: Vec::new(),
            ranges: Vec::new(),
            proven: false,
            withheld: None,
        }
    }

    /// How far what readers see is known to have come in this log, by this version.
    pub(super) fn certain(&self) -> Option<Position> {
        self.applied.filter(|_| self.proven)
    }

    /// The same for the range that owns a partition: least over those that do, of which there is one.
    pub(super) fn certain_in(&self, partition: u16) -> Option<Position> {
        let owner = self.ranges.iter().rev().find(|(from, _)| *from <= partition);
        owner.and_then(|(_, position)| *position).filter(|_| self.proven)
    }

    /// Why readers get no answer, if so.
    pub(super) fn problem(&self) -> Option<ProjectionError> {
        match &self.state {
            ProjectionState::Failed(error) => Some(error.clone()),
            ProjectionState::Stopped => Some(ProjectionError::Stopped(self.name)),
            _ => self.withheld.clone(),
        }
    }
}

/// What a projection is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ProjectionState {
    /// Applying what was recorded before.
    CatchingUp,
    /// It had the whole log the last time it looked, and is woken by commits.
    Live,
    /// Building another generation beside the one readers see, which is followed meanwhile where its code is here.
    Rebuilding,
    /// It is behind the store's head and has passed no event since then, although nothing says why.
    Stalled {
        /// When it last passed one, or was started.
        since: Timestamp,
    },
    /// An operator paused it. Readers see what there was.
    Paused,
    /// The store or the file is unavailable; it tries again by itself, at the latest after five seconds.
    Waiting(Error),
    /// It cannot go on. What readers saw last is kept back, because it would grow old unnoticed.
    Failed(ProjectionError),
    /// It was told to stop.
    Stopped,
}

/// Why a read model gives no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectionError {
    /// An event could not be read: the projection stands still before it, and before the events it would have been
    /// committed with.
    #[error(transparent)]
    Codec(CodecError),
    /// The store or the file of the read model failed.
    #[error(transparent)]
    Store(Error),
    /// The read model is not far enough, and the wait is over.
    #[error("read model {name} is at position {}, not yet at {}, after {waited:?}; wait longer, or accept a stale answer", Position::number(*applied), wanted)]
    Behind {
        /// The projection.
        name: &'static str,
        /// How far it is.
        applied: Option<Position>,
        /// What was waited for.
        wanted: Position,
        /// How long.
        waited: Duration,
    },
    /// The projection was stopped.
    #[error("read model {0} was stopped; start it again")]
    Stopped(&'static str),
    /// The thread is gone because `keys` panicked.
    #[error(
        "read model {0} has no thread any more because its projection panicked; correct `keys` and start it again"
    )]
    Panicked(&'static str),
    /// What readers see was built by another version, and its documents do not fit this version's type.
    #[error(
        "read model {name} still serves version {serving}, whose documents do not fit version {present}; wait for the switch"
    )]
    OtherVersion {
        /// The projection.
        name: &'static str,
        /// The version that is served.
        serving: u32,
        /// The version of this program.
        present: u32,
    },
    /// What an operator asked for cannot be done.
    #[error("{0}")]
    Refused(String),
}

impl ProjectionError {
    /// The error of the store or of the file, with the kind that says what to do about it, if it is one.
    pub fn store_error(&self) -> Option<&Error> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Error> for ProjectionError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<CodecError> for ProjectionError {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}
