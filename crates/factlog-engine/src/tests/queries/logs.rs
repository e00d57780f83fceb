//! The logs that are asked: their names, their events, and where these are.

use std::collections::{BTreeSet, HashMap};

use factlog_core::{
    Append, AppendCondition, Event, EventId, EventStore, EventType, Position, Query, ReadOptions,
    RecordedEvent, StreamId, Tags,
};
use tempfile::TempDir;

use super::super::{close, open, read, settle, small};
use super::random::Random;
use crate::fields::Malformed;
use crate::run::Wrong;
use crate::view::Slot;
use crate::{Compression, Engine, Settings};

/// Where a log's events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Tail,
    /// All of them: the tail is empty.
    Sealed,
    Mixed,
    /// So many segments that runs are merged, some of them twice.
    Merged,
    /// Asked between appends, while sealing and merging go on.
    Growing,
    /// Closed; then index files are gone or damaged; opened with other settings.
    Reopened,
    /// Runs are lost and damaged while it is asked.
    Wounded,
    /// Lists over many pages, sealed and not.
    Large,
}

const SHAPES: [Shape; 8] = [
    Shape::Tail,
    Shape::Sealed,
    Shape::Mixed,
    Shape::Merged,
    Shape::Growing,
    Shape::Reopened,
    Shape::Wounded,
    Shape::Mixed,
];

/// The same texts as streams, categories, types and tags, and ends of one another, so that no kind is taken for another.
const STREAMS: [&str; 14] = [
    "order-1",
    "order-2",
    "order-10",
    "order",
    "loan-1",
    "loan-1-x",
    "-odd",
    "order-3",
    "straße-1",
    "loan-2",
    "a:1",
    "$system-1",
    "placed-1",
    "order-1 ",
];
const TYPES: [&str; 12] = [
    "placed",
    "paid",
    "order",
    "placed.again",
    "a:1",
    "größer",
    "shipped",
    "loan",
    "closed",
    "seldom",
    "rare",
    "place",
];
const TAGS: [&str; 16] = [
    "a:1", "a:2", "a:10", "b", "order", "b:1", "c:x", "order-1", "ß", "placed", "a:1 ", "d:7", "d:8", "d:9",
    "rare", "a",
];

/// A log and what is known to be in it.
pub(super) struct Log {
    pub(super) shape: Shape,
    pub(super) engine: Engine,
    pub(super) events: Vec<RecordedEvent>,
    revisions: HashMap<StreamId, u64>,
    /// How many of each list of names it uses.
    names: [usize; 3],
    size: u64,
    seed: u64,
    dir: TempDir,
}

impl Log {
    pub(super) fn new(seed: u64, random: &mut Random) -> Self {
        let shape = if seed < 2 { Shape::Large } else { SHAPES[(seed % 8) as usize] };
        let size = match shape {
            Shape::Large => 20_000,
            Shape::Merged => 190 + random.below(100),
            // An empty log is one too.
            Shape::Tail if seed == 8 => 0,
            Shape::Tail | Shape::Sealed | Shape::Mixed => 1 + random.below(400),
            Shape::Growing | Shape::Reopened | Shape::Wounded => 100 + random.below(300),
        };
        let dir = tempfile::tempdir().expect("a directory");
        let engine = open(dir.path(), settings(shape, size, random));
        let names = [STREAMS.len(), TYPES.len(), TAGS.len()]
            .map(|most| most / 2 + random.below(most as u64 / 2) as usize);
        let (events, revisions) = Default::default();
        Self { shape, engine, events, revisions, names, size, seed, dir }
    }

    /// How often it grows.
    pub(super) fn stages(&self) -> u64 {
        if self.shape == Shape::Growing { 30 } else { 1 }
    }

    /// Appends the events of a stage and brings them where they belong.
    pub(super) fn grow(&mut self, random: &mut Random) {
        let until = self.events.len() as u64 + self.size / self.stages();
        while (self.events.len() as u64) < until {
            let most = match self.shape {
                Shape::Large => 3_000,
                Shape::Merged => 4,
                Shape::Tail | Shape::Sealed | Shape::Mixed => 12,
                Shape::Growing | Shape::Reopened | Shape::Wounded => 12,
            };
            let count = (1 + random.below(most)).min(until - self.events.len() as u64);
            let appended = (0..count).map(|n| self.event(self.events.len() as u64 + n, random)).collect();
            self.append(appended);
        }
        match self.shape {
            Shape::Tail | Shape::Mixed | Shape::Merged | Shape::Wounded => settle(&self.engine),
            Shape::Sealed | Shape::Large => self.seal(),
            Shape::Reopened => self.reopen(random),
            Shape::Growing => {}
        }
        if self.shape == Shape::Large && self.seed == 0 {
            let first = self.events.len() as u64;
            self.append((first..first + 9_000).map(|n| self.event(n, random)).collect());
        }
    }

    fn append(&mut self, events: Vec<Event>) {
        let (first, count) = (self.events.len() as u64, events.len());
        pollster::block_on(self.engine.append(Append::new(events.iter().cloned()))).expect("append");
        let (recorded, error) = read(&self.engine, ReadOptions::default().after(Position::new(first)));
        assert!(error.is_none() && recorded.len() == count, "log {}: {error:?}", self.seed);
        for (event, (recorded, position)) in events.into_iter().zip(recorded.iter().zip(first + 1..)) {
            let revision = event.stream.clone().map(|stream| {
                let next = self.revisions.entry(stream).or_default();
                *next += 1;
                *next - 1
            });
            assert_eq!((recorded.position.get(), &recorded.event), (position, &event), "log {}", self.seed);
            assert_eq!(recorded.revision.map(factlog_core::Revision::get), revision, "log {}", self.seed);
        }
        self.events.extend(recorded);
    }

    fn event(&self, n: u64, random: &mut Random) -> Event {
        let [streams, types, tags] = self.names;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(n + 1).to_be_bytes());
        let data = match random.below(60) {
            // More than a block, and nothing to compress.
            0 if n < 1_000 => (0..random.below(12_000)).map(|_| random.below(256) as u8).collect(),
            size => vec![b'x'; size as usize],
        };
        let event_type = EventType::new(*random.skewed(&TYPES[..types])).expect("a type");
        let count = random.below(5);
        let tags = Tags::new((0..count).map(|_| *random.skewed(&TAGS[..tags]))).expect("tags");
        let event = Event::new(event_type, data).with_id(EventId::from_bytes(id)).tagged(tags);
        match random.below(4) {
            0 => event,
            _ => event.in_stream(StreamId::new(*random.skewed(&STREAMS[..streams])).expect("a stream")),
        }
    }

    /// Seals all there is: an append that is refused comes after what is due.
    fn seal(&self) {
        for _ in 0..2 {
            let refused =
                Append::new([super::event(u64::MAX)]).when(AppendCondition::none_match(Query::All, None));
            pollster::block_on(self.engine.append(refused)).expect_err("the log is not empty");
            settle(&self.engine);
        }
    }

    fn reopen(&mut self, random: &mut Random) {
        settle(&self.engine);
        close(&self.engine);
        let mut paths: Vec<_> = std::fs::read_dir(self.dir.path().join("index"))
            .expect("list")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.sort_unstable();
        for path in paths {
            let length = std::fs::metadata(&path).expect("metadata").len();
            match random.below(4) {
                0 => std::fs::remove_file(path).expect("remove"),
                1 => super::super::flip(&path, random.below(length)),
                _ => {}
            }
        }
        self.engine = open(self.dir.path(), settings(self.shape, self.size, random));
    }

    /// Takes a run away, as recovery finds it when its file is gone, or lets it turn out damaged.
    pub(super) fn wound(&self, random: &mut Random) {
        let shared = self.engine.shared();
        let view = shared.view();
        let Some(slot) = view.slots.get(random.below(view.slots.len().max(1) as u64) as usize) else {
            return;
        };
        let (Some(run), (first, last)) = (&slot.run, (slot.first, slot.last)) else { return };
        if random.once_in(2) {
            let wrong = Wrong::Malformed { offset: 0, what: Malformed("a test says so") };
            shared.wound(run, &wrong).expect("damage is no refusal");
            return;
        }
        shared.change_view(|view| {
            let slot = view.slots.iter().find(|slot| slot.first == first && slot.last == last)?;
            let segments = view.segments_of(slot.first, slot.last).iter();
            let lost = segments.map(|segment| Slot::lost(segment.entry.first, segment.entry.last));
            Some(view.with_slots(first, last, lost))
        });
    }

    /// Positions where something begins or ends.
    pub(super) fn borders(&self) -> BTreeSet<u64> {
        let view = self.engine.shared().view();
        let ends = view.segments.iter().map(|segment| segment.entry.last);
        ends.chain(view.generations.iter().map(|generation| generation.first() - 1)).collect()
    }
}

fn settings(shape: Shape, size: u64, random: &mut Random) -> Settings {
    let segment_events = match shape {
        Shape::Tail => 1_000_000,
        Shape::Sealed => (size / (1 + random.below(12))).max(1),
        Shape::Mixed | Shape::Reopened | Shape::Wounded => 10 + random.below(40),
        Shape::Merged => 1,
        Shape::Growing => 3 + random.below(10),
        Shape::Large => 10_000,
    };
    let tiny = random.once_in(3);
    Settings {
        segment_events,
        compression: *random.pick(&[Compression::Zstd, Compression::None]),
        cache_bytes: if tiny { 0 } else { 1 << 20 },
        index_cache_bytes: if random.once_in(3) { 0 } else { 1 << 20 },
        filter_bytes: if random.once_in(3) { 0 } else { 1 << 20 },
        ..small()
    }
}
