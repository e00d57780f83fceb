//! Instances of process managers as their records in the log tell it, without the code of any process.
//!
//! * What is recorded, and what it means, is in `docs/format.md`, "What a process writes". This is a fold of that page and
//!   of nothing else; a test holds it against the framework's own.
//! * Types that a later program added are passed over; a record that makes no sense is damage.

mod names;

use factlog_core::{Position, RecordedEvent, Revision};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use names::Names;

use crate::failure::{Failure, Kind, Outcome};

/// Every type of record, the operators' last.
pub(crate) const TYPES: [&str; 10] = [
    "$process.started",
    "$process.passed",
    "$process.reacted",
    "$process.timer-fired",
    "$process.command-done",
    "$process.command-refused",
    "$process.quarantined",
    "$process.waiting",
    RETRIED,
    CANCELLED,
];
pub(crate) const RETRIED: &str = "$process.retried";
pub(crate) const CANCELLED: &str = "$process.cancelled";

/// An instance; serialises to what `--json` shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Instance {
    pub(crate) instance: String,
    pub(crate) version: u32,
    pub(crate) phase: Phase,
    pub(crate) state: Option<Value>,
    pub(crate) timers: Vec<Timer>,
    pub(crate) commands: Vec<Command>,
    pub(crate) compensations: Vec<Value>,
    pub(crate) quarantine: Option<Quarantine>,
    pub(crate) waiting: Vec<Input>,
    pub(crate) records: u64,
    #[serde(skip)]
    pub(crate) revision: Option<Revision>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Open,
    Completed,
    Cancelled,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timer {
    pub(crate) timer: Value,
    pub(crate) due: String,
    /// Where it is recorded that it fired, while that is not handled yet.
    #[serde(skip)]
    fired: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommandRef {
    pub(crate) input: u64,
    pub(crate) index: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Command {
    #[serde(flatten)]
    pub(crate) at: CommandRef,
    pub(crate) command: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Quarantine {
    pub(crate) position: u64,
    pub(crate) reason: String,
    pub(crate) command: Option<CommandRef>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) position: u64,
    pub(crate) id: String,
}

/// What stands in every record.
#[derive(Debug, Deserialize)]
struct Head {
    version: u32,
    instance: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Reacted {
    input: Input,
    state: Value,
    #[serde(default)]
    commands: Vec<Value>,
    #[serde(default)]
    timers_cancelled: Vec<Value>,
    #[serde(default)]
    timers_set: Vec<Timer>,
    #[serde(default)]
    compensations: Vec<Value>,
    #[serde(default)]
    completed: bool,
}

#[derive(Debug, Deserialize)]
struct Quarantined {
    reason: String,
    input: Option<Input>,
    command: Option<CommandRef>,
}

/// Of a record: whose it is, and the version of the code that wrote it.
pub(crate) fn head(event: &RecordedEvent) -> Outcome<(u32, Option<String>)> {
    let head: Head = body(event, serde_json::from_slice(&event.event.data))?;
    Ok((head.version, head.instance))
}

impl Instance {
    pub(crate) fn new(instance: String) -> Self {
        Self {
            instance,
            version: 1,
            phase: Phase::Open,
            state: None,
            timers: Vec::new(),
            commands: Vec::new(),
            compensations: Vec::new(),
            quarantine: None,
            waiting: Vec::new(),
            records: 0,
            revision: None,
        }
    }

    /// Whether there is nothing left to do for it.
    pub(crate) fn is_over(&self) -> bool {
        self.phase != Phase::Open && self.commands.is_empty()
    }

    /// Folds its next record.
    pub(crate) fn apply(&mut self, event: &RecordedEvent) -> Outcome {
        let members: Value = body(event, serde_json::from_slice(&event.event.data))?;
        let position = event.position.get();
        let command = || member::<CommandRef>(event, &members, "command");
        let version = member::<u32>(event, &members, "version")?;
        match event.event.event_type.as_str() {
            "$process.reacted" => self.reacted(body(event, serde_json::from_value(members))?),
            "$process.timer-fired" => {
                let fired: Timer = body(event, serde_json::from_value(members))?;
                let same = |timer: &&mut Timer| timer.timer == fired.timer && timer.due == fired.due;
                self.timers.iter_mut().filter(same).for_each(|timer| timer.fired = Some(position));
            }
            "$process.command-done" | "$process.command-refused" => {
                let settled = command()?;
                self.commands.retain(|open| open.at != settled);
            }
            "$process.quarantined" => {
                self.quarantined(body(event, serde_json::from_value(members))?, position);
            }
            "$process.waiting" => self.waiting.push(member(event, &members, "input")?),
            "$process.passed" => {
                let through: u64 = member(event, &members, "through")?;
                self.waiting.retain(|input| through < input.position);
            }
            RETRIED => self.quarantine = None,
            CANCELLED => {
                self.commands.clear();
                let compensations: Option<Vec<Value>> = member(event, &members, "commands")?;
                self.enqueue(compensations.unwrap_or_default(), position);
                self.end(Phase::Cancelled);
            }
            // `started` says nothing of an instance, and what a later program added is not ours to judge.
            _ => {}
        }
        self.revision = event.revision;
        self.records += 1;
        self.version = self.version.max(version);
        Ok(())
    }

    fn reacted(&mut self, reacted: Reacted) {
        let input = reacted.input.position;
        if self.waiting.first() == Some(&reacted.input) {
            self.waiting.remove(0);
        }
        self.state = Some(reacted.state);
        self.compensations = reacted.compensations;
        self.enqueue(reacted.commands, input);
        self.timers
            .retain(|timer| timer.fired != Some(input) && !reacted.timers_cancelled.contains(&timer.timer));
        for set in reacted.timers_set {
            self.timers.retain(|timer| timer.timer != set.timer);
            self.timers.push(set);
        }
        if reacted.completed {
            self.end(Phase::Completed);
        }
    }

    fn quarantined(&mut self, quarantined: Quarantined, position: u64) {
        if let Some(input) = quarantined.input
            && self.waiting.first() != Some(&input)
        {
            self.waiting.insert(0, input);
        }
        let before = self.quarantine.take();
        let reason = match &before {
            None => quarantined.reason,
            Some(before) => format!("{}; {}", before.reason, quarantined.reason),
        };
        let command = quarantined.command.or(before.and_then(|before| before.command));
        self.quarantine = Some(Quarantine { position, reason, command });
    }

    fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.timers.clear();
        self.compensations.clear();
        self.waiting.clear();
        if phase == Phase::Cancelled {
            self.quarantine = None;
        }
    }

    fn enqueue(&mut self, commands: Vec<Value>, input: u64) {
        let commands = (0..).zip(commands);
        self.commands
            .extend(commands.map(|(index, command)| Command { at: CommandRef { input, index }, command }));
    }
}

/// The process whose record it is, from its stream.
pub(crate) fn process_of(event: &RecordedEvent) -> Option<&str> {
    let own = event.event.stream.as_ref()?.as_str().strip_prefix("$process-")?;
    Some(own.split_once(':').map_or(own, |(process, _)| process))
}

fn member<T: DeserializeOwned>(event: &RecordedEvent, members: &Value, name: &str) -> Outcome<T> {
    body(event, T::deserialize(members.get(name).unwrap_or(&Value::Null)))
}

fn body<T>(event: &RecordedEvent, read: serde_json::Result<T>) -> Outcome<T> {
    read.map_err(|error| {
        let (kind, position) = (&event.event.event_type, Position::get(event.position));
        Failure::new(Kind::Damage, format!("{kind} at position {position} is not as a process writes it"))
            .because(error.to_string())
            .advise("`factlog verify` says whether the store is damaged; otherwise somebody else wrote it")
    })
}
