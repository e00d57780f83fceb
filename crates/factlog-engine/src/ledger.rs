//! The writer's ledger: what decides appends, as of the last one accepted, durable or not.
//!
//! It covers the positions from its oldest generation on. What lies before, an append brings along as
//! [`Known`](crate::queue::Known): its caller looked it up in the sealed log, on its own thread. So the writer
//! decides without touching a file.

use std::collections::HashMap;
use std::sync::Arc;

use factlog_core::{Event, EventId, Position, Query, StreamId, TrackingSource};

use crate::queue::Prepared;
use crate::record;
use crate::tail::{Generation, Inserter};

/// An append that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) content: u64,
}

/// An append that was recorded, and the last revision it gave each stream it mentions, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) commit: Commit,
    pub(crate) revisions: Vec<u64>,
}

/// What the writer knows.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The generation that grows.
    active: Inserter,
    /// Older ones, oldest first. Sealed ones stay until the next roll, for appends that were on their way.
    older: Vec<Arc<Generation>>,
    /// The last position given.
    pub(crate) last: u64,
    /// The last time given.
    pub(crate) last_time: Option<i64>,
    /// Tracking as of the last append accepted.
    pub(crate) tracking: HashMap<TrackingSource, Position>,
}

impl Ledger {
    /// A ledger over the tail of an opened store, which ends at `last`.
    pub(crate) fn new(
        active: Inserter,
        last: u64,
        last_time: Option<i64>,
        tracking: HashMap<TrackingSource, Position>,
    ) -> Self {
        Self { active, older: Vec::new(), last, last_time, tracking }
    }

    /// The generation that grows.
    pub(crate) fn active(&self) -> &Arc<Generation> {
        self.active.generation()
    }

    /// The first position that the ledger covers.
    pub(crate) fn covers_from(&self) -> u64 {
        self.older.first().unwrap_or(self.active()).first()
    }

    /// Begins a new generation behind the last position. Returns the one that grew until now.
    pub(crate) fn roll(&mut self, next: Inserter) -> Arc<Generation> {
        let ended = std::mem::replace(&mut self.active, next);
        self.older.push(ended.generation().clone());
        ended.generation().clone()
    }

    /// Lets go of generations that appends need no more which know the sealed log up to `known`. Freeing them takes
    /// milliseconds, which are not the writer's.
    pub(crate) fn let_go(&mut self, known: u64) -> Vec<Arc<Generation>> {
        self.older.extract_if(.., |generation| generation.last() <= known).collect()
    }

    /// The append that an event id was recorded with.
    pub(crate) fn recorded(&self, append: &Prepared) -> Option<Recorded> {
        let id = &append.events[0].id;
        let Some((generation, commit)) =
            self.newest_first().find_map(|generation| Some((generation, generation.commit(id)?)))
        else {
            return append.known.recorded.clone();
        };
        if commit.count as usize != append.events.len() || commit.content != append.content {
            // It will be refused, so that nobody asks for its revisions.
            return Some(Recorded { commit, revisions: Vec::new() });
        }
        let last = commit.first + u64::from(commit.count) - 1;
        let stored: Option<Vec<_>> =
            (commit.first..=last).map(|position| stored_revision(generation, position)).collect();
        let revisions = match stored {
            Some(stored) => append.last_revisions(&stored),
            // It is under way, and little comes behind it.
            None => {
                let next =
                    append.streams().into_iter().map(|stream| generation.next_revision_at(stream, last));
                next.map(|next| next.unwrap_or(0).saturating_sub(1)).collect()
            }
        };
        Some(Recorded { commit, revisions })
    }

    /// How many events a stream has.
    pub(crate) fn count(&self, stream: &StreamId, append: &Prepared) -> u64 {
        let recent = self.newest_first().find_map(|generation| generation.next_revision(stream));
        recent.unwrap_or_else(|| append.known.streams.get(stream).copied().unwrap_or(0))
    }

    /// The newest match behind `after`.
    pub(crate) fn newest(&self, query: &Query, after: u64) -> Option<u64> {
        let mut until = self.last;
        for generation in self.newest_first() {
            if until <= after {
                return None;
            }
            let newest = generation.newest(query, after.max(generation.first() - 1), until);
            if newest.is_some() {
                return newest;
            }
            until = generation.first() - 1;
        }
        None
    }

    /// Gives an event of an accepted append the next position; returns its revision (0 without a stream).
    pub(crate) fn add(&mut self, event: &Event, append: &Prepared) -> u64 {
        let Self { active, older, last, .. } = self;
        let before = || {
            let Some(stream) = &event.stream else { return 0 };
            let recent = older.iter().rev().find_map(|generation| generation.next_revision(stream));
            let sealed = append.known.streams.get(stream).filter(|_| !planted!(RevisionRestarts));
            recent.unwrap_or_else(|| sealed.copied().unwrap_or(0))
        };
        *last += 1;
        active.add(*last, event, before)
    }

    /// Remembers an accepted append.
    pub(crate) fn add_commit(&mut self, id: &EventId, commit: Commit) {
        self.active.add_commit(id, commit);
    }

    fn newest_first(&self) -> impl Iterator<Item = &Arc<Generation>> {
        std::iter::once(self.active.generation()).chain(self.older.iter().rev())
    }
}

/// The revision that a frame has for a position, if its frame is written.
fn stored_revision(generation: &Generation, position: u64) -> Option<u64> {
    let records = generation.records(position)?;
    record::names(records.record(position).ok()?).ok().map(|names| names.revision)
}
