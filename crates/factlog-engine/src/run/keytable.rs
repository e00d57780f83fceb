//! The keys that [`Gather`](super::Gather) has seen: a hash table over entries in one piece of memory, so that a
//! lookup touches a slot and an entry and nothing else.
//!
//! An entry is its hash, its base, the number of its postings and the length of its name, then the name, filled up
//! to eight bytes. A key is called by the place of its entry, in units of eight bytes; there is none at 0.

/// Where in an entry the hash is.
pub(super) const HASH: usize = 0;
/// Where in an entry the base is.
pub(super) const BASE: usize = 1;
/// Where in an entry the number of postings is, and above it the name's length.
const COUNT: usize = 2;
const WORD: usize = 8;
const HEAD: usize = 3 * WORD;

/// Different keys in no order.
#[derive(Debug)]
pub(super) struct KeyTable {
    bytes: Vec<u8>,
    /// Open addressing: the upper half of a hash, the key; 0 is free.
    slots: Vec<u64>,
    /// Every key, in the order in which they came.
    pub(super) entries: Vec<u32>,
}

impl KeyTable {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; HEAD], slots: vec![0; 1 << 10], entries: Vec::new() }
    }

    /// Reads what a lookup of this hash will need. What it returns means nothing.
    pub(super) fn touch(&self, hash: u64) -> u64 {
        self.word(self.slots[hash as usize & (self.slots.len() - 1)] as u32, HASH)
    }

    /// Counts one more posting of a key, which becomes known with this base if it was not.
    pub(super) fn count(&mut self, hash: u64, name: &[u8], base: u64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        let key = loop {
            let slot = self.slots[at];
            if slot == 0 {
                break self.insert(at, hash, name, base);
            }
            let key = slot as u32;
            if slot >> 32 == hash >> 32 && self.word(key, HASH) == hash && self.name(key) == name {
                break key;
            }
            at = (at + 1) & mask;
        };
        self.set(key, COUNT, self.word(key, COUNT) + 1);
        key
    }

    /// Makes a key known, in a free slot.
    fn insert(&mut self, at: usize, hash: u64, name: &[u8], base: u64) -> u32 {
        let key = u32::try_from(self.bytes.len() / WORD).expect("the keys of one run have less than 32 GiB");
        for word in [hash, base, (name.len() as u64) << 32] {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
        self.bytes.extend_from_slice(name);
        self.bytes.resize(self.bytes.len().next_multiple_of(WORD), 0);
        self.entries.push(key);
        self.slots[at] = slot(hash, key);
        if self.slots.len() < 2 * self.entries.len() {
            self.grow();
        }
        key
    }

    fn grow(&mut self) {
        let mask = 2 * self.slots.len() - 1;
        self.slots.clear();
        self.slots.resize(mask + 1, 0);
        for &key in &self.entries {
            let hash = word(&self.bytes, key, HASH);
            let mut at = hash as usize & mask;
            while self.slots[at] != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot(hash, key);
        }
    }

    /// A number of an entry.
    pub(super) fn word(&self, key: u32, index: usize) -> u64 {
        word(&self.bytes, key, index)
    }

    /// Changes a number of an entry. Without its hash a key is not found again.
    pub(super) fn set(&mut self, key: u32, index: usize, word: u64) {
        let at = (key as usize + index) * WORD;
        self.bytes[at..at + WORD].copy_from_slice(&word.to_le_bytes());
    }

    /// A key's bytes.
    pub(super) fn name(&self, key: u32) -> &[u8] {
        let start = key as usize * WORD + HEAD;
        &self.bytes[start..start + (self.word(key, COUNT) >> 32) as usize]
    }

    /// How many postings a key has.
    pub(super) fn postings(&self, key: u32) -> usize {
        self.word(key, COUNT) as u32 as usize
    }
}

fn word(bytes: &[u8], key: u32, index: usize) -> u64 {
    let at = (key as usize + index) * WORD;
    let word = bytes[at..].first_chunk().expect("an entry is whole");
    u64::from_le_bytes(*word)
}

fn slot(hash: u64, key: u32) -> u64 {
    hash >> 32 << 32 | u64::from(key)
}
