//! Damage: one flipped bit anywhere before the tail is reported with its place, never served, never cut away.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_core::{Append, ErrorKind, EventStore, Position, ReadOptions, SystemClock};

use super::{append, close, event, fill, open, read, small};
use crate::recovery::{self, Recovered};
use crate::storage::faulty::{Faults, FaultyDisk};
use crate::storage::{Disk, LocalDisk};
use crate::{Damage, Settings, verify};

/// Runs a check with one bit of a file flipped.
fn with_flip<T>(path: &Path, offset: u64, check: impl FnOnce() -> T) -> T {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("open");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("read");
    let flipped = byte[0] ^ (1 << (offset % 8));
    file.write_all_at(&[flipped], offset).expect("write");
    let result = check();
    file.write_all_at(&byte, offset).expect("write back");
    result
}

fn load(dir: &Path) -> factlog_core::Result<Recovered> {
    recovery::load(&LocalDisk, dir, &mut |_| {})
}

/// Everything that can still be read is what was written, and nothing of what is lost is there.
fn check_what_is_left(dir: &Path, recovered: &Recovered, events: u64) {
    let lost = |position: u64| {
        recovered
            .damage
            .iter()
            .filter_map(Damage::lost)
            .any(|(first, last)| first <= position && position <= last)
    };
    let mut seen = vec![false; events as usize];
    for segment in &recovered.segments {
        for entry in &segment.blocks {
            let block = segment
                .read(&*LocalDisk.open(&dir.join(segment.path())).expect("open"), entry)
                .expect("a good block");
            for position in block.first..=block.last() {
                assert_eq!(block.event(position).expect("an event").event, event(position));
                seen[position as usize - 1] = true;
            }
        }
    }
    for frame in &recovered.frames {
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
    let engine = open(dir.path(), small());
    let events = fill(&engine, 8);
    close(&engine);
    let path = dir.path().join("wal/00000001");
    let tail = load(dir.path()).expect("load").end.expect("an end").offset;
    let beacon = tail - 4096;
    for offset in 0..beacon {
        with_flip(&path, offset, || {
            let recovered = load(dir.path()).expect("load");
            let damage =
                recovered.damage.first().unwrap_or_else(|| panic!("a flip at {offset} goes unnoticed"));
            assert_eq!(damage.file, "wal/00000001");
            assert!(damage.offset <= offset && offset < damage.offset + 8192, "{damage} for {offset}");
            assert_eq!(recovered.damage.len(), 1);
            check_what_is_left(dir.path(), &recovered, events);
        });
    }
}

#[test]
fn a_flipped_bit_in_a_segment_is_damage_with_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), Settings { segment_events: 30, ..small() });
    let events = fill(&engine, 20);
    close(&engine);
    let path = dir.path().join("segments").join(crate::segment::file_name(1));
    let length = std::fs::metadata(&path).expect("metadata").len();
    for offset in 0..length {
        with_flip(&path, offset, || {
            let recovered = load(dir.path()).expect("load");
            let damage =
                recovered.damage.first().unwrap_or_else(|| panic!("a flip at {offset} goes unnoticed"));
            assert!(damage.file.starts_with("segments/") && damage.offset <= offset, "{damage} for {offset}");
            check_what_is_left(dir.path(), &recovered, events);
        });
    }
}

#[test]
fn a_damaged_block_takes_no_other_block_with_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), Settings { segment_events: 1_000, ..small() });
    pollster::block_on(engine.append(Append::new((1..=1_200).map(event)))).expect("append");
    pollster::block_on(engine.append(Append::new([event(1_201)]))).expect("append");
    close(&engine);
    let segment = dir.path().join("segments").join(crate::segment::file_name(1));
    let blocks = load(dir.path()).expect("load").segments[0].blocks.clone();
    assert!(4 < blocks.len(), "several blocks");
    for entry in &blocks {
        with_flip(&segment, entry.offset + 500, || {
            let recovered = load(dir.path()).expect("load");
            assert_eq!(recovered.damage.len(), 1, "{:?}", recovered.damage);
            assert_eq!(recovered.damage[0].lost(), Some((entry.first, entry.last())));
            assert_eq!(recovered.damage[0].offset, entry.offset);
            check_what_is_left(dir.path(), &recovered, 1_201);
        });
    }
}

#[test]
fn damage_at_the_very_end_is_an_error_and_not_a_shorter_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), small());
    let events = fill(&engine, 8);
    close(&engine);
    drop(engine);
    let tail = load(dir.path()).expect("load").end.expect("an end").offset;
    with_flip(&dir.path().join("wal/00000001"), tail - 4096 - 500, || {
        let engine = open(dir.path(), small());
        let head = pollster::block_on(engine.head()).expect("head");
        assert_eq!(head.position, Position::new(events), "the head is what was acknowledged");
        let (seen, error) = read(&engine, ReadOptions::default());
        assert!((seen.len() as u64) < events);
        assert_eq!(error.expect("the read says that it is incomplete").kind(), ErrorKind::Corrupt);
        let report = verify_after(engine, dir.path());
        assert_eq!(report.events, seen.len() as u64);
    });
}

fn verify_after(engine: crate::Engine, dir: &Path) -> crate::Report {
    drop(engine);
    verify(dir, &mut |_| {}).expect("verify")
}

#[test]
fn the_last_frame_of_a_full_file_is_vouched_for_too() {
    let dir = tempfile::tempdir().expect("a directory");
    for appends in 13..20 {
        let dir = dir.path().join(appends.to_string());
        let engine = open(&dir, small());
        for n in 1..=appends {
            pollster::block_on(engine.append(Append::new([event(n)]))).expect("append");
        }
        close(&engine);
        let last = load(&dir).expect("load").unvouched.pop().expect("a frame");
        let (number, offset) =
            if last.offset == 0 { (last.number - 1, 15 * 4096) } else { (last.number, last.offset - 4096) };
        let path = dir.join("wal").join(crate::wal_files::file_name(number));
        with_flip(&path, offset + 200, || {
            assert_eq!(load(&dir).expect("load").damage.len(), 1, "{appends} appends");
        });
    }
}

#[test]
fn a_stale_frame_in_the_right_place_is_damage() {
    // A write that never reached the disk leaves what was there before: here, another group of the same place.
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let engine = open(&one, small());
    fill(&engine, 2);
    close(&engine);
    drop(engine);
    std::process::Command::new("cp").args(["-r"]).args([&one, &other]).status().expect("cp");
    let next = load(&one).expect("load").index.last + 1;
    let offset = load(&one).expect("load").end.expect("an end").offset;
    for (dir, numbers) in [(&one, [3, 6]), (&other, [4, 5])] {
        let engine = open(dir, small());
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
    let recovered = load(&one).expect("load");
    assert_eq!(recovered.damage.len(), 1, "{:?}", recovered.damage);
    assert_eq!((recovered.damage[0].offset, recovered.damage[0].lost()), (offset, Some((next, next))));
    let engine = open(&one, small());
    assert!(read(&engine, ReadOptions::default()).1.is_some(), "the stale event is not served");
}

/// Every file of a store with its content.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let folders = [dir.to_path_buf(), dir.join("wal"), dir.join("segments")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("list"));
    let paths = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    paths.map(|path| (path.clone(), std::fs::read(path).expect("read"))).collect()
}

#[test]
fn an_older_manifest_is_refused_and_nothing_is_removed() {
    // The newest events are in files that only the newest manifest names.
    for seals in 1..8 {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = Settings { segment_events: 10, ..small() };
        let engine = open(dir.path(), settings.clone());
        let mut events = fill(&engine, 4);
        close(&engine);
        drop(engine);
        let manifest = dir.path().join("MANIFEST");
        let old = std::fs::read(&manifest).expect("read");
        let engine = open(dir.path(), settings.clone());
        for n in 0..seals * 4 {
            let appended = pollster::block_on(engine.append(append(n, events + 1))).expect("append");
            events = appended.last.get();
        }
        close(&engine);
        drop(engine);
        let new = std::fs::read(&manifest).expect("read");
        std::fs::write(&manifest, old).expect("write");
        let before = files(dir.path());
        assert!(!verify(dir.path(), &mut |_| {}).expect("verify").is_clean(), "{seals}");
        match crate::Engine::open(dir.path(), settings.clone()) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
            Ok(engine) => assert!(!engine.damage().is_empty(), "{seals}"),
        }
        assert!(before == files(dir.path()), "nothing was touched");
        std::fs::write(&manifest, new).expect("write");
        let engine = open(dir.path(), settings);
        assert_eq!(read(&engine, ReadOptions::default()).0.len() as u64, events);
    }
}

#[test]
fn an_unreadable_sector_is_damage_like_any_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), small());
    let events = fill(&engine, 8);
    close(&engine);
    drop(engine);
    let faults = Arc::new(Faults::default());
    faults.set_unreadable(3 * 4096 + 600);
    let disk = Arc::new(FaultyDisk(faults));
    let engine = crate::Engine::open_on(disk, dir.path(), small(), Arc::new(SystemClock)).expect("open");
    let (first, last) = engine.damage()[0].lost().expect("lost positions");
    assert_eq!(engine.damage()[0].offset, 3 * 4096);
    assert_eq!(read(&engine, ReadOptions::default()).0.len() as u64, first - 1);
    let (after, error) = read(&engine, ReadOptions::default().after(Position::new(last)));
    assert!(error.is_none() && after.len() as u64 == events - last, "the rest is served");
}

#[test]
fn a_file_that_is_not_the_stores_is_named_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path(), small()));
    for name in ["segments/notes.txt", "wal/7"] {
        let path = dir.path().join(name);
        std::fs::write(&path, "mine").expect("write");
        let error = crate::Engine::open(dir.path(), small()).expect_err("refused");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(std::fs::read(&path).expect("it is there"), b"mine");
        std::fs::remove_file(&path).expect("remove");
    }
    drop(open(dir.path(), small()));
}

#[test]
fn a_store_may_have_more_segments_than_a_process_has_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = Settings { segment_events: 1, wal_bytes: 128 << 10, cache_bytes: 0, ..small() };
    let engine = open(dir.path(), settings.clone());
    let mut events = 0;
    for n in 0..150 {
        let appended = pollster::block_on(engine.append(append(n, events + 1))).expect("append");
        events = appended.last.get();
    }
    close(&engine);
    drop(engine);
    let engine = open(dir.path(), settings);
    assert!(70 < load_segments(&engine), "many segments");
    assert_eq!(read(&engine, ReadOptions::default()).0.len() as u64, events);
    let open_files = std::fs::read_dir("/proc/self/fd").expect("list").count();
    assert!(open_files < 100, "{open_files} files are open");
}

fn load_segments(engine: &crate::Engine) -> usize {
    engine.shared().log.read().segments.len()
}

#[test]
fn a_flipped_bit_in_the_manifest_or_store_file_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), Settings { segment_events: 10, ..small() });
    fill(&engine, 12);
    close(&engine);
    for name in ["MANIFEST", "STORE"] {
        let path = dir.path().join(name);
        for offset in 0..std::fs::metadata(&path).expect("metadata").len() {
            with_flip(&path, offset, || {
                let error = load(dir.path()).expect_err("a damaged file is refused");
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{name} at {offset}: {error}");
                let report = verify(dir.path(), &mut |_| {}).expect("verify");
                assert!(!report.is_clean());
            });
        }
    }
}

#[test]
fn a_damaged_store_serves_what_is_whole_and_refuses_to_write() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), small());
    let events = fill(&engine, 8);
    close(&engine);
    drop(engine);
    with_flip(&dir.path().join("wal/00000001"), 3 * 4096 + 200, || {
        let report = verify(dir.path(), &mut |_| {}).expect("verify");
        assert_eq!(report.damage.len(), 1);
        let (first, last) = report.damage[0].lost().expect("lost positions");
        assert_eq!(report.events, events - (last - first + 1));

        let engine = open(dir.path(), small());
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
    let engine = open(dir.path(), small());
    assert_eq!(read(&engine, ReadOptions::default()).0.len() as u64, events, "repaired, it is whole again");
}

#[test]
fn missing_files_are_damage_and_not_an_empty_store() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), Settings { segment_events: 30, ..small() });
    fill(&engine, 60);
    close(&engine);
    drop(engine);
    let files = ["wal", "segments"].map(|name| std::fs::read_dir(dir.path().join(name)).expect("list"));
    let used = load(dir.path()).expect("load").manifest;
    for path in files.into_iter().flatten().map(|entry| entry.expect("an entry").path()) {
        let number =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u64>().ok());
        if number.is_some_and(|number| number < used.wal_first) {
            continue;
        }
        let aside = dir.path().join("aside");
        std::fs::rename(&path, &aside).expect("move away");
        assert!(!load(dir.path()).expect("load").damage.is_empty(), "{} is missed", path.display());
        std::fs::rename(&aside, &path).expect("move back");
    }
    for name in ["MANIFEST", "STORE"] {
        let (path, aside) = (dir.path().join(name), dir.path().join("wal/aside"));
        std::fs::rename(&path, &aside).expect("move away");
        let error = crate::Engine::open(dir.path(), small()).expect_err("refused");
        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid), "{error}");
        std::fs::rename(&aside, &path).expect("move back");
    }
}

#[test]
fn damage_found_while_reading_is_told_and_not_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), Settings { segment_events: 30, cache_bytes: 0, ..small() });
    let events = fill(&engine, 40);
    pollster::block_on(engine.append(Append::new([event(events + 1)]))).expect("append");
    let path = dir.path().join("segments").join(crate::segment::file_name(1));
    while !path.exists() {
        std::thread::yield_now();
    }
    close(&engine);
    let engine = open(dir.path(), Settings { cache_bytes: 0, ..small() });
    with_flip(&path, 300, || {
        let (seen, error) = read(&engine, ReadOptions::default());
        assert_eq!(seen.len(), 0);
        let error = error.expect("the block is damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("segments/00000000000000000001.log"), "{error}");
    });
}
