//! Failing disks: a failed write poisons, nothing is acknowledged after it, and reopening finds all that was.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{AppendError, ErrorKind, EventStore, Query, ReadOptions, StartFrom, SystemClock};

use super::{append, close, event, fill, open, read, settle, small};
use crate::storage::faulty::{Faults, FaultyDisk};
use crate::{Engine, Settings};

/// On a machine with much to do a beacon would be due between two appends, and its failing would be nobody's doubt.
fn busy() -> Settings {
    let vouch_after = Duration::from_secs(3600);
    Settings { segment_events: 12, wal_bytes: 128 << 10, vouch_after, ..small() }
}

/// Runs twenty appends; returns the numbers of events acknowledged and whether one ended in doubt.
fn run(dir: &Path, faults: &Arc<Faults>) -> (u64, bool) {
    let disk = Arc::new(FaultyDisk(faults.clone()));
    let Ok(engine) = Engine::open_on(disk, dir, busy(), Arc::new(SystemClock)) else { return (0, false) };
    let (mut acknowledged, mut in_doubt) = (0, false);
    for n in 0..20 {
        match pollster::block_on(engine.append(append(n, acknowledged + 1))) {
            Ok(appended) => {
                assert!(!in_doubt, "nothing is acknowledged after a write that failed");
                assert_eq!(appended.first.get(), acknowledged + 1);
                acknowledged = appended.last.get();
            }
            Err(AppendError::Failed(error)) if error.kind() == ErrorKind::Indeterminate => in_doubt = true,
            Err(AppendError::Failed(error)) if error.kind() == ErrorKind::Closed => assert!(in_doubt),
            Err(AppendError::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Unavailable),
            Err(AppendError::Conflict(conflict)) => panic!("{conflict}"),
        }
    }
    if in_doubt {
        let (events, error) = read(&engine, ReadOptions::default());
        assert!(
            error.is_none() && events.len() as u64 == acknowledged,
            "reads go on, and show what is durable"
        );
    }
    (acknowledged, in_doubt)
}

/// Every call that changes files fails once, or from then on; then the machine is as good as new.
fn every_call_fails(once: bool, after_the_write: bool) {
    let faults = Arc::new(Faults::default());
    faults.set_after_the_write(after_the_write);
    let mut call = 0;
    let mut doubts = 0;
    loop {
        call += 1;
        let dir = tempfile::tempdir().expect("a directory");
        faults.fail_at(call, once);
        let (acknowledged, in_doubt) = run(dir.path(), &faults);
        doubts += u64::from(in_doubt);
        let calls = faults.calls();
        faults.fail_at(0, once);
        let engine = open(dir.path(), busy());
        let (events, error) = read(&engine, ReadOptions::default());
        assert!(error.is_none(), "call {call}: {error:?}");
        // A segment may have been left without its index run, which is built again.
        assert_eq!(engine.shared().damage, vec![], "call {call}");
        assert!(acknowledged <= events.len() as u64, "call {call}: {acknowledged} were acknowledged");
        assert!(
            events.len() as u64 <= acknowledged + 4,
            "call {call}: at most the append in doubt came on top"
        );
        assert!(events.iter().zip(1..).all(|(recorded, n)| recorded.event == event(n)), "call {call}");
        // Files are rolled and used again: what the crash left behind must not get in the way.
        let mut next = events.len() as u64 + 1;
        for n in 0..20 {
            let appended = pollster::block_on(engine.append(append(n, next))).expect("the store works again");
            next = appended.last.get() + 1;
        }
        settle(&engine);
        drop(engine);
        let engine = open(dir.path(), busy());
        let (events, error) = read(&engine, ReadOptions::default());
        assert_eq!(
            (engine.damage(), error.is_none(), events.len() as u64),
            (vec![], true, next - 1),
            "call {call}"
        );
        if calls < call {
            break;
        }
    }
    assert!(60 < call, "the run makes many calls: {call}");
    // How many depends on how the sealer's calls fall between the writer's.
    assert!(8 < doubts, "some of them were writes of groups: {doubts}");
}

#[test]
fn a_call_that_fails_once_loses_nothing_acknowledged() {
    every_call_fails(true, false);
}

#[test]
fn a_disk_that_dies_loses_nothing_acknowledged() {
    every_call_fails(false, false);
}

#[test]
fn a_write_that_fails_but_is_seen_all_the_same_loses_nothing() {
    every_call_fails(true, true);
}

#[test]
fn a_group_that_was_in_doubt_is_written_again_before_anything_builds_on_it() {
    // After a failed write the group may be in the system's cache only, where it reads as whole.
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path(), small()));
    let faults = Arc::new(Faults::default());
    let disk = Arc::new(FaultyDisk(faults.clone()));
    let engine = Engine::open_on(disk.clone(), dir.path(), small(), Arc::new(SystemClock)).expect("open");
    fill(&engine, 3);
    drop(engine);
    let before = faults.durable_writes();
    let engine = Engine::open_on(disk, dir.path(), small(), Arc::new(SystemClock)).expect("open");
    assert_eq!(faults.durable_writes(), before + 1);
    drop(engine);
}

#[test]
fn a_poisoned_store_closes_with_its_reason_and_can_be_opened_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let faults = Arc::new(Faults::default());
    let disk = Arc::new(FaultyDisk(faults.clone()));
    let engine = Engine::open_on(disk, dir.path(), small(), Arc::new(SystemClock)).expect("open");
    let events = fill(&engine, 2);
    let mut following = engine.subscribe(Query::All, StartFrom::End);
    faults.fail_at(1, false);
    let error = pollster::block_on(engine.append(append(1, events + 1))).expect_err("in doubt");
    assert_eq!(error.failed().expect("an error").kind(), ErrorKind::Indeterminate);
    let closed = pollster::block_on(engine.close()).expect_err("it says what happened");
    assert_eq!(closed.kind(), ErrorKind::Closed);
    let ended = pollster::block_on(async {
        loop {
            if let Some(Err(error)) = following.next().await {
                return error;
            }
        }
    });
    assert_eq!(ended.kind(), ErrorKind::Closed, "a subscription ends with a reason");
    let again = open(dir.path(), small());
    assert!(events <= read(&again, ReadOptions::default()).0.len() as u64);
    drop(engine);
}

#[test]
fn a_clock_that_panics_hangs_nobody() {
    #[derive(Debug)]
    struct Broken;
    impl factlog_core::Clock for Broken {
        fn now(&self) -> factlog_core::Timestamp {
            assert!(
                std::thread::current().name().is_none_or(|name| name != "factlog-writer"),
                "no time today"
            );
            factlog_core::Timestamp::default()
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::open_with(dir.path(), small(), Arc::new(Broken)).expect("open");
    for _ in 0..2 {
        pollster::block_on(engine.append(append(0, 1))).expect_err("an error and no waiting for ever");
    }
    pollster::block_on(engine.close()).expect_err("it says what happened");
}

#[test]
fn a_full_disk_refuses_appends_before_anything_is_written_and_goes_on_when_there_is_space() {
    let dir = tempfile::tempdir().expect("a directory");
    let faults = Arc::new(Faults::default());
    let disk = Arc::new(FaultyDisk(faults.clone()));
    let engine = Engine::open_on(disk, dir.path(), busy(), Arc::new(SystemClock)).expect("open");
    let mut events = fill(&engine, 3);
    faults.set_full(true);
    let mut refused = 0;
    for n in 0..100 {
        match pollster::block_on(engine.append(append(n, events + 1))) {
            Ok(appended) => events = appended.last.get(),
            Err(AppendError::Failed(error)) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable);
                assert!(error.to_string().contains("free some space"), "{error}");
                refused += 1;
            }
            Err(AppendError::Conflict(conflict)) => panic!("{conflict}"),
        }
    }
    assert!(50 < refused, "the space that was prepared is used up: {refused}");
    assert_eq!(read(&engine, ReadOptions::default()).0.len() as u64, events, "reads go on");
    faults.set_full(false);
    for n in 0..60 {
        // The first may still meet the sealer's last failure; it is tried again by itself.
        if let Ok(appended) = pollster::block_on(engine.append(append(n, events + 1))) {
            events = appended.last.get();
        }
    }
    close(&engine);
    let engine = open(dir.path(), busy());
    let (seen, error) = read(&engine, ReadOptions::default());
    assert!(error.is_none() && seen.len() as u64 == events);
    assert!(100 < events, "appends went on: {events}");
}

#[test]
fn one_process_at_a_time_and_no_foreign_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), small());
    let second = Engine::open(dir.path(), small()).expect_err("locked");
    assert_eq!(second.kind(), ErrorKind::Unavailable);
    assert!(second.to_string().contains("is open already"), "{second}");
    drop(engine);
    drop(open(dir.path(), small()));

    let foreign = tempfile::tempdir().expect("a directory");
    std::fs::write(foreign.path().join("thesis.txt"), "years of work").expect("write");
    let error = Engine::open(foreign.path(), small()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(std::fs::read_dir(foreign.path()).expect("list").count(), 1, "nothing was put there");
}
