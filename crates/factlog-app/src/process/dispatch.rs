//! Dispatching: a command on its way out, under a key that is the same however often it is tried.
//!
//! * What [`App::execute`] does under the key happens at most once; the record of it may be written after a crash.
//! * A call to the outside may be made again after a crash: pass the key on, so that the other side can tell.

use std::fmt::{self, Display};
use std::future::Future;

use factlog_core::{BoxFuture, Error, ErrorKind, EventId, Position};

use crate::{App, Decide, ExecuteError};

/// One command to be carried out: by a command of the app, or by a call to the outside.
#[must_use = "a command that is not executed is never done"]
#[derive(Debug)]
pub struct Dispatch {
    pub(super) app: App,
    pub(super) key: String,
    pub(super) causation: Option<EventId>,
    pub(super) correlation: Option<String>,
}

/// A command being carried out.
#[must_use = "nothing happens until it is returned from `dispatch`"]
pub struct Dispatching(pub(super) BoxFuture<'static, Dispatched>);

/// What became of it.
#[derive(Clone, Debug)]
pub(super) enum Dispatched {
    Done(Option<Position>),
    /// The other side says no: an input of the process.
    Refused(String),
    /// It is not known, or not possible now: it is tried again under the same key.
    Again(String),
    /// It can never be: the instance stands still until somebody looks.
    Stuck(String),
    /// The store is gone, and with it everything.
    Gone(Error),
}

/// Why a call to the outside came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The other side says no, for this reason: the process hears it as [`Input::Refused`](super::Input::Refused).
    Refused(String),
    /// It may have happened or not: it is called again, with the same key, after a pause.
    Unavailable(String),
}

impl Dispatch {
    /// Names this command in the whole store, the same at every try: an idempotency key for the other side.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The app the process runs on.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Executes a command of the app under the key, so that it happens at most once. Its events name the process's
    /// record as their cause and carry its correlation.
    pub fn execute<C: Decide>(self, command: C) -> Dispatching {
        let mut execute = self.app.execute(command).key(self.key);
        if let Some(causation) = self.causation {
            execute = execute.causation(causation);
        }
        if let Some(correlation) = self.correlation {
            execute = execute.correlation(correlation);
        }
        Dispatching(Box::pin(async move {
            match execute.await {
                Ok(outcome) => Dispatched::Done(outcome.position),
                Err(ExecuteError::Rejected(rejection)) => Dispatched::Refused(rejection.to_string()),
                Err(ExecuteError::Conflict { attempts, conflict }) => Dispatched::Again(format!(
                    "it lost the race {attempts} times, the last because {conflict}"
                )),
                Err(ExecuteError::Codec(error)) => Dispatched::Stuck(with_causes(&error)),
                Err(ExecuteError::Store(error)) => Dispatched::of(error),
            }
        }))
    }

    /// Calls the outside. After a crash it may be called again, always with the same [`key`](Self::key).
    pub fn call(self, call: impl Future<Output = Result<(), CallError>> + Send + 'static) -> Dispatching {
        Dispatching(Box::pin(async move {
            match call.await {
                Ok(()) => Dispatched::Done(None),
                Err(CallError::Refused(reason)) => Dispatched::Refused(reason),
                Err(CallError::Unavailable(reason)) => Dispatched::Again(reason),
            }
        }))
    }
}

impl Dispatched {
    fn of(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Indeterminate => Self::Again(error.to_string()),
            ErrorKind::Closed => Self::Gone(error),
            // What cannot be done now and will not be by trying again, whatever kinds there will be.
            _ => Self::Stuck(with_causes(&error)),
        }
    }
}

impl fmt::Debug for Dispatching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatching").finish_non_exhaustive()
    }
}

impl Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Unavailable(reason) => write!(f, "unavailable: {reason}"),
        }
    }
}

impl std::error::Error for CallError {}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
