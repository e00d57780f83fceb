//! Cuts: whatever of the log's end is missing, what is left is a valid prefix with all that was acknowledged in it. Every
//! byte as the place of a cut is the business of `factlog-sim --cuts`; here is what that does not do.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use factlog_core::{EventStore, ReadOptions};

use super::{append, close, event, fill, load, open, read, small};
use crate::Settings;
use crate::checksum::{FileKind, Place};
use crate::frame;
use crate::identity;
use crate::storage::LocalDisk;

/// Where each frame of a file ends, and the last position in the log by then.
fn frame_ends(dir: &Path, number: u64) -> Vec<(u64, u64)> {
    let store = identity::read(&LocalDisk, dir).expect("a store");
    let bytes = std::fs::read(wal_file(dir, number)).expect("read");
    let mut ends = Vec::new();
    let mut offset = 0;
    while let Ok(frame) =
        frame::parse(&bytes[offset..], Place { store, file: FileKind::Wal, number, offset: offset as u64 })
    {
        offset += frame.length;
        ends.push((offset as u64, frame.header.first + u64::from(frame.header.events) - 1));
    }
    ends
}

fn wal_file(dir: &Path, number: u64) -> PathBuf {
    dir.join("wal").join(crate::wal_files::file_name(number))
}

fn cut(dir: &Path, number: u64, length: u64) {
    let file = OpenOptions::new().write(true).open(wal_file(dir, number)).expect("open");
    file.set_len(length).expect("cut");
}

#[test]
fn a_store_goes_on_after_a_cut_and_never_mixes_in_what_was_cut_off() {
    for frames_lost in 1..=6 {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = open(dir.path(), small());
        fill(&engine, 12);
        close(&engine);
        drop(engine);
        let ends = frame_ends(dir.path(), 1);
        cut(dir.path(), 1, ends[ends.len() - frames_lost].0 - 100);
        let engine = open(dir.path(), small());
        let mut next = read(&engine, ReadOptions::default()).0.len() as u64 + 1;
        for n in 0..9 {
            let appended = pollster::block_on(engine.append(append(n, next))).expect("append");
            assert_eq!(appended.first.get(), next);
            next = appended.last.get() + 1;
        }
        drop(engine);
        let engine = open(dir.path(), small());
        let (events, error) = read(&engine, ReadOptions::default());
        assert_eq!((engine.damage(), error.is_none(), events.len() as u64), (vec![], true, next - 1));
        assert!(events.iter().zip(1..).all(|(recorded, n)| recorded.event == event(n)));
    }
}

#[test]
fn a_torn_group_is_gone_as_a_whole() {
    // Sectors of one write may reach the disk in any order: keep only some of the last frame's.
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), small());
    let events = fill(&engine, 5);
    let big = append(0, events + 1);
    let big = factlog_core::Append::new(
        (0..60).map(|n| event(events + 1 + n)).chain(big.events.into_iter().skip(1)),
    );
    pollster::block_on(engine.append(big)).expect("append");
    let (start, end) = {
        let ends = frame_ends(dir.path(), 1);
        (ends[ends.len() - 2].0, ends[ends.len() - 1].0)
    };
    drop(engine);
    let whole = std::fs::read(wal_file(dir.path(), 1)).expect("read");
    let sectors = (end - start) / 512;
    assert!(20 < sectors, "a frame of many sectors");
    for lost in 0..sectors {
        let mut torn = whole.clone();
        let at = (start + lost * 512) as usize;
        let was_empty = torn[at..at + 512].iter().all(|&byte| byte == 0);
        torn[at..at + 512].fill(0);
        // The beacon that a clean stop writes would vouch for the frame: a crash leaves none.
        torn[end as usize..].fill(0);
        std::fs::write(wal_file(dir.path(), 1), &torn).expect("write");
        let recovered = load(dir.path());
        assert_eq!(recovered.damage, vec![]);
        assert_eq!(recovered.head, if was_empty { events + 60 } else { events }, "sector {lost}");
    }
}

#[test]
fn recycled_files_never_show_what_they_held_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = Settings { wal_bytes: 128 << 10, segment_events: 10, ..small() };
    let engine = open(dir.path(), settings.clone());
    let events = fill(&engine, 200);
    drop(engine);
    let files = std::fs::read_dir(dir.path().join("wal")).expect("list").count();
    assert!(files < 12, "files are used again, there are {files}");
    let engine = open(dir.path(), settings);
    let (read, error) = read(&engine, ReadOptions::default());
    assert!(error.is_none());
    assert_eq!(read.len() as u64, events);
    assert!(read.iter().zip(1..).all(|(recorded, n)| recorded.event == event(n)));
}
