//! From hashes to numbers: an open-addressing table with linear probing that readers share with one writer.
//!
//! * A slot holds 32 bits of a hash and a number; who looks decides by what the number stands for whether it is meant.
//! * The table is split in shards by the hash. A shard comes with its first number and grows for itself into a copy that
//!   takes its place, so that no insertion waits for the whole. A reader that still has the old copy misses only newer
//!   numbers.
//! * A shard is at most 7/10 full, so every search ends.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const SHARDS: usize = 64;
const SHARD_BITS: u32 = SHARDS.trailing_zeros();
/// Slots of a shard at first.
const SLOTS: usize = 16;

/// Hashes names. The seed is the store's own, so that nobody can prepare names that collide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hasher {
    seed: u64,
    /// Tests keep few bits, to have collisions.
    #[cfg(test)]
    mask: u32,
}

/// The readers' half.
pub(super) struct Table {
    shards: Box<[OnceLock<ArcSwap<Slots>>]>,
    slots: AtomicUsize,
}

/// The writer's half: the same slots, and how many are taken.
pub(super) struct Filler {
    shards: Vec<Option<(Arc<Slots>, usize)>>,
}

/// A power of two of slots; 0 is a free one, else the hash is above the number plus one.
struct Slots(Box<[AtomicU64]>);

impl Hasher {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            #[cfg(test)]
            mask: u32::MAX,
        }
    }

    #[cfg(test)]
    pub(super) fn masked(seed: u64, mask: u32) -> Self {
        Self { seed, mask }
    }

    /// The hash of a name among names of the same kind.
    pub(super) fn hash(self, kind: u8, name: &[u8]) -> u32 {
        let hash = xxh3_64_with_seed(name, self.seed.wrapping_add(u64::from(kind)));
        let hash = u32::try_from(hash >> 32).expect("32 bits");
        #[cfg(test)]
        let hash = hash & self.mask;
        hash
    }
}

impl Table {
    pub(super) fn new() -> (Self, Filler) {
        let shards = (0..SHARDS).map(|_| OnceLock::new()).collect();
        (Self { shards, slots: AtomicUsize::new(0) }, Filler { shards: vec![None; SHARDS] })
    }

    /// The first number under this hash that is the `meant` one.
    pub(super) fn find(&self, hash: u32, meant: impl FnMut(u32) -> bool) -> Option<u32> {
        self.shards[shard_of(hash)].get()?.load().find(hash, meant)
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.shards) + self.slots.load(Ordering::Relaxed) * size_of::<AtomicU64>()
    }
}

impl Filler {
    /// The same as [`Table::find`], a little faster.
    pub(super) fn find(&self, hash: u32, meant: impl FnMut(u32) -> bool) -> Option<u32> {
        self.shards[shard_of(hash)].as_ref()?.0.find(hash, meant)
    }

    /// The number in the slot where the search for a hash begins, if it is there under this hash.
    pub(super) fn first(&self, hash: u32) -> Option<u32> {
        let slots = &self.shards[shard_of(hash)].as_ref()?.0.0;
        let slot = slots[hash as usize & (slots.len() - 1)].load(Ordering::Relaxed);
        (slot != 0 && high(slot) == hash).then(|| low(slot) - 1)
    }

    /// Adds a number under a hash. What it stands for must be in place.
    pub(super) fn add(&mut self, table: &Table, hash: u32, number: u32) {
        let shard = shard_of(hash);
        let (slots, taken) = self.shards[shard].get_or_insert_with(|| {
            table.slots.fetch_add(SLOTS, Ordering::Relaxed);
            let first = Arc::new(Slots::new(SLOTS));
            table.shards[shard].get_or_init(|| ArcSwap::new(first.clone()));
            (first, 0)
        });
        if slots.0.len() * 7 <= (*taken + 1) * 10 {
            let larger = Arc::new(slots.doubled());
            table.slots.fetch_add(slots.0.len(), Ordering::Relaxed);
            if let Some(shared) = table.shards[shard].get() {
                shared.store(larger.clone());
            }
            *slots = larger;
        }
        slots.put(u64::from(hash) << 32 | (u64::from(number) + 1));
        *taken += 1;
    }
}

impl Slots {
    fn new(count: usize) -> Self {
        Self(std::iter::repeat_with(AtomicU64::default).take(count).collect())
    }

    fn find(&self, hash: u32, mut meant: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.0.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.0[at].load(Ordering::Acquire);
            if slot == 0 {
                return None;
            }
            if slot >> 32 == u64::from(hash) {
                let number = low(slot) - 1;
                if meant(number) {
                    return Some(number);
                }
            }
            at = (at + 1) & mask;
        }
    }

    fn put(&self, slot: u64) {
        let mask = self.0.len() - 1;
        let mut at = (slot >> 32) as usize & mask;
        while self.0[at].load(Ordering::Relaxed) != 0 {
            at = (at + 1) & mask;
        }
        self.0[at].store(slot, Ordering::Release);
    }

    fn doubled(&self) -> Self {
        let larger = Self::new(self.0.len() * 2);
        for slot in &self.0 {
            let slot = slot.load(Ordering::Relaxed);
            if slot != 0 {
                larger.put(slot);
            }
        }
        larger
    }
}

/// By the upper bits; the place in the shard goes by the lower ones.
fn shard_of(hash: u32) -> usize {
    (hash >> (u32::BITS - SHARD_BITS)) as usize
}

/// The lower half of a word.
pub(super) fn low(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).expect("32 bits")
}

/// The upper half of a word.
pub(super) fn high(word: u64) -> u32 {
    u32::try_from(word >> 32).expect("32 bits")
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Filler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filler").finish_non_exhaustive()
    }
}
