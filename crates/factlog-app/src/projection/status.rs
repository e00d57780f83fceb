//! What can be said of a running projection: how far it is, how it is, and why it is not.

use std::time::Duration;

use factlog_core::{Error, Position};

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
}

/// What a projection is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ProjectionState {
    /// Applying what was recorded before.
    CatchingUp,
    /// It had the whole log the last time it looked, and is woken by commits.
    Live,
    /// Building again beside what readers see, which stands still meanwhile.
    Rebuilding,
    /// The store is unavailable; it tries again by itself.
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
    /// An event could not be read: the projection stands still before it.
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
