//! The events of a generation as their nodes: the keys of each, and for each key the event that had it before.
//!
//! * An event's nodes lie side by side in one chunk, the type's first and the last one marked.
//! * Chains lead to smaller ordinals only, so every walk ends.
//! * An ordinal may have no event: what is lost of a damaged log leaves a gap.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::arena::Arena;
use super::keys::Chain;
use super::table::{high, low};

type NodeArena = Arena<AtomicU64, 8192>;

/// Marks the last node of an event, in the half that has the key.
const LAST: u32 = 1 << 31;

/// All events, by ordinal.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// By ordinal: the event's first node plus one; 0 for no event.
    firsts: Arena<AtomicU32, 8192>,
    /// The key above the ordinal of the event that had it before.
    nodes: NodeArena,
    last: AtomicU32,
    count: AtomicU32,
}

/// One event's node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node(u64);

/// The nodes of one event, in order.
#[derive(Clone, Debug)]
pub(super) struct Nodes<'a>(&'a [AtomicU64]);

impl Events {
    /// The ordinal of the last event; 0 for none.
    pub(super) fn last(&self) -> u32 {
        self.last.load(Ordering::Acquire)
    }

    pub(super) fn count(&self) -> u64 {
        u64::from(self.count.load(Ordering::Relaxed))
    }

    /// The nodes of the event with this ordinal; none where there is no event.
    pub(super) fn nodes(&self, ordinal: u32) -> Nodes<'_> {
        #[cfg(test)]
        super::tests::LOOKS.with(|looks| looks.set(looks.get() + 1));
        let first = self.firsts.get(ordinal as usize).map_or(0, |first| first.load(Ordering::Relaxed));
        Nodes(first.checked_sub(1).map_or(&[], |first| self.nodes.run(first as usize)))
    }

    pub(super) fn exists(&self, ordinal: u32) -> bool {
        self.nodes(ordinal).next().is_some()
    }

    /// The event that had a key before this one had it; 0 for none.
    pub(super) fn older(&self, ordinal: u32, key: u32) -> u32 {
        older_in(self.nodes(ordinal), key)
    }

    /// A key's chain without the events above `until`.
    pub(super) fn chain_until(&self, key: u32, mut chain: Chain, until: u32) -> Chain {
        while until < chain.newest {
            chain = Chain { newest: self.older(chain.newest, key), count: chain.count - 1 };
        }
        chain
    }

    /// For the writer: writes an event's nodes from place `at` on and returns the place behind them.
    pub(super) fn write(&self, at: usize, ordinal: u32, keys: &[(u32, Chain)]) -> usize {
        let at = if NodeArena::room(at) < keys.len() { at + NodeArena::room(at) } else { at };
        let nodes = self.nodes.grow(at);
        for (place, (node, (key, chain))) in nodes.iter().zip(keys).enumerate() {
            let mark = if place + 1 == keys.len() { LAST } else { 0 };
            node.store(u64::from(key | mark) << 32 | u64::from(chain.newest), Ordering::Relaxed);
        }
        let first = u32::try_from(at + 1).expect("a generation is bounded in events");
        self.firsts.grow(ordinal as usize)[0].store(first, Ordering::Relaxed);
        at + keys.len()
    }

    /// For the writer: the event was added.
    pub(super) fn close(&self, ordinal: u32) {
        self.count.store(self.count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.last.store(ordinal, Ordering::Release);
    }

    pub(super) fn memory(&self) -> usize {
        self.firsts.memory() + self.nodes.memory()
    }
}

impl Node {
    pub(super) fn key(self) -> u32 {
        high(self.0) & !LAST
    }

    /// The event that had the key before; 0 for none.
    pub(super) fn older(self) -> u32 {
        low(self.0)
    }
}

impl Iterator for Nodes<'_> {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        let (first, rest) = self.0.split_first()?;
        let word = first.load(Ordering::Relaxed);
        self.0 = if high(word) & LAST == 0 { rest } else { &[] };
        Some(Node(word))
    }
}

/// The event that had a key before the one with these nodes.
pub(super) fn older_in(mut nodes: Nodes<'_>, key: u32) -> u32 {
    nodes.find(|node| node.key() == key).map_or(0, Node::older)
}
