//! What a worker drives: something that folds routed events and commits them with its checkpoint.
//!
//! * Documents and SQL handlers are targets; a worker knows neither.
//! * A failing event is a value ([`Failure`]), not an error: its key is parked and others go on.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use factlog_core::{Position, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::partition::of_json;
use super::rows::Split;
use super::sink::{Committed, Rows};
use crate::{EventSet, Recorded};

/// Side effects of one event under one key at most; more are a failure of the key.
pub(super) const EFFECTS_MAX: u32 = 1_000;

pub(super) trait Target: Send + Sync + 'static {
    type Event: EventSet;
    type Key: Ord + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What was folded and is not committed yet.
    type Folded: Default + Send;
    const NAME: &'static str;
    const VERSION: u32;

    fn keys(&self, event: &Recorded<Self::Event>) -> Vec<Self::Key>;

    /// Folds events on as many threads as the chunks have shards; what cannot be applied is in the outcome.
    fn fold(
        &self,
        generation: u64,
        chunks: Vec<Chunk<Self::Event, Self::Key>>,
        emits: &Emits<'_>,
        folded: &mut Self::Folded,
    ) -> Result<Outcome<Self::Key>>;

    /// Documents held in memory.
    fn size(folded: &Self::Folded) -> usize;

    /// Commits what was folded with the rows that `rows` makes of what is only known now.
    fn commit(
        &self,
        generation: u64,
        folded: Self::Folded,
        emits: &Emits<'_>,
        rows: &mut dyn FnMut(Outcome<Self::Key>) -> Control,
    ) -> Result<Committed>;

    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows>;

    /// Commits rows alone.
    fn write(&self, control: Control) -> Result<Committed>;
}

/// Rows as they must be and as they are from now on.
#[derive(Clone, Debug, Default)]
pub(super) struct Control {
    pub(super) expected: Vec<(String, Option<String>)>,
    pub(super) rows: Vec<(String, Option<String>)>,
    pub(super) dropped: Option<u64>,
}

impl Control {
    /// Changes a row that must be as it was known.
    pub(super) fn change(&mut self, name: String, from: Option<String>, to: Option<String>) {
        self.expected.push((name.clone(), from));
        self.rows.push((name, to));
    }

    pub(super) fn put(&mut self, name: String, to: Option<String>) {
        self.rows.push((name, to));
    }
}

/// Facts in order, all of a stored event's together, and which keys each concerns.
pub(super) struct Chunk<E, K> {
    pub(super) events: Vec<Recorded<E>>,
    /// Of each shard, in order of events. All of one key are in one shard, the same in every chunk.
    pub(super) shards: Vec<Vec<Pair<K>>>,
    /// What waits because its key is parked.
    pub(super) waiting: Vec<(K, Position)>,
}

/// A fact of a chunk and one of its keys.
pub(super) struct Pair<K> {
    pub(super) event: u32,
    /// Which of the stored event's, from 0: by fact, then in key order.
    pub(super) ordinal: u32,
    pub(super) key: K,
}

/// What became of a fold besides documents.
pub(super) struct Outcome<K> {
    pub(super) failures: Vec<Failure<K>>,
    pub(super) effects: Vec<Emitted>,
}

impl<K> Default for Outcome<K> {
    fn default() -> Self {
        Self { failures: Vec::new(), effects: Vec::new() }
    }
}

impl<K> Outcome<K> {
    pub(super) fn extend(&mut self, other: Self) {
        self.failures.extend(other.failures);
        self.effects.extend(other.effects);
    }
}

/// A key whose event could not be applied.
#[derive(Clone, Debug)]
pub(super) struct Failure<K> {
    pub(super) key: K,
    pub(super) error: String,
    /// The event, and those of the key behind it.
    pub(super) positions: Vec<Position>,
}

/// A side effect of an event.
#[derive(Clone, Debug)]
pub(super) struct Emitted {
    pub(super) position: Position,
    pub(super) index: u32,
    pub(super) key: String,
    pub(super) data: serde_json::Value,
}

/// For which events side effects are owed.
pub(super) struct Emits<'a> {
    /// Those above these positions, by partition.
    pub(super) after: &'a [Split],
    /// And those a predecessor had parked.
    pub(super) owed: &'a BTreeMap<String, Vec<u64>>,
}

impl Emits<'_> {
    pub(super) fn owes<K: Serialize>(&self, key: &K, position: Position) -> bool {
        let beyond = |split: &Split| split.position.is_none_or(|after| after < position.get());
        if self.owed.is_empty()
            && let [split] = self.after
        {
            return beyond(split);
        }
        self.owes_text(&json(key), position)
    }

    pub(super) fn owes_text(&self, key: &str, position: Position) -> bool {
        let partition = of_json(key.as_bytes());
        let split = self.after.iter().find(|split| partition < split.to);
        let beyond = split.and_then(|split| split.position).is_none_or(|after| after < position.get());
        beyond || self.owed.get(key).is_some_and(|positions| positions.contains(&position.get()))
    }
}

/// A key as JSON: how it is named in rows.
pub(super) fn json<K: Serialize>(key: &K) -> String {
    serde_json::to_string(key).unwrap_or_else(|cause| format!("\"unwritable: {cause}\""))
}

/// Runs the user's code: a panic is a failure of what it was run for, and of nothing else.
pub(super) fn guarded<T, E: std::fmt::Display>(work: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(format!("it panicked: {}", said(&*panic))),
    }
}

pub(super) fn said(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}
