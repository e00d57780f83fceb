//! One instance of a process: the fold of its records, without a line of the process's own code.
//!
//! * Memory is this fold and nothing else: a runner applies what it appended as it applies what it reads.
//! * A record already folded changes nothing, so records may be offered again.

use std::collections::VecDeque;

use factlog_core::{EventId, Position, Revision, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::json::{position, text};
use super::record::{Cancelled, CommandRef, Entry, InputRef, Quarantined, Reacted, Record, TimerSet};

/// An instance as its records tell it; serialises to what `--json` shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Instance {
    /// Which instance.
    pub instance: String,
    /// The highest version of the process that wrote one of its records.
    pub version: u32,
    /// Whether it goes on.
    pub phase: Phase,
    /// Its state after the last input that was handled; `None` before the first.
    pub state: Option<Value>,
    /// Timers that were set, neither cancelled nor handled.
    pub timers: Vec<OpenTimer>,
    /// Commands that were decided and whose outcome is not recorded, in the order in which they are dispatched.
    pub commands: VecDeque<OpenCommand>,
    /// Compensations recorded, the oldest first; they run in reverse order.
    pub compensations: Vec<Value>,
    /// Why it stands still, if it does.
    pub quarantine: Option<Quarantine>,
    /// Inputs that wait until it is retried, in order; the one that failed is the first.
    pub waiting: VecDeque<InputRef>,
    /// How many records it has.
    pub records: u64,
    #[serde(skip)]
    pub(super) revision: Option<Revision>,
}

/// Whether an instance goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It hears inputs.
    Open,
    /// It said that it is complete; inputs are passed over.
    Completed,
    /// An operator cancelled it; inputs are passed over.
    Cancelled,
}

/// A timer that runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OpenTimer {
    /// The timer, as the process wrote it.
    pub timer: Value,
    /// When it is due.
    #[serde(with = "text")]
    pub due: Timestamp,
    /// Where it is recorded that it fired, while the process has not handled that yet.
    #[serde(skip)]
    pub(super) fired: Option<Position>,
    #[serde(skip)]
    pub(super) correlation: Option<String>,
}

/// A command on its way.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OpenCommand {
    /// Which one.
    #[serde(flatten)]
    pub at: CommandRef,
    /// The command, as the process wrote it.
    pub command: Value,
    #[serde(skip)]
    pub(super) cause: Option<EventId>,
    #[serde(skip)]
    pub(super) correlation: Option<String>,
}

/// Why an instance stands still.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Quarantine {
    /// Where that is recorded.
    #[serde(with = "position")]
    pub position: Position,
    /// What went wrong.
    pub reason: String,
    /// The command that cannot be dispatched, if it is one.
    pub command: Option<CommandRef>,
}

/// Where a record is, or will be.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) position: Position,
    pub(super) revision: Revision,
    pub(super) id: EventId,
    pub(super) correlation: Option<String>,
}

impl Instance {
    pub(super) fn new(instance: impl Into<String>) -> Self {
        Self {
            instance: instance.into(),
            version: 1,
            phase: Phase::Open,
            state: None,
            timers: Vec::new(),
            commands: VecDeque::new(),
            compensations: Vec::new(),
            quarantine: None,
            waiting: VecDeque::new(),
            records: 0,
            revision: None,
        }
    }

    /// Whether there is nothing left to remember: it has ended and all its commands have.
    pub(super) fn is_over(&self) -> bool {
        self.phase != Phase::Open && self.commands.is_empty()
    }

    /// Inputs that can be handled now before any other: it was retried.
    pub(super) fn has_backlog(&self) -> bool {
        self.quarantine.is_none() && !self.waiting.is_empty()
    }

    /// The command to dispatch next, unless it cannot be.
    pub(super) fn next_command(&self) -> Option<&OpenCommand> {
        let stuck = self.quarantine.as_ref().is_some_and(|quarantine| quarantine.command.is_some());
        self.commands.front().filter(|_| !stuck)
    }

    /// Timers that fire when they are due, with their places among all.
    pub(super) fn armed(&self) -> impl Iterator<Item = (usize, &OpenTimer)> {
        let armed = self.quarantine.is_none() && self.waiting.is_empty();
        self.timers.iter().enumerate().filter(move |(_, timer)| armed && timer.fired.is_none())
    }

    /// Folds a record that is not folded yet.
    pub(super) fn apply(&mut self, entry: &Entry, place: &Place) {
        if self.revision.is_some_and(|folded| place.revision <= folded) {
            return;
        }
        self.revision = Some(place.revision);
        self.records += 1;
        self.version = self.version.max(entry.version);
        match &entry.record {
            Record::Reacted(reacted) => self.reacted(reacted, place),
            Record::TimerFired(fired) => self.fired(fired, place),
            Record::CommandDone(done) => self.settle(done.command),
            Record::CommandRefused(refused) => self.settle(refused.command),
            Record::Quarantined(quarantined) => self.quarantined(quarantined, place),
            Record::Waiting(waiting) => self.waiting.push_back(waiting.input),
            Record::Retried(_) => self.quarantine = None,
            Record::Cancelled(cancelled) => self.cancelled(cancelled, place),
            Record::Passed(passed) => self.waiting.retain(|input| passed.through < input.position),
            Record::Started(_) => {}
        }
    }

    fn reacted(&mut self, reacted: &Reacted, place: &Place) {
        let input = reacted.input.position;
        if self.waiting.front() == Some(&reacted.input) {
            self.waiting.pop_front();
        }
        self.state = Some(reacted.state.clone());
        self.compensations.clone_from(&reacted.compensations);
        self.enqueue(&reacted.commands, input, place);
        self.timers
            .retain(|timer| timer.fired != Some(input) && !reacted.timers_cancelled.contains(&timer.timer));
        for set in &reacted.timers_set {
            self.timers.retain(|timer| timer.timer != set.timer);
            self.timers.push(OpenTimer {
                timer: set.timer.clone(),
                due: set.due,
                fired: None,
                correlation: place.correlation.clone(),
            });
        }
        if reacted.completed {
            self.end(Phase::Completed);
        }
    }

    fn fired(&mut self, fired: &TimerSet, place: &Place) {
        for timer in &mut self.timers {
            if timer.timer == fired.timer && timer.due == fired.due {
                timer.fired = Some(place.position);
            }
        }
    }

    fn settle(&mut self, command: CommandRef) {
        self.commands.retain(|open| open.at != command);
    }

    fn quarantined(&mut self, quarantined: &Quarantined, place: &Place) {
        if let Some(input) = quarantined.input
            && self.waiting.front() != Some(&input)
        {
            self.waiting.push_front(input);
        }
        let before = self.quarantine.take();
        let reason = match &before {
            None => quarantined.reason.clone(),
            Some(before) => format!("{}; {}", before.reason, quarantined.reason),
        };
        let command = quarantined.command.or(before.and_then(|before| before.command));
        self.quarantine = Some(Quarantine { position: place.position, reason, command });
    }

    fn cancelled(&mut self, cancelled: &Cancelled, place: &Place) {
        self.commands.clear();
        self.enqueue(&cancelled.commands, place.position, place);
        self.end(Phase::Cancelled);
    }

    fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.timers.clear();
        self.compensations.clear();
        self.waiting.clear();
        // What cannot be dispatched stays so; what is left after a cancellation is new.
        if phase == Phase::Cancelled {
            self.quarantine = None;
        }
    }

    fn enqueue(&mut self, commands: &[Value], input: Position, place: &Place) {
        for (index, command) in (0..).zip(commands) {
            self.commands.push_back(OpenCommand {
                at: CommandRef { input, index },
                command: command.clone(),
                cause: Some(place.id),
                correlation: place.correlation.clone(),
            });
        }
    }
}
