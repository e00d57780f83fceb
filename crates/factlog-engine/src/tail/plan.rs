//! A query over one generation: by the chains of its keys, or event by event.
//!
//! A chain leads back in time only, so whoever reads forwards, or goes on reading backwards far from the newest event,
//! walks over what it already had. `walks` therefore weighs that against looking at every event: a whole read
//! in batches takes steps in proportion to the generation's events, whichever way it is done, and keeps no state.

use std::collections::BinaryHeap;

use factlog_core::{Direction, Query};

use super::walk::{Item, Walk};
use super::{Generation, Span};

/// So many steps over what a reader had already are always worth it.
const FEW_STEPS: u64 = 1_024;

/// Whoever asks for fewer may well come back.
const USUAL_LIMIT: u64 = 256;

/// A query in the keys of a generation, for events above a bound.
#[derive(Debug)]
pub(super) enum Plan {
    Every,
    AnyOf(Vec<Item>),
}

impl Plan {
    pub(super) fn new(generation: &Generation, query: &Query, after: u32) -> Self {
        let Query::AnyOf(items) = query else { return Self::Every };
        let items: Vec<_> = items.iter().filter_map(|item| Item::new(generation, item, after)).collect();
        if items.iter().any(Item::is_any) { Self::Every } else { Self::AnyOf(items) }
    }

    /// At most `limit` matching ordinals of a span, in the order of the direction.
    pub(super) fn ordinals(
        &self,
        generation: &Generation,
        span: Span,
        direction: Direction,
        limit: usize,
    ) -> Vec<u32> {
        let from = match direction {
            Direction::Forwards => span.after,
            Direction::Backwards => span.until,
        };
        match self {
            Self::AnyOf(items) if walks(generation, items, from, limit) => {
                walked(generation, items, span, direction, limit)
            }
            Self::Every | Self::AnyOf(_) => self.scanned(generation, span, direction, limit),
        }
    }

    /// The same by looking at every event.
    pub(super) fn scanned(
        &self,
        generation: &Generation,
        span: Span,
        direction: Direction,
        limit: usize,
    ) -> Vec<u32> {
        let events = &generation.events;
        let wanted = |&ordinal: &u32| match self {
            Self::Every => events.exists(ordinal),
            Self::AnyOf(items) => items.iter().any(|item| item.matches(events.nodes(ordinal))),
        };
        let ordinals = span.after + 1..=span.until;
        match direction {
            Direction::Forwards => ordinals.filter(wanted).take(limit).collect(),
            Direction::Backwards => ordinals.rev().filter(wanted).take(limit).collect(),
        }
    }
}

/// The same by walking the chains.
pub(super) fn walked(
    generation: &Generation,
    items: &[Item],
    span: Span,
    direction: Direction,
    limit: usize,
) -> Vec<u32> {
    match direction {
        Direction::Forwards => oldest(generation, items, span, limit),
        Direction::Backwards => newest(generation, items, span, limit),
    }
}

/// Whether to walk the chains, which begin at the newest event, when what is wanted begins at `from`.
fn walks(generation: &Generation, items: &[Item], from: u32, limit: usize) -> bool {
    let last = generation.events.last();
    let over = last.saturating_sub(from);
    let steps: u64 = items.iter().map(|item| item.steps(over)).sum();
    let limit = (limit as u64).max(USUAL_LIMIT);
    // All walks of a read in batches, against looking at every event once.
    let batches = steps.min(u64::from(last)) / limit + 1;
    steps <= FEW_STEPS || steps.saturating_mul(batches) <= u64::from(last).saturating_mul(items.len() as u64)
}

/// The newest matches, newest first.
fn newest(generation: &Generation, items: &[Item], span: Span, limit: usize) -> Vec<u32> {
    let mut walks: Vec<_> = items.iter().map(|item| Walk::new(&generation.events, item)).collect();
    let mut nearest: BinaryHeap<_> =
        walks.iter_mut().enumerate().filter_map(|(at, walk)| Some((walk.next(span)?, at))).collect();
    let mut found = Vec::new();
    while found.len() < limit
        && let Some((ordinal, at)) = nearest.pop()
    {
        nearest.extend(walks[at].next(span).map(|next| (next, at)));
        if found.last() != Some(&ordinal) {
            found.push(ordinal);
        }
    }
    found
}

/// The oldest matches, oldest first.
fn oldest(generation: &Generation, items: &[Item], span: Span, limit: usize) -> Vec<u32> {
    let mut found = Vec::new();
    for item in items {
        let mut walk = Walk::new(&generation.events, item);
        found.extend(std::iter::from_fn(|| walk.next(span)));
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(limit);
    found
}
