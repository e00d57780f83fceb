//! What can be said of a running projection: how far it is, how it is, and why it is not.

use std::time::Duration;

use factlog_core::{Error, Position};

use super::Projection;
use super::sink::Resumed;
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
    /// Every event up to and including this position is in what readers see.
    pub applied: Option<Position>,
    /// Events it has folded since it was started, rebuilds included.
    pub events: u64,
    /// Why it began again from the first event when it was started, if it did.
    pub rebuilt_because: Option<String>,
    /// Whether `applied` is known to be about this log.
    proven: bool,
    /// Why what readers would see is not shown, although something better is on its way.
    withheld: Option<ProjectionError>,
}

impl ProjectionStatus {
    pub(super) fn first<P: Projection>(resumed: &Resumed) -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            state: ProjectionState::CatchingUp,
            applied: resumed.checkpoint.position,
            events: 0,
            rebuilt_because: resumed.rebuilt_because.clone(),
            proven: false,
            withheld: None,
        }
    }

    /// What readers see is followed, and it is of this log.
    pub(super) fn begin(&mut self) {
        self.state = ProjectionState::CatchingUp;
        self.proven = true;
        self.withheld = None;
    }

    /// What readers see has come this far, perhaps because a rebuild took its place.
    pub(super) fn advance(&mut self, applied: Option<Position>, caught_up: bool) {
        self.begin();
        self.applied = applied;
        if caught_up {
            self.state = ProjectionState::Live;
        }
    }

    /// It cannot go on; what is of another log is not shown before it is replaced.
    pub(super) fn fail(&mut self, error: ProjectionError) {
        self.withheld = (!self.proven).then(|| error.clone());
        self.state = ProjectionState::Failed(error);
    }

    /// How far what readers see is known to have come in this log.
    pub(super) fn certain(&self) -> Option<Position> {
        self.applied.filter(|_| self.proven)
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
    /// Building again beside what readers see, which stands still meanwhile, or is kept back if it is of another log.
    Rebuilding,
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
    /// The thread is gone because `keys` or `apply` panicked.
    #[error(
        "read model {0} has no thread any more because its projection panicked; correct `keys` or `apply` and start it again"
    )]
    Panicked(&'static str),
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
