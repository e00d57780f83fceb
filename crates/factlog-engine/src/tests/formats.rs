//! Round trips of every structure on disk, and the promise that decoding arbitrary bytes is an error, not a panic.

use std::collections::BTreeMap;

use bytes::Bytes;
use factlog_core::{ContentType, Event, EventId, EventType, Position, StreamId, Tags, TrackingSource};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use uuid::Uuid;

use super::{close, fill, load, open, small};
use crate::checksum::{FileKind, Place, checksum, push_trailer};
use crate::frame::{self, ALIGNMENT, Header};
use crate::manifest::{Manifest, SegmentEntry};
use crate::record::{self, Boundary, Stamp};
use crate::records::Records;
use crate::storage::Buffer;

const STORE: Uuid = Uuid::from_u128(7);

fn events() -> impl Strategy<Value = Event> {
    let names = ("[a-z.é]{1,60}", proptest::option::of("[a-z0-9-]{1,90}"), vec("[a-z:0-9]{1,40}", 0..5));
    let bytes = (vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..60), any::<[u8; 16]>(), any::<bool>());
    (names, bytes).prop_map(|((name, stream, tags), (data, metadata, id, json))| {
        let event = Event::new(EventType::new(name).expect("type"), data).with_id(EventId::from_bytes(id));
        let event = event.with_metadata(metadata).tagged(Tags::new(tags).expect("tags"));
        let event = event.with_content_type(if json { ContentType::JSON } else { ContentType::BYTES });
        match stream {
            Some(stream) => event.in_stream(StreamId::new(stream).expect("stream")),
            None => event,
        }
    })
}

fn encoded(events: &[Event], first: u64) -> (Vec<u8>, Vec<u32>) {
    let (mut bytes, mut offsets) = (Vec::new(), Vec::new());
    for (at, event) in events.iter().enumerate() {
        let start = bytes.len();
        offsets.push(start as u32);
        record::encode(event, Boundary { first: at == 0, last: at + 1 == events.len() }, &mut bytes);
        let revision = if event.stream.is_some() { at as u64 } else { 0 };
        let stamp = Stamp { position: first + at as u64, recorded_at: -5 + at as i64, revision };
        record::stamp(&mut bytes[start..], stamp);
    }
    (bytes, offsets)
}

fn wal_place(offset: u64) -> Place {
    Place { store: STORE, file: FileKind::Wal, number: 3, offset }
}

proptest! {
    #[test]
    fn a_record_comes_back_as_it_was(events in vec(events(), 1..6), first in 1..u64::MAX / 2) {
        let (bytes, offsets) = encoded(&events, first);
        prop_assert_eq!(&record::offsets(&bytes).expect("records"), &offsets);
        let records = Records::new(first, Bytes::from(bytes)).expect("records");
        for (at, event) in events.iter().enumerate() {
            let recorded = records.event(first + at as u64).expect("a record");
            prop_assert_eq!(&recorded.event, event);
            prop_assert_eq!(recorded.recorded_at.as_micros(), -5 + at as i64);
            prop_assert_eq!(recorded.revision.is_some(), event.stream.is_some());
        }
    }

    #[test]
    fn a_frame_comes_back_as_it_was(
        appends in vec((vec(events(), 1..4), proptest::option::of(1..u64::MAX)), 1..4),
        numbers in any::<[u64; 4]>(),
        offset in (0..1_000_u64).prop_map(|page| page * ALIGNMENT as u64),
    ) {
        let mut buffer = Buffer::default();
        frame::begin(&mut buffer);
        let [first, acknowledged, epoch, previous] = numbers;
        let (first, epoch) = (first.clamp(1, u64::MAX - 20), epoch / 2);
        let acknowledged = acknowledged % first;
        for (events, tracking) in &appends {
            let (records, _) = encoded(events, 1);
            let tracking = tracking.map(|position| ("upstream", position));
            frame::push_append_head(&mut buffer, events.len() as u32, tracking, records.len());
            buffer.extend_from_slice(&records);
        }
        let count = appends.iter().map(|(events, _)| events.len() as u32).sum();
        let header =
            Header { appends: appends.len() as u32, first, events: count, recorded_at: 9, acknowledged, epoch, previous };
        let checksum = frame::finish(&mut buffer, &header, wal_place(offset));
        prop_assert_eq!(buffer.len() % ALIGNMENT, 0);
        let frame = frame::parse(&buffer, wal_place(offset)).expect("a whole frame");
        prop_assert_eq!((frame.header, frame.checksum, frame.length), (header, checksum, buffer.len()));
        let entries = frame::appends(frame.body).expect("appends");
        prop_assert_eq!(entries.len(), appends.len());
        for (entry, (events, tracking)) in entries.iter().zip(&appends) {
            prop_assert_eq!(entry.tracking, tracking.map(|position| ("upstream", position)));
            prop_assert_eq!(entry.records, &encoded(events, 1).0[..]);
        }
        prop_assert!(frame::parse(&buffer, wal_place(offset + ALIGNMENT as u64)).is_err(), "another place never passes");
    }

    #[test]
    fn a_manifest_comes_back_as_it_was(
        numbers in any::<[u64; 4]>(),
        lengths in vec((1..1_000_000_u64, 0..1_u64 << 50, any::<[i64; 2]>()), 0..20),
        tracking in btree_map("[a-z]{1,30}", 1..u64::MAX, 0..10),
    ) {
        let [sequence, epoch, wal_first, files] = numbers.map(|number| number / 2);
        let wal_last = (wal_first + files % 1_000).saturating_sub(1);
        let mut segments: Vec<SegmentEntry> = Vec::new();
        for (events, bytes, [first_recorded_at, last_recorded_at]) in lengths {
            let first = segments.last().map_or(1, |segment| segment.last + 1);
            let last = first + events - 1;
            segments.push(SegmentEntry { first, last, bytes, first_recorded_at, last_recorded_at });
        }
        let tracking: BTreeMap<_, _> = tracking.into_iter().map(|(source, position)| {
            (TrackingSource::new(source).expect("source"), Position::new(position).expect("position"))
        }).collect();
        let sections = [&7_u32.to_le_bytes()[..], &[3, 0, 0, 0, 9, 9, 9]].concat();
        let tracking = tracking.into();
        let mut manifest =
            Manifest { store: STORE, sequence, epoch, wal_first, wal_last, segments, tracking, sections };
        let bytes = manifest.encode();
        prop_assert_eq!(Manifest::decode(&bytes, STORE).expect("decode"), manifest.clone());
        prop_assert!(Manifest::decode(&bytes, Uuid::from_u128(8)).is_err(), "another store's never passes");
        if let Some(segment) = manifest.segments.first_mut() {
            segment.first += 1;
            prop_assert!(Manifest::decode(&manifest.encode(), STORE).is_err(), "a gap never passes");
        }
    }

    #[test]
    fn arbitrary_bytes_are_an_error_and_never_a_panic(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(frame::parse(&bytes, wal_place(0)).is_err());
        prop_assert!(Manifest::decode(&bytes, STORE).is_err());
        let _ = frame::appends(&bytes);
        let _ = record::offsets(&bytes);
        let _ = record::decode(&bytes);
    }

    #[test]
    fn a_damaged_record_is_an_error_and_never_a_panic(event in events(), at in any::<usize>(), bit in 0..8_u8) {
        let (mut bytes, _) = encoded(&[event], 1);
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        let _ = record::offsets(&bytes);
        let _ = record::decode(&bytes);
    }
}

/// An optional section of a kind that nobody knows.
const SECTION: [u8; 11] = [7, 1, 0, 0, 3, 0, 0, 0, 9, 9, 9];

#[test]
fn what_later_programs_add_to_records_and_frames_is_passed_over() {
    let event = Event::new(EventType::new("order.placed").expect("type"), "{}")
        .in_stream(StreamId::new("a-1").expect("id"));
    let (mut record, _) = encoded(std::slice::from_ref(&event), 1);
    record.extend_from_slice(&SECTION);
    let length = record.len() as u32;
    record[..4].copy_from_slice(&length.to_le_bytes());
    assert_eq!(record::decode(&record).expect("a record").0.event, event);
    assert_eq!(record::names(&record).expect("names").stream, Some("a-1"));

    let mut buffer = Buffer::default();
    frame::begin(&mut buffer);
    frame::push_append_head(&mut buffer, 1, Some(("upstream", 7)), SECTION.len() + record.len());
    let head = frame::HEADER_BYTES;
    buffer[head + 18..head + 20].copy_from_slice(&(SECTION.len() as u16).to_le_bytes());
    buffer.extend_from_slice(&SECTION);
    buffer.extend_from_slice(&record);
    let header =
        Header { appends: 1, first: 1, events: 1, recorded_at: 0, acknowledged: 0, epoch: 1, previous: 0 };
    let body = buffer.len();
    frame::finish(&mut buffer, &header, wal_place(0));
    buffer[body..body + SECTION.len()].copy_from_slice(&SECTION);
    buffer[28..32].copy_from_slice(&(SECTION.len() as u32).to_le_bytes());
    buffer[64..72].fill(0);
    let sum = checksum(wal_place(0).seed(), &buffer);
    buffer[64..72].copy_from_slice(&sum.to_le_bytes());
    let frame = frame::parse(&buffer, wal_place(0)).expect("a frame");
    let appends = frame::appends(frame.body).expect("appends");
    assert_eq!((appends[0].tracking, appends[0].records), (Some(("upstream", 7)), &record[..]));
}

#[test]
fn what_later_programs_add_to_a_store_and_its_manifest_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), small());
    fill(&engine, 3);
    close(&engine);
    drop(engine);
    let path = dir.path().join("STORE");
    let mut bytes = std::fs::read(&path).expect("read");
    bytes.truncate(bytes.len() - 8);
    bytes.extend_from_slice(&SECTION);
    push_trailer(0, &mut bytes);
    std::fs::write(&path, bytes).expect("write");
    let manifest = load(dir.path()).manifest;
    for (name, sequence) in [("MANIFEST.0", 100), ("MANIFEST.1", 101)] {
        let newer = Manifest { sections: SECTION.to_vec(), sequence, ..manifest.clone() };
        std::fs::write(dir.path().join(name), newer.encode()).expect("write");
    }
    for _ in 0..2 {
        let engine = open(dir.path(), small());
        assert!(engine.damage().is_empty());
        close(&engine);
    }
    assert_eq!(load(dir.path()).manifest.sections, SECTION);
}
