//! Every way to write durably: the same bytes in the same places, each end told once, nothing left behind.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::FlockOperation;

use crate::JournalMode;
use crate::storage::{Buffer, Disk, LocalDisk, Pipeline};

const MODES: [JournalMode; 4] =
    [JournalMode::Auto, JournalMode::Uring, JournalMode::Threads, JournalMode::Plain];

/// A pipeline of each mode, but for rings where the system has none.
fn pipelines(dir: &Path) -> Vec<Box<dyn Pipeline>> {
    let made = MODES.iter().filter_map(|mode| match (mode, LocalDisk.pipeline(dir, *mode)) {
        (JournalMode::Uring, Err(_)) => None,
        (_, pipeline) => Some(pipeline.expect("a way to write")),
    });
    made.collect()
}

fn block(byte: u8, blocks: usize) -> Bytes {
    let mut buffer = Buffer::default();
    buffer.resize(blocks * 4096);
    buffer.fill(byte);
    buffer.into()
}

fn zeros(path: &Path, blocks: usize) -> File {
    std::fs::write(path, vec![0; blocks * 4096]).expect("write");
    let file = File::options().read(true).write(true).open(path).expect("open");
    file.sync_all().expect("sync");
    file
}

#[test]
fn every_write_lands_in_its_place_and_its_end_is_told_once() {
    let dir = tempfile::tempdir().expect("a directory");
    for mut pipeline in pipelines(dir.path()) {
        let paths = [dir.path().join("one"), dir.path().join("two")];
        let files: Vec<_> = paths.iter().map(|path| zeros(path, 200)).collect();
        let depth = pipeline.depth_max() as u64;
        let mut under_way = BTreeSet::new();
        for number in 0..100_u64 {
            if number == 0 || number == 50 {
                // Writes into the first file may be under way yet.
                let length = pipeline.turn_to(&paths[(number / 50) as usize]).expect("turn");
                assert_eq!(length, 200 * 4096);
            }
            let at = number * 37 % 100 * 8192;
            under_way.insert(number);
            if number % 7 == 0 && under_way.len() == 1 {
                pipeline.write(number, block(number as u8, 1), at);
            } else {
                pipeline.submit(number, block(number as u8, 1 + number as usize % 2), at);
            }
            while under_way.len() as u64 >= depth || (number == 99 && !under_way.is_empty()) {
                for done in pipeline.finished(true) {
                    done.result.expect("written");
                    assert!(under_way.remove(&done.number), "{} is told once", done.number);
                }
            }
        }
        for number in 0..100_u64 {
            let mut bytes = [0; 4096];
            let at = number * 37 % 100 * 8192;
            files[(number / 50) as usize].read_exact_at(&mut bytes, at).expect("read");
            assert_eq!(bytes, [number as u8; 4096]);
        }
        drop(pipeline);
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 2, "nothing is left behind");
}

#[test]
fn dropping_brings_what_was_begun_to_its_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    for mut pipeline in pipelines(dir.path()) {
        let file = zeros(&path, 8 * 64);
        pipeline.turn_to(&path).expect("turn");
        let count = pipeline.depth_max() as u64;
        for number in 0..count {
            pipeline.submit(number, block(7, 64), number * 64 * 4096);
        }
        drop(pipeline);
        let mut bytes = vec![0; count as usize * 64 * 4096];
        file.read_exact_at(&mut bytes, 0).expect("read");
        assert!(bytes.iter().all(|&byte| byte == 7));
    }
}

#[test]
fn the_bell_ends_a_sleep_while_writes_go_on_or_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    for mut pipeline in pipelines(dir.path()).into_iter().filter(|pipeline| 1 < pipeline.depth_max()) {
        zeros(&path, 8);
        pipeline.turn_to(&path).expect("turn");
        for round in 0..50 {
            let bell = pipeline.bell();
            // Before the sleep, within it, twice: it must never be lost and never wake twice for long.
            let ringer = std::thread::spawn(move || {
                if round % 3 == 0 {
                    std::thread::sleep(Duration::from_millis(2));
                }
                bell.ring();
                bell.ring();
            });
            while !pipeline.finished(true).is_empty() {}
            ringer.join().expect("join");
            pipeline.submit(round, block(1, 1), 0);
            let mut sleeps = 0;
            while pipeline.finished(true).is_empty() {
                sleeps += 1;
                assert!(sleeps < 10, "a bell that rang is heard, then still");
            }
        }
    }
}

#[test]
fn a_write_that_cannot_be_done_is_told_as_failed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    for mut pipeline in pipelines(dir.path()) {
        pipeline.submit(1, block(1, 1), 0);
        let done = pipeline.finished(true).pop().expect("an end");
        assert!(done.number == 1 && done.result.is_err(), "there is no file yet");
        assert!(pipeline.turn_to(&path).is_err(), "there is none of this name");
        zeros(&path, 8);
        pipeline.turn_to(&path).expect("turn");
        // An offset that no file can have.
        pipeline.submit(2, block(1, 1), u64::MAX / 2 - 4095);
        let done = pipeline.finished(true).pop().expect("an end");
        assert!(done.number == 2 && done.result.is_err());
        pipeline.submit(3, block(1, 1), 0);
        assert!(pipeline.finished(true).pop().expect("an end").result.is_ok(), "others are no worse for it");
        std::fs::remove_file(&path).expect("remove");
    }
}

#[test]
fn opening_waits_for_writes_that_outlive_their_process() {
    // Such a write keeps the lock of the file it goes to, as this handle does.
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    let writing = zeros(&path, 1);
    rustix::fs::flock(&writing, FlockOperation::NonBlockingLockExclusive).expect("lock");
    let ending = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        writing.write_all_at(b"late", 0).expect("write");
    });
    let file = LocalDisk.settled(&path).expect("settled");
    let mut bytes = [0; 4];
    file.read_at(&mut bytes, 0).expect("read");
    assert_eq!(&bytes, b"late");
    ending.join().expect("join");
    // And the pipeline that writes to a file has its lock.
    for mut pipeline in pipelines(dir.path()).into_iter().filter(|pipeline| pipeline.depth_max() == 8) {
        pipeline.turn_to(&path).expect("turn");
        let other = File::open(&path).expect("open");
        assert!(rustix::fs::flock(&other, FlockOperation::NonBlockingLockExclusive).is_err());
        drop(pipeline);
        LocalDisk.settled(&path).expect("settled");
    }
}
