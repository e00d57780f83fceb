//! Two locks held against each other: per event, whether new programs read old data and old programs new data.
//!
//! * *Backward*: for each version the old lock knows, the new one still has a shape, and it reads all that the old one
//!   read. So a raise of the version with an upcast may change anything, as long as the older shape stays.
//! * *Forward*: the old program asks for the name, knows the version and reads what is written now.

use std::collections::BTreeMap;
use std::fmt;

use crate::fits::{Direction, fits};
use crate::{Event, Lock};

/// Who reads what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// New programs read old data, and old programs new data: deploy in any order.
    Full,
    /// New programs read old data; old programs do not read all new data: deploy every reader before the writers.
    Backward,
    /// Old programs read new data; new programs do not read all old data: what is stored is lost to them.
    Forward,
    /// Neither.
    Breaking,
}

impl Verdict {
    fn of(backward: bool, forward: bool) -> Self {
        match (backward, forward) {
            (true, true) => Self::Full,
            (true, false) => Self::Backward,
            (false, true) => Self::Forward,
            (false, false) => Self::Breaking,
        }
    }

    /// Whether new programs read old data.
    pub fn is_backward(self) -> bool {
        matches!(self, Self::Full | Self::Backward)
    }

    /// Whether old programs read new data.
    pub fn is_forward(self) -> bool {
        matches!(self, Self::Full | Self::Forward)
    }

    /// The verdict in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Backward => "backward",
            Self::Forward => "forward",
            Self::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What stands against a verdict: the field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `address.zip`, `lines[].price` or `payment(card).number`; empty for the event itself.
    pub path: String,
    /// What changed, as a sentence without its full stop.
    pub what: String,
}

impl Problem {
    pub(crate) fn new(path: &str, what: impl Into<String>) -> Self {
        Self { path: path.trim_start_matches('.').to_owned(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.what),
            path => write!(f, "{path}: {}", self.what),
        }
    }
}

/// What became of an event between two locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is not there any more.
    Removed,
    /// It has another name now.
    Renamed {
        /// The name it had.
        from: String,
    },
    /// It is no longer written; what is stored is read as other events.
    Split,
    /// Its version was raised, or lowered.
    Version {
        /// The version it had.
        from: u32,
    },
    /// Its shape, or the versions or former names that are read, changed.
    Changed,
    /// Nothing that counts.
    Same,
}

/// One event in both locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventChange {
    /// Its present name, or the last one if it was removed.
    pub name: String,
    /// What became of it.
    pub change: Change,
    /// Why new programs do not read old data; nothing if they do.
    pub backward: Vec<Problem>,
    /// Why old programs do not read new data; nothing if they do.
    pub forward: Vec<Problem>,
}

impl EventChange {
    /// Who reads what.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(self.backward.is_empty(), self.forward.is_empty())
    }
}

/// All events of two locks, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Every event of either, by its present name.
    pub events: Vec<EventChange>,
}

impl Comparison {
    /// Who reads what, for all events together.
    pub fn verdict(&self) -> Verdict {
        let all = |good: fn(Verdict) -> bool| self.events.iter().all(|event| good(event.verdict()));
        Verdict::of(all(Verdict::is_backward), all(Verdict::is_forward))
    }

    /// The events that are not the same in both.
    pub fn changed(&self) -> impl Iterator<Item = &EventChange> {
        self.events.iter().filter(|event| event.change != Change::Same)
    }
}

/// Holds two locks against each other.
pub fn compare(old: &Lock, new: &Lock) -> Comparison {
    let mut events = BTreeMap::new();
    for event in new.events() {
        let added = EventChange {
            name: event.name.clone(),
            change: Change::Added,
            backward: Vec::new(),
            forward: Vec::new(),
        };
        events.insert(event.name.clone(), added);
    }
    for event in old.events() {
        let change = match successor(event, new) {
            Some(successor) => changed(event, successor),
            None => removed(event),
        };
        // Two events may have become one; what stands against either stands.
        match events.get_mut(&change.name).filter(|known| known.change != Change::Added) {
            Some(known) => {
                known.backward.extend(change.backward);
                known.forward.extend(change.forward);
            }
            None => {
                events.insert(change.name.clone(), change);
            }
        }
    }
    Comparison { events: events.into_values().collect() }
}

/// The event that reads what is stored under the old one's name now.
fn successor<'a>(old: &Event, new: &'a Lock) -> Option<&'a Event> {
    new.get(&old.name).or_else(|| new.events().find(|event| event.former_names.contains(&old.name)))
}

fn removed(old: &Event) -> EventChange {
    let what = "the event is gone: what is stored of it is no longer read";
    EventChange {
        name: old.name.clone(),
        change: Change::Removed,
        backward: vec![Problem::new("", what)],
        forward: Vec::new(),
    }
}

fn changed(old: &Event, new: &Event) -> EventChange {
    let change = match () {
        () if old.fingerprint() == new.fingerprint() => Change::Same,
        () if old.name != new.name => Change::Renamed { from: old.name.clone() },
        () if old.split_into.is_empty() && !new.split_into.is_empty() => Change::Split,
        () if old.version != new.version => Change::Version { from: old.version },
        () => Change::Changed,
    };
    if change == Change::Same {
        return EventChange { name: new.name.clone(), change, backward: Vec::new(), forward: Vec::new() };
    }
    EventChange { name: new.name.clone(), change, backward: backward(old, new), forward: forward(old, new) }
}

fn backward(old: &Event, new: &Event) -> Vec<Problem> {
    let mut problems = Vec::new();
    for name in old.names().filter(|name| new.names().all(|known| known != *name)) {
        let what =
            format!("the former name {name} is no longer asked for: what is stored under it is missed");
        problems.push(Problem::new("", what));
    }
    for (version, shape) in &old.shapes {
        match new.shapes.get(version) {
            Some(now) => problems.extend(fits(&shape.reads, &now.reads, Direction::Backward)),
            None if new.version < *version => {
                let what = format!(
                    "the version went back: {version} is stored, and {} is the last known",
                    new.version
                );
                problems.push(Problem::new("", what));
            }
            None => {
                let what =
                    format!("version {version} is no longer read: keep its struct and the upcast from it");
                problems.push(Problem::new("", what));
            }
        }
    }
    problems
}

fn forward(old: &Event, new: &Event) -> Vec<Problem> {
    if !new.split_into.is_empty() {
        if !old.split_into.is_empty() {
            return Vec::new();
        }
        let into: Vec<&str> = new.split_into.iter().map(String::as_str).collect();
        let what =
            format!("it is written as {} now, which older programs do not read as this", into.join(" and "));
        return vec![Problem::new("", what)];
    }
    if old.names().all(|name| name != new.name) {
        let what = format!("it is stored under {} now, which older programs do not ask for", new.name);
        return vec![Problem::new("", what)];
    }
    match old.shapes.get(&new.version) {
        Some(then) if new.version <= old.version => {
            let now = &new.shapes[&new.version];
            fits(&now.writes, &then.reads, Direction::Forward)
        }
        _ => {
            let (from, to) = (old.version, new.version);
            let what = format!("the version changed from {from} to {to}, which older programs refuse");
            vec![Problem::new("", what)]
        }
    }
}
