//! A whole segment, read in every way there is.

use factlog_core::{Position, TrackingSource};

use super::super::block::{HEAD_BYTES, Head};
use super::super::footer::{self as footers, Description};
use super::super::tracking::Tracking;
use super::super::{
    Builder, Codec, DictionaryPolicy, HEADER_BYTES, PAGE_BYTES, Segment, SegmentCache, Settings, dictionary,
    place, scan,
};
use super::{SECTION_AT, SECTION_BYTES, mend_block};
use crate::checksum::checksum;
use crate::fuzzing::kit::{self, Memory, STORE, pack, reseal, unpack};
use crate::manifest::SegmentEntry;

/// The most bytes of a file.
const BYTES_MAX: usize = 256 << 10;
/// The most positions that are read one by one.
const READS: u64 = 8;
const SEGMENT: u64 = 1;

/// A file, packed: as it is and with its checksums put right.
pub(crate) fn file(bytes: &[u8]) {
    let mut file = unpack(bytes, BYTES_MAX);
    check(&file);
    mend(SEGMENT, &mut file);
    check(&file);
}

fn check(bytes: &[u8]) {
    let file = Memory::of(bytes.to_vec());
    let said = Segment::describe(STORE, &file).map(|description| description.entry());
    // Where its own footers say nothing, the manifest still does.
    let guess = SegmentEntry {
        first: SEGMENT,
        last: SEGMENT + 5,
        bytes: bytes.len() as u64 | 1 << 50,
        first_recorded_at: kit::time(0),
        last_recorded_at: kit::time(5),
    };
    let entry = said.as_ref().map_or(guess, |entry| *entry);
    let (mut served, mut last) = (0_u64, entry.first - 1);
    let scanned = scan(STORE, &file, &entry, &mut |records| {
        assert!(last < records.first && records.last() <= entry.last, "blocks come in order");
        (served, last) = (served + records.offsets.len() as u64, records.last());
    });
    if scanned.damage.is_empty() {
        assert_eq!(served, entry.last - entry.first + 1, "without damage, every position is there");
    }
    let lost: u64 =
        scanned.damage.iter().filter_map(crate::Damage::lost).map(|(first, last)| last - first + 1).sum();
    assert_eq!(served + lost, entry.last - entry.first + 1, "every position is there or named as lost");
    read(&file, entry, scanned.damage.is_empty());
}

/// Looks positions and times up. Where a scan found nothing wrong, every look-up must answer.
fn read(file: &Memory, entry: SegmentEntry, whole: bool) {
    let (segment, cache) = (Segment::new(STORE, entry), SegmentCache::new(16, 4, 4));
    let events = entry.last - entry.first;
    let positions = (0..=events.min(READS)).flat_map(|at| [entry.first + at, entry.last - at]);
    for position in positions {
        let block = segment.block_of(file, &cache, position);
        assert!(!whole || block.is_ok(), "a scan found nothing wrong, and {position} is not found");
        let Ok(block) = block else { continue };
        assert!(block.first <= position && position <= block.last(), "the block holds the position");
        let records = segment.read(file, &cache, &block);
        assert!(!whole || records.is_ok(), "a scan found nothing wrong, and {position} cannot be read");
        let Ok(records) = records else { continue };
        if let Ok(event) = records.event(position) {
            assert_eq!(event.position.get(), position);
        }
    }
    for time in [i64::MIN, entry.first_recorded_at, entry.last_recorded_at, i64::MAX] {
        if let Ok(Some(block)) = segment.block_at_time(file, &cache, time) {
            assert!(block.recorded_at <= time, "the block begins in time");
        }
    }
    drop(segment.tracking(file));
}

/// Puts every checksum of a segment's file right, as far as its parts can be found.
pub(crate) fn mend(first: u64, file: &mut [u8]) {
    let length = file.len();
    if length < HEADER_BYTES + 2 * PAGE_BYTES {
        return;
    }
    let seed = |offset: usize| place(STORE, first, offset as u64).seed();
    reseal(seed(0), &mut file[..HEADER_BYTES]);
    let copies = [length - PAGE_BYTES, length - 2 * PAGE_BYTES];
    copies.iter().for_each(|&at| reseal(seed(at), &mut file[at..at + PAGE_BYTES]));
    let found =
        copies.iter().find_map(|&at| Description::decode(STORE, at as u64, &file[at..at + PAGE_BYTES]).ok());
    let Some(found) = found.filter(|found| found.first == first && found.bytes == length as u64) else {
        return;
    };
    let start = found.blocks_offset as usize;
    if HEADER_BYTES + dictionary::HEAD_BYTES <= start {
        let content = file[HEADER_BYTES + dictionary::HEAD_BYTES..start].to_vec();
        let front = dictionary::encode(place(STORE, first, HEADER_BYTES as u64), &content);
        file[HEADER_BYTES..start].copy_from_slice(&front);
    }
    let (mut at, end) = (start, found.blocks_end() as usize);
    while let Some(head) = file.get(at..end).and_then(|rest| Head::parse(rest).ok()) {
        let Some(block) = file[..end].get_mut(at..at + head.length()) else { break };
        mend_block(first, at as u64, block);
        at += HEAD_BYTES + head.stored as usize;
    }
    for section in &found.sections {
        let (from, length) = (section.offset as usize, section.length as usize);
        let part = &mut file[from..from + length];
        match section.kind {
            footers::TABLE => {
                let pages = part.chunks_exact_mut(PAGE_BYTES).enumerate();
                pages.for_each(|(page, bytes)| reseal(seed(from + page * PAGE_BYTES), bytes));
            }
            footers::TOP => reseal(seed(from), part),
            _ => {}
        }
    }
    for at in copies {
        for (number, section) in found.sections.iter().enumerate() {
            let (from, length) = (section.offset as usize, section.length as usize);
            let sum = checksum(seed(from), &file[from..from + length]);
            let place = at + SECTION_AT + number * SECTION_BYTES + 24;
            file[place..place + 8].copy_from_slice(&sum.to_le_bytes());
        }
        reseal(seed(at), &mut file[at..at + PAGE_BYTES]);
    }
}

/// How far some sources were read.
pub(crate) fn tracked(until: u64) -> Tracking {
    let source = |text: String| TrackingSource::new(text).expect("a source");
    (1..until).step_by(9).filter_map(|n| Some((source(format!("source-{n}")), Position::new(n)?))).collect()
}

/// A segment of these events and what the manifest says of it. With many events it has a dictionary.
pub(crate) fn segment_of(events: std::ops::Range<u64>) -> (Vec<u8>, SegmentEntry) {
    let text = (1_000..1_003).flat_map(kit::record).collect::<Vec<u8>>().into();
    let settings =
        Settings { codec: Codec::Dense, dictionary: DictionaryPolicy::Reuse(text), block_bytes: 512 };
    built(events, settings)
}

fn built(events: std::ops::Range<u64>, settings: Settings) -> (Vec<u8>, SegmentEntry) {
    let mut bytes = Vec::new();
    let mut builder = Builder::new(STORE, events.start + 1, settings, &mut bytes);
    let end = events.end;
    events.for_each(|n| builder.add(&kit::record(n)).expect("a record"));
    let more: [(u32, u32, &[u8]); 1] = [(99, footers::OPTIONAL, b"of a later time")];
    let description = builder.finish_with(&tracked(end), &more).expect("a segment in memory");
    let entry = description.entry();
    (bytes, entry)
}

pub(crate) fn file_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let raw = Settings { codec: Codec::Raw, dictionary: DictionaryPolicy::Without, block_bytes: 512 };
    vec![
        ("compressed", pack(&segment_of(0..6).0)),
        ("raw", pack(&built(0..12, raw).0)),
        ("with-dictionary", pack(&segment_of(0..60).0)),
    ]
}
