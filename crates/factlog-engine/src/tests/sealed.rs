//! Damage to sealed segments: it shows when it is read and in a verification, with its place, and costs one block.

use std::path::Path;

use factlog_core::{Append, ErrorKind, EventStore, Position, ReadOptions};

use super::{close, event, fill, flip, open, read, small, verify_all, with_flip};
use crate::{Damage, Settings};

fn segment(dir: &Path) -> std::path::PathBuf {
    dir.join("segments").join(crate::segment::file_name(1))
}

/// A closed store with one segment of several blocks and something behind it.
fn sealed(dir: &Path, events: u64) {
    let engine = open(dir, Settings { segment_events: events, ..small() });
    pollster::block_on(engine.append(Append::new((1..=events).map(event)))).expect("append");
    pollster::block_on(engine.append(Append::new([event(events + 1)]))).expect("append");
    close(&engine);
    assert!(segment(dir).exists(), "it was sealed");
}

/// Reads each position by itself: what is not lost is what was written, what is lost is an error that names the file.
fn check_each(dir: &Path, events: u64, damage: &[Damage]) {
    let engine = open(dir, Settings { cache_bytes: 0, ..small() });
    for n in 1..=events {
        let options = ReadOptions::default().after(Position::new(n - 1)).limit(1);
        let (seen, error) = read(&engine, options);
        let lost = damage.iter().filter_map(Damage::lost).any(|(first, last)| first <= n && n <= last);
        match (seen.first(), error) {
            (Some(seen), None) => assert!(!lost && seen.event == event(n), "position {n}"),
            (None, Some(error)) => {
                assert!(lost && error.kind() == ErrorKind::Corrupt, "position {n}: {error}");
                assert!(error.to_string().contains("segments/00000000000000000001.log"), "{error}");
            }
            (seen, error) => panic!("position {n}: {seen:?}, {error:?}"),
        }
    }
}

#[test]
fn a_flipped_bit_in_a_segment_is_damage_with_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), Settings { segment_events: 30, ..small() });
    let events = fill(&engine, 20);
    close(&engine);
    let path = segment(dir.path());
    let length = std::fs::metadata(&path).expect("metadata").len();
    for offset in 0..length {
        with_flip(&path, offset, || {
            let report = verify_all(dir.path());
            let damage = report.damage.first().unwrap_or_else(|| panic!("a flip at {offset} goes unnoticed"));
            assert!(damage.file.starts_with("segments/") && damage.offset <= offset, "{damage} for {offset}");
            let lost = report.damage.iter().filter_map(Damage::lost).map(|(first, last)| last - first + 1);
            assert_eq!(report.events, events - lost.sum::<u64>());
            if offset % 97 == 0 {
                check_each(dir.path(), events, &report.damage);
            }
        });
    }
}

#[test]
fn a_damaged_block_takes_no_other_block_with_it() {
    let dir = tempfile::tempdir().expect("a directory");
    sealed(dir.path(), 1_200);
    let engine = open(dir.path(), small());
    let shared = engine.shared();
    let segment_1 = shared.view().segments[0];
    let file = shared.file(&segment_1);
    let cache = crate::segment::SegmentCache::new(8, 1, 1);
    let mut blocks = Vec::new();
    let mut next = 1;
    while next <= segment_1.entry.last {
        let block = segment_1.block_of(&file, &cache, next).expect("a block");
        next = block.last() + 1;
        blocks.push(block);
    }
    close(&engine);
    drop(engine);
    assert!(4 < blocks.len(), "several blocks");
    for entry in &blocks {
        with_flip(&segment(dir.path()), entry.offset + entry.length / 2, || {
            let report = verify_all(dir.path());
            assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
            assert_eq!(report.damage[0].lost(), Some((entry.first, entry.last())));
            assert_eq!(report.damage[0].offset, entry.offset);
            check_each(dir.path(), 1_201, &report.damage);
        });
    }
}

#[test]
fn a_store_with_a_damaged_block_opens_and_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    sealed(dir.path(), 300);
    flip(&segment(dir.path()), 300);
    let engine = open(dir.path(), small());
    let (seen, error) = read(&engine, ReadOptions::default());
    assert_eq!((seen.len(), error.map(|error| error.kind())), (0, Some(ErrorKind::Corrupt)));
    let (seen, error) = read(&engine, ReadOptions::default().backwards());
    assert!(!seen.is_empty() && error.is_some(), "it ends at the damage");
    let appended = pollster::block_on(engine.append(Append::new([event(302)]))).expect("appends go on");
    assert_eq!(appended.first.get(), 302);
    close(&engine);
}

#[test]
fn damage_found_while_reading_is_told_and_not_served() {
    let dir = tempfile::tempdir().expect("a directory");
    sealed(dir.path(), 300);
    let engine = open(dir.path(), Settings { cache_bytes: 0, ..small() });
    with_flip(&segment(dir.path()), 300, || {
        let (seen, error) = read(&engine, ReadOptions::default());
        assert_eq!(seen.len(), 0);
        let error = error.expect("the block is damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("segments/00000000000000000001.log"), "{error}");
    });
    let (seen, error) = read(&engine, ReadOptions::default());
    assert_eq!((seen.len(), error.is_none()), (301, true), "nothing of it is remembered");
}
