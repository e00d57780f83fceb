//! Walking chains: the matching events of one query item, newest first.

use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use factlog_core::{QueryItem, StreamFilter};

use super::events::{Events, Nodes, older_in};
use super::keys::Chain;
use super::{Generation, Kind, Span};

/// A query item in the keys of a generation.
#[derive(Debug)]
pub(super) struct Item {
    /// All of these, in the order in which events have them.
    all: Vec<u32>,
    /// One of these types, sorted; any if empty.
    types: Vec<u32>,
    /// The chains that lead to every event that may match: the rarest key's, or those of all types.
    chains: Vec<(u32, Chain)>,
}

/// The events of an item's chains, newest first. The chains of one item have no event in common.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    events: &'a Events,
    item: &'a Item,
    /// The nearest event, and the key by which it was come to.
    next: (u32, u32),
    /// The nearest events of the other chains.
    others: BinaryHeap<(u32, u32)>,
}

impl Item {
    /// `None` if nothing above `after` can match: a key is missing, or is not that new.
    pub(super) fn new(generation: &Generation, item: &QueryItem, after: u32) -> Option<Self> {
        let look_up = |kind, name: &str| {
            let key = generation.keys.find(kind, name)?;
            let chain = generation.keys.chain(key);
            (after < chain.newest).then_some((key, chain))
        };
        let filter = item.stream.as_ref().map(|filter| match filter {
            StreamFilter::Id(stream) => (Kind::Stream, stream.as_str()),
            StreamFilter::Category(category) => (Kind::Category, category.as_str()),
        });
        let tags = item.tags.iter().map(|tag| (Kind::Tag, tag.as_str()));
        let mut all = Vec::new();
        let mut rarest: Option<(u32, Chain)> = None;
        for (kind, name) in filter.into_iter().chain(tags) {
            let (key, chain) = look_up(kind, name)?;
            all.push(key);
            if rarest.is_none_or(|(_, known)| chain.count < known.count) {
                rarest = Some((key, chain));
            }
        }
        let mut chains: Vec<_> =
            item.types.iter().filter_map(|name| look_up(Kind::Type, name.as_str())).collect();
        if chains.is_empty() && !item.types.is_empty() {
            return None;
        }
        chains.sort_unstable_by_key(|&(key, _)| key);
        chains.dedup_by_key(|&mut (key, _)| key);
        let types = chains.iter().map(|&(key, _)| key).collect();
        if let Some(rarest) = rarest
            && (chains.is_empty() || u64::from(rarest.1.count) <= events_of(&chains))
        {
            chains.clear();
            chains.push(rarest);
        }
        Some(Self { all, types, chains })
    }

    /// Whether it is about every event.
    pub(super) fn is_any(&self) -> bool {
        self.chains.is_empty()
    }

    /// At most how many steps a walk takes through the newest `ordinals`.
    pub(super) fn steps(&self, ordinals: u32) -> u64 {
        events_of(&self.chains).min(u64::from(ordinals))
    }

    /// Whether the event with these nodes matches.
    pub(super) fn matches(&self, mut nodes: Nodes<'_>) -> bool {
        let Some(first) = nodes.clone().next() else { return false };
        (self.types.is_empty() || self.types.binary_search(&first.key()).is_ok())
            && self.all.iter().all(|&key| nodes.any(|node| node.key() == key))
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(events: &'a Events, item: &'a Item) -> Self {
        let mut chains = item.chains.iter().map(|&(key, chain)| (chain.newest, key));
        let first = chains.next().expect("an item about every event has no chain to walk");
        let mut walk = Self { events, item, next: first, others: chains.collect() };
        walk.go_to(first);
        walk
    }

    /// The next matching event of the span, or `None` at its end. The span's `until` must not rise again.
    pub(super) fn next(&mut self, span: Span) -> Option<u32> {
        loop {
            let (ordinal, key) = self.next;
            if ordinal <= span.after {
                return None;
            }
            let nodes = self.events.nodes(ordinal);
            self.go_to((older_in(nodes.clone(), key), key));
            if ordinal <= span.until && self.item.matches(nodes) {
                return Some(ordinal);
            }
        }
    }

    /// Goes on with the newest of the other chains' events and this one.
    fn go_to(&mut self, step: (u32, u32)) {
        self.next = step;
        if let Some(mut other) = self.others.peek_mut()
            && step < *other
        {
            self.next = std::mem::replace(&mut *other, step);
            if step.0 == 0 {
                PeekMut::pop(other);
            }
        }
    }
}

fn events_of(chains: &[(u32, Chain)]) -> u64 {
    chains.iter().map(|(_, chain)| u64::from(chain.count)).sum()
}
