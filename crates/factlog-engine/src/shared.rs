//! What the writer, the sealer and the readers share: the index, the log's parts, the published head.
//!
//! * `head` is stored after the group is durable and in the tail; nobody shows anything above it.
//! * Locks are held for look-ups and insertions only, never over file I/O.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use event_listener::Event as Wake;
use factlog_core::{Error, Result};
use parking_lot::{Mutex, RwLock};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::damage::Damage;
use crate::index::Index;
use crate::queue::{self, Queue};
use crate::segment::{BlockEntry, Records, Segment};
use crate::settings::Settings;
use crate::storage::DiskFile;

/// The state of one open store.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Uuid,
    pub(crate) settings: Settings,
    pub(crate) queue: Queue,
    pub(crate) index: RwLock<Index>,
    pub(crate) log: RwLock<Log>,
    pub(crate) committed: Wake,
    /// Found when the store was opened; with any, nothing is appended.
    pub(crate) damage: Vec<Damage>,
    head: AtomicU64,
    state: Mutex<State>,
    cache: Cache<(u64, u64), Arc<Records>, Weigh>,
    /// Held while the store is open; dropped last.
    pub(crate) lock: Mutex<Option<Box<dyn DiskFile>>>,
    pub(crate) stopped: Wake,
}

/// Whether the handle can be used.
#[derive(Clone, Debug)]
pub(crate) enum State {
    Open,
    /// A write failed: nothing is appended any more, reads go on.
    Poisoned(Error),
    /// Closing or closed.
    Closed,
    /// The writer has stopped and the lock is released.
    Stopped,
}

/// Where events lie: sealed segments in order, then the frames of the tail.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) frames: VecDeque<Arc<Records>>,
}

/// Where one position lies.
enum Place {
    Block(Arc<Segment>, BlockEntry),
    Frame(Arc<Records>),
}

#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<(u64, u64), Arc<Records>> for Weigh {
    fn weight(&self, _: &(u64, u64), records: &Arc<Records>) -> u64 {
        (records.bytes.len() + records.offsets.len() * 4 + 64) as u64
    }
}

impl Shared {
    pub(crate) fn new(
        store: Uuid,
        settings: Settings,
        index: Index,
        log: Log,
        damage: Vec<Damage>,
        lock: Box<dyn DiskFile>,
    ) -> Self {
        let blocks = usize::try_from(settings.cache_bytes / 32_768).unwrap_or(1).max(16);
        Self {
            store,
            queue: Queue::new(settings.queue_appends, settings.queue_bytes),
            head: AtomicU64::new(index.last),
            index: RwLock::new(index),
            log: RwLock::new(log),
            committed: Wake::new(),
            damage,
            state: Mutex::new(State::Open),
            cache: Cache::with_weighter(blocks, settings.cache_bytes, Weigh),
            settings,
            lock: Mutex::new(Some(lock)),
            stopped: Wake::new(),
        }
    }

    /// The last position that is durable; 0 for none.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Makes everything up to `head` visible and wakes who waits for it.
    pub(crate) fn publish(&self, head: u64) {
        assert!(self.head() <= head, "the head never goes back");
        self.head.store(head, Ordering::Release);
        self.committed.notify(usize::MAX);
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Enters a later state and wakes everybody who should know.
    pub(crate) fn enter(&self, state: State) {
        *self.state.lock() = state;
        self.committed.notify(usize::MAX);
        self.stopped.notify(usize::MAX);
    }

    /// Whether reading is possible.
    pub(crate) fn readable(&self) -> Result<()> {
        match *self.state.lock() {
            State::Open | State::Poisoned(_) => Ok(()),
            State::Closed | State::Stopped => Err(queue::closed()),
        }
    }

    /// Whether appending is possible.
    pub(crate) fn appendable(&self) -> Result<()> {
        if let Some(damage) = self.damage.first() {
            let count = self.damage.len();
            return Err(Error::corrupt(format!(
                "nothing can be appended while the store has {count} damaged places: {damage}"
            )));
        }
        match &*self.state.lock() {
            State::Open => Ok(()),
            State::Poisoned(cause) => Err(poisoned(cause)),
            State::Closed | State::Stopped => Err(queue::closed()),
        }
    }

    /// The damage that keeps a reader of `(after, until]` from going on, the nearest to its start first.
    pub(crate) fn damage_in(&self, after: u64, until: u64, forwards: bool) -> Option<&Damage> {
        let mut hit = self
            .damage
            .iter()
            .filter(|damage| damage.lost().is_some_and(|(first, last)| after < last && first <= until));
        if forwards { hit.next() } else { hit.next_back() }
    }

    /// The records around a position. With `keep`, a block that had to be read stays in the cache.
    pub(crate) fn records(&self, position: u64, keep: bool) -> Result<Arc<Records>> {
        let (segment, entry) = match self.log.read().place(position) {
            Some(Place::Frame(records)) => return Ok(records),
            Some(Place::Block(segment, entry)) => (segment, entry),
            None => {
                let lost = self.damage.iter().find(|damage| {
                    damage.lost().is_some_and(|(first, last)| first <= position && position <= last)
                });
                let unknown =
                    || Error::corrupt(format!("position {position} is in no file; run `factlog verify`"));
                return Err(lost.map_or_else(unknown, Damage::to_error));
            }
        };
        let key = (segment.first, entry.offset);
        if let Some(records) = self.cache.get(&key) {
            return Ok(records);
        }
        let records = segment.read(&entry)?;
        if keep {
            self.cache.insert(key, records.clone());
        }
        Ok(records)
    }
}

impl Log {
    fn place(&self, position: u64) -> Option<Place> {
        if let Some(frame) = self.frames.front().filter(|frame| frame.first <= position) {
            debug_assert!(frame.first <= position);
            let after = self.frames.partition_point(|frame| frame.first <= position);
            let frame = &self.frames[after - 1];
            return (position <= frame.last()).then(|| Place::Frame(frame.clone()));
        }
        let after = self.segments.partition_point(|segment| segment.first <= position);
        let segment = self.segments[..after].last()?;
        let entry = segment.block_of(position)?;
        Some(Place::Block(segment.clone(), *entry))
    }
}

/// What an append hears after a write failed.
pub(crate) fn poisoned(cause: &Error) -> Error {
    Error::closed(format!(
        "a write failed, so this handle accepts nothing any more: {cause}; reopen the store"
    ))
    .because(cause.clone())
}
