//! The writer's half of a generation.
//!
//! * There is one, it is not cloned, and it adds in the order of positions.
//! * An event's nodes are in place before any key leads to them, and keys before the head that shows the event.

use std::sync::Arc;

use factlog_core::{Event, EventId, StreamId};

use super::keys::{Chain, Guess, KeyFiller};
use super::table::{Filler, Hasher};
use super::{Generation, Kind};
use crate::ledger::Commit;

/// Adds to a generation.
#[derive(Debug)]
pub(crate) struct Inserter {
    generation: Arc<Generation>,
    keys: KeyFiller,
    commits: Filler,
    /// The place of the next node.
    nodes: usize,
    /// The keys of the event at hand, before and after they are found.
    guesses: Vec<Guess>,
    at_hand: Vec<(u32, Chain)>,
}

impl Inserter {
    /// Begins a generation. The seed is for hashing: the store's own, and nobody else's to know.
    pub(crate) fn new(first: u64, seed: u64) -> Self {
        Self::with(first, Hasher::new(seed))
    }

    pub(super) fn with(first: u64, hasher: Hasher) -> Self {
        let (generation, keys, commits) = Generation::new(first, hasher);
        Self {
            generation: Arc::new(generation),
            keys,
            commits,
            nodes: 0,
            guesses: Vec::new(),
            at_hand: Vec::new(),
        }
    }

    /// What readers look at.
    pub(crate) fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// Adds the next event and returns its revision (0 without a stream). `before` tells how many events its stream
    /// had before this generation; it is asked only for the first one in here.
    pub(crate) fn add(&mut self, position: u64, event: &Event, before: impl FnOnce() -> u64) -> u64 {
        let generation = &*self.generation;
        assert!(generation.last() < position, "positions grow");
        let ordinal = generation.ordinal(position).expect("a generation is bounded in events");
        self.guesses.clear();
        self.guesses.extend(names(event).map(|(kind, name)| generation.keys.guess(kind, name)));
        generation.keys.look(&self.keys, &mut self.guesses);
        self.at_hand.clear();
        let mut before = Some(before);
        let mut revision = 0;
        for ((kind, name), guess) in names(event).zip(&self.guesses) {
            // Asked for a stream only, and an event has one at most.
            let base = || before.take().map_or(0, |before| before());
            let (key, chain) = generation.keys.enter(&mut self.keys, kind, name, guess, base);
            if kind == Kind::Stream {
                revision = generation.keys.base(key) + u64::from(chain.count);
            }
            self.at_hand.push((key, chain));
        }
        self.nodes = generation.events.write(self.nodes, ordinal, &self.at_hand);
        for &(key, chain) in &self.at_hand {
            generation.keys.extend(key, chain, ordinal);
        }
        generation.events.close(ordinal);
        revision
    }

    /// Remembers an append by its first event's id, which is in no append that this generation has.
    pub(crate) fn add_commit(&mut self, id: &EventId, commit: Commit) {
        let first = self.generation.ordinal(commit.first).expect("an append lies in one generation");
        self.generation.commits.add(&mut self.commits, id, first, commit.count, commit.content);
    }
}

/// The keys of an event in the order of its nodes: the type first, tags as they are sorted.
fn names(event: &Event) -> impl Iterator<Item = (Kind, &str)> {
    let stream = event.stream.as_ref();
    let category = stream.map(StreamId::category).filter(|category| !category.is_empty());
    let category = category.map(|category| (Kind::Category, category));
    let stream = stream.map(|stream| (Kind::Stream, stream.as_str()));
    let tags = event.tags.iter().map(|tag| (Kind::Tag, tag.as_str()));
    std::iter::once((Kind::Type, event.event_type.as_str())).chain(category).chain(stream).chain(tags)
}
