//! Metadata: facts about a fact, as a JSON object beside the event's data.
//!
//! Four names are the framework's own; everything else is the writer's. It never influences a fold unless the
//! fold asks for it.

use bytes::Bytes;
use factlog_core::{Error, Result};
use serde_json::{Map, Value};

/// What set off the command: constant along a whole conversation.
pub(crate) const CORRELATION: &str = "correlation_id";
/// The event or message that led to this event.
pub(crate) const CAUSATION: &str = "causation_id";
/// The version of the event's shape; absent for 1.
const SCHEMA: &str = "schema";
/// On the first event of a commit under an idempotency key: how many events that commit has.
const COMMIT_EVENTS: &str = "commit_events";

/// Facts about a fact: correlation, causation, and the writer's own entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    entries: Map<String, Value>,
}

impl Metadata {
    /// What set off the command, constant along a whole conversation.
    pub fn correlation_id(&self) -> Option<&str> {
        self.entries.get(CORRELATION)?.as_str()
    }

    /// The event or message that led to this event.
    pub fn causation_id(&self) -> Option<&str> {
        self.entries.get(CAUSATION)?.as_str()
    }

    /// One of the writer's own entries.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.get(name)
    }

    /// Adds one of the writer's own entries.
    pub(crate) fn insert(&mut self, name: &str, value: Value) -> Result<()> {
        if [CORRELATION, CAUSATION, SCHEMA, COMMIT_EVENTS].contains(&name) {
            return Err(Error::invalid(format!(
                "metadata entry {name:?} is the framework's own; give yours another name, or use the method for it"
            )));
        }
        self.entries.insert(name.to_owned(), value);
        Ok(())
    }

    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.entries.insert(name.to_owned(), Value::String(value));
    }

    pub(crate) fn set_commit_events(&mut self, count: usize) {
        self.entries.insert(COMMIT_EVENTS.to_owned(), count.into());
    }

    pub(crate) fn commit_events(&self) -> Option<u64> {
        self.entries.get(COMMIT_EVENTS)?.as_u64()
    }

    /// The stored bytes; none at all where there is nothing to say.
    pub(crate) fn encode(&self, schema: u32) -> Bytes {
        if self.entries.is_empty() && schema == 1 {
            return Bytes::new();
        }
        let mut entries = self.entries.clone();
        if schema != 1 {
            entries.insert(SCHEMA.to_owned(), schema.into());
        }
        Value::Object(entries).to_string().into()
    }

    /// Reads stored bytes; what is no JSON object has no entries.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self { entries: serde_json::from_slice(bytes).unwrap_or_default() }
    }
}
