//! Keys: the names of streams, categories, types and tags, each with the newest event that has it.
//!
//! * A key is the place of its words in one arena, so that finding it takes one look at the table and one here.
//! * A key's name is written once, before the key can be found, and never changed.
//! * `newest` and `count` of a key are one word, so a reader always has a pair that belongs together.
//! * A name is compared byte by byte; the hash only says where to look.
//!
//! The words of a key: its chain; its first ordinal above the key of the same kind before it; its head (the kind's
//! byte, the name's length in two, the name's first five); for a stream its base; the rest of the name, eight bytes a
//! word, filled up with zeros. They are all in one chunk.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Kind;
use super::arena::Arena;
use super::table::{Filler, Hasher, Table, high, low};

type Words = Arena<AtomicU64, 8192>;

const CHAIN: usize = 0;
const LINK: usize = 1;
const HEAD: usize = 2;
/// Bytes of a name that are in the head.
const IN_HEAD: usize = 5;

/// All keys of a generation.
#[derive(Debug)]
pub(super) struct Keys {
    hasher: Hasher,
    table: Table,
    words: Words,
    /// By kind: the number of its keys above the newest key plus one.
    kinds: [AtomicU64; 4],
}

/// What of the keys is the writer's own.
#[derive(Debug)]
pub(super) struct KeyFiller {
    table: Filler,
    /// Where the next key goes.
    words: usize,
}

/// The events that have a key: how many, and the newest one's ordinal (0 for none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) newest: u32,
    pub(super) count: u32,
}

/// Where to look for a key first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guess {
    hash: u32,
    key: Option<u32>,
    head: u64,
}

impl Keys {
    pub(super) fn new(hasher: Hasher) -> (Self, KeyFiller) {
        let (table, filler) = Table::new();
        let keys = Self { hasher, table, words: Words::default(), kinds: Default::default() };
        (keys, KeyFiller { table: filler, words: 0 })
    }

    pub(super) fn find(&self, kind: Kind, name: &str) -> Option<u32> {
        let hash = self.hasher.hash(kind as u8, name.as_bytes());
        self.table.find(hash, |key| self.is(key, kind, name.as_bytes()))
    }

    pub(super) fn chain(&self, key: u32) -> Chain {
        chain_of(self.at(key))
    }

    /// The first ordinal of a key whose chain is not empty.
    pub(super) fn first(&self, key: u32) -> u32 {
        high(self.at(key)[LINK].load(Ordering::Relaxed))
    }

    /// How many events of a stream came before this generation; 0 for other keys.
    pub(super) fn base(&self, key: u32) -> u64 {
        let words = self.at(key);
        if rest_of(self.kind(key)) == HEAD + 1 { 0 } else { words[HEAD + 1].load(Ordering::Relaxed) }
    }

    /// Puts the bytes of a key's name behind what `out` has.
    pub(super) fn name(&self, key: u32, out: &mut Vec<u8>) {
        let words = self.at(key);
        let [kind, l0, l1, start @ ..] = words[HEAD].load(Ordering::Relaxed).to_le_bytes();
        let end = out.len() + usize::from(u16::from_le_bytes([l0, l1]));
        out.extend_from_slice(&start);
        for word in &words[rest_of(kind)..] {
            if end <= out.len() {
                break;
            }
            out.extend_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        out.truncate(end);
    }

    /// The kind byte of a key.
    pub(super) fn kind(&self, key: u32) -> u8 {
        let [kind, ..] = self.at(key)[HEAD].load(Ordering::Relaxed).to_le_bytes();
        kind
    }

    /// How many keys of a kind there are, and these keys, newest first.
    pub(super) fn all_of_kind(&self, kind: Kind) -> (u32, impl Iterator<Item = u32>) {
        let known = self.kinds[kind as usize - 1].load(Ordering::Acquire);
        let before = |&key: &u32| low(self.at(key)[LINK].load(Ordering::Relaxed)).checked_sub(1);
        (high(known), std::iter::successors(low(known).checked_sub(1), before))
    }

    /// For the writer: begins to look for a key.
    pub(super) fn guess(&self, kind: Kind, name: &str) -> Guess {
        Guess { hash: self.hasher.hash(kind as u8, name.as_bytes()), key: None, head: 0 }
    }

    /// For the writer: looks at where keys should be. Looks that do not wait for each other take the time of one.
    pub(super) fn look(&self, filler: &KeyFiller, guesses: &mut [Guess]) {
        for guess in &mut *guesses {
            guess.key = filler.table.first(guess.hash);
        }
        for guess in guesses {
            guess.head = guess.key.map_or(0, |key| self.at(key)[HEAD].load(Ordering::Relaxed));
        }
    }

    /// For the writer: the key with this name, made with `base` if it is new, and its chain.
    pub(super) fn enter(
        &self,
        filler: &mut KeyFiller,
        kind: Kind,
        name: &str,
        guess: &Guess,
        base: impl FnOnce() -> u64,
    ) -> (u32, Chain) {
        let name = name.as_bytes();
        if let Some(key) = guess.key
            && guess.head == head_of(kind, name)
        {
            let words = self.at(key);
            if ends_with(words, kind, name) {
                return (key, chain_of(words));
            }
        }
        if let Some(key) = filler.table.find(guess.hash, |key| self.is(key, kind, name)) {
            return (key, self.chain(key));
        }
        let of_kind = &self.kinds[kind as usize - 1];
        let known = of_kind.load(Ordering::Relaxed);
        let key = self.write(filler, kind, name, low(known), base);
        filler.table.add(&self.table, guess.hash, key);
        of_kind.store(u64::from(high(known) + 1) << 32 | u64::from(key + 1), Ordering::Release);
        (key, Chain { newest: 0, count: 0 })
    }

    /// For the writer: `ordinal` is the newest event of a key that had this chain. Its nodes must be in place.
    pub(super) fn extend(&self, key: u32, chain: Chain, ordinal: u32) {
        let words = self.at(key);
        if chain.newest == 0 {
            let link = words[LINK].load(Ordering::Relaxed);
            words[LINK].store(u64::from(ordinal) << 32 | link, Ordering::Relaxed);
        }
        words[CHAIN].store(u64::from(chain.count + 1) << 32 | u64::from(ordinal), Ordering::Release);
    }

    pub(super) fn memory(&self) -> usize {
        self.table.memory() + self.words.memory()
    }

    fn write(
        &self,
        filler: &mut KeyFiller,
        kind: Kind,
        name: &[u8],
        before: u32,
        base: impl FnOnce() -> u64,
    ) -> u32 {
        let rest = rest_of(kind as u8);
        let behind_head = name.get(IN_HEAD..).unwrap_or(&[]);
        let needed = rest + behind_head.len().div_ceil(8);
        if Words::room(filler.words) < needed {
            filler.words += Words::room(filler.words);
        }
        let words = self.words.grow(filler.words);
        words[LINK].store(u64::from(before), Ordering::Relaxed);
        words[HEAD].store(head_of(kind, name), Ordering::Relaxed);
        if HEAD + 1 < rest {
            words[HEAD + 1].store(base(), Ordering::Relaxed);
        }
        for (word, bytes) in words[rest..].iter().zip(behind_head.chunks(8)) {
            word.store(word_of(bytes), Ordering::Relaxed);
        }
        let key = u32::try_from(filler.words).expect("a generation is bounded in bytes");
        filler.words += needed;
        key
    }

    fn is(&self, key: u32, kind: Kind, name: &[u8]) -> bool {
        let words = self.at(key);
        words[HEAD].load(Ordering::Relaxed) == head_of(kind, name) && ends_with(words, kind, name)
    }

    /// The words of a key and what comes behind them.
    fn at(&self, key: u32) -> &[AtomicU64] {
        self.words.run(key as usize)
    }
}

fn chain_of(words: &[AtomicU64]) -> Chain {
    let chain = words[CHAIN].load(Ordering::Acquire);
    Chain { newest: low(chain), count: high(chain) }
}

/// Whether the rest of a name is in these words of a key, whose head is the name's.
fn ends_with(words: &[AtomicU64], kind: Kind, name: &[u8]) -> bool {
    let behind_head = name.get(IN_HEAD..).unwrap_or(&[]).chunks(8);
    let mut rest = words[rest_of(kind as u8)..].iter().map(|word| word.load(Ordering::Relaxed));
    behind_head.into_iter().all(|bytes| rest.next() == Some(word_of(bytes)))
}

/// The place of the words with the rest of a name: a stream has its base between head and name.
fn rest_of(kind: u8) -> usize {
    if kind == Kind::Stream as u8 { HEAD + 2 } else { HEAD + 1 }
}

fn head_of(kind: Kind, name: &[u8]) -> u64 {
    let length = u16::try_from(name.len()).expect("names are bounded");
    let start = word_of(&name[..name.len().min(IN_HEAD)]);
    start << 24 | u64::from(length) << 8 | kind as u64
}

/// Up to eight bytes as a word, the first lowest.
fn word_of(bytes: &[u8]) -> u64 {
    if let Ok(whole) = bytes.try_into() {
        return u64::from_le_bytes(whole);
    }
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}
