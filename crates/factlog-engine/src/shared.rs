//! What the writer, the sealer and the readers share: the index, the log's parts, the published head.
//!
//! * `head` is stored after the group is durable and in the tail; nobody shows anything above it.
//! * Locks are held for look-ups and insertions only, never over file I/O.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use event_listener::Event as Wake;
use factlog_core::{AppendCondition, Direction, Error, Position, Query, Result};
use parking_lot::RwLock;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::damage::Damage;
use crate::index::Index;
use crate::queue::{Checked, Queue};
use crate::records::Records;
use crate::segment::{BlockEntry, Segment};
use crate::settings::Settings;
use crate::state::{Life, closed};
use crate::storage::{self, Disk, DiskFile};

/// Positions looked through under one lock: the longest that the writer waits for a reader.
const WINDOW: u64 = 65_536;

/// Segments' files kept open.
const OPEN_FILES: usize = 64;

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
    pub(crate) life: Life,
    cache: Cache<(u64, u64), Arc<Records>, Weigh>,
    /// Segments' files that are open, by first position.
    files: Cache<u64, Arc<Box<dyn DiskFile>>>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
}

/// What recovery found.
pub(crate) struct Opened {
    pub(crate) store: Uuid,
    pub(crate) index: Index,
    pub(crate) log: Log,
    pub(crate) damage: Vec<Damage>,
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
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        settings: Settings,
        lock: Box<dyn DiskFile>,
        opened: Opened,
    ) -> Self {
        let Opened { store, index, log, damage } = opened;
        let blocks = usize::try_from(settings.cache_bytes / 32_768).unwrap_or(1).max(16);
        Self {
            store,
            queue: Queue::new(settings.queue_appends, settings.queue_bytes),
            head: AtomicU64::new(index.last),
            index: RwLock::new(index),
            log: RwLock::new(log),
            committed: Wake::new(),
            damage,
            life: Life::new(lock),
            cache: Cache::with_weighter(blocks, settings.cache_bytes, Weigh),
            files: Cache::new(OPEN_FILES),
            disk,
            dir,
            settings,
        }
    }

    /// The last position that is durable; 0 for none.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Makes everything up to `head` visible; [`Shared::wake`] tells those who wait.
    pub(crate) fn publish(&self, head: u64) {
        assert!(self.head() <= head, "the head never goes back");
        self.head.store(head, Ordering::Release);
    }

    /// Wakes subscriptions: there is more to read, or there never will be.
    pub(crate) fn wake(&self) {
        self.committed.notify(usize::MAX);
    }

    /// Whether appending is possible.
    pub(crate) fn appendable(&self) -> Result<()> {
        if let Some(damage) = self.damage.first() {
            let count = self.damage.len();
            return Err(Error::corrupt(format!(
                "nothing can be appended while the store has {count} damaged places: {damage}"
            )));
        }
        self.life.appendable()
    }

    /// Nothing new is accepted; the writer finishes what it has, subscriptions end.
    pub(crate) fn close(&self) {
        self.life.close();
        self.queue.close(&closed());
        self.wake();
    }

    /// Looks conditions up over the durable log, on the caller's thread and without holding the index for long, so
    /// that the writer only has to look at what came since.
    pub(crate) fn check_history(&self, conditions: &[AppendCondition]) -> Vec<Checked> {
        let head = self.head();
        conditions.iter().map(|condition| self.check_one(condition, head)).collect()
    }

    fn check_one(&self, condition: &AppendCondition, head: u64) -> Checked {
        let AppendCondition::NoneMatch { query, after } = condition else { return Checked::default() };
        let after = Position::number(*after);
        if head.saturating_sub(after) <= WINDOW || *query == Query::All {
            return Checked::default();
        }
        let mut high = head;
        let mut newest = None;
        while newest.is_none() && after < high {
            let low = after.max(high.saturating_sub(WINDOW));
            newest = self.index.read().newest(query, low, high);
            high = low;
        }
        Checked { upto: head, newest }
    }

    /// Matching positions of a range in a direction, at most `limit`: those of the first window that has any.
    pub(crate) fn look_up(
        &self,
        query: &Query,
        range: (u64, u64),
        direction: Direction,
        limit: usize,
    ) -> Vec<u64> {
        let (mut low, mut high) = range;
        while low < high {
            let window = match direction {
                Direction::Forwards => (low, high.min(low.saturating_add(WINDOW))),
                Direction::Backwards => (low.max(high.saturating_sub(WINDOW)), high),
            };
            let found = self.index.read().positions(query, window, direction, limit);
            if !found.is_empty() {
                return found;
            }
            match direction {
                Direction::Forwards => low = window.1,
                Direction::Backwards => high = window.0,
            }
        }
        Vec::new()
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
        let records = segment.read(&**self.file(&segment)?, &entry)?;
        if keep {
            self.cache.insert(key, records.clone());
        }
        Ok(records)
    }

    /// The open file of a segment.
    fn file(&self, segment: &Segment) -> Result<Arc<Box<dyn DiskFile>>> {
        if let Some(file) = self.files.get(&segment.first) {
            return Ok(file);
        }
        let path = self.dir.join(segment.path());
        let file = self.disk.open(&path).map_err(|cause| storage::failed("open", &path, cause))?;
        let file = Arc::new(file);
        self.files.insert(segment.first, file.clone());
        Ok(file)
    }
}

impl Log {
    fn place(&self, position: u64) -> Option<Place> {
        if self.frames.front().is_some_and(|frame| frame.first <= position) {
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
