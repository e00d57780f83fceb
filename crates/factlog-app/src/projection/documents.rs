//! Documents: the pure fold per key, in parallel by partition, each key written once per commit.
//!
//! * No document is cloned per event. Where an event of a key fails, the key is folded again from what the batch
//!   began with, up to that event.
//! * What is folded stays in memory until the worker commits; the worker knows the bound.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use factlog_core::Result;

use super::Projection;
use super::sink::{Commit, Committed, Generation, Rows, TransactionalSink};
use super::target::{
    Chunk, Control, EFFECTS_MAX, Emits, Emitted, Failure, Outcome, Pair, Target, guarded, json,
};
use crate::Recorded;

pub(super) type DocumentSink<P> = dyn TransactionalSink<<P as Projection>::Key, <P as Projection>::Document>;

pub(super) struct Documents<P: Projection> {
    pub(super) projection: P,
    pub(super) sink: Arc<DocumentSink<P>>,
}

/// Documents by key, `None` for removed ones, in shards.
pub(super) struct Folded<P: Projection> {
    shards: Vec<Shard<P>>,
}

type Shard<P> = BTreeMap<<P as Projection>::Key, Option<<P as Projection>::Document>>;
type Recording<P> = Recorded<<P as Projection>::Event>;

impl<P: Projection> Default for Folded<P> {
    fn default() -> Self {
        Self { shards: Vec::new() }
    }
}

impl<P: Projection> Target for Documents<P> {
    type Event = P::Event;
    type Key = P::Key;
    type Folded = Folded<P>;
    const NAME: &'static str = P::NAME;
    const VERSION: u32 = P::VERSION;

    fn keys(&self, event: &Recording<P>) -> Vec<P::Key> {
        self.projection.keys(event)
    }

    fn fold(
        &self,
        generation: u64,
        chunks: Vec<Chunk<P::Event, P::Key>>,
        emits: &Emits<'_>,
        folded: &mut Folded<P>,
    ) -> Result<Outcome<P::Key>> {
        let mut work: Vec<Vec<Group<'_, P>>> = Vec::new();
        let (mut events, mut pairs) = (Vec::new(), Vec::new());
        for chunk in chunks {
            events.push(chunk.events);
            pairs.push(chunk.shards);
        }
        for (recorded, shards) in events.iter().zip(pairs) {
            work.resize_with(work.len().max(shards.len()), Vec::new);
            for (shard, pairs) in work.iter_mut().zip(shards) {
                shard.extend(
                    pairs
                        .into_iter()
                        .map(|Pair { event, ordinal, key }| (key, &recorded[event as usize], ordinal)),
                );
            }
        }
        // One flush has one way of dealing keys to shards, which is the worker's.
        folded.shards.resize_with(folded.shards.len().max(work.len()), Shard::<P>::new);
        let shards: Vec<_> = folded.shards.iter_mut().zip(work).collect();
        let mut outcome = Outcome::default();
        if shards.len() == 1 {
            for (shard, work) in shards {
                outcome.extend(self.fold_shard(generation, shard, work, emits)?);
            }
            return Ok(outcome);
        }
        let outcomes = thread::scope(|scope| {
            let threads: Vec<_> = shards
                .into_iter()
                .map(|(shard, work)| scope.spawn(|| self.fold_shard(generation, shard, work, emits)))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("panics are caught")).collect::<Vec<_>>()
        });
        for done in outcomes {
            outcome.extend(done?);
        }
        Ok(outcome)
    }

    fn size(folded: &Folded<P>) -> usize {
        folded.shards.iter().map(BTreeMap::len).sum()
    }

    fn commit(
        &self,
        generation: u64,
        folded: Folded<P>,
        _: &Emits<'_>,
        rows: &mut dyn FnMut(Outcome<P::Key>) -> Control,
    ) -> Result<Committed> {
        let control = rows(Outcome::default());
        let mut commit = with(generation, control);
        commit.documents = folded.shards.into_iter().flatten().collect();
        self.sink.commit(commit)
    }

    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.sink.rows(prefix, limit)
    }

    fn write(&self, control: Control) -> Result<Committed> {
        self.sink.commit(with(0, control))
    }
}

type Group<'a, P> = (<P as Projection>::Key, &'a Recording<P>, u32);

impl<P: Projection> Documents<P> {
    fn fold_shard(
        &self,
        generation: u64,
        shard: &mut Shard<P>,
        mut work: Vec<Group<'_, P>>,
        emits: &Emits<'_>,
    ) -> Result<Outcome<P::Key>> {
        // Stable: the events of one key stay in their order.
        work.sort_by(|(left, ..), (right, ..)| left.cmp(right));
        let mut outcome = Outcome::default();
        for group in work.chunk_by(|(left, ..), (right, ..)| left == right) {
            let key = &group[0].0;
            let kept = shard.remove(key);
            // Only what lives in memory alone has to be held for the case of a failure.
            let saved = kept.clone();
            let before = match kept {
                Some(document) => document,
                None => self.sink.document(Generation::Number(generation), key)?,
            };
            let mut effects = Vec::new();
            match self.fold_key(before, group, emits, &mut effects) {
                Ok(after) => {
                    shard.insert(key.clone(), after);
                }
                Err((failing, mut error)) => {
                    let mut index = first_of_event(group, failing);
                    loop {
                        let before = match saved.clone() {
                            Some(document) => document,
                            None => self.sink.document(Generation::Number(generation), key)?,
                        };
                        effects.clear();
                        match self.fold_key(before, &group[..index], emits, &mut effects) {
                            Ok(after) if 0 < index || saved.is_some() => {
                                shard.insert(key.clone(), after);
                                break;
                            }
                            Ok(_) => break,
                            // What failed only now is the first that does: fewer each time.
                            Err((failing, earlier)) => {
                                (index, error) = (first_of_event(group, failing), earlier);
                            }
                        }
                    }
                    let positions = group[index..].iter().map(|(_, event, _)| event.position).collect();
                    outcome.failures.push(Failure { key: key.clone(), error, positions });
                }
            }
            outcome.effects.append(&mut effects);
        }
        Ok(outcome)
    }

    /// The document after the events; or which of them failed, and why.
    fn fold_key(
        &self,
        mut document: Option<P::Document>,
        group: &[Group<'_, P>],
        emits: &Emits<'_>,
        effects: &mut Vec<Emitted>,
    ) -> Result<Option<P::Document>, (usize, String)> {
        let projection = &self.projection;
        for (index, (key, event, ordinal)) in group.iter().enumerate() {
            let before = document.take();
            document =
                guarded(|| projection.try_apply(key, before, event)).map_err(|error| (index, error))?;
            if P::EFFECTS && emits.owes(key, event.position) {
                let found = guarded(|| Ok::<_, String>(projection.effects(key, document.as_ref(), event)))
                    .map_err(|error| (index, error))?;
                if EFFECTS_MAX as usize <= found.len() {
                    return Err((
                        index,
                        format!("it has {} side effects, {EFFECTS_MAX} at most", found.len()),
                    ));
                }
                effects.extend((0..).zip(found).map(|(number, data)| Emitted {
                    position: event.position,
                    index: ordinal * EFFECTS_MAX + number,
                    key: json(key),
                    data,
                }));
            }
        }
        Ok(document)
    }
}

/// The first fact of the stored event that has the fact at `failing`: a key is parked before all of them.
fn first_of_event<K, E>(group: &[(K, &Recorded<E>, u32)], failing: usize) -> usize {
    let position = group[failing].1.position;
    group.partition_point(|(_, event, _)| event.position < position)
}

fn with<K, D>(generation: u64, control: Control) -> Commit<K, D> {
    let mut commit = Commit::new(generation);
    commit.expected = control.expected;
    commit.rows = control.rows;
    commit.dropped = control.dropped;
    commit
}
