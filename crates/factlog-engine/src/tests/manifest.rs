//! Loss of the manifest: one copy costs nothing, both are put together again from what they described, or refused.

use std::path::Path;

use factlog_core::{ErrorKind, EventStore, Position, ReadOptions, Tracking, TrackingSource};

use super::{
    append, close, copy, event, files, flip, load, open, read, settle, small, try_load, verify_all, with_flip,
};
use crate::manifest::FILES;
use crate::{Engine, Settings};

fn busy() -> Settings {
    Settings { segment_events: 10, wal_bytes: 128 << 10, ..small() }
}

/// Appends with tracking, the first of which has this number; returns the last event's.
fn go_on(engine: &Engine, appends: std::ops::Range<u64>, mut events: u64) -> u64 {
    for n in appends {
        let source = TrackingSource::new("upstream").expect("source");
        let tracking = Tracking { source, position: Position::new(n + 1).expect("position") };
        let appended = pollster::block_on(engine.append(append(n, events + 1).tracking(tracking)));
        let appended = appended.expect("append");
        assert_eq!(appended.first.get(), events + 1);
        events = appended.last.get();
    }
    events
}

/// A closed store that sealed and used its files again; returns the number of its events.
fn store(dir: &Path, appends: u64) -> u64 {
    let engine = open(dir, busy());
    let events = go_on(&engine, 0..appends, 0);
    settle(&engine);
    close(&engine);
    events
}

/// All that was acknowledged is there.
fn check_whole(engine: &Engine, events: u64, appends: u64, what: &str) {
    let (seen, error) = read(engine, ReadOptions::default());
    assert!(error.is_none(), "{what}: {error:?}");
    assert_eq!(seen.len() as u64, events, "{what}");
    assert!(seen.iter().zip(1..).all(|(recorded, n)| recorded.event == event(n)), "{what}");
    let tracked = pollster::block_on(engine.tracking("upstream")).expect("tracking");
    assert_eq!(tracked, Position::new(appends), "{what}");
    if 0 < events {
        let repeated = pollster::block_on(engine.append(append(0, 1))).expect("a repeat");
        assert!(repeated.deduplicated, "{what}");
    }
}

/// The store opens with all it had, goes on, and is clean afterwards.
fn check_mends(dir: &Path, events: u64, appends: u64, what: &str) {
    let engine = open(dir, busy());
    assert!(engine.damage().iter().all(|damage| damage.lost().is_none()), "{what}: {:?}", engine.damage());
    check_whole(&engine, events, appends, what);
    let events = go_on(&engine, appends..appends + 25, events);
    settle(&engine);
    close(&engine);
    drop(engine);
    let report = verify_all(dir);
    assert!(report.is_clean(), "{what}: {:?} {:?}", report.damage, report.mendable);
    let engine = open(dir, busy());
    assert_eq!(engine.damage(), vec![], "{what}");
    check_whole(&engine, events, appends + 25, what);
    close(&engine);
}

#[test]
fn one_copy_that_is_lost_or_damaged_costs_nothing() {
    for appends in [0, 1, 5, 12, 40, 43, 46] {
        let dir = tempfile::tempdir().expect("a directory");
        let events = store(dir.path(), appends);
        for name in FILES {
            for harm in ["removed", "emptied", "replaced by the other", "flipped"] {
                let what = format!("{name} {harm} after {appends} appends");
                let harmed = tempfile::tempdir().expect("a directory");
                copy(dir.path(), harmed.path());
                let path = harmed.path().join(name);
                match harm {
                    "removed" => std::fs::remove_file(&path).expect("remove"),
                    "replaced by the other" => {
                        let other = FILES.into_iter().find(|other| *other != name).expect("two copies");
                        std::fs::copy(harmed.path().join(other), &path).map(drop).expect("copy");
                    }
                    "emptied" => std::fs::write(&path, "").expect("empty"),
                    _ => flip(&path, appends),
                }
                let before = files(harmed.path());
                let report = verify_all(harmed.path());
                assert_eq!(report.damage, vec![], "{what}");
                assert_eq!((report.mendable.len(), &*report.mendable[0].file), (1, name), "{what}");
                assert_eq!(report.events, events, "{what}");
                assert!(before == files(harmed.path()), "{what}: looking changes nothing");
                check_mends(harmed.path(), events, appends, &what);
            }
        }
    }
}

#[test]
fn each_flipped_bit_in_a_copy_is_noticed_and_mended() {
    let dir = tempfile::tempdir().expect("a directory");
    let events = store(dir.path(), 20);
    for name in FILES {
        let path = dir.path().join(name);
        for offset in 0..std::fs::metadata(&path).expect("metadata").len() {
            with_flip(&path, offset, || {
                let recovered = load(dir.path());
                assert_eq!((recovered.head, &recovered.damage), (events, &vec![]), "{name} at {offset}");
                assert_eq!(recovered.notes.len(), 1, "{name} at {offset}: {:?}", recovered.notes);
                assert_eq!(recovered.notes[0].file, name);
            });
        }
    }
}

#[test]
fn a_store_whose_manifests_are_both_lost_is_put_together_from_what_they_described() {
    for appends in [0, 1, 2, 5, 12, 20, 40, 41, 42, 43, 44, 45, 46, 47, 60, 90] {
        for harm in ["removed", "flipped"] {
            let what = format!("both {harm} after {appends} appends");
            let dir = tempfile::tempdir().expect("a directory");
            let events = store(dir.path(), appends);
            for name in FILES {
                match harm {
                    "removed" => std::fs::remove_file(dir.path().join(name)).expect("remove"),
                    _ => flip(&dir.path().join(name), 30),
                }
            }
            let report = verify_all(dir.path());
            assert_eq!((report.damage.len(), report.mendable.len()), (0, 2), "{what}: {report:?}");
            check_mends(dir.path(), events, appends, &what);
        }
    }
}

#[test]
fn an_older_manifest_is_put_together_with_what_came_after_it_or_refused() {
    // The newest events are in files that only the newest manifest names.
    let mut mended = 0;
    for later in [0, 1, 4, 8, 12, 16, 24, 30, 60] {
        for at in [0, 1, 4, 11, 30] {
            let what = format!("a manifest of {at} appends, {later} later");
            let dir = tempfile::tempdir().expect("a directory");
            let events = store(dir.path(), at);
            let old = FILES.map(|name| std::fs::read(dir.path().join(name)).expect("read"));
            let engine = open(dir.path(), busy());
            let events = go_on(&engine, at..at + later, events);
            settle(&engine);
            close(&engine);
            drop(engine);
            let new = FILES.map(|name| std::fs::read(dir.path().join(name)).expect("read"));
            for (name, bytes) in FILES.iter().zip(&old) {
                std::fs::write(dir.path().join(name), bytes).expect("write");
            }
            let before = files(dir.path());
            let report = verify_all(dir.path());
            let refused = match Engine::open(dir.path(), busy()) {
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
                    true
                }
                Ok(engine) => engine.damage().iter().any(|damage| damage.lost().is_some()),
            };
            if refused {
                assert!(!report.damage.is_empty(), "{what}");
                assert!(before == files(dir.path()), "{what}: nothing was touched");
                for (name, bytes) in FILES.iter().zip(&new) {
                    std::fs::write(dir.path().join(name), bytes).expect("write");
                }
            } else {
                mended += 1;
                assert_eq!(report.damage, vec![], "{what}");
            }
            check_mends(dir.path(), events, at + later, &what);
        }
    }
    assert_eq!(mended, 45, "files that form one chain are put together");
}

#[test]
fn a_group_larger_than_a_file_is_found_without_the_newest_manifest() {
    // Its file is removed when it is sealed, and not used again: an older manifest names a file that is gone.
    for name in FILES {
        for both in [false, true] {
            for extra in [0, 1, 2, 5] {
                let what = format!("{name}, both: {both}, {extra} more");
                let dir = tempfile::tempdir().expect("a directory");
                let engine = open(dir.path(), busy());
                let big = factlog_core::Append::new((1..=900).map(event));
                pollster::block_on(engine.append(big)).expect("append");
                let events = go_on(&engine, 0..extra, 900);
                settle(&engine);
                close(&engine);
                drop(engine);
                std::fs::remove_file(dir.path().join(name)).expect("remove");
                if both {
                    FILES.iter().for_each(|name| drop(std::fs::remove_file(dir.path().join(name))));
                }
                let engine = open(dir.path(), busy());
                let (seen, error) = read(&engine, ReadOptions::default());
                assert_eq!((seen.len() as u64, error.is_none()), (events, true), "{what}");
                go_on(&engine, extra..extra + 9, events);
                close(&engine);
            }
        }
    }
}

#[test]
fn a_gap_in_what_the_lost_manifests_described_is_never_closed_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let events = store(dir.path(), 47);
    let loaded = load(dir.path());
    let (manifest, last) = (loaded.manifest, loaded.unvouched.last().expect("a last frame").number);
    // What comes after the last one with frames cannot tell that it is missing.
    let mut needed: Vec<_> = (manifest.wal_first..last).map(crate::wal_files::relative_path).collect();
    let segments = manifest.segments.iter().map(|entry| crate::segment::file_name(entry.first));
    needed.extend(segments.map(|name| format!("segments/{name}")));
    assert!(6 < needed.len());
    let mut whole = 0;
    for gone in needed {
        let harmed = tempfile::tempdir().expect("a directory");
        copy(dir.path(), harmed.path());
        std::fs::remove_file(harmed.path().join(&gone)).expect("remove");
        FILES.iter().for_each(|name| std::fs::remove_file(harmed.path().join(name)).expect("remove"));
        let before = files(harmed.path());
        let report = verify_all(harmed.path());
        assert!(before == files(harmed.path()), "{gone}: looking changes nothing");
        match Engine::open(harmed.path(), busy()) {
            // The events of a lost segment may still be in a write-ahead file.
            Ok(engine) if report.damage.is_empty() => {
                check_whole(&engine, events, 47, &gone);
                whole += 1;
            }
            Ok(engine) => {
                assert!(engine.damage().iter().any(|damage| damage.lost().is_some()), "{gone}");
                let (seen, error) = read(&engine, ReadOptions::default());
                assert!(error.is_some() && (seen.len() as u64) < events, "{gone}");
                pollster::block_on(engine.append(append(1, 1_000))).expect_err("nothing is appended");
                assert!(before == files(harmed.path()), "{gone}: nothing was touched");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{gone}");
                assert!(!report.damage.is_empty() && before == files(harmed.path()), "{gone}");
            }
        }
    }
    assert!(whole < 3, "most of them have no other place");
}

#[test]
fn a_flipped_bit_in_the_store_file_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    store(dir.path(), 12);
    let path = dir.path().join("STORE");
    for offset in 0..std::fs::metadata(&path).expect("metadata").len() {
        with_flip(&path, offset, || {
            let error = try_load(dir.path()).expect_err("a damaged file is refused");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{offset}: {error}");
            assert!(!verify_all(dir.path()).damage.is_empty());
        });
    }
}
