//! Every promise of the contract on the engine, closed and reopened in the middle of each scenario.

use std::sync::Arc;

use factlog_core::conformance::{ManualClock, Subject, block_on};
use factlog_core::{Append, BoxFuture, Event, EventStore, EventType, Timestamp};
use factlog_engine::{Engine, Settings};
use parking_lot::Mutex;
use tempfile::TempDir;

struct OnDisk {
    dir: TempDir,
    settings: Settings,
    clock: Arc<ManualClock>,
    engine: Mutex<Option<Engine>>,
}

impl OnDisk {
    fn new(settings: Settings) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let clock = Arc::new(ManualClock::default());
        let subject = Self { dir, settings, clock, engine: Mutex::default() };
        subject.open();
        subject
    }

    fn open(&self) {
        let engine =
            Engine::open_with(self.dir.path(), self.settings.clone(), self.clock.clone()).expect("open");
        *self.engine.lock() = Some(engine);
    }
}

impl Subject for OnDisk {
    fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.engine.lock().clone().expect("an open store"))
    }

    fn restart(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let engine = self.engine.lock().take().expect("an open store");
            engine.close().await.expect("close");
            drop(engine);
            self.open();
        })
    }

    fn set_time(&self, time: Timestamp) {
        self.clock.set(time);
    }
}

/// Little write-ahead space, so that files are rolled and recycled, but the usual sealing.
fn quiet() -> Settings {
    Settings { wal_file_bytes: 1 << 20, wal_bytes: 64 << 20, ..Settings::default() }
}

mod in_the_tail {
    factlog_core::conformance_tests!(|| super::OnDisk::new(super::quiet()));
}

mod sealed_every_hundred_events {
    use factlog_engine::Settings;
    factlog_core::conformance_tests!(|| super::OnDisk::new(Settings {
        segment_events: 100,
        ..super::quiet()
    }));
}

/// Every append is sealed by the next, runs are merged all the time, and nothing is kept in memory.
fn restless() -> Settings {
    Settings { segment_events: 1, cache_bytes: 0, index_cache_bytes: 0, filter_bytes: 0, ..quiet() }
}

mod sealed_and_merged_all_the_time {
    factlog_core::conformance_tests!(|| super::OnDisk::new(super::restless()));
}

/// Would fail if the settings above no longer led to what they are there for.
#[test]
fn restless_settings_merge() {
    let subject = OnDisk::new(restless());
    let has_merged = || {
        let names = std::fs::read_dir(subject.dir.path().join("index")).expect("list");
        names.flatten().any(|name| name.file_name().to_string_lossy().starts_with("1-"))
    };
    for _ in 0..10_000 {
        let event = Event::new(EventType::new("tick").expect("a type"), "");
        block_on(subject.store().append(Append::new([event]))).expect("append");
        if has_merged() {
            return;
        }
    }
    panic!("nothing is merged");
}
