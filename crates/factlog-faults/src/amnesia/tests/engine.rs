//! What the engine asks of a file system must be there: a run on a mount that refuses half of it would show nothing.

use factlog_core::{Append, Event, EventStore, EventType, Query, ReadOptions};
use factlog_engine::{Engine, JournalMode, Settings};

use crate::amnesia::{Amnesia, Call, Loss};

fn append(number: u32) -> Append {
    let event_type = EventType::new("thing.happened").unwrap();
    Append::new([Event::new(event_type, format!("{{\"n\":{number}}}"))])
}

#[test]
fn an_engine_that_loses_its_power_has_all_it_acknowledged_in_every_journal_mode() {
    for mode in [JournalMode::Uring, JournalMode::Threads, JournalMode::Plain] {
        let directory = tempfile::tempdir().unwrap();
        let disk = Amnesia::mount(directory.path(), 3).expect("FUSE file systems can be mounted here");
        let store = disk.path().join("store");
        let settings = || Settings { journal: mode, ..Settings::default() };
        let settings =
            || Settings { wal_file_bytes: 1 << 20, wal_bytes: 4 << 20, segment_events: 30, ..settings() };
        for life in 0..3_u64 {
            let engine = Engine::open(&store, settings()).unwrap();
            for number in 0..100 {
                pollster::block_on(engine.append(append(number))).unwrap();
            }
            disk.cut(Loss::All);
            drop(engine);
            disk.power_on();
            let engine = Engine::open(&store, settings()).unwrap();
            let read = pollster::block_on(engine.read(Query::All, ReadOptions::default()).collect()).unwrap();
            assert_eq!(read.events.len() as u64, 100 * (life + 1), "{mode:?}");
            pollster::block_on(engine.close()).unwrap();
        }
        let calls = disk.calls();
        assert!(300 <= calls[&Call::WriteDurably], "durable writes are seen as such: {calls:?}");
        disk.unmount().unwrap();
    }
}
