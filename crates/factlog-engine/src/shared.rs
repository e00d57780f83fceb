//! What the writer, the background threads and the readers share: the view, the published head, caches.
//!
//! * `head` is stored after the group is durable and in the view's last generation; nobody shows anything above it.
//! * Readers load the view and take no lock. The view is replaced as a whole, one change at a time.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use event_listener::Event as Wake;
use factlog_core::{Error, Position, Result, TrackingSource};
use parking_lot::Mutex;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::damage::Damage;
use crate::indexer::Background;
use crate::queue::Queue;
use crate::records::Records;
use crate::run::Pages;
use crate::segment::{Segment, SegmentCache, Wrong};
use crate::settings::Settings;
use crate::state::{Life, closed};
use crate::storage::{Disk, DiskFile, WriteCounters};
use crate::view::View;

/// Segments' files kept open. Many systems allow a process 1,024.
const OPEN_FILES: usize = 128;

/// Pages of segments' tables kept in memory, of 4 KiB: each leads to about 250 blocks.
const TABLE_PAGES: usize = 2048;
/// Segments' dictionaries kept ready, of about 45 KiB, if they differ.
const DICTIONARIES: usize = 64;
/// Segments' footers kept, of about 1 KiB.
const FOOTERS: usize = 1024;

/// The state of one open store.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Uuid,
    pub(crate) settings: Settings,
    pub(crate) queue: Queue,
    view: ArcSwap<View>,
    /// Held while the view is being replaced.
    changing: Mutex<()>,
    /// Durable tracking. Nobody sees it without its events, or the other way round: the head is published under it.
    pub(crate) tracking: Mutex<HashMap<TrackingSource, Position>>,
    pub(crate) committed: Wake,
    /// Found when the store was opened; with any, nothing is appended.
    pub(crate) damage: Vec<Damage>,
    /// Damage that takes nothing away: found in what can be rebuilt, when the store was opened or later.
    notes: Mutex<Vec<Damage>>,
    head: AtomicU64,
    /// Whether a generation is being sealed, or what its sealing freed is still being sorted.
    pub(crate) sealing: AtomicBool,
    pub(crate) life: Life,
    pub(crate) background: Background,
    /// How durable writes have gone.
    pub(crate) writes: Arc<WriteCounters>,
    cache: Cache<(u64, u64), Arc<Records>, Weigh>,
    /// Pages of index runs.
    pub(crate) pages: Arc<Pages>,
    /// What is needed to find blocks in segments.
    tables: SegmentCache,
    /// Segments' files that are open, by first position.
    files: Cache<u64, OpenFile>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
}

/// What recovery found.
pub(crate) struct Opened {
    pub(crate) store: Uuid,
    pub(crate) view: View,
    pub(crate) head: u64,
    pub(crate) tracking: HashMap<TrackingSource, Position>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) notes: Vec<Damage>,
    pub(crate) pages: Arc<Pages>,
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
        let Opened { store, view, head, tracking, damage, notes, pages } = opened;
        let blocks = usize::try_from(settings.cache_bytes / 16_384).unwrap_or(1).max(16);
        Self {
            store,
            queue: Queue::new(settings.queue_appends, settings.queue_bytes),
            head: AtomicU64::new(head),
            sealing: AtomicBool::new(false),
            view: ArcSwap::from_pointee(view),
            changing: Mutex::new(()),
            tracking: Mutex::new(tracking),
            committed: Wake::new(),
            damage,
            notes: Mutex::new(notes),
            life: Life::new(lock),
            background: Background::default(),
            writes: Arc::default(),
            cache: Cache::with_weighter(blocks, settings.cache_bytes, Weigh),
            pages,
            tables: SegmentCache::new(TABLE_PAGES, DICTIONARIES, FOOTERS),
            files: Cache::new(OPEN_FILES),
            disk,
            dir,
            settings,
        }
    }

    /// The view as it is. Taken after a head, it covers that head.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Replaces the view, unless the change has nothing to do.
    pub(crate) fn change_view(&self, change: impl FnOnce(&View) -> Option<View>) {
        let _changing = self.changing.lock();
        if let Some(next) = change(&self.view.load()) {
            self.view.store(Arc::new(next));
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

    /// Remembers damage that takes nothing away.
    pub(crate) fn note(&self, damage: Damage) {
        let mut notes = self.notes.lock();
        if !notes.contains(&damage) {
            notes.push(damage);
        }
    }

    /// Every damaged place that is known.
    pub(crate) fn all_damage(&self) -> Vec<Damage> {
        self.damage.iter().chain(self.notes.lock().iter()).cloned().collect()
    }

    /// The records around a position. With `keep`, a block that had to be read stays in the cache.
    pub(crate) fn records(&self, position: u64, keep: bool) -> Result<Arc<Records>> {
        let view = self.view.load();
        if let Some(generation) = view.generation_of(position) {
            return generation.records(position).ok_or_else(|| self.unreadable(position));
        }
        let Some(segment) = view.segment_of(position) else { return Err(self.unreadable(position)) };
        drop(view);
        if self.lost(position).is_some() {
            return Err(self.unreadable(position));
        }
        let file = self.file(&segment);
        let damaged = |wrong: Wrong| wrong.into_error(&segment.path());
        let entry = segment.block_of(&file, &self.tables, position).map_err(damaged)?;
        let key = (segment.entry.first, entry.offset);
        if let Some(records) = self.cache.get(&key) {
            return Ok(records);
        }
        let records = segment.read(&file, &self.tables, &entry).map_err(damaged)?;
        if keep {
            self.cache.insert(key, records.clone());
        }
        Ok(records)
    }

    /// The records of a segment's last block that begins at or before a time.
    pub(crate) fn records_at(&self, segment: &Segment, time: i64) -> Result<Arc<Records>> {
        let file = self.file(segment);
        let block = segment.block_at_time(&file, &self.tables, time);
        let block = block.map_err(|wrong| wrong.into_error(&segment.path()))?;
        self.records(block.map_or(segment.entry.first, |block| block.first), true)
    }

    /// The file of a segment, which is opened when something is read from it: most of what is asked is in a cache.
    pub(crate) fn file(&self, segment: &Segment) -> SegmentFile<'_> {
        SegmentFile { shared: self, segment: *segment, open: OnceLock::new() }
    }

    fn open_file(&self, segment: &Segment) -> io::Result<OpenFile> {
        if let Some(file) = self.files.get(&segment.entry.first) {
            return Ok(file);
        }
        let file = Arc::new(self.disk.open(&self.dir.join(segment.path()))?);
        self.files.insert(segment.entry.first, file.clone());
        Ok(file)
    }
}

type OpenFile = Arc<Box<dyn DiskFile>>;

/// A segment's file that may not be open yet.
#[derive(Debug)]
pub(crate) struct SegmentFile<'a> {
    shared: &'a Shared,
    segment: Segment,
    open: OnceLock<OpenFile>,
}

impl SegmentFile<'_> {
    fn open(&self) -> io::Result<&OpenFile> {
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let open = self.shared.open_file(&self.segment)?;
        Ok(self.open.get_or_init(|| open))
    }
}

/// Only what readers need.
impl DiskFile for SegmentFile<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.open()?.read_at(buffer, offset)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn write_durably(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        self.open()?.length()
    }
}
