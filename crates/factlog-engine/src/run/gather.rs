//! Gathering the keys and ids of records, to write them as a run of level 0.
//!
//! Each event is seen once; a key is looked up in one hash table and its number noted. The keys are sorted when all
//! have come, and postings are put in the order of keys by counting, so nothing but the keys is ever compared.

use std::io;

use factlog_core::EventId;
use uuid::Uuid;

use super::build::{Builder, Built};
use super::keys::{self, CATEGORY, EVENT_TYPE, STREAM, TAG};
use super::keytable::{BASE, HASH, KeyTable};
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

/// A key that was not looked up yet; its bytes are in `names`.
#[derive(Clone, Copy, Debug)]
struct Pending {
    hash: u64,
    base: u64,
    start: usize,
    end: usize,
}

/// The keys and ids of events that come in the order of their positions.
#[derive(Debug)]
pub(crate) struct Gather {
    store: Uuid,
    seed: u64,
    first: u64,
    keys: KeyTable,
    /// Keys of the last events, which are looked up together so that the memory they need is fetched at once.
    pending: Vec<Pending>,
    names: Vec<u8>,
    /// For each posting, in the order of events, its key.
    postings: Vec<u32>,
    /// For each event its position, counted from the first, and its number of keys.
    events: Vec<(u32, u32)>,
    ids: Vec<(u64, u32)>,
}

/// Keys that are looked up together.
const BATCH: usize = 64;

impl Gather {
    /// For a run that begins at `first`.
    pub(crate) fn new(store: Uuid, first: u64) -> Self {
        Self {
            store,
            seed: keys::seed(store),
            first,
            keys: KeyTable::new(),
            pending: Vec::new(),
            names: Vec::new(),
            postings: Vec::new(),
            events: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// Takes in the next event. A tag must not be there twice. Positions may leave gaps, but not of 2^32.
    pub(crate) fn add<'t>(&mut self, entry: Entry<'_, impl IntoIterator<Item = &'t str>>) {
        let ordinal = entry.position.checked_sub(self.first).expect("a position in the run");
        let ordinal = u32::try_from(ordinal).expect("a run of level 0 is short");
        assert!(self.events.last().is_none_or(|&(before, _)| before < ordinal), "positions grow");
        let before = self.pending.len();
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
        let count = u32::try_from(self.pending.len() - before).expect("an event has few keys");
        self.events.push((ordinal, count));
        if let Some(id) = entry.first_id {
            self.ids.push((id_hash(self.seed, id), ordinal));
        }
        if BATCH <= self.pending.len() {
            self.settle();
        }
    }

    fn post(&mut self, kind: u8, name: &str, base: u64) {
        let start = self.names.len();
        self.names.push(kind);
        self.names.extend_from_slice(name.as_bytes());
        let hash = keys::hash(self.seed, &self.names[start..]);
        self.pending.push(Pending { hash, base, start, end: self.names.len() });
    }

    /// Looks up the keys that wait.
    fn settle(&mut self) {
        // Loads that do not wait for each other; the lookups then find what they need in the processor's cache.
        let near = self.pending.iter().fold(0, |all, pending| all ^ self.keys.touch(pending.hash));
        std::hint::black_box(near);
        for pending in self.pending.drain(..) {
            let name = &self.names[pending.start..pending.end];
            self.postings.push(self.keys.count(pending.hash, name, pending.base));
        }
        self.names.clear();
    }

    /// Writes the run up to `last` into an empty file, which the caller syncs and renames.
    pub(crate) fn write(mut self, last: u64, file: &dyn DiskFile) -> io::Result<Built> {
        self.settle();
        let name = RunName { level: 0, first: self.first, last };
        let ordinals = self.by_key();
        let keys = self.keys;
        let mut builder =
            Builder::new(self.store, name, keys.entries.len() as u64, self.ids.len() as u64, file);
        let mut order: Vec<(u64, u32)> = keys.entries.iter().map(|&key| (0, key)).collect();
        sort(&mut order, 0, &|key| keys.name(key));
        for (_, key) in order {
            let end = keys.word(key, HASH) as usize;
            let list = ordinals[end - keys.postings(key)..end].iter();
            let positions = list.map(|&ordinal| Ok::<_, io::Error>(self.first + u64::from(ordinal)));
            builder.key(keys.name(key), keys.word(key, BASE), positions)?;
        }
        self.ids.sort_unstable();
        for &(hash, ordinal) in &self.ids {
            builder.id(hash, self.first + u64::from(ordinal))?;
        }
        builder.finish()
    }

    /// The postings of each key together. Where a key had its hash, it then has the place where its list ends.
    fn by_key(&mut self) -> Vec<u32> {
        let mut start = 0;
        for at in 0..self.keys.entries.len() {
            let key = self.keys.entries[at];
            self.keys.set(key, HASH, start as u64);
            start += self.keys.postings(key);
        }
        let mut ordinals = vec![0; self.postings.len()];
        let mut postings = std::mem::take(&mut self.postings).into_iter();
        for (ordinal, count) in std::mem::take(&mut self.events) {
            for key in postings.by_ref().take(count as usize) {
                let place = self.keys.word(key, HASH);
                ordinals[place as usize] = ordinal;
                self.keys.set(key, HASH, place + 1);
            }
        }
        ordinals
    }
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
