//! What can be said of a running process: how far it is, what it waits for, and why it does not go on.

use std::fmt::Write as _;

use factlog_core::{Error, Position, Timestamp};

use crate::CodecError;

/// A process as it is now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProcessStatus {
    /// Its name.
    pub name: &'static str,
    /// The version of its code.
    pub version: u32,
    /// What it is doing.
    pub state: ProcessState,
    /// Every input up to and including this position is handled, or kept for an instance that stands still.
    pub handled: Option<Position>,
    /// Instances that are neither complete nor cancelled.
    pub open: usize,
    /// Timers that run.
    pub timers: usize,
    /// When the next of them is due.
    pub next_due: Option<Timestamp>,
    /// Commands decided whose outcome is not recorded.
    pub commands: usize,
    /// Instances that stand still until they are retried or cancelled.
    pub quarantined: usize,
    /// Why the last command that is tried again was not carried out; `None` once one was.
    pub command_problem: Option<String>,
}

/// What a process is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ProcessState {
    /// Handling what was recorded before.
    CatchingUp,
    /// It had handled the whole log the last time it looked.
    Live,
    /// The store is unavailable; it tries again by itself, at the latest after five seconds.
    Waiting(Error),
    /// It cannot go on.
    Failed(ProcessError),
    /// It was told to stop.
    Stopped,
}

/// Why a process does not go on.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// An event could not be read: it stands still before it.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// Instances wait at steps that the present code cannot read.
    #[error(
        "process {process} has instances at steps this program cannot read: {}; keep those variants (serde's `alias` helps with names), or cancel the instances",
        listed(steps)
    )]
    Parked {
        /// The process.
        process: &'static str,
        /// Each instance and its step.
        steps: Vec<ParkedStep>,
    },
    /// A newer version of the process ran on this log.
    #[error(
        "process {process} was run by version {recorded} for instance {instance:?}, this program has version {known}; deploy the newer program"
    )]
    Newer {
        /// The process.
        process: &'static str,
        /// The instance.
        instance: String,
        /// The version in the log.
        recorded: u32,
        /// The version of the code.
        known: u32,
    },
    /// Somebody else runs the same process on this log, or the log was written to in its name.
    #[error(
        "process {process} is run by somebody else, too: {conflict}; run it once, and start it again here if this is where"
    )]
    Fenced {
        /// The process.
        process: &'static str,
        /// What the store said.
        conflict: String,
    },
    /// `instance` panicked, so that nobody knows which instance the event concerns.
    #[error("process {0} panicked where it should say which instance an event concerns: {1}")]
    Panicked(&'static str, String),
    /// It was stopped.
    #[error("process {0} was stopped; start it again")]
    Stopped(&'static str),
}

impl ProcessError {
    /// The error of the store, with the kind that says what to do about it, if it is one.
    pub fn store_error(&self) -> Option<&Error> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

/// A step at which an instance waits and which the present code cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedStep {
    /// The instance.
    pub instance: String,
    /// What it is: `state`, `timer` or `command`, with the JSON that cannot be read.
    pub step: String,
    /// Why it cannot.
    pub problem: String,
}

/// Steps that a message shows; the error has them all.
const SHOWN: usize = 10;

fn listed(steps: &[ParkedStep]) -> String {
    let mut text = String::new();
    for (index, parked) in steps.iter().take(SHOWN).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(text, "{comma}instance {:?} at {} ({})", parked.instance, parked.step, parked.problem)
            .expect("writing to a string");
    }
    if SHOWN < steps.len() {
        write!(text, ", and {} more", steps.len() - SHOWN).expect("writing to a string");
    }
    text
}
