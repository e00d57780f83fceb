//! The file `events.lock`: what it holds, how it is written, and what is refused when it is read.
//!
//! * The text follows from the content alone: sorted by name and version, so that two branches merge by lines.
//! * A fingerprint stands for names, versions and shapes; a text whose fingerprints do not fit was edited by hand or
//!   merged badly, and is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value, json};

use crate::canonical::{bare, fingerprint, pretty};

/// The version of the file's own form.
const FORMAT: u64 = 1;

/// The JSON Schemas of one version of an event's data.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// What is read: with serde's defaults taken into account. With it, what is stored is judged.
    pub reads: Value,
    /// What is written.
    pub writes: Value,
}

impl Shape {
    /// The shapes as kept in the file: what is read with its descriptions, what is written without.
    pub fn new(reads: &Value, writes: &Value) -> Self {
        Self { reads: bare(reads, true), writes: bare(writes, false) }
    }

    /// One that is read as it is written.
    pub fn same(schema: &Value) -> Self {
        Self::new(schema, schema)
    }

    fn bare(&self) -> Value {
        json!({ "reads": bare(&self.reads, false), "writes": bare(&self.writes, false) })
    }
}

/// One event: its names, and the shape of each version that is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The name it is stored under.
    pub name: String,
    /// The version it is written with.
    pub version: u32,
    /// Names it was stored under before; they are read and asked for.
    pub former_names: BTreeSet<String>,
    /// The names of the events that take its place, if it is read only to be split.
    pub split_into: BTreeSet<String>,
    /// The shape of each version that is read, by version.
    pub shapes: BTreeMap<u32, Shape>,
}

impl Event {
    /// One without a history.
    pub fn new(name: impl Into<String>, version: u32, shape: Shape) -> Self {
        Self {
            name: name.into(),
            version,
            former_names: BTreeSet::new(),
            split_into: BTreeSet::new(),
            shapes: [(version, shape)].into(),
        }
    }

    /// Every name it is read under.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.former_names.iter().map(String::as_str))
    }

    /// A hash of names, versions and shapes, in 16 hexadecimal digits. What only tells people something, such as a
    /// description, is no part of it.
    pub fn fingerprint(&self) -> String {
        let shapes: Vec<Value> =
            self.shapes.iter().map(|(version, shape)| json!([version, shape.bare()])).collect();
        fingerprint(&json!([self.name, self.version, self.former_names, self.split_into, shapes]))
    }

    fn to_json(&self) -> Value {
        let shapes: Vec<Value> = self
            .shapes
            .iter()
            .map(|(version, shape)| {
                let mut json = json!({ "version": version, "reads": shape.reads });
                if bare(&shape.reads, false) != shape.writes {
                    json["writes"] = shape.writes.clone();
                }
                json
            })
            .collect();
        let mut json =
            json!({ "version": self.version, "fingerprint": self.fingerprint(), "shapes": shapes });
        for (member, names) in [("former_names", &self.former_names), ("split_into", &self.split_into)] {
            if !names.is_empty() {
                json[member] = json!(names);
            }
        }
        json
    }

    fn from_json(name: &str, json: &Value) -> Result<Self, LockError> {
        let wrong = |what: &str| LockError::new(format!("event {name}: {what}"));
        let json = json.as_object().ok_or_else(|| wrong("it is no object"))?;
        let version = number(json, "version").ok_or_else(|| wrong("`version` is no number from 1"))?;
        let mut shapes = BTreeMap::new();
        for shape in json.get("shapes").and_then(Value::as_array).into_iter().flatten() {
            let shape = shape.as_object().ok_or_else(|| wrong("a shape is no object"))?;
            let of = number(shape, "version").ok_or_else(|| wrong("a shape has no `version`"))?;
            let reads = shape.get("reads").ok_or_else(|| wrong("a shape has no `reads`"))?;
            shapes.insert(of, Shape::new(reads, shape.get("writes").unwrap_or(reads)));
        }
        if shapes.keys().next_back() != Some(&version) {
            return Err(wrong("the shape of its `version` is not the last in `shapes`"));
        }
        let names = |member: &str| match json.get(member) {
            None => Ok(BTreeSet::new()),
            Some(names) => strings(names).ok_or_else(|| wrong(&format!("`{member}` is no list of names"))),
        };
        let event = Self {
            name: name.to_owned(),
            version,
            former_names: names("former_names")?,
            split_into: names("split_into")?,
            shapes,
        };
        let expected = event.fingerprint();
        if json.get("fingerprint").and_then(Value::as_str) != Some(&expected) {
            return Err(wrong(&format!(
                "its fingerprint is not that of its shapes, which is {expected}; do not edit or merge the file by hand, write it again from the program's tests"
            )));
        }
        Ok(event)
    }
}

/// Every event of a program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    events: BTreeMap<String, Event>,
}

impl Lock {
    /// Of these events; the same one may come twice.
    ///
    /// # Errors
    /// Where two events that differ share a name, present or former.
    pub fn new(events: impl IntoIterator<Item = Event>) -> Result<Self, LockError> {
        let mut lock = Self::default();
        for event in events {
            lock.insert(event)?;
        }
        lock.check_names()?;
        Ok(lock)
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// Where it is no `events.lock`, of a newer form, or its fingerprints do not fit.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let json: Value = serde_json::from_str(text)
            .map_err(|cause| LockError::new(format!("it is no JSON, so no events.lock: {cause}")))?;
        match json.get("events_lock").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(newer) => {
                let message =
                    format!("it is of form {newer}, and this program knows form {FORMAT}; use a newer one");
                return Err(LockError::new(message));
            }
            None => return Err(LockError::new("it has no number as `events_lock`, so it is no events.lock")),
        }
        let events = json.get("events").and_then(Value::as_object);
        let events = events.ok_or_else(|| LockError::new("it has no object as `events`"))?;
        Self::new(
            events
                .iter()
                .map(|(name, event)| Event::from_json(name, event))
                .collect::<Result<Vec<_>, _>>()?,
        )
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let events: Map<String, Value> =
            self.events.values().map(|event| (event.name.clone(), event.to_json())).collect();
        pretty(&json!({ "events_lock": FORMAT, "events": events })) + "\n"
    }

    /// The events, by name.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.values()
    }

    /// The event of this present name.
    pub fn get(&self, name: &str) -> Option<&Event> {
        self.events.get(name)
    }

    /// Whether both say the same but for what only tells people something.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let prints = |lock: &Self| -> Vec<String> { lock.events().map(Event::fingerprint).collect() };
        prints(self) == prints(other)
    }

    fn insert(&mut self, event: Event) -> Result<(), LockError> {
        if !event.shapes.contains_key(&event.version) {
            let message = format!("event {} has no shape of its version {}", event.name, event.version);
            return Err(LockError::new(message));
        }
        match self.events.get(&event.name) {
            Some(known) if known.fingerprint() != event.fingerprint() => Err(LockError::new(format!(
                "two types are stored under the name {} and differ; each name has one shape",
                event.name
            ))),
            _ => {
                self.events.insert(event.name.clone(), event);
                Ok(())
            }
        }
    }

    fn check_names(&self) -> Result<(), LockError> {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for event in self.events() {
            for name in event.names() {
                if let Some(other) = owners.insert(name, &event.name).filter(|other| *other != event.name) {
                    let message = format!(
                        "the name {name} belongs to {other} and to {}; each name belongs to one event",
                        event.name
                    );
                    return Err(LockError::new(message));
                }
            }
        }
        Ok(())
    }
}

/// Why a lock is none: a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockError(String);

impl LockError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LockError {}

fn number(json: &Map<String, Value>, member: &str) -> Option<u32> {
    let number = json.get(member)?.as_u64()?;
    u32::try_from(number).ok().filter(|number| 1 <= *number)
}

fn strings(names: &Value) -> Option<BTreeSet<String>> {
    names.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}
