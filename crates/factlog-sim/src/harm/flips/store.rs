//! The store that is harmed: one small sealed segment of many blocks with a dictionary, its run, and a tail of frames
//! with a beacon in its middle and one at its end, in a file that is used again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use factlog_core::{
    Append, Event, EventId, EventType, Position, Query, ReadOptions, RecordedEvent, StreamId, Tags, Tracking,
    TrackingSource,
};
use factlog_engine::Settings;
use fastrand::Rng;

use crate::disk::{Image, SimDisk};
use crate::harm::hand::{DIR, Hand, Ticking};

/// Events in the segment.
pub(super) const SEALED: u64 = 84;
/// Sources that appends name, and one that none does.
pub(super) const SOURCES: [&str; 3] = ["left", "right", "nobody"];

/// A closed store, and all that is known of it.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) image: Image,
    pub(super) settings: Settings,
    /// Everything, in order.
    pub(super) events: Vec<RecordedEvent>,
    /// What each append had: the position of its first event, how many, and what it told of which source.
    pub(super) appends: Vec<(u64, u64, Option<Tracking>)>,
    /// All files by their names in the store, as they are.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// The same as they were a little earlier: before the last life, and write-ahead files when they got their names.
    pub(super) former: BTreeMap<String, Vec<u8>>,
}

/// A store in the making.
struct Making {
    rng: Rng,
    disk: SimDisk,
    /// Long texts that many events share, so that a dictionary pays.
    forms: Vec<String>,
    appends: Vec<(u64, u64, Option<Tracking>)>,
    events: u64,
    former: BTreeMap<String, Vec<u8>>,
}

impl Store {
    /// Makes one, whose texts are drawn from the seed.
    pub(super) fn new(seed: u64) -> Result<Self, String> {
        let mut rng = Rng::with_seed(seed ^ 0xF117);
        let forms = (0..5).map(|_| (0..1_400).map(|_| rng.alphanumeric()).collect()).collect();
        let disk = SimDisk::new(seed);
        let (appends, events, former) = (Vec::new(), 0, BTreeMap::new());
        let mut making = Making { rng, disk, forms, appends, events, former };
        making.live().map_err(|error| format!("the store cannot be made: {error}"))
    }

    /// The tracking of a source: what the last append said of it.
    pub(super) fn tracking(&self, source: &str) -> Option<Position> {
        let of_source = self.appends.iter().rev().filter_map(|(_, _, tracking)| tracking.as_ref());
        of_source
            .filter(|tracking| tracking.source.as_str() == source)
            .map(|tracking| tracking.position)
            .next()
    }
}

fn settings() -> Settings {
    Settings {
        wal_file_bytes: 64 << 10,
        vouch_after: Duration::ZERO,
        cache_bytes: 1 << 20,
        index_cache_bytes: 1 << 20,
        filter_bytes: 1 << 20,
        ..Settings::default()
    }
}

impl Making {
    /// Three lives: one whose events are sealed, and two with the tail.
    fn live(&mut self) -> factlog_core::Result<Store> {
        let (clock, settings) = (Ticking::new(), settings());
        let first_life = Settings { segment_events: SEALED, ..settings.clone() };
        let mut hand = Hand::open(&self.disk, &first_life, &clock)?;
        while self.events < SEALED {
            self.append(&mut hand, 4)?;
        }
        self.append(&mut hand, 1)?;
        hand.settle();
        hand.close()?;
        for life in 0..2 {
            let mut hand = Hand::open(&self.disk, &settings, &clock)?;
            for n in 0..7 {
                self.append(&mut hand, [1, 3, 1, 2, 6][(n + life) % 5])?;
            }
            if life == 0 {
                hand.close()?;
                self.look(true);
            } else {
                hand.close()?;
            }
        }
        let image = self.disk.image();
        let hand = Hand::open(&image.disk(0), &settings, &Ticking::new())?;
        let (events, error) = hand.read(Query::All, ReadOptions::default());
        error.map_or(Ok(()), Err)?;
        let files = named(image.disk(0).files());
        let (appends, former) = (self.appends.clone(), self.former.clone());
        Ok(Store { image, settings, events, appends, files, former })
    }

    fn append(&mut self, hand: &mut Hand, count: u64) -> factlog_core::Result<()> {
        let first = self.events + 1;
        let events: Vec<_> = (0..count).map(|_| self.event()).collect();
        let mut append = Append::new(events);
        let tracking = (self.rng.u32(..3) == 0).then(|| Tracking {
            source: TrackingSource::new(SOURCES[self.rng.usize(..2)]).expect("a short name"),
            position: Position::new(first).expect("not 0"),
        });
        if let Some(tracking) = &tracking {
            append = append.tracking(tracking.clone());
        }
        self.appends.push((first, count, tracking));
        hand.append(append).map_err(|error| factlog_core::Error::unavailable(error.to_string()))?;
        self.look(false);
        Ok(())
    }

    /// Remembers files that are new, or with `anew` all but those of the write-ahead log as they are now.
    fn look(&mut self, anew: bool) {
        for (name, bytes) in named(self.disk.files()) {
            if anew && !name.starts_with("wal/") {
                self.former.insert(name, bytes);
            } else {
                self.former.entry(name).or_insert(bytes);
            }
        }
    }

    fn event(&mut self) -> Event {
        self.events += 1;
        let n = self.events;
        let form = &self.forms[self.rng.usize(..self.forms.len())];
        let data = format!(r#"{{"n":{n},"form":"{form}","token":"{:x}"}}"#, self.rng.u64(..));
        let mut event = Event::new(event_type(n), data).with_id(event_id(n));
        event =
            event.tagged(Tags::new((0..n % 4).map(|tag| format!("tag:{}", (tag + n) % 6))).expect("tags"));
        if n % 5 == 2 {
            event = event.with_metadata(r#"{"user":"ada"}"#);
        }
        if n % 4 == 3 { event } else { event.in_stream(stream(n % 6)) }
    }
}

pub(super) fn event_id(n: u64) -> EventId {
    EventId::from_bytes((u128::from(n) << 70 | 0x5eed).to_be_bytes())
}

pub(super) fn event_type(n: u64) -> EventType {
    EventType::new(format!("type.{}", n % 3)).expect("a short name")
}

pub(super) fn stream(n: u64) -> StreamId {
    StreamId::new(format!("{}-{n}", ["order", "account"][(n % 2) as usize])).expect("a short name")
}

/// Files by their names in the store.
pub(super) fn named(files: BTreeMap<PathBuf, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let name = |path: PathBuf| {
        let name = path.strip_prefix(Path::new(DIR)).unwrap_or(&path);
        name.display().to_string()
    };
    files.into_iter().map(|(path, bytes)| (name(path), bytes)).collect()
}
