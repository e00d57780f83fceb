//! The book: every open instance, with what the runner has to find quickly among them.
//!
//! The lists beside the instances follow from them; they are made again for an instance whenever it changes.

use std::collections::{BTreeMap, BTreeSet};

use factlog_core::{StreamId, Timestamp};

use super::instance::{Instance, OpenTimer, Phase, Place};
use super::record::Entry;

#[derive(Debug, Default)]
pub(super) struct Book {
    held: BTreeMap<StreamId, Held>,
    /// Timers that run, the next first.
    wheel: BTreeSet<Turn>,
    /// Instances with a command to dispatch and none on its way.
    ready: BTreeSet<StreamId>,
    /// Instances that were retried, with inputs that come before any other.
    backlog: BTreeSet<StreamId>,
    open: usize,
    commands: usize,
    quarantined: usize,
}

#[derive(Debug)]
struct Held {
    instance: Instance,
    /// A command is on its way, or rests until it is tried again.
    busy: bool,
    wheel: Vec<Turn>,
}

/// When a timer is due, whose it is, and which of its timers.
type Turn = (Timestamp, StreamId, usize);

/// The book in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) open: usize,
    pub(super) timers: usize,
    pub(super) next_due: Option<Timestamp>,
    pub(super) commands: usize,
    pub(super) quarantined: usize,
}

impl Book {
    pub(super) fn get(&self, stream: &StreamId) -> Option<&Instance> {
        self.held.get(stream).map(|held| &held.instance)
    }

    pub(super) fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.held.values().map(|held| &held.instance)
    }

    /// Folds a record; an instance that is over leaves the book.
    pub(super) fn apply(&mut self, stream: &StreamId, entry: &Entry, place: &Place) {
        let Some(name) = &entry.instance else { return };
        let before = self.take(stream);
        let (mut instance, busy) = before.unwrap_or_else(|| (Instance::new(name.clone()), false));
        instance.apply(entry, place);
        if !instance.is_over() {
            self.put(stream.clone(), instance, busy);
        }
    }

    /// A command of it is on its way, or not any more.
    pub(super) fn set_busy(&mut self, stream: &StreamId, busy: bool) {
        if let Some((instance, _)) = self.take(stream) {
            self.put(stream.clone(), instance, busy);
        }
    }

    /// Takes over an instance that was read from the log.
    pub(super) fn put(&mut self, stream: StreamId, instance: Instance, busy: bool) {
        let armed = instance.armed();
        let wheel: Vec<Turn> = armed.map(|(index, timer)| (timer.due, stream.clone(), index)).collect();
        self.wheel.extend(wheel.iter().cloned());
        if !busy && instance.next_command().is_some() {
            self.ready.insert(stream.clone());
        }
        if instance.has_backlog() {
            self.backlog.insert(stream.clone());
        }
        self.open += usize::from(instance.phase == Phase::Open);
        self.commands += instance.commands.len();
        self.quarantined += usize::from(instance.quarantine.is_some());
        self.held.insert(stream, Held { instance, busy, wheel });
    }

    fn take(&mut self, stream: &StreamId) -> Option<(Instance, bool)> {
        let Held { instance, busy, wheel } = self.held.remove(stream)?;
        for timer in &wheel {
            self.wheel.remove(timer);
        }
        self.ready.remove(stream);
        self.backlog.remove(stream);
        self.open -= usize::from(instance.phase == Phase::Open);
        self.commands -= instance.commands.len();
        self.quarantined -= usize::from(instance.quarantine.is_some());
        Some((instance, busy))
    }

    /// The next instance with a command to dispatch.
    pub(super) fn next_ready(&self) -> Option<StreamId> {
        self.ready.first().cloned()
    }

    pub(super) fn next_backlog(&self) -> Option<StreamId> {
        self.backlog.first().cloned()
    }

    /// Timers that are due by then, in order, and whose they are.
    pub(super) fn due(&self, now: Timestamp, limit: usize) -> Vec<(StreamId, OpenTimer)> {
        let due = self.wheel.iter().take_while(|(due, ..)| *due <= now).take(limit);
        due.filter_map(|(_, stream, index)| {
            Some((stream.clone(), self.get(stream)?.timers.get(*index)?.clone()))
        })
        .collect()
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            open: self.open,
            timers: self.wheel.len(),
            next_due: self.wheel.first().map(|(due, ..)| *due),
            commands: self.commands,
            quarantined: self.quarantined,
        }
    }
}
