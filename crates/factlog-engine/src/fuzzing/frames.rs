//! Records, and frames with their appends.

use bytes::Bytes;
use factlog_core::{RecordedEvent, Revision};

use super::kit::{self, STORE};
use crate::checksum::{FileKind, Place};
use crate::frame::{self, ALIGNMENT, Header};
use crate::interner::Interner;
use crate::record::{self, Boundary, Stamp};
use crate::storage::Buffer;

/// What follows a record's 64 bytes, names and content: sections, which the event does not have.
pub(super) fn record(bytes: &[u8]) {
    let decoded = record::decode(bytes);
    let shared = record::decode_with(bytes, &mut Interner::default(), Bytes::copy_from_slice);
    assert_eq!(decoded, shared, "decoding does not depend on what was read before");
    if let Ok((recorded, boundary)) = &decoded {
        check_record(&bytes[..record::length(bytes).expect("it was decoded")], recorded, *boundary);
    }
    if let Ok(names) = record::names(bytes) {
        assert!(names.position < u64::MAX && names.revision < names.position, "the next ones have room");
        assert!(names.tags().is_sorted_by(|one, other| one < other), "tags are in order and unique");
    }
    if let Ok(offsets) = record::offsets(bytes) {
        assert!(offsets.len() <= bytes.len() / record::HEADER_BYTES, "records do not overlap");
        let lengths = offsets.iter().map(|&at| record::length(&bytes[at as usize..]).expect("a record"));
        assert_eq!(lengths.sum::<usize>(), bytes.len(), "records leave nothing over");
    }
}

/// What a decoded record must satisfy.
pub(super) fn check_record(bytes: &[u8], recorded: &RecordedEvent, boundary: Boundary) {
    let names = record::names(bytes).expect("what decodes has names");
    let event = &recorded.event;
    assert_eq!(names.position, recorded.position.get());
    assert_eq!(names.recorded_at, recorded.recorded_at.as_micros());
    assert_eq!(names.id, event.id);
    assert_eq!(names.boundary, boundary);
    assert_eq!(names.event_type, event.event_type.as_str());
    assert_eq!(names.stream, event.stream.as_ref().map(|stream| stream.as_str()));
    assert!(names.tags().eq(event.tags.iter().map(|tag| tag.as_str())));
    let revision = recorded.revision.map_or(0, Revision::get);
    let mut again = Vec::new();
    record::encode(event, boundary, &mut again);
    let (position, recorded_at) = (recorded.position.get(), recorded.recorded_at.as_micros());
    record::stamp(&mut again, Stamp { position, recorded_at, revision });
    let same = record::decode(&again).expect("what was decoded is encoded and decoded again");
    assert_eq!((&same.0, same.1), (recorded, boundary), "an event comes back");
    if again.len() == bytes.len()
        && bytes[5] == 0
        && bytes[4] < 4
        && (recorded.revision.is_some() || names.revision == 0)
    {
        assert_eq!(again, bytes, "without sections and flags nobody knows, so do its bytes");
    }
}

pub(super) fn record_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let plain = kit::record(6);
    let mut section = plain.clone();
    section.extend_from_slice(&[7, 0, 0, 0, 1, 0, 0, 0, 9]);
    let length = section.len() as u32;
    section[..4].copy_from_slice(&length.to_le_bytes());
    let several = (0..6).flat_map(kit::record).collect();
    vec![
        ("plain", plain),
        ("bytes-and-tags", kit::record(14)),
        ("with-a-section", section),
        ("several", several),
    ]
}

fn place(offset: u64) -> Place {
    Place { store: STORE, file: FileKind::Wal, number: 1, offset }
}

pub(super) fn frame(bytes: &[u8]) {
    check_frame(bytes);
    check_frame(&padded(bytes, place(0)));
    // What looks at a frame that may be torn.
    frame::claims(bytes);
}

fn check_frame(bytes: &[u8]) {
    let Ok(found) = frame::parse(bytes, place(0)) else { return };
    let header = found.header;
    assert!(found.length.is_multiple_of(ALIGNMENT) && found.length <= bytes.len());
    assert!(header.acknowledged < header.first, "nothing behind a frame was acknowledged before it");
    assert!(header.first.checked_add(header.events.into()).is_some(), "positions have room");
    let Ok(appends) = frame::appends(found.body) else { return };
    let mut again = Buffer::default();
    frame::begin(&mut again);
    for append in &appends {
        frame::push_append_head(&mut again, append.events, append.tracking, append.records.len());
        again.extend_from_slice(append.records);
        drop(record::offsets(append.records));
    }
    let mut sealed = again;
    let same_body = &sealed[frame::HEADER_BYTES..] == found.body;
    let sum = frame::finish(&mut sealed, &header, place(0));
    let has_sections = bytes[28..32] != [0; 4];
    let behind = &bytes[frame::HEADER_BYTES + found.body.len()..found.length];
    if same_body && !has_sections && sealed.len() == found.length && behind.iter().all(|&byte| byte == 0) {
        assert_eq!((&sealed[..], sum), (&bytes[..found.length], found.checksum), "a frame comes back");
    }
}

/// A whole frame from one without its padding: length and checksum are put right, the rest is as it is.
pub(super) fn padded(bytes: &[u8], place: Place) -> Vec<u8> {
    const AT: usize = 64;
    let mut frame = bytes.to_vec();
    frame.resize(frame.len().max(frame::HEADER_BYTES).next_multiple_of(ALIGNMENT), 0);
    frame[..4].copy_from_slice(b"FLF1");
    let length = frame.len() as u32;
    frame[4..8].copy_from_slice(&length.to_le_bytes());
    frame[AT..AT + 8].fill(0);
    let sum = crate::checksum::checksum(place.seed(), &frame);
    frame[AT..AT + 8].copy_from_slice(&sum.to_le_bytes());
    frame
}

/// A frame of these events, an append each, without its padding.
pub(super) fn frame_of(
    events: std::ops::Range<u64>,
    acknowledged: u64,
    number: u64,
    offset: u64,
    previous: u64,
) -> (Vec<u8>, u64) {
    let mut buffer = Buffer::default();
    frame::begin(&mut buffer);
    for n in events.clone() {
        let record = kit::record(n);
        let tracking = (n % 4 == 1).then_some(("upstream", n + 1));
        frame::push_append_head(&mut buffer, 1, tracking, record.len());
        buffer.extend_from_slice(&record);
    }
    let used = buffer.len();
    let count = events.clone().count() as u32;
    let header = Header {
        appends: count,
        first: events.start + 1,
        events: count,
        recorded_at: kit::time(events.start),
        acknowledged,
        epoch: 1,
        previous,
    };
    let sum = frame::finish(&mut buffer, &header, Place { number, ..place(offset) });
    (buffer[..used].to_vec(), sum)
}

pub(super) fn frame_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let whole = |events| padded(&frame_of(events, 0, 1, 0, 0).0, place(0));
    vec![
        ("whole", whole(0..2)),
        ("without-padding", frame_of(0..5, 0, 1, 0, 0).0),
        ("one", frame_of(4..5, 4, 1, 0, 9).0),
        ("beacon", frame_of(3..3, 3, 1, 0, 7).0),
    ]
}
