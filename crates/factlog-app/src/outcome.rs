//! What becomes of a command: an outcome, or why there is none.

use factlog_core::{Appended, Conflict, Error, Position};

use crate::{CodecError, LoadError};

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What to wait for to read your own write: the last event's position, or, where nothing was decided, the
    /// head the command was decided on.
    pub position: Option<Position>,
    /// The position of its first event; `None` where nothing was decided.
    pub first: Option<Position>,
    /// The position of its last event; `None` where nothing was decided.
    pub last: Option<Position>,
    /// Whether its key was recorded before, so that this is the first outcome and nothing was done now.
    pub replayed: bool,
    /// How often it was decided: 1 without a lost race, 0 for a replay that was known at once.
    pub attempts: u32,
}

/// Why a command was not carried out. Nothing was recorded, except perhaps by a store error that is
/// [`Indeterminate`](factlog_core::ErrorKind::Indeterminate).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError<E: std::error::Error + 'static> {
    /// The rule says no.
    #[error(transparent)]
    Rejected(E),
    /// It lost the race as often as it may be tried.
    #[error(
        "the command lost the race {attempts} times, the last time because {conflict}; try again later, or narrow its views"
    )]
    Conflict {
        /// How often it was decided.
        attempts: u32,
        /// What broke the last attempt.
        conflict: Conflict,
    },
    /// An event could not be read or written.
    #[error(transparent)]
    Codec(CodecError),
    /// The store failed. Under a key the command may be repeated without a second thought; without one only
    /// where the kind is `Unavailable`.
    #[error(transparent)]
    Store(Error),
}

impl<E: std::error::Error> ExecuteError<E> {
    /// The store's error, with the kind that says what to do about it, if it is one.
    pub fn store_error(&self) -> Option<&Error> {
        match self {
            Self::Store(error) => Some(error),
            Self::Rejected(_) | Self::Conflict { .. } | Self::Codec(_) => None,
        }
    }
}

impl Outcome {
    pub(crate) fn of(appended: &Appended, attempts: u32) -> Self {
        Self {
            position: Some(appended.last),
            first: Some(appended.first),
            last: Some(appended.last),
            replayed: appended.deduplicated,
            attempts,
        }
    }

    pub(crate) fn nothing(head: Option<Position>, attempts: u32) -> Self {
        Self { position: head, first: None, last: None, replayed: false, attempts }
    }
}

impl<E: std::error::Error> From<Error> for ExecuteError<E> {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl<E: std::error::Error> From<CodecError> for ExecuteError<E> {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

impl<E: std::error::Error> From<LoadError> for ExecuteError<E> {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Codec(error) => Self::Codec(error),
            LoadError::Store(error) => Self::Store(error),
        }
    }
}
