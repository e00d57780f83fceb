//! Golden files: what version 1 of the format wrote must be read for as long as the format document says so.
//!
//! `FACTLOG_WRITE_GOLDEN=1` writes them anew, which is a change of format and belongs into `docs/format.md`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_core::{
    EventStore, Position, Query, QueryItem, ReadOptions, StreamId, Tags, Tracking, TrackingSource,
};
use uuid::Uuid;

use super::{append, close, copy, event, load, open, read, settle, small, verify_all};
use crate::Settings;
use crate::checksum::{FileKind, Place};
use crate::frame::{self, Header};
use crate::manifest::{self, Manifest, SegmentEntry};
use crate::record::{self, Boundary, Stamp};
use crate::run;
use crate::segment::{self, Segment};
use crate::storage::{Buffer, Disk, LocalDisk};

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
fn records_frames_and_manifests_are_written_as_ever() {
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

    let upstream = TrackingSource::new("upstream").expect("source");
    let manifest = Manifest {
        store: STORE,
        sequence: 11,
        epoch: 3,
        wal_first: 2,
        wal_last: 4,
        segments: vec![
            SegmentEntry { first: 1, last: 4, bytes: 9_000, first_recorded_at: -1, last_recorded_at: 7 },
            SegmentEntry { first: 5, last: 5, bytes: 8_500, first_recorded_at: 7, last_recorded_at: 7 },
        ],
        tracking: Arc::new([(upstream, Position::new(17).expect("position"))].into()),
        sections: Vec::new(),
    };
    same_as_golden("manifest.bin", &manifest.encode());
}

/// A store with sealed segments, merged and single index runs, a tail and tracking. One segment and one run have a
/// section that this program does not know and can do without.
fn write_store(dir: &Path) {
    if dir.exists() {
        std::fs::remove_dir_all(dir).expect("remove");
    }
    let engine = open(dir, Settings { segment_events: 10, ..small() });
    let mut next = 1;
    for n in 0..52 {
        let source = TrackingSource::new("upstream").expect("source");
        let tracking = Tracking { source, position: Position::new(n + 1).expect("position") };
        let appended = pollster::block_on(engine.append(append(n, next).tracking(tracking))).expect("append");
        next = appended.last.get() + 1;
        settle(&engine);
    }
    close(&engine);
    drop(engine);
    let (mut manifest, _) = manifest::read(&LocalDisk, dir, load(dir).manifest.store).expect("a manifest");
    for number in 1..manifest.wal_first {
        // Old files that wait to be used again. They may be gone.
        drop(std::fs::remove_file(dir.join("wal").join(crate::wal_files::file_name(number))));
    }
    let (store, entry) = (manifest.store, manifest.segments[2]);
    let path = dir.join(Segment::new(store, entry).path());
    let file = LocalDisk.open(&path).expect("open");
    let (bytes, entry) = segment::tests::with_optional_section(store, &entry, &*file);
    std::fs::write(&path, bytes).expect("write");
    manifest.segments[2] = entry;
    for _ in 0..2 {
        manifest.sequence += 1;
        manifest::write(&LocalDisk, dir, &manifest).expect("write");
    }
    let names = LocalDisk.list(&dir.join("index")).expect("list");
    let name = names.iter().filter_map(|name| run::parse_name(name)).find(|name| name.level == 1);
    let name = name.expect("a merged run");
    let path = dir.join(run::relative_path(name));
    let bytes = std::fs::read(&path).expect("read");
    std::fs::write(&path, run::tests::with_optional_section(store, name, &bytes)).expect("write");
    std::fs::remove_file(dir.join("LOCK")).expect("remove");
}

#[test]
fn a_store_written_by_version_1_opens() {
    let stored = golden("store");
    if rewriting() {
        write_store(&stored);
    }
    let dir = tempfile::tempdir().expect("a directory");
    copy(&stored, dir.path());
    let report = verify_all(dir.path());
    assert!(report.is_clean(), "{:?} {:?}", report.damage, report.mendable);
    assert_eq!((report.events, 8 <= report.segments), (130, true));
    assert!(1 < report.runs && report.runs < report.segments, "merged runs and single ones");

    let engine = open(dir.path(), small());
    let (events, error) = read(&engine, ReadOptions::default());
    assert!(error.is_none());
    let stored: Vec<_> = events.iter().map(|recorded| recorded.event.clone()).collect();
    assert_eq!(stored, (1..=130).map(event).collect::<Vec<_>>());
    assert!(report.head > load_sealed(&engine), "it has a tail");
    for query in [
        Query::stream(StreamId::new("order-5").expect("stream")),
        Query::any_of([QueryItem::tagged(Tags::new(["tag:3"]).expect("tags"))]).expect("query"),
    ] {
        let found = pollster::block_on(engine.read(query.clone(), ReadOptions::default()).collect());
        let found = found.expect("read").events;
        let expected = events.iter().filter(|recorded| query.matches(&recorded.event));
        assert!(found.iter().eq(expected) && 4 < found.len());
    }
    let tracking = pollster::block_on(engine.tracking("upstream")).expect("tracking");
    assert_eq!(tracking, Position::new(52));
    let repeated = pollster::block_on(engine.append(append(0, 1))).expect("a repeat");
    assert!(repeated.deduplicated, "ids written then are known now");
    assert_eq!(engine.damage(), vec![]);
    close(&engine);
    drop(engine);
    assert!(verify_all(dir.path()).is_clean());
}

fn load_sealed(engine: &crate::Engine) -> Option<Position> {
    Position::new(engine.shared().view().sealed())
}
