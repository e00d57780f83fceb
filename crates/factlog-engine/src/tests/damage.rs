//! Damage: one flipped bit anywhere before the tail is reported with its place, never served, never cut away.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use factlog_core::{Append, ErrorKind, EventStore, Position, ReadOptions};

use super::{append, close, event, fill, open, read, small};
use crate::recovery::{self, Recovered};
use crate::storage::LocalDisk;
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
fn check_what_is_left(recovered: &Recovered, events: u64) {
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
            let block = segment.read(entry).expect("a good block");
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
            check_what_is_left(&recovered, events);
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
            check_what_is_left(&recovered, events);
        });
    }
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
