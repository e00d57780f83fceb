//! Damage to the write-ahead log: one flipped bit anywhere before the tail is reported with its place, never served,
//! never cut away.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{
    Administration, Append, ErrorKind, EventStore, Position, ReadOptions, SystemClock, Tracking,
    TrackingSource,
};

use super::{append, close, copy, event, fill, load, open, read, small, verify_all, with_flip};
use crate::recovery::Recovered;
use crate::storage::faulty::{Faults, FaultyDisk};
use crate::{Damage, Settings};

/// No beacon but that of closing: on a machine with much to do, others would stand between any two groups.
pub(super) fn quiet() -> Settings {
    Settings { vouch_after: Duration::from_secs(3600), ..small() }
}

/// A life of the store: appends of one event each, the beacon that closing leaves.
pub(super) fn live(dir: &Path, events: std::ops::RangeInclusive<u64>) {
    let engine = open(dir, quiet());
    for n in events {
        let appended = pollster::block_on(engine.append(Append::new([event(n)]))).expect("append");
        assert_eq!(appended.first.get(), n);
    }
    close(&engine);
}

/// Everything that can still be read is what was written, and nothing of what is lost is there.
pub(super) fn check_what_is_left(recovered: &Recovered, events: u64) {
    let lost = |position: u64| {
        let ranges = recovered.damage.iter().filter_map(Damage::lost);
        ranges.into_iter().any(|(first, last)| first <= position && position <= last)
    };
    let mut seen = vec![false; events as usize];
    for (frame, _) in recovered.active.generation().frames() {
        for position in frame.first..=frame.last() {
            assert_eq!(frame.event(position).expect("an event").event, event(position));
            seen[position as usize - 1] = true;
        }
    }
    for (at, seen) in seen.iter().enumerate() {
        assert_ne!(*seen, lost(at as u64 + 1), "position {} is either there or reported as lost", at + 1);
    }
}

#[test]
fn a_flipped_bit_in_the_write_ahead_log_is_damage_with_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), quiet());
    let events = fill(&engine, 8);
    close(&engine);
    let path = dir.path().join("wal/00000001");
    let tail = load(dir.path()).end.expect("an end").offset;
    let beacon = tail - 4096;
    for offset in 0..beacon {
        with_flip(&path, offset, || {
            let recovered = load(dir.path());
            let damage =
                recovered.damage.first().unwrap_or_else(|| panic!("a flip at {offset} goes unnoticed"));
            assert_eq!(damage.file, "wal/00000001");
            assert!(damage.offset <= offset && offset < damage.offset + 8192, "{damage} for {offset}");
            assert_eq!(recovered.damage.len(), 1);
            check_what_is_left(&recovered, events);
        });
    }
}

#[test]
fn damage_at_the_very_end_is_an_error_and_not_a_shorter_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), quiet());
    let events = fill(&engine, 8);
    close(&engine);
    drop(engine);
    let tail = load(dir.path()).end.expect("an end").offset;
    with_flip(&dir.path().join("wal/00000001"), tail - 4096 - 500, || {
        let engine = open(dir.path(), quiet());
        let head = pollster::block_on(engine.head()).expect("head");
        assert_eq!(head.position, Position::new(events), "the head is what was acknowledged");
        let (seen, error) = read(&engine, ReadOptions::default());
        assert!((seen.len() as u64) < events);
        assert_eq!(error.expect("the read says that it is incomplete").kind(), ErrorKind::Corrupt);
        drop(engine);
        assert_eq!(verify_all(dir.path()).events, seen.len() as u64);
    });
}

#[test]
fn the_last_frame_of_a_full_file_is_vouched_for_too() {
    let dir = tempfile::tempdir().expect("a directory");
    for appends in 13..20 {
        let dir = dir.path().join(appends.to_string());
        let engine = open(&dir, quiet());
        for n in 1..=appends {
            pollster::block_on(engine.append(Append::new([event(n)]))).expect("append");
        }
        close(&engine);
        let last = load(&dir).unvouched.pop().expect("a frame");
        let (number, offset) =
            if last.offset == 0 { (last.number - 1, 15 * 4096) } else { (last.number, last.offset - 4096) };
        let path = dir.join("wal").join(crate::wal_files::file_name(number));
        with_flip(&path, offset + 200, || {
            assert_eq!(load(&dir).damage.len(), 1, "{appends} appends");
        });
    }
}

#[test]
fn a_stale_frame_in_the_right_place_is_damage() {
    // A write that never reached the disk leaves what was there before: here, another group of the same place.
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let engine = open(&one, quiet());
    fill(&engine, 2);
    close(&engine);
    drop(engine);
    copy(&one, &other);
    let next = load(&one).head + 1;
    let offset = load(&one).end.expect("an end").offset;
    for (dir, numbers) in [(&one, [3, 6]), (&other, [4, 5])] {
        let engine = open(dir, quiet());
        for n in numbers {
            pollster::block_on(engine.append(Append::new([event(next + n)]))).expect("append");
        }
        close(&engine);
    }
    let read_frame = |dir: &Path| {
        let bytes = std::fs::read(dir.join("wal/00000001")).expect("read");
        bytes[offset as usize..offset as usize + 4096].to_vec()
    };
    let file = OpenOptions::new().write(true).open(one.join("wal/00000001")).expect("open");
    file.write_all_at(&read_frame(&other), offset).expect("write");
    let recovered = load(&one);
    assert_eq!(recovered.damage.len(), 1, "{:?}", recovered.damage);
    assert_eq!((recovered.damage[0].offset, recovered.damage[0].lost()), (offset, Some((next, next))));
    let engine = open(&one, quiet());
    assert!(read(&engine, ReadOptions::default()).1.is_some(), "the stale event is not served");
}

#[test]
fn an_unreadable_sector_is_damage_like_any_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), quiet());
    let events = fill(&engine, 8);
    close(&engine);
    drop(engine);
    let faults = Arc::new(Faults::default());
    faults.set_unreadable("wal/00000001", 3 * 4096 + 600);
    let disk = Arc::new(FaultyDisk(faults));
    let engine = crate::Engine::open_on(disk, dir.path(), quiet(), Arc::new(SystemClock)).expect("open");
    let (first, last) = engine.damage()[0].lost().expect("lost positions");
    assert_eq!(engine.damage()[0].offset, 3 * 4096);
    assert_eq!(read(&engine, ReadOptions::default()).0.len() as u64, first - 1);
    let (after, error) = read(&engine, ReadOptions::default().after(Position::new(last)));
    assert!(error.is_none() && after.len() as u64 == events - last, "the rest is served");
}

#[test]
fn a_damaged_store_serves_what_is_whole_and_refuses_to_write() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), quiet());
    let events = fill(&engine, 8);
    close(&engine);
    drop(engine);
    with_flip(&dir.path().join("wal/00000001"), 3 * 4096 + 200, || {
        let report = verify_all(dir.path());
        assert_eq!(report.damage.len(), 1);
        let (first, last) = report.damage[0].lost().expect("lost positions");
        assert_eq!(report.events, events - (last - first + 1));

        let engine = open(dir.path(), quiet());
        assert_eq!(engine.damage(), report.damage);
        let (before, error) = read(&engine, ReadOptions::default());
        assert_eq!(before.len() as u64, first - 1);
        assert_eq!(error.expect("the read ends at the damage").kind(), ErrorKind::Corrupt);
        let (after, error) = read(&engine, ReadOptions::default().after(Position::new(last)));
        assert_eq!((after.len() as u64, error.is_none()), (events - last, true));
        let (after, error) = read(&engine, ReadOptions::default().backwards());
        assert_eq!((after.len() as u64, error.is_some()), (events - last, true));
        let refused = pollster::block_on(engine.append(append(0, 1_000))).expect_err("nothing is appended");
        assert_eq!(refused.failed().expect("an error").kind(), ErrorKind::Corrupt);
        close(&engine);
    });
    let engine = open(dir.path(), quiet());
    assert_eq!(read(&engine, ReadOptions::default()).0.len() as u64, events, "repaired, it is whole again");
}

#[test]
fn what_a_lost_group_may_have_told_is_not_answered_without_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), quiet());
    let tracking = |source: &str, position| Tracking {
        source: TrackingSource::new(source).expect("a source"),
        position: Position::new(position).expect("not 0"),
    };
    let told = [tracking("one", 1), tracking("one", 2), tracking("other", 3), tracking("other", 4)];
    for (n, tracking) in (1..).zip(told) {
        let append = Append::new([event(n)]).tracking(tracking);
        pollster::block_on(engine.append(append)).expect("append");
    }
    let (log, _) = read(&engine, ReadOptions::default());
    let stream = log[0].event.stream.clone().expect("a stream");
    close(&engine);
    drop(engine);
    with_flip(&dir.path().join("wal/00000001"), 4096 + 200, || {
        let engine = open(dir.path(), quiet());
        let corrupt = |error: factlog_core::Error| {
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains("wal/00000001 is damaged at offset 4096"), "{error}");
        };
        corrupt(pollster::block_on(engine.tracking("one")).expect_err("it was told more"));
        corrupt(pollster::block_on(engine.tracking("nobody")).expect_err("it may have been told"));
        let other = pollster::block_on(engine.tracking("other"));
        assert_eq!(other.expect("it was told since"), Position::new(4));
        corrupt(pollster::block_on(engine.types()).expect_err("one is missing"));
        corrupt(pollster::block_on(engine.streams("", None, 9)).expect_err("one may be missing"));
        corrupt(pollster::block_on(engine.stream(stream.clone())).expect_err("it may have more"));
        corrupt(pollster::block_on(engine.position_at(log[1].recorded_at)).expect_err("it is lost"));
        let third = pollster::block_on(engine.position_at(log[2].recorded_at));
        assert_eq!(third.expect("the lost one is in front"), Position::new(3));
    });
}

#[test]
fn a_hole_from_the_front_of_a_file_on_is_told_of_that_file() {
    let dir = tempfile::tempdir().expect("a directory");
    live(dir.path(), 1..=40);
    let file = OpenOptions::new().write(true).open(dir.path().join("wal/00000002")).expect("open");
    file.write_all_at(&vec![0; (64 << 10) - 100], 100).expect("write");
    let recovered = load(dir.path());
    let [damage] = &recovered.damage[..] else { panic!("{:?}", recovered.damage) };
    assert_eq!((damage.file.as_str(), damage.offset), ("wal/00000002", 0), "{damage}");
    check_what_is_left(&recovered, 40);
}
