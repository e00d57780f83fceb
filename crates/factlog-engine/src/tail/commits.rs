//! The appends of a generation, by the id of their first event.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use factlog_core::EventId;

use super::arena::Arena;
use super::table::{Filler, Hasher, Table, high, low};
use crate::ledger::Commit;

/// Words of one append: the id's two, its content, and its number of events above the first one's ordinal.
const WORDS: usize = 4;

/// No key has this kind byte.
const KIND: u8 = 0;

/// All appends, in order.
#[derive(Debug)]
pub(super) struct Commits {
    hasher: Hasher,
    table: Table,
    words: Arena<AtomicU64, 4096>,
    count: AtomicU32,
}

impl Commits {
    pub(super) fn new(hasher: Hasher) -> (Self, Filler) {
        let (table, filler) = Table::new();
        (Self { hasher, table, words: Arena::default(), count: AtomicU32::new(0) }, filler)
    }

    pub(super) fn len(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// The number of the append with this id.
    pub(super) fn find(&self, id: &EventId) -> Option<u32> {
        let hash = self.hasher.hash(KIND, id.as_bytes());
        self.table.find(hash, |at| self.id(at) == *id)
    }

    /// The append with this number; ordinals are counted from `base`.
    pub(super) fn at(&self, at: u32, base: u64) -> (EventId, Commit) {
        let words = self.words_of(at);
        let place = words[3].load(Ordering::Relaxed);
        let first = base + u64::from(low(place));
        let commit = Commit { first, count: high(place), content: words[2].load(Ordering::Relaxed) };
        (self.id(at), commit)
    }

    /// For the writer: adds an append whose first event has this ordinal. The id must be new.
    pub(super) fn add(&self, filler: &mut Filler, id: &EventId, first: u32, count: u32, content: u64) {
        let at = self.count.load(Ordering::Relaxed);
        let (left, right) = halves(id);
        let words = self.words.grow(at as usize * WORDS);
        let place = u64::from(count) << 32 | u64::from(first);
        for (word, value) in words.iter().zip([left, right, content, place]) {
            word.store(value, Ordering::Relaxed);
        }
        filler.add(&self.table, self.hasher.hash(KIND, id.as_bytes()), at);
        self.count.store(at + 1, Ordering::Release);
    }

    pub(super) fn memory(&self) -> usize {
        self.table.memory() + self.words.memory()
    }

    fn id(&self, at: u32) -> EventId {
        let words = self.words_of(at);
        let [left, right] = [0, 1].map(|at: usize| words[at].load(Ordering::Relaxed));
        EventId::from_bytes((u128::from(left) << 64 | u128::from(right)).to_be_bytes())
    }

    fn words_of(&self, at: u32) -> &[AtomicU64] {
        self.words.run(at as usize * WORDS)
    }
}

fn halves(id: &EventId) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *id.as_bytes();
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]), u64::from_be_bytes([i, j, k, l, m, n, o, p]))
}
