//! Tests that need the engine's inside: formats byte by byte, recovery, damage, failing disks.

mod admin;
mod beacons;
mod counters;
mod crash;
mod cut_off;
mod damage;
mod faults;
mod files;
mod formats;
mod golden;
mod lives;
mod manifest;
mod mending;
mod pipeline;
mod pipelines;
mod queries;
mod queue;
mod sealed;
mod steps;
mod windows;
mod wounds;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use factlog_core::{
    Append, Clock, ContentType, Event, EventId, EventStore, EventType, Query, ReadOptions, RecordedEvent,
    StreamId, Tags, Timestamp,
};

use crate::recovery::{self, Recovered};
use crate::run::Pages;
use crate::storage::LocalDisk;
use crate::view::Slot;
use crate::{Engine, Extent, Report, Settings, verify};

/// A clock that advances by a millisecond at each look: the same in every run.
#[derive(Debug, Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000 + self.0.fetch_add(1_000, Ordering::Relaxed))
    }
}

/// Small files, so that a test sees rolling and sealing with few events.
fn small() -> Settings {
    Settings { wal_file_bytes: 64 << 10, wal_bytes: 64 << 20, ..Settings::default() }
}

fn open(dir: &Path, settings: Settings) -> Engine {
    Engine::open_with(dir, settings, Arc::new(Ticking::default())).expect("open")
}

/// The n-th event: every field is used by some n.
fn event(n: u64) -> Event {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    let data = format!(r#"{{"n":{n},"pad":"{}"}}"#, "x".repeat((n % 7 * 40) as usize));
    let mut event =
        Event::new(EventType::new(["order.placed", "order.paid"][(n % 2) as usize]).expect("type"), data)
            .with_id(EventId::from_bytes(id))
            .tagged(Tags::new((0..n % 3).map(|tag| format!("tag:{}", tag + n % 5))).expect("tags"));
    if n % 4 != 3 {
        event = event.in_stream(StreamId::new(format!("order-{}", n % 6)).expect("stream"));
    }
    if n % 5 == 4 {
        event = event.with_metadata(r#"{"user":"ada"}"#).with_content_type(ContentType::BYTES);
    }
    event
}

/// The n-th append, with 1 to 4 events whose numbers begin at `first`.
fn append(n: u64, first: u64) -> Append {
    Append::new((first..=first + n % 4).map(event))
}

/// Appends `count` appends one by one, each in a group of its own; returns the number of events.
fn fill(engine: &Engine, count: u64) -> u64 {
    let mut next = 1;
    for n in 0..count {
        let appended = pollster::block_on(engine.append(append(n, next))).expect("append");
        assert_eq!(appended.first.get(), next);
        next = appended.last.get() + 1;
    }
    next - 1
}

/// All events that a read delivers, and how it ended.
fn read(engine: &Engine, options: ReadOptions) -> (Vec<RecordedEvent>, Option<factlog_core::Error>) {
    pollster::block_on(async {
        let mut events = Vec::new();
        let mut stream = engine.read(Query::All, options);
        while let Some(next) = stream.next().await {
            match next {
                Ok(event) => events.push(event),
                Err(error) => return (events, Some(error)),
            }
        }
        (events, None)
    })
}

fn close(engine: &Engine) {
    pollster::block_on(engine.close()).expect("close");
}

/// What recovery makes of a closed store.
fn try_load(dir: &Path) -> factlog_core::Result<Recovered> {
    recovery::load(&LocalDisk, dir, &Arc::new(Pages::new(1 << 20, 0)), &mut |_| {})
}

fn load(dir: &Path) -> Recovered {
    try_load(dir).expect("load")
}

/// What a verification of a closed store reports.
fn verify_all(dir: &Path) -> Report {
    verify(dir, Extent::Full, &mut |_| {}).expect("verify")
}

/// Flips one bit of a file.
fn flip(path: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("open");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("read");
    file.write_all_at(&[byte[0] ^ (1 << (offset % 8))], offset).expect("write");
}

/// Runs a check with one bit of a file flipped.
fn with_flip<T>(path: &Path, offset: u64, check: impl FnOnce() -> T) -> T {
    flip(path, offset);
    let result = check();
    flip(path, offset);
    result
}

/// Every file of a store with its content.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let folders = ["", "wal", "segments", "index"].map(|name| dir.join(name));
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("list"));
    let paths = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    paths.map(|path| (path.clone(), std::fs::read(&path).expect("read"))).collect()
}

/// Copies a closed store.
fn copy(from: &Path, to: &Path) {
    for name in ["wal", "segments", "index"] {
        std::fs::create_dir_all(to.join(name)).expect("create");
    }
    for (path, content) in files(from) {
        std::fs::write(to.join(path.strip_prefix(from).expect("inside")), content).expect("write");
    }
}

/// Waits until what is due is sealed, and the index is whole and merged as far as it goes.
fn settle(engine: &Engine) {
    for _ in 0..60_000 {
        let view = engine.shared().view();
        let levels: Vec<_> =
            view.slots.iter().map(|slot| slot.run.as_ref().map(|run| run.name().level)).collect();
        let due = levels
            .windows(8)
            .any(|levels| levels[0] < Some(3) && levels.iter().all(|level| *level == levels[0]));
        let sealing = engine.shared().sealing.load(Ordering::Acquire);
        if !sealing && view.generations.len() == 1 && !due && view.slots.iter().all(Slot::is_whole) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the background does not come to rest: {:?}", engine.shared().view());
}

/// Does all jobs, several at a time.
fn do_all<T: Sync>(jobs: &[T], job: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    job(one);
                }
            });
        }
    });
}
