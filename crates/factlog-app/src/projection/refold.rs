//! Folding again, from the first event and in memory, what a read model held at one moment.
//!
//! Every event counts as it counts there: as edited, not where it was skipped, not where it waits behind a parked key, and
//! not where its partition has not come to it.

use std::collections::BTreeMap;
use std::time::Duration;

use factlog_core::{EventStore as _, Position, ReadOptions, RecordedEvent, Result};
use serde_json::json;

use super::partition::{PARTITIONS, of_json};
use super::route::{Amends, amended, keys, skipped};
use super::rows::Split;
use super::shared::Shared;
use super::target::{Chunk, Control, Emits, Pair, Target, json as key_text};
use super::waits::{Halt, Waited};
use super::{ProjectionError, Unreadable};

/// The row that says how far a verification is.
pub(super) const VERIFYING: &str = "verifying";
/// Facts folded at once.
const CHUNK: usize = 4_096;
/// No generation has this number, so that nothing is there before the first event.
const NOWHERE: u64 = u64::MAX >> 1;
/// How long it waits for an event before it says how far it is.
const TICK: Duration = Duration::from_millis(250);
/// Microseconds between two words on how far it is.
const WORD: i64 = 1_000_000;

/// Documents as what their JSON hashes to, by the JSON of their key.
pub(super) type Digests = BTreeMap<String, u64>;

/// A read model at one moment.
pub(super) struct Moment<K> {
    pub(super) digests: Digests,
    /// By range of partitions, in order: how far it is.
    pub(super) reached: Vec<Split>,
    /// By parked key: the first event that waits.
    pub(super) parked: BTreeMap<K, Option<Position>>,
    pub(super) amends: Amends,
}

impl<K: Ord + serde::Serialize> Moment<K> {
    pub(super) fn until(&self) -> Option<Position> {
        self.reached.iter().filter_map(|split| split.position).max().and_then(Position::new)
    }

    /// Whether an event was applied to a key.
    fn has(&self, key: &K, position: Position) -> bool {
        if let Some(Some(first)) = self.parked.get(key)
            && *first <= position
        {
            return false;
        }
        let range = match self.reached.as_slice() {
            [whole] => Some(whole),
            ranges => {
                let partition = of_json(key_text(key).as_bytes());
                ranges.iter().find(|split| partition < split.to)
            }
        };
        let reached = range.and_then(|split| split.position);
        Some(position.get()) <= reached && !skipped(&self.amends, key, position)
    }
}

/// A fold under way.
pub(super) struct Refold<'a, T: Target> {
    shared: &'a Shared<T>,
    moment: &'a Moment<T::Key>,
    folded: T::Folded,
    /// Keys whose events cannot be applied now, and why.
    failed: BTreeMap<String, String>,
    said: i64,
}

impl<'a, T: Target> Refold<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>, moment: &'a Moment<T::Key>) -> Self {
        Self { shared, moment, folded: T::Folded::default(), failed: BTreeMap::new(), said: 0 }
    }

    /// Folds everything; the number of events, or `None` where it was told to halt.
    pub(super) fn all(&mut self, halt: &Halt) -> Result<Option<u64>, ProjectionError> {
        let Some(until) = self.moment.until() else { return Ok(Some(0)) };
        let options = ReadOptions::default().until(Some(until));
        let mut events = self.shared.store.read(self.shared.query.clone(), options);
        let mut chunk = Chunk { events: Vec::new(), shards: vec![Vec::new()] };
        let mut count = 0;
        loop {
            match halt.wait(events.next(), Some(TICK)) {
                Waited::Halted => return Ok(None),
                Waited::Tick => {}
                Waited::Ready(None) => break,
                Waited::Ready(Some(event)) => {
                    let event = event?;
                    let position = event.position;
                    count += 1;
                    self.add(event, &mut chunk)?;
                    if CHUNK <= chunk.events.len() {
                        self.fold(&mut chunk)?;
                        self.say(position, until);
                    }
                }
            }
        }
        self.fold(&mut chunk)?;
        Ok(Some(count))
    }

    /// What it came to, and what failed.
    pub(super) fn end(self) -> Result<(Digests, BTreeMap<String, String>)> {
        Ok((self.shared.target.digests_of(&self.folded)?, self.failed))
    }

    fn add(&self, raw: RecordedEvent, chunk: &mut Chunk<T::Event, T::Key>) -> Result<(), ProjectionError> {
        let Chunk { events, shards } = chunk;
        let start = events.len();
        match (amended::<T>(raw, &self.moment.amends, events), self.shared.settings.unreadable) {
            (Ok(()), _) | (Err(_), Unreadable::Skip) => {}
            (Err(error), Unreadable::Stop) => return Err(error.into()),
        }
        let mut ordinals = 0..;
        for (index, event) in (start..).zip(&events[start..]) {
            let index = u32::try_from(index).expect("a chunk is small");
            for (key, ordinal) in keys(&*self.shared.target, event).into_iter().zip(&mut ordinals) {
                let broken = !self.failed.is_empty() && self.failed.contains_key(&key_text(&key));
                if !broken && self.moment.has(&key, event.position) {
                    shards[0].push(Pair { event: index, ordinal, key });
                }
            }
        }
        Ok(())
    }

    fn fold(&mut self, chunk: &mut Chunk<T::Event, T::Key>) -> Result<()> {
        let nothing = [Split { to: PARTITIONS, position: Some(u64::MAX) }];
        let emits = Emits { after: &nothing, owed: &BTreeMap::new() };
        let outcome = self.shared.target.fold(NOWHERE, chunk, &emits, &mut self.folded)?;
        for failure in outcome.failures {
            let at = failure.positions.first().map_or(0, |position| position.get());
            self.failed
                .insert(key_text(&failure.key), format!("it fails at position {at}: {}", failure.error));
        }
        chunk.events.clear();
        chunk.shards.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    /// Says how far it is, once a second.
    fn say(&mut self, position: Position, until: Position) {
        let now = self.shared.clock.now().as_micros();
        if now.saturating_sub(self.said) < WORD {
            return;
        }
        self.said = now;
        let row = json!({ "position": position.get(), "until": until.get(), "at": now });
        let mut control = Control::default();
        control.put(VERIFYING.to_owned(), Some(row.to_string()));
        // Nobody depends on it.
        let _ = self.shared.target.write(control);
    }
}
