//! Routing: from stored events to facts and the keys they concern.
//!
//! * What a partition already has, and what an operator had passed over, is sorted out here. It needs nothing of what
//!   was folded before, so several threads may route different parts of the log at once.
//! * An edited event is read with its new data, live and in a rebuild.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use factlog_core::{Position, RecordedEvent, Timestamp};

use super::lease::Held;
use super::partition::{PARTITIONS, of_json};
use super::target::{Chunk, Pair, Target};
use super::{ProjectionError, Unreadable};
use crate::Recorded;
use crate::model::Mark;

/// What decides where an event goes. It is what a worker knew when it began to read.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// The partitions of the worker, and how far each range is.
    ranges: Vec<(Range<u16>, Option<Position>)>,
    amends: Arc<Amends>,
    unreadable: Unreadable,
    shards: usize,
}

/// What an operator changed about events, by position.
#[derive(Clone, Debug, Default)]
pub(super) struct Amends {
    /// The row that counts them, as it was before they were read.
    pub(super) counted: Option<String>,
    /// The data that is read instead.
    pub(super) edits: BTreeMap<u64, String>,
    /// The keys that pass over the event.
    pub(super) skips: BTreeSet<(u64, String)>,
}

/// A part of the log, routed: what a worker folds next.
pub(super) struct Piece<E, K> {
    pub(super) chunk: Chunk<E, K>,
    /// Stored events that concern the projection, and those that could not be read and were passed over by choice.
    pub(super) events: u64,
    pub(super) unread: u64,
    pub(super) last: Option<Mark>,
    /// When its first and its last event were recorded.
    pub(super) times: Option<(Timestamp, Timestamp)>,
    /// Everything up to here was delivered.
    pub(super) head: Option<Position>,
    /// Whether that was the head of the log.
    pub(super) caught_up: bool,
    /// Whether it ends with an append, as far as can be told.
    pub(super) whole: bool,
}

pub(super) type PieceOf<T> = Piece<<T as Target>::Event, <T as Target>::Key>;

impl Route {
    pub(super) fn new(held: &[Held], amends: Arc<Amends>, unreadable: Unreadable, shards: usize) -> Self {
        let ranges = held.iter().map(|held| (held.from..held.row.to, held.reached.position)).collect();
        Self { ranges, amends, unreadable, shards }
    }

    /// An empty piece, in the place of a chunk that is not used any more.
    pub(super) fn piece<E, K>(&self, mut chunk: Chunk<E, K>) -> Piece<E, K> {
        chunk.events.clear();
        chunk.shards.iter_mut().for_each(Vec::clear);
        chunk.shards.resize_with(self.shards, Vec::new);
        Piece {
            chunk,
            events: 0,
            unread: 0,
            last: None,
            times: None,
            head: None,
            caught_up: false,
            whole: false,
        }
    }

    /// Adds an event to a piece, behind those it has.
    pub(super) fn add<T: Target>(
        &self,
        target: &T,
        raw: RecordedEvent,
        piece: &mut PieceOf<T>,
    ) -> Result<(), ProjectionError> {
        piece.events += 1;
        piece.last = Some(Mark { position: raw.position, id: raw.event.id });
        let first = piece.times.map_or(raw.recorded_at, |(first, _)| first);
        piece.times = Some((first, raw.recorded_at));
        let chunk = &mut piece.chunk;
        let start = chunk.events.len();
        match (amended::<T>(raw, &self.amends, &mut chunk.events), self.unreadable) {
            (Ok(()), _) => {}
            (Err(error), Unreadable::Stop) => return Err(error.into()),
            (Err(_), Unreadable::Skip) => piece.unread += 1,
        }
        let mut ordinals = 0..;
        for (index, event) in (start..).zip(&chunk.events[start..]) {
            let index = u32::try_from(index).expect("a piece is small");
            for (key, ordinal) in keys(target, event).into_iter().zip(&mut ordinals) {
                let Some(shard) = self.shard(&key, event.position) else { continue };
                if !skipped(&self.amends, &key, event.position) {
                    chunk.shards[shard].push(Pair { event: index, ordinal, key });
                }
            }
        }
        Ok(())
    }

    /// The shard that folds the key; `None` where the event is not this worker's, or applied already.
    fn shard<K: serde::Serialize>(&self, key: &K, position: Position) -> Option<usize> {
        if let [(range, reached)] = self.ranges.as_slice()
            && range.len() == usize::from(PARTITIONS)
            && self.shards == 1
        {
            return (*reached < Some(position)).then_some(0);
        }
        let partition = of_json(super::target::json(key).as_bytes());
        let (_, reached) = self.ranges.iter().find(|(range, _)| range.contains(&partition))?;
        (*reached < Some(position)).then_some(usize::from(partition) % self.shards)
    }
}

/// The keys of a fact, each once.
pub(super) fn keys<T: Target>(target: &T, event: &Recorded<T::Event>) -> Vec<T::Key> {
    let mut keys = target.keys(event);
    if 1 < keys.len() {
        keys.sort_unstable();
        keys.dedup();
    }
    keys
}

/// Adds the facts of an event, with the data an operator gave it, if so.
pub(super) fn amended<T: Target>(
    mut raw: RecordedEvent,
    amends: &Amends,
    facts: &mut Vec<Recorded<T::Event>>,
) -> Result<(), crate::CodecError> {
    if let Some(data) = amends.edits.get(&raw.position.get()) {
        raw.event.data = data.clone().into();
    }
    Recorded::facts_into(raw, facts)
}

pub(super) fn skipped<K: serde::Serialize>(amends: &Amends, key: &K, position: Position) -> bool {
    !amends.skips.is_empty() && amends.skips.contains(&(position.get(), super::target::json(key)))
}
