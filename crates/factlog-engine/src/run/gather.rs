//! Gathering the keys and ids of records, to write them as a run of level 0.
//!
//! Each event is seen once; a key is looked up in one hash table and its number noted. The keys are sorted when all
//! have come, and postings are put in the order of keys by counting, so nothing but the keys is ever compared.

use std::io;

use factlog_core::EventId;
use uuid::Uuid;

use super::build::{Builder, Built};
use super::keys::{self, CATEGORY, EVENT_TYPE, STREAM, TAG};
use super::{RunName, keys::id_hash};
use crate::storage::DiskFile;

/// What the index wants to know of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a, T> {
    pub(crate) position: u64,
    /// 0 without a stream.
    pub(crate) revision: u64,
    pub(crate) stream: Option<&'a str>,
    pub(crate) event_type: &'a str,
    pub(crate) tags: T,
    /// The id, of the first event of an append.
    pub(crate) first_id: Option<&'a EventId>,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    hash: u64,
    start: usize,
    length: usize,
    base: u64,
    count: u32,
}

/// The keys and ids of events that come in the order of their positions.
#[derive(Debug)]
pub(crate) struct Gather {
    store: Uuid,
    seed: u64,
    first: u64,
    /// The bytes of all keys.
    names: Vec<u8>,
    keys: Vec<Key>,
    /// Open addressing: half of a hash and a key's number plus one, or 0.
    slots: Vec<u64>,
    /// For each posting, in the order of events, its key's number.
    postings: Vec<u32>,
    /// For each event its position, counted from the first, and its number of keys.
    events: Vec<(u32, u32)>,
    ids: Vec<(u64, u32)>,
    scratch: Vec<u8>,
}

impl Gather {
    /// For a run that begins at `first`.
    pub(crate) fn new(store: Uuid, first: u64) -> Self {
        Self {
            store,
            seed: keys::seed(store),
            first,
            names: Vec::new(),
            keys: Vec::new(),
            slots: vec![0; 1 << 10],
            postings: Vec::new(),
            events: Vec::new(),
            ids: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes in the next event. A tag must not be there twice. Positions may leave gaps, but not of 2^32.
    pub(crate) fn add<'t>(&mut self, entry: Entry<'_, impl IntoIterator<Item = &'t str>>) {
        let ordinal = entry.position.checked_sub(self.first).expect("a position in the run");
        let ordinal = u32::try_from(ordinal).expect("a run of level 0 is short");
        assert!(self.events.last().is_none_or(|&(before, _)| before < ordinal), "positions grow");
        let before = self.postings.len();
        if let Some(stream) = entry.stream {
            self.post(STREAM, stream, entry.revision);
            let category = stream.split_once('-').map_or(stream, |(category, _)| category);
            if !category.is_empty() {
                self.post(CATEGORY, category, 0);
            }
        }
        self.post(EVENT_TYPE, entry.event_type, 0);
        for tag in entry.tags {
            self.post(TAG, tag, 0);
        }
        let count = u32::try_from(self.postings.len() - before).expect("an event has few keys");
        self.events.push((ordinal, count));
        if let Some(id) = entry.first_id {
            self.ids.push((id_hash(self.seed, id), ordinal));
        }
    }

    fn post(&mut self, kind: u8, name: &str, base: u64) {
        self.scratch.clear();
        self.scratch.push(kind);
        self.scratch.extend_from_slice(name.as_bytes());
        let hash = keys::hash(self.seed, &self.scratch);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        let number = loop {
            let slot = self.slots[at];
            if slot == 0 {
                break self.insert(at, hash, base);
            }
            if slot >> 32 == hash >> 32 {
                let number = (slot as u32) - 1;
                let key = &self.keys[number as usize];
                if key.hash == hash && self.names[key.start..key.start + key.length] == *self.scratch {
                    break number;
                }
            }
            at = (at + 1) & mask;
        };
        self.keys[number as usize].count += 1;
        self.postings.push(number);
    }

    /// Makes the key in `scratch` known, in a free slot.
    fn insert(&mut self, at: usize, hash: u64, base: u64) -> u32 {
        let number = u32::try_from(self.keys.len()).expect("a run of level 0 has few keys");
        let (start, length) = (self.names.len(), self.scratch.len());
        self.names.extend_from_slice(&self.scratch);
        self.keys.push(Key { hash, start, length, base, count: 0 });
        self.slots[at] = slot(hash, number);
        if self.slots.len() < 2 * self.keys.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        let mask = 2 * self.slots.len() - 1;
        self.slots.clear();
        self.slots.resize(mask + 1, 0);
        for (number, key) in self.keys.iter().enumerate() {
            let mut at = key.hash as usize & mask;
            while self.slots[at] != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot(key.hash, number as u32);
        }
    }

    /// How many events have come.
    pub(crate) fn events(&self) -> u64 {
        self.events.len() as u64
    }

    /// Writes the run up to `last` into an empty file, which the caller syncs and renames.
    pub(crate) fn write(mut self, last: u64, file: &dyn DiskFile) -> io::Result<Built> {
        let name = RunName { level: 0, first: self.first, last };
        self.slots = Vec::new();
        let (starts, ordinals) = self.by_key();
        let mut builder = Builder::new(self.store, name, self.keys.len() as u64, self.ids.len() as u64, file);
        let mut order: Vec<(u64, u32)> = (0..self.keys.len() as u32).map(|number| (0, number)).collect();
        sort(&mut order, 0, &|number| {
            let key = &self.keys[number as usize];
            &self.names[key.start..key.start + key.length]
        });
        for (_, number) in order {
            let key = self.keys[number as usize];
            let start = starts[number as usize];
            let list = ordinals[start..start + key.count as usize].iter();
            let positions = list.map(|&ordinal| Ok::<_, io::Error>(self.first + u64::from(ordinal)));
            builder.key(&self.names[key.start..key.start + key.length], key.base, positions)?;
        }
        self.ids.sort_unstable();
        for &(hash, ordinal) in &self.ids {
            builder.id(hash, self.first + u64::from(ordinal))?;
        }
        builder.finish()
    }

    /// The postings of each key together, and where each key's begin.
    fn by_key(&mut self) -> (Vec<usize>, Vec<u32>) {
        let mut sum = 0;
        let mut starts: Vec<usize> = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            starts.push(sum);
            sum += key.count as usize;
        }
        let mut next = starts.clone();
        let mut ordinals = vec![0; self.postings.len()];
        let mut postings = std::mem::take(&mut self.postings).into_iter();
        for (ordinal, count) in std::mem::take(&mut self.events) {
            for number in postings.by_ref().take(count as usize) {
                let place = &mut next[number as usize];
                ordinals[*place] = ordinal;
                *place += 1;
            }
        }
        (starts, ordinals)
    }
}

fn slot(hash: u64, number: u32) -> u64 {
    hash >> 32 << 32 | u64::from(number + 1)
}

/// Sorts numbers by different byte strings, of which the first `depth` bytes are equal: by seven bytes at a time,
/// held beside the number, so that few comparisons go to the strings.
fn sort<'a>(order: &mut [(u64, u32)], depth: usize, bytes: &impl Fn(u32) -> &'a [u8]) {
    const WINDOW: usize = 7;
    for (window, number) in order.iter_mut() {
        let rest = &bytes(*number)[depth..];
        let mut digits = [0; 8];
        let length = rest.len().min(WINDOW);
        digits[..length].copy_from_slice(&rest[..length]);
        // A string that ends here is below one that goes on with zeros.
        digits[WINDOW] = rest.len().min(WINDOW + 1) as u8;
        *window = u64::from_be_bytes(digits);
    }
    order.sort_unstable();
    for equal in order.chunk_by_mut(|left, right| left.0 == right.0) {
        if 1 < equal.len() {
            sort(equal, depth + WINDOW, bytes);
        }
    }
}
