//! Tests of sealed segments: what is written comes back, what is damaged is noticed and costs no more than it must.

mod damage;
mod formats;
mod golden;
mod lookup;

use std::io;
use std::sync::Arc;

use factlog_core::{ContentType, Event, EventId, EventType, Position, StreamId, Tags, TrackingSource};
use parking_lot::Mutex;
use uuid::Uuid;

use super::table::BlockEntry;
use super::tracking::Tracking;
use super::{Builder, Codec, Description, DictionaryPolicy, Segment, SegmentCache, Settings, scan};
use crate::manifest::SegmentEntry;
use crate::record::{self, Boundary, Stamp};
use crate::storage::DiskFile;

const STORE: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

/// A file in memory.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn with(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    fn flip(&self, offset: usize, bit: u32) {
        self.0.lock()[offset] ^= 1 << bit;
    }
}

impl DiskFile for Memory {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock();
        let from = bytes.len().min(offset as usize);
        let length = buffer.len().min(bytes.len() - from);
        buffer[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut file = self.0.lock();
        let end = offset as usize + bytes.len();
        let length = file.len().max(end);
        file.resize(length, 0);
        file[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }
}

/// The n-th event: every field is used by some n.
fn event(n: u64) -> Event {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    id[8..].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let data = format!(r#"{{"n":{n},"pad":"{}"}}"#, "thank you ".repeat((n % 7 * 4) as usize));
    let mut event =
        Event::new(EventType::new(["order.placed", "order.paid"][(n % 2) as usize]).expect("type"), data)
            .with_id(EventId::from_bytes(id))
            .tagged(Tags::new((0..n % 3).map(|tag| format!("tag:{}", tag + n % 5))).expect("tags"));
    if n % 4 != 3 {
        event = event.in_stream(StreamId::new(format!("order-{}", n % 6)).expect("stream"));
    }
    if n % 5 == 4 {
        event = event.with_metadata(r#"{"user":"ada"}"#).with_content_type(ContentType::BYTES);
    }
    event
}

/// Three events are recorded at the same time, then time goes on.
fn time_of(position: u64) -> i64 {
    1_800_000_000_000_000 + ((position / 3).min(1 << 40) * 1_000) as i64
}

fn record_of(event: &Event, position: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    record::encode(event, Boundary { first: true, last: position.is_multiple_of(2) }, &mut bytes);
    let revision = if event.stream.is_some() { position / 6 } else { 0 };
    record::stamp(&mut bytes, Stamp { position, recorded_at: time_of(position), revision });
    bytes
}

fn tracking() -> Tracking {
    let source = |name| TrackingSource::new(name).expect("a source");
    let position = |number| Position::new(number).expect("a position");
    [(source("orders"), position(17)), (source("zahlungen-ü"), position(u64::MAX))].into()
}

/// A segment of these events in memory, with what the manifest would say of it.
struct Written {
    file: Memory,
    entry: SegmentEntry,
    description: Description,
    segment: Segment,
}

fn write(events: &[Event], first: u64, settings: Settings) -> Written {
    write_with(events, first, settings, &[])
}

fn write_with(events: &[Event], first: u64, settings: Settings, more: &[(u32, u32, &[u8])]) -> Written {
    let mut bytes = Vec::new();
    let mut builder = Builder::new(STORE, first, settings, &mut bytes);
    for (position, event) in (first..).zip(events) {
        builder.add(&record_of(event, position)).expect("add");
    }
    let description = builder.finish_with(&tracking(), more).expect("finish");
    let entry = description.entry();
    assert_eq!((entry.last, entry.bytes), (first + events.len() as u64 - 1, bytes.len() as u64));
    Written { file: Memory::with(bytes), entry, description, segment: Segment::new(STORE, entry) }
}

impl Written {
    /// Every block by the table.
    fn blocks(&self) -> Vec<BlockEntry> {
        let (cache, mut blocks, mut next) = (cache(), Vec::new(), self.entry.first);
        while next <= self.entry.last {
            let block = self.segment.block_of(&self.file, &cache, next).expect("a block");
            assert_eq!(block.first, next, "blocks follow each other");
            next = block.last() + 1;
            blocks.push(block);
        }
        blocks
    }

    /// Positions and records that a scan hands out, and the damage it names.
    fn scan(&self) -> (Vec<(u64, Vec<u8>)>, Vec<crate::Damage>) {
        let mut seen = Vec::new();
        let scanned = scan(STORE, &self.file, &self.entry, &mut |records| {
            seen.extend(
                (records.first..=records.last())
                    .map(|position| (position, records.record(position).expect("a record").to_vec())),
            );
        });
        (seen, scanned.damage)
    }
}

fn cache() -> SegmentCache {
    SegmentCache::new(16, 4, 4)
}

fn settings(codec: Codec, dictionary: DictionaryPolicy, block_bytes: usize) -> Settings {
    Settings { codec, dictionary, block_bytes }
}

/// A segment's file written again as a later program might: with an optional section that this one does not know.
pub(crate) fn with_optional_section(
    store: Uuid,
    entry: &SegmentEntry,
    file: &dyn DiskFile,
) -> (Vec<u8>, SegmentEntry) {
    let mut bytes = Vec::new();
    let mut builder = Builder::new(store, entry.first, Settings::default(), &mut bytes);
    let scanned = scan(store, file, entry, &mut |records| {
        for position in records.first..=records.last() {
            builder.add(records.record(position).expect("a record")).expect("add");
        }
    });
    assert_eq!(scanned.damage, vec![]);
    let more = [(99, super::footer::OPTIONAL, &b"of a later time"[..])];
    let description = builder.finish_with(&scanned.tracking.expect("tracking"), &more).expect("finish");
    (bytes, description.entry())
}
