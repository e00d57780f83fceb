//! The log that is cut: more than a MiB of frames of all sizes in several recycled files, behind a sealed segment.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use factlog_core::{
    Append, Event, EventId, EventType, Position, Query, ReadOptions, RecordedEvent, StreamId, Tags, Tracking,
    TrackingSource,
};
use factlog_engine::Settings;
use fastrand::Rng;

use super::frames::{ALIGNMENT, WalFile};
use crate::disk::{Image, SimDisk};
use crate::harm::hand::{DIR, Hand, Ticking};

/// Bytes of a write-ahead file: the last MiB of the log lies in several.
const FILE_BYTES: usize = 320 << 10;
/// Groups of the first life, whose files are used again.
const SEALED: u64 = 480;
/// Every append names the source it comes from now and then.
pub(super) const SOURCE: &str = "upstream";

/// A closed store with a long tail.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) image: Image,
    pub(super) settings: Settings,
    /// Everything, in order.
    pub(super) events: Vec<RecordedEvent>,
    /// The last position in the sealed segment.
    pub(super) sealed: u64,
    /// The write-ahead files with the tail in them, in order.
    pub(super) files: Vec<WalFile>,
    /// By the last position of the append that brought it.
    pub(super) tracking: BTreeMap<u64, Position>,
}

/// A log in the making.
struct Making {
    rng: Rng,
    disk: SimDisk,
    events: Vec<Event>,
    tracking: BTreeMap<u64, Position>,
    /// What each write-ahead file held when it got its name.
    former: BTreeMap<String, Vec<u8>>,
    /// Bytes of frames so far.
    used: usize,
}

impl Log {
    /// Makes one whose last `bytes` are to be cut; sizes and bytes are drawn from the seed.
    pub(super) fn new(seed: u64, bytes: usize) -> Result<Self, String> {
        let mut making = Making {
            rng: Rng::with_seed(seed ^ 0xC07),
            disk: SimDisk::new(seed),
            events: Vec::new(),
            tracking: BTreeMap::new(),
            former: BTreeMap::new(),
            used: 0,
        };
        let (clock, settings) = (Ticking::new(), settings());
        let first_life = Settings { segment_events: SEALED, ..settings.clone() };
        let told = |error: factlog_core::Error| format!("the log cannot be made: {error}");
        let mut hand = Hand::open(&making.disk, &first_life, &clock).map_err(told)?;
        for _ in 0..=SEALED {
            making.single(&mut hand, 40)?;
        }
        hand.settle();
        hand.close().map_err(told)?;
        let mut left = bytes;
        while 0 < left {
            // Each life but a killed one ends with a beacon, and each has a later epoch.
            let mut hand = Hand::open(&making.disk, &settings, &clock).map_err(told)?;
            let before = making.used;
            while making.used - before < left.min(bytes.div_ceil(3)) {
                making.some(&mut hand)?;
            }
            left = left.saturating_sub(making.used - before);
            if left != 0 && making.rng.bool() {
                drop(hand);
                making.disk.kill();
            } else {
                hand.close().map_err(told)?;
            }
        }
        making.finish(&settings).map_err(told)
    }

    /// What is known of the source with these events in the log.
    pub(super) fn tracking_at(&self, head: u64) -> Option<Position> {
        self.tracking.range(..=head).next_back().map(|(_, position)| *position)
    }
}

fn settings() -> Settings {
    Settings {
        wal_file_bytes: FILE_BYTES,
        vouch_after: Duration::ZERO,
        cache_bytes: 1 << 20,
        index_cache_bytes: 1 << 20,
        filter_bytes: 1 << 20,
        ..Settings::default()
    }
}

impl Making {
    /// An append or several, of a kind that chance decides.
    fn some(&mut self, hand: &mut Hand) -> Result<(), String> {
        match self.rng.u32(..64) {
            0..36 => self.single(hand, 600),
            36..44 => self.batch(hand, 3, 200),
            44..48 => self.batch(hand, 40, 300),
            48..54 => self.single(hand, 9_000),
            54..60 => self.together(hand),
            60..62 => self.batch(hand, 12, 4_000),
            // Large ones, and now and then one that is larger than a file.
            _ if self.rng.u32(..4) != 0 => self.batch(hand, 2, 60_000),
            _ => self.batch(hand, 1, FILE_BYTES + 10_000),
        }
    }

    fn single(&mut self, hand: &mut Hand, bytes: usize) -> Result<(), String> {
        let bytes = self.rng.usize(..bytes);
        self.batch(hand, 1, bytes)
    }

    fn batch(&mut self, hand: &mut Hand, count: usize, bytes: usize) -> Result<(), String> {
        let append = self.append(count, bytes);
        let appended = hand.append(append).map_err(|error| format!("the log cannot be made: {error}"))?;
        if appended.last.get() != self.events.len() as u64 {
            return Err(format!("event {} came to {}", self.events.len(), appended.last));
        }
        self.look();
        Ok(())
    }

    /// Groups under way at once.
    fn together(&mut self, hand: &mut Hand) -> Result<(), String> {
        let appends = (0..self.rng.usize(2..7)).map(|_| self.append(2, 700)).collect();
        hand.append_together(appends).map_err(|error| format!("the log cannot be made: {error}"))?;
        self.look();
        Ok(())
    }

    fn append(&mut self, count: usize, bytes: usize) -> Append {
        let events: Vec<_> = (0..count).map(|_| self.event(bytes)).collect();
        let records: usize = events.iter().map(|event| event.size() + 80).sum();
        self.used += (records + 96).next_multiple_of(ALIGNMENT);
        let mut append = Append::new(events);
        if self.rng.u32(..6) == 0 {
            let position = Position::new(self.events.len() as u64).expect("there are events");
            let source = TrackingSource::new(SOURCE).expect("a short name");
            append = append.tracking(Tracking { source, position });
            self.tracking.insert(position.get(), position);
        }
        append
    }

    /// Half of its bytes are random, so that nothing that is cut off passes for what should be there.
    fn event(&mut self, bytes: usize) -> Event {
        let n = self.events.len() as u64 + 1;
        let mut data = vec![b'x'; bytes];
        self.rng.fill(&mut data[..bytes.div_ceil(2)]);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        let name = EventType::new(format!("type.{}", n % 3)).expect("a short name");
        let tags = Tags::new((0..n % 3).map(|tag| format!("tag:{tag}"))).expect("short tags");
        let mut event = Event::new(name, data).with_id(EventId::from_bytes(id)).tagged(tags);
        if n % 4 != 3 {
            event = event.in_stream(StreamId::new(format!("order-{}", n % 7)).expect("a short name"));
        }
        self.events.push(event.clone());
        event
    }

    /// Notes what a write-ahead file holds that is new: what its former life left there.
    fn look(&mut self) {
        for (path, bytes) in self.disk.files() {
            let Ok(name) = path.strip_prefix(Path::new(DIR).join("wal")) else { continue };
            let name = format!("wal/{}", name.display());
            self.former.entry(name).or_insert(bytes);
        }
    }

    fn finish(self, settings: &Settings) -> factlog_core::Result<Log> {
        let image = self.disk.image();
        let hand = Hand::open(&self.disk, settings, &Ticking::new())?;
        let (events, error) = hand.read(Query::All, ReadOptions::default());
        if let Some(error) = error {
            return Err(error);
        }
        assert!(
            events.iter().map(|recorded| &recorded.event).eq(&self.events),
            "the log has what was appended"
        );
        let mut files = Vec::new();
        for (path, bytes) in image.disk(0).files() {
            let Ok(name) = path.strip_prefix(Path::new(DIR).join("wal")) else { continue };
            let name = name.display().to_string();
            let former = self.former.get(&format!("wal/{name}")).cloned().unwrap_or_default();
            let file = WalFile::new(name.parse().expect("a number"), bytes, former, SEALED + 1);
            files.extend(Some(file).filter(|file| !file.frames.is_empty()));
        }
        Ok(Log { image, settings: settings.clone(), sealed: SEALED, events, files, tracking: self.tracking })
    }
}
