//! Errors that tell the caller what to do: a kind to act on, a sentence with the facts, a cause.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::Conflict;

/// `Result` with the store's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller should do about an [`Error`]. A new kind exists only where the caller would act differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request can never succeed as it stands: fix it.
    Invalid,
    /// Nothing was written: retry later, with back-off.
    Unavailable,
    /// It may have been written: retry with the same event ids.
    Indeterminate,
    /// Stored bytes are not what was written: stop and run `factlog verify`.
    Corrupt,
    /// It is not known who asks: no key was shown, or it is not good (any more). Get a good one.
    Unauthenticated,
    /// The caller may not do this: ask for a grant.
    Denied,
    /// This handle is finished (closed, or poisoned by a failed write): reopen the store.
    Closed,
}

/// A failure: its kind is API, its sentence is for people.
///
/// ```
/// # use factlog_core::{Error, ErrorKind, Tag};
/// let error = Tag::new("").expect_err("an empty tag");
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// assert_eq!(error.to_string(), "tag is empty; give 1 to 255 bytes");
/// ```
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),*) => {
        $(
            #[doc = concat!("An error of kind [`ErrorKind::", stringify!($kind), "`].")]
            pub fn $name(message: impl Into<String>) -> Self {
                Self { kind: ErrorKind::$kind, message: message.into(), cause: None }
            }
        )*
    };
}

impl Error {
    constructors! {
        invalid => Invalid, unavailable => Unavailable, indeterminate => Indeterminate,
        corrupt => Corrupt, unauthenticated => Unauthenticated, denied => Denied, closed => Closed
    }

    /// The same error with the failure that led to it.
    #[must_use]
    pub fn because(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same request may succeed later, and is safe to repeat with the same event ids.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Indeterminate)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as &(dyn StdError + 'static))
    }
}

/// Why an append wrote nothing, or may not have.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// A lost race: what the caller decided on is no longer so. Nothing was written. Read again and decide again.
    #[error("{0}")]
    Conflict(Conflict),
    /// Anything else; see [`Error::kind`].
    #[error(transparent)]
    Failed(#[from] Error),
}

impl AppendError {
    /// The conflict, if it is one.
    pub fn conflict(&self) -> Option<&Conflict> {
        match self {
            Self::Conflict(conflict) => Some(conflict),
            Self::Failed(_) => None,
        }
    }

    /// The error, unless it is a conflict.
    pub fn failed(&self) -> Option<&Error> {
        match self {
            Self::Conflict(_) => None,
            Self::Failed(error) => Some(error),
        }
    }
}
