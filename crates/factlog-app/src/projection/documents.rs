//! Documents: the pure fold per key, in parallel by partition, each key written once per commit.
//!
//! * What is folded stays in memory, by a hash of the key, until the worker commits; the worker knows the bound.
//! * A document is cloned once per piece it occurs in. Where an event of a key fails, the key is folded again from that
//!   clone, up to that event.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::sync::Arc;
use std::thread;

use factlog_core::Result;

use super::Projection;
use super::refold::Digests;
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

/// Documents by key, in shards.
pub(super) struct Folded<P: Projection> {
    shards: Vec<Shard<P>>,
    /// Pieces that were folded.
    pieces: u64,
}

type Shard<P> = HashMap<<P as Projection>::Key, Entry<<P as Projection>::Document>>;
type Recording<P> = Recorded<<P as Projection>::Event>;
type Pieces<P> = Chunk<<P as Projection>::Event, <P as Projection>::Key>;

/// A document, `None` for one that is not there or was removed.
struct Entry<D> {
    document: Option<D>,
    /// The last piece it occurred in, and the document before that.
    piece: u64,
    before: Before<D>,
    /// Which of the piece's failures is this key's.
    failed: Option<usize>,
}

/// Where the document is that a piece began with.
enum Before<D> {
    Sink,
    Here(Option<D>),
}

/// Facts a piece has at least for other threads to be woken.
const SHARE_MIN: usize = 512;

impl<P: Projection> Default for Folded<P> {
    fn default() -> Self {
        Self { shards: Vec::new(), pieces: 0 }
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
        chunk: &mut Pieces<P>,
        emits: &Emits<'_>,
        folded: &mut Folded<P>,
    ) -> Result<Outcome<P::Key>> {
        let Chunk { events, shards: pairs } = chunk;
        folded.pieces += 1;
        // One flush has one way of dealing keys to shards, which is the worker's.
        folded.shards.resize_with(folded.shards.len().max(pairs.len()), Shard::<P>::new);
        let fold = Fold { documents: self, generation, events, emits, piece: folded.pieces };
        let mut outcome = Outcome::default();
        if pairs.len() == 1 || events.len() < SHARE_MIN {
            for (shard, pairs) in folded.shards.iter_mut().zip(pairs) {
                outcome.extend(fold.shard(shard, pairs)?);
            }
            return Ok(outcome);
        }
        let outcomes = thread::scope(|scope| {
            let shards = folded.shards.iter_mut().zip(pairs);
            let threads: Vec<_> =
                shards.map(|(shard, pairs)| scope.spawn(|| fold.shard(shard, pairs))).collect();
            threads.into_iter().map(|thread| thread.join().expect("panics are caught")).collect::<Vec<_>>()
        });
        for done in outcomes {
            outcome.extend(done?);
        }
        Ok(outcome)
    }

    fn size(folded: &Folded<P>) -> usize {
        folded.shards.iter().map(HashMap::len).sum()
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
        let documents = folded.shards.into_iter().flatten();
        commit.documents = documents.map(|(key, entry)| (key, entry.document)).collect();
        // Sinks are trees: neighbours are written together.
        commit.documents.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        self.sink.commit(commit)
    }

    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.sink.rows(prefix, limit)
    }

    fn digests(&self, generation: u64) -> Result<Option<Digests>> {
        let documents = self.sink.scan(Generation::Number(generation), &|_| true)?;
        documents
            .iter()
            .map(|(key, document)| Ok((json(key), digest(document)?)))
            .collect::<Result<_>>()
            .map(Some)
    }

    fn digests_of(&self, folded: &Folded<P>) -> Result<Digests> {
        let entries = folded.shards.iter().flatten();
        let documents = entries.filter_map(|(key, entry)| Some((key, entry.document.as_ref()?)));
        documents.map(|(key, document)| Ok((json(key), digest(document)?))).collect()
    }

    fn write(&self, control: Control) -> Result<Committed> {
        self.sink.commit(with(0, control))
    }
}

/// One piece, as all shards see it.
struct Fold<'a, P: Projection> {
    documents: &'a Documents<P>,
    generation: u64,
    events: &'a [Recording<P>],
    emits: &'a Emits<'a>,
    piece: u64,
}

impl<P: Projection> Fold<'_, P> {
    fn shard(&self, shard: &mut Shard<P>, pairs: &[Pair<P::Key>]) -> Result<Outcome<P::Key>> {
        let mut outcome = Outcome::default();
        for (at, pair) in pairs.iter().enumerate() {
            let entry = self.entry(shard, &pair.key)?;
            let event = self.event(pair);
            if let Some(failed) = entry.failed {
                outcome.failures[failed].positions.push(event.position);
                continue;
            }
            let before = entry.document.take();
            match self.apply(before, pair, &mut outcome.effects) {
                Ok(after) => entry.document = after,
                Err(error) => {
                    entry.failed = Some(outcome.failures.len());
                    self.stand(entry, &pairs[..=at], error, &mut outcome)?;
                }
            }
        }
        Ok(outcome)
    }

    fn event(&self, pair: &Pair<P::Key>) -> &Recording<P> {
        &self.events[pair.event as usize]
    }

    /// The key's entry, which remembers what the piece began with.
    fn entry<'s>(&self, shard: &'s mut Shard<P>, key: &P::Key) -> Result<&'s mut Entry<P::Document>> {
        match shard.entry(key.clone()) {
            Place::Occupied(place) => {
                let entry = place.into_mut();
                if entry.piece != self.piece {
                    entry.piece = self.piece;
                    entry.before = Before::Here(entry.document.clone());
                    entry.failed = None;
                }
                Ok(entry)
            }
            Place::Vacant(place) => {
                let document = self.kept(key)?;
                Ok(place.insert(Entry { document, piece: self.piece, before: Before::Sink, failed: None }))
            }
        }
    }

    fn kept(&self, key: &P::Key) -> Result<Option<P::Document>> {
        self.documents.sink.document(Generation::Number(self.generation), key)
    }

    /// Lets a key stand before the stored event of the last pair, one of whose facts failed: whatever the piece had made of
    /// the key is undone, and made again of the events before.
    fn stand(
        &self,
        entry: &mut Entry<P::Document>,
        pairs: &[Pair<P::Key>],
        mut error: String,
        outcome: &mut Outcome<P::Key>,
    ) -> Result<()> {
        let Some(key) = pairs.last().map(|pair| &pair.key) else { return Ok(()) };
        let own: Vec<_> = pairs.iter().filter(|pair| pair.key == *key).collect();
        let text = json(key);
        outcome.effects.retain(|effect| effect.key != text);
        let mut failing = own.len() - 1;
        let (before, effects) = loop {
            let position = self.event(own[failing]).position;
            failing = own.partition_point(|pair| self.event(pair).position < position);
            let mut document = match &entry.before {
                Before::Here(document) => document.clone(),
                Before::Sink => self.kept(key)?,
            };
            let mut effects = Vec::new();
            let again = own[..failing].iter().enumerate().try_for_each(|(at, pair)| {
                document = self.apply(document.take(), pair, &mut effects).map_err(|error| (at, error))?;
                Ok(())
            });
            match again {
                Ok(()) => break (document, effects),
                // What failed only now is the first that does: fewer each time.
                Err((at, earlier)) => (failing, error) = (at, earlier),
            }
        };
        entry.document = before;
        outcome.effects.extend(effects);
        let positions = own[failing..].iter().map(|pair| self.event(pair).position).collect();
        outcome.failures.push(Failure { key: key.clone(), error, positions });
        Ok(())
    }

    /// The document after one fact; or why it failed.
    fn apply(
        &self,
        before: Option<P::Document>,
        pair: &Pair<P::Key>,
        effects: &mut Vec<Emitted>,
    ) -> Result<Option<P::Document>, String> {
        let (projection, key, event) = (&self.documents.projection, &pair.key, self.event(pair));
        let document = guarded(|| projection.try_apply(key, before, event))?;
        if P::EFFECTS && self.emits.owes(key, event.position) {
            let found = guarded(|| Ok::<_, String>(projection.effects(key, document.as_ref(), event)))?;
            if EFFECTS_MAX as usize <= found.len() {
                return Err(format!("it has {} side effects, {EFFECTS_MAX} at most", found.len()));
            }
            effects.extend((0..).zip(found).map(|(number, data)| Emitted {
                position: event.position,
                index: pair.ordinal * EFFECTS_MAX + number,
                key: json(key),
                data,
            }));
        }
        Ok(document)
    }
}

fn with<K, D>(generation: u64, control: Control) -> Commit<K, D> {
    let mut commit = Commit::new(generation);
    commit.expected = control.expected;
    commit.rows = control.rows;
    commit.dropped = control.dropped;
    commit
}

/// A hash of the document's JSON with its members in order: maps have none of their own.
fn digest<D: serde::Serialize>(document: &D) -> Result<u64> {
    let value = serde_json::to_value(document).map_err(|cause| {
        factlog_core::Error::invalid("a document of a read model cannot be written as JSON").because(cause)
    })?;
    Ok(xxhash_rust::xxh3::xxh3_64(value.to_string().as_bytes()))
}
