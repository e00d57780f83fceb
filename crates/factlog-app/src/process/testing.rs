//! The bench: a process's instances in memory, fed one input at a time. The test kit is made of it.

use std::collections::BTreeMap;

use factlog_core::{EventId, Position, RecordedEvent, Revision, StreamId, Timestamp};
use serde_json::Value;

use super::ProcessManager;
use super::inspect::place_of;
use super::instance::{Instance, Place};
use super::names::Names;
use super::react::{Handled, handle, hear};
use super::record::{CommandRef, Done, Entry, Record, Refused, TimerSet};
use crate::Metadata;

pub(crate) struct Bench<P> {
    process: P,
    names: Names,
    instances: BTreeMap<StreamId, Instance>,
    last: u64,
}

/// What comes back to a process.
pub(crate) enum Outcome {
    Fired { instance: String, timer: Value, due: Timestamp },
    Refused { instance: String, command: Value, reason: String },
}

impl<P: ProcessManager> Bench<P> {
    #[track_caller]
    pub(crate) fn new(process: P) -> Self {
        let names = match Names::new(P::NAME) {
            Ok(names) => names,
            Err(error) => panic!("{error}"),
        };
        Self { process, names, instances: BTreeMap::new(), last: 0 }
    }

    pub(crate) fn instance(&self, instance: &str) -> Option<&Instance> {
        self.instances.get(&self.names.stream(instance))
    }

    pub(crate) fn next_position(&mut self) -> Position {
        self.last += 1;
        Position::new(self.last).expect("positions count from 1")
    }

    /// The first timer that is due by then.
    pub(crate) fn fire_next(&self, until: Timestamp) -> Option<(Timestamp, Outcome)> {
        let armed = self
            .instances
            .values()
            .flat_map(|instance| instance.armed().map(move |(_, open)| (instance, open)));
        let (instance, open) =
            armed.filter(|(_, open)| open.due <= until).min_by_key(|(_, open)| open.due)?;
        let (instance, timer) = (instance.instance.clone(), open.timer.clone());
        Some((open.due, Outcome::Fired { instance, timer, due: open.due }))
    }

    /// The record of it, as it would be delivered.
    pub(crate) fn recorded(&mut self, outcome: Outcome, now: Timestamp) -> RecordedEvent {
        let (instance, record) = match outcome {
            Outcome::Fired { instance, timer, due } => {
                (instance, Record::TimerFired(TimerSet { timer, due }))
            }
            Outcome::Refused { instance, command, reason } => {
                let settled = CommandRef { input: Position::MAX, index: 0 };
                (instance, Record::CommandRefused(Refused { command: settled, refused: command, reason }))
            }
        };
        self.keep(instance, record, now)
    }

    /// Handles an event, twice where it is pure; answers with the commands that follow, or why it cannot go on.
    pub(crate) fn hear(&mut self, event: &RecordedEvent) -> Result<Vec<(String, Value)>, String> {
        let (first, again) = (self.handled(event)?, self.handled(event)?);
        if first != again {
            return Err("it decided differently the second time on the same input; `instance`, `evolve` and `react` must be pure".to_owned());
        }
        let Some((instance, record)) = first else { return Ok(Vec::new()) };
        let reacted = match record {
            Record::Reacted(reacted) => reacted,
            Record::Quarantined(quarantined) => return Err(quarantined.reason),
            other => return Err(format!("an input came to a record of another kind: {other:?}")),
        };
        for command in &reacted.commands {
            serde_json::from_value::<P::Command>(command.clone())
                .map_err(|cause| format!("the command {command} cannot be read back: {cause}"))?;
        }
        for set in &reacted.timers_set {
            serde_json::from_value::<P::Timer>(set.timer.clone())
                .map_err(|cause| format!("the timer {} cannot be read back: {cause}", set.timer))?;
        }
        let commands = reacted.commands.iter().map(|command| (instance.clone(), command.clone())).collect();
        self.keep(instance.clone(), Record::Reacted(reacted), event.recorded_at);
        self.done(&instance, event.recorded_at);
        Ok(commands)
    }

    fn handled(&self, event: &RecordedEvent) -> Result<Option<(String, Record)>, String> {
        let heard = hear(&self.process, event).map_err(|error| error.to_string())?;
        let Some(heard) = heard else { return Ok(None) };
        let name = heard.instance.clone();
        let new = Instance::new(&name);
        let instance = self.instances.get(&self.names.stream(&name)).unwrap_or(&new);
        Ok(match handle(&self.process, instance, heard) {
            Handled::PassedOver => None,
            Handled::Record(record) => Some((name, record)),
        })
    }

    /// What was decided is taken to be done.
    fn done(&mut self, instance: &str, now: Timestamp) {
        let open: Vec<CommandRef> = self
            .instance(instance)
            .into_iter()
            .flat_map(|found| found.commands.iter().map(|open| open.at))
            .collect();
        for command in open {
            self.keep(instance.to_owned(), Record::CommandDone(Done { command, at: None }), now);
        }
    }

    /// Folds a record as if it had been appended.
    fn keep(&mut self, name: String, record: Record, now: Timestamp) -> RecordedEvent {
        let position = self.next_position();
        let id = EventId::from_bytes(u128::from(position.get()).to_be_bytes());
        let entry = Entry { instance: Some(name.clone()), version: P::VERSION, record };
        let stream = entry.stream(&self.names);
        let instance = self.instances.entry(stream).or_insert_with(|| Instance::new(name));
        let revision = instance.revision.map_or(Revision::FIRST, Revision::next);
        let event = entry.encode(&self.names, id, &Metadata::default());
        let event = RecordedEvent { position, recorded_at: now, revision: Some(revision), event };
        // Through the stored form and back, as in production.
        let read = Entry::decode(&event).expect("it was just written").expect("it is a record");
        let place = place_of(&event).unwrap_or(Place { position, revision, id, correlation: None });
        instance.apply(&read, &place);
        event
    }
}
