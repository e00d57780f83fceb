//! Generations: the unsealed tail in memory, its frames and an index of them that only ever grows.
//!
//! * One [`Inserter`] adds; any number of readers look at the [`Generation`] at the same time, without a lock.
//! * Events are added before they are durable, because appends are judged against them. Readers bring the head as
//!   their bound: what was added before a head was published is seen whole by whoever loaded that head.
//! * Nothing is changed but by growing: arenas never move what they hold, a key's chain only gets a newer end.
//! * It is bounded by whoever starts the next one: see [`Generation::events`], [`Generation::bytes`] and
//!   [`Generation::memory`]. Nothing here touches files or reads a clock.
//!
//! # How it is laid out
//!
//! An **ordinal** is an event's place in the generation, from 1; 0 says "none". A **key** is a stream, category, type
//! or tag. Each event has one **node** per key, side by side and the type's first: the key's id and the ordinal of
//! the event that had the key before. So a key's newest ordinal begins a chain that leads back in time, and every
//! event on it tells its other keys in the same place. A query walks the chain of its rarest key, newest first.
//! Names lie in one arena of words, and are found by their hash in an open-addressing table; equal hashes are told
//! apart by the names themselves.

mod arena;
mod commits;
mod events;
mod frames;
mod inserter;
mod keys;
mod listing;
mod plan;
mod query;
mod table;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::Arc;

use factlog_core::{EventId, StreamId, Timestamp};

use commits::Commits;
use events::Events;
use frames::Frames;
use keys::{KeyFiller, Keys};
use table::{Filler, Hasher};

use crate::ledger::Commit;
use crate::records::Records;

/// Ordinals are below this: the arenas have so many places.
const ORDINALS_MAX: u32 = 1 << 29;

pub(crate) use inserter::Inserter;
pub(crate) use listing::KeySpan;

/// What a key names. The numbers are the kind bytes of keys on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stream = 1,
    Category = 2,
    Type = 3,
    Tag = 4,
}

/// The events of `first..`, until the next generation begins.
#[derive(Debug)]
pub(crate) struct Generation {
    /// The position in front of the first: what ordinals are added to.
    base: u64,
    keys: Keys,
    events: Events,
    commits: Commits,
    frames: Frames,
}

/// Ordinals above `after`, up to `until`. It is never empty.
#[derive(Clone, Copy, Debug)]
struct Span {
    after: u32,
    until: u32,
}

impl Generation {
    /// A generation without events, and what of it is the writer's own.
    fn new(first: u64, hasher: Hasher) -> (Self, KeyFiller, Filler) {
        assert!(0 < first, "positions begin at 1");
        let (keys, key_filler) = Keys::new(hasher);
        let (commits, filler) = Commits::new(hasher);
        let events = Events::default();
        (Self { base: first - 1, keys, events, commits, frames: Frames::default() }, key_filler, filler)
    }

    /// The first position that lies in here.
    pub(crate) fn first(&self) -> u64 {
        self.base + 1
    }

    /// The last position that was added, durable or not; `first - 1` while there is none.
    pub(crate) fn last(&self) -> u64 {
        self.base + u64::from(self.events.last())
    }

    /// How many events were added, durable or not.
    pub(crate) fn events(&self) -> u64 {
        self.events.count()
    }

    /// Bytes of the records in the frames.
    pub(crate) fn bytes(&self) -> u64 {
        self.frames.bytes()
    }

    /// About how many bytes the index takes, the frames' records not counted in.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>()
            + self.keys.memory()
            + self.events.memory()
            + self.commits.memory()
            + self.frames.memory()
    }

    /// The revision that the next event of a stream gets, if the stream has an event in here.
    pub(crate) fn next_revision(&self, stream: &StreamId) -> Option<u64> {
        let key = self.keys.find(Kind::Stream, stream.as_str())?;
        let chain = self.keys.chain(key);
        (chain.newest != 0).then(|| self.keys.base(key) + u64::from(chain.count))
    }

    /// The same for who sees only positions up to `until`: `None` if the stream has no event in here up to there.
    /// It steps over the stream's newer events one by one.
    pub(crate) fn next_revision_at(&self, stream: &StreamId, until: u64) -> Option<u64> {
        let key = self.keys.find(Kind::Stream, stream.as_str())?;
        let chain = self.events.chain_until(key, self.keys.chain(key), self.ordinal_until(until));
        (chain.newest != 0).then(|| self.keys.base(key) + u64::from(chain.count))
    }

    /// The position of a stream's event with this revision, if it lies in here and not above `until`.
    /// It steps over the stream's newer events one by one.
    pub(crate) fn position_of(&self, stream: &StreamId, revision: u64, until: u64) -> Option<u64> {
        let key = self.keys.find(Kind::Stream, stream.as_str())?;
        let chain = self.keys.chain(key);
        let place = revision.checked_sub(self.keys.base(key))?;
        let newer = u64::from(chain.count).checked_sub(1)?.checked_sub(place)?;
        let mut ordinal = chain.newest;
        for _ in 0..newer {
            ordinal = self.events.older(ordinal, key);
        }
        (0 < ordinal && ordinal <= self.ordinal_until(until)).then(|| self.position(ordinal))
    }

    /// The append whose first event has this id, durable or not.
    pub(crate) fn commit(&self, id: &EventId) -> Option<Commit> {
        self.commits.find(id).map(|at| self.commits.at(at, self.base).1)
    }

    /// Every append that was added, in order.
    pub(crate) fn commits(&self) -> impl Iterator<Item = (EventId, Commit)> {
        (0..self.commits.len()).map(|at| self.commits.at(at, self.base))
    }

    /// Takes in the next frame, when it is durable. One thread pushes frames, in order; none is without events.
    pub(crate) fn push_frame(&self, records: Arc<Records>, recorded_at: Timestamp) {
        assert!(!records.offsets.is_empty(), "a frame of a generation has events");
        assert!(records.last() <= self.last(), "events are added before they are shown");
        let first = self.ordinal_until(records.first);
        assert!(0 < first, "a frame lies in one generation");
        self.frames.push(first, records, recorded_at);
    }

    /// The frame that holds a position, if it was pushed.
    pub(crate) fn records(&self, position: u64) -> Option<Arc<Records>> {
        self.frames.holding(self.ordinal(position)?, position).map(|frame| frame.records.clone())
    }

    /// When the event at a position was recorded, if its frame was pushed.
    pub(crate) fn time_of(&self, position: u64) -> Option<Timestamp> {
        self.frames.holding(self.ordinal(position)?, position).map(|frame| frame.recorded_at)
    }

    /// The last position in here recorded at or before `time` and not above `head`; `first - 1` if there is none.
    pub(crate) fn position_at(&self, time: Timestamp, head: u64) -> u64 {
        self.frames.last_at(time).unwrap_or(self.base).min(head).max(self.base)
    }

    /// The frames in order, each with the time at which it was recorded.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (&Arc<Records>, Timestamp)> {
        self.frames.iter().map(|frame| (&frame.records, frame.recorded_at))
    }

    fn position(&self, ordinal: u32) -> u64 {
        self.base + u64::from(ordinal)
    }

    /// The ordinal of a position that may lie in here.
    /// Where a position stands in here; `None` if it is not behind the base, or too far behind it.
    pub(crate) fn ordinal(&self, position: u64) -> Option<u32> {
        let ordinal = position.checked_sub(self.base)?;
        u32::try_from(ordinal).ok().filter(|ordinal| (1..ORDINALS_MAX).contains(ordinal))
    }

    /// The greatest ordinal up to a position: 0 if the generation begins above it.
    fn ordinal_until(&self, position: u64) -> u32 {
        u32::try_from(position.saturating_sub(self.base)).unwrap_or(u32::MAX)
    }

    /// What of `(after, until]` lies in here.
    fn span(&self, (after, until): (u64, u64)) -> Option<Span> {
        let (after, until) = (self.ordinal_until(after), self.ordinal_until(until).min(self.events.last()));
        (after < until).then_some(Span { after, until })
    }
}
