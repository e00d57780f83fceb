//! Routing: from stored events to decoded ones and the keys they concern, on several threads.
//!
//! * What a partition already has, and what waits behind a parked key, is sorted out here.
//! * An edited event is read with its new data, live and in a rebuild.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::thread;

use factlog_core::{Position, RecordedEvent};

use super::partition::of_json;
use super::rows::ParkedRow;
use super::target::{Chunk, Pair, Target};
use super::{ProjectionError, Unreadable};
use crate::Recorded;

/// Events a thread decodes at least: for fewer it is not worth waking one.
const SHARE_MIN: usize = 512;

/// What decides where an event goes.
pub(super) struct Route<'a, K> {
    /// The partitions of this worker, and how far each range is.
    pub(super) ranges: &'a [(Range<u16>, Option<Position>)],
    pub(super) parked: &'a BTreeMap<K, ParkedRow>,
    pub(super) amends: &'a Amends,
    pub(super) unreadable: Unreadable,
    pub(super) threads: usize,
}

/// What an operator changed about events, by position.
#[derive(Clone, Debug, Default)]
pub(super) struct Amends {
    /// The data that is read instead.
    pub(super) edits: BTreeMap<u64, String>,
    /// The keys that pass over the event.
    pub(super) skips: BTreeSet<(u64, String)>,
}

/// Decoded events in order, and how many could not be read and were passed over by choice.
pub(super) struct Routed<E, K> {
    pub(super) chunks: Vec<Chunk<E, K>>,
    pub(super) unread: u64,
}

pub(super) fn route<T: Target>(
    target: &T,
    events: &[RecordedEvent],
    route: &Route<'_, T::Key>,
) -> Result<Routed<T::Event, T::Key>, ProjectionError> {
    let threads = route.threads.min(events.len() / SHARE_MIN).max(1);
    if threads == 1 {
        let (chunk, unread) = one(target, events, route)?;
        return Ok(Routed { chunks: vec![chunk], unread });
    }
    let parts = events.chunks(events.len().div_ceil(threads));
    let done = thread::scope(|scope| {
        let threads: Vec<_> = parts.map(|part| scope.spawn(|| one(target, part, route))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut routed = Routed { chunks: Vec::with_capacity(threads), unread: 0 };
    for part in done {
        let (chunk, unread) = part.map_err(|_| ProjectionError::Panicked(T::NAME))??;
        routed.chunks.push(chunk);
        routed.unread += unread;
    }
    Ok(routed)
}

type Part<T> = (Chunk<<T as Target>::Event, <T as Target>::Key>, u64);

fn one<T: Target>(
    target: &T,
    events: &[RecordedEvent],
    route: &Route<'_, T::Key>,
) -> Result<Part<T>, ProjectionError> {
    let shards = (0..route.threads).map(|_| Vec::new()).collect();
    let mut chunk = Chunk { events: Vec::with_capacity(events.len()), shards, waiting: Vec::new() };
    let mut unread = 0;
    for raw in events {
        let facts = match (amended::<T>(raw, route.amends), route.unreadable) {
            (Ok(facts), _) => facts,
            (Err(error), Unreadable::Stop) => return Err(error.into()),
            (Err(_), Unreadable::Skip) => {
                unread += 1;
                continue;
            }
        };
        let mut ordinals = 0..;
        for event in facts {
            let index = u32::try_from(chunk.events.len()).expect("a batch is small");
            for (key, ordinal) in keys(target, &event).into_iter().zip(&mut ordinals) {
                let Some(shard) = shard(route, &key, event.position) else { continue };
                if skipped(route.amends, &key, event.position) {
                    continue;
                }
                if !route.parked.is_empty() && route.parked.contains_key(&key) {
                    chunk.waiting.push((key, event.position));
                } else {
                    chunk.shards[shard].push(Pair { event: index, ordinal, key });
                }
            }
            chunk.events.push(event);
        }
    }
    Ok((chunk, unread))
}

/// The keys of a fact, each once.
pub(super) fn keys<T: Target>(target: &T, event: &Recorded<T::Event>) -> Vec<T::Key> {
    let mut keys = target.keys(event);
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The facts of an event, with the data an operator gave it, if so.
pub(super) fn amended<T: Target>(
    raw: &RecordedEvent,
    amends: &Amends,
) -> Result<impl Iterator<Item = Recorded<T::Event>> + use<T>, crate::CodecError> {
    match amends.edits.get(&raw.position.get()) {
        None => Recorded::facts(raw),
        Some(data) => {
            let mut edited = raw.clone();
            edited.event.data = data.clone().into();
            Recorded::facts(&edited)
        }
    }
}

pub(super) fn skipped<K: serde::Serialize>(amends: &Amends, key: &K, position: Position) -> bool {
    !amends.skips.is_empty() && amends.skips.contains(&(position.get(), super::target::json(key)))
}

/// The shard that folds the key; `None` where the event is not this worker's, or applied already.
fn shard<K: serde::Serialize>(route: &Route<'_, K>, key: &K, position: Position) -> Option<usize> {
    let [(range, reached)] = route.ranges else {
        let partition = of_json(super::target::json(key).as_bytes());
        let (_, reached) = route.ranges.iter().find(|(range, _)| range.contains(&partition))?;
        return (*reached < Some(position)).then_some(usize::from(partition) % route.threads);
    };
    let whole = range.len() == usize::from(super::partition::PARTITIONS);
    if whole && route.threads == 1 {
        return (*reached < Some(position)).then_some(0);
    }
    let partition = of_json(super::target::json(key).as_bytes());
    (range.contains(&partition) && *reached < Some(position))
        .then_some(usize::from(partition) % route.threads)
}
