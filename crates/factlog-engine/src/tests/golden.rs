//! Golden files: what version 0 of the format wrote must be read for as long as the format document says so.
//!
//! `FACTLOG_WRITE_GOLDEN=1` writes them anew, which is a change of format and belongs into `docs/format.md`.

use std::path::{Path, PathBuf};

use factlog_core::{EventStore, Position, ReadOptions, Tracking, TrackingSource};
use uuid::Uuid;

use super::{append, close, event, open, read, small};
use crate::checksum::{FileKind, Place};
use crate::frame::{self, Header};
use crate::storage::Buffer;
use crate::manifest::{Manifest, SegmentEntry};
use crate::record::{self, Boundary, Stamp};
use crate::segment::Builder;
use crate::{Settings, verify};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn rewriting() -> bool {
    std::env::var_os("FACTLOG_WRITE_GOLDEN").is_some()
}

/// The bytes of a structure are those of the golden file.
fn same_as_golden(name: &str, bytes: &[u8]) {
    let path = golden(name);
    if rewriting() {
        std::fs::create_dir_all(golden("")).expect("golden directory");
        std::fs::write(&path, bytes).expect("write");
    }
    let stored = std::fs::read(&path).expect("a golden file");
    assert!(stored == bytes, "{name} is no longer written as it was; see docs/format.md");
}

const STORE: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

fn records() -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 1..=4 {
        let start = bytes.len();
        record::encode(&event(n), Boundary { first: n == 1, last: n == 4 }, &mut bytes);
        record::stamp(
            &mut bytes[start..],
            Stamp { position: n, recorded_at: 1_800_000_000_000_000, revision: 0 },
        );
    }
    bytes
}

#[test]
fn records_frames_segments_and_manifests_are_written_as_ever() {
    let records = records();
    same_as_golden("records.bin", &records);

    let mut buffer = Buffer::default();
    frame::begin(&mut buffer);
    frame::push_append_head(&mut buffer, 4, Some(("upstream", 17)), records.len());
    buffer.extend_from_slice(&records);
    let header = Header {
        appends: 1,
        first: 1,
        events: 4,
        recorded_at: 1_800_000_000_000_000,
        acknowledged: 0,
        epoch: 1,
        previous: 0,
    };
    frame::finish(&mut buffer, &header, Place { store: STORE, file: FileKind::Wal, number: 1, offset: 0 });
    same_as_golden("frame.bin", &buffer);

    let (mut builder, mut segment) = Builder::new(STORE, 1);
    for offset in record::offsets(&records).expect("records") {
        let record = &records[offset as usize..];
        let block = builder.add(&record[..record::length(record).expect("a length")]);
        assert_eq!(block, None, "four small records are one block");
    }
    segment.extend(builder.finish().0);
    same_as_golden("segment.bin", &segment);

    let upstream = TrackingSource::new("upstream").expect("source");
    let manifest = Manifest {
        store: STORE,
        epoch: 3,
        wal_first: 2,
        wal_last: 4,
        segments: vec![SegmentEntry { first: 1, last: 4, bytes: segment.len() as u64 }],
        tracking: [(upstream, Position::new(17).expect("position"))].into(),
    };
    same_as_golden("manifest.bin", &manifest.encode());
}

/// A store with a sealed segment, a tail and tracking.
fn write_store(dir: &Path) {
    if dir.exists() {
        std::fs::remove_dir_all(dir).expect("remove");
    }
    let engine = open(dir, Settings { segment_events: 20, ..small() });
    let mut next = 1;
    for n in 0..16 {
        let source = TrackingSource::new("upstream").expect("source");
        let tracking = Tracking { source, position: Position::new(n + 1).expect("position") };
        let appended = pollster::block_on(engine.append(append(n, next).tracking(tracking))).expect("append");
        next = appended.last.get() + 1;
    }
    close(&engine);
    std::fs::remove_file(dir.join("LOCK")).expect("remove");
}

#[test]
fn a_store_written_by_version_0_opens() {
    let stored = golden("store");
    if rewriting() {
        write_store(&stored);
    }
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["STORE", "MANIFEST"] {
        std::fs::copy(stored.join(name), dir.path().join(name)).expect("copy");
    }
    for folder in ["wal", "segments"] {
        std::fs::create_dir(dir.path().join(folder)).expect("create");
        for entry in std::fs::read_dir(stored.join(folder)).expect("list") {
            let entry = entry.expect("an entry");
            std::fs::copy(entry.path(), dir.path().join(folder).join(entry.file_name())).expect("copy");
        }
    }
    let report = verify(dir.path(), &mut |_| {}).expect("verify");
    assert_eq!((report.events, report.damage.len()), (40, 0));
    assert!(0 < report.segments, "it has a sealed segment");

    let engine = open(dir.path(), small());
    let (events, error) = read(&engine, ReadOptions::default());
    assert!(error.is_none());
    let stored: Vec<_> = events.iter().map(|recorded| recorded.event.clone()).collect();
    assert_eq!(stored, (1..=40).map(event).collect::<Vec<_>>());
    let tracking = pollster::block_on(engine.tracking("upstream")).expect("tracking");
    assert_eq!(tracking, Position::new(16));
    let repeated = pollster::block_on(engine.append(append(0, 1))).expect("a repeat");
    assert!(repeated.deduplicated, "ids written then are known now");
}
