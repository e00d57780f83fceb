//! Round trips, and the promise that arbitrary bytes are an error, never a panic and never much memory.

use bytes::Bytes;
use factlog_core::{Event, EventId, EventType, StreamId, Tags};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Memory, STORE, Written, cache, event, record_of, settings, tracking, write, write_with};
use crate::checksum::Place;
use crate::manifest::SegmentEntry;
use crate::segment::block::{self, Block, Coding, Content, Layout};
use crate::segment::codec::Compressor;
use crate::segment::footer::{DICTIONARY, OPTIONAL};
use crate::segment::{Builder, Codec, DictionaryPolicy, Segment, columns, place, scan, tracking as section};

fn events() -> impl Strategy<Value = Event> {
    let names = ("[a-z.é]{1,60}", proptest::option::of("[a-z0-9-]{1,90}"), vec("[a-z:0-9]{1,40}", 0..5));
    let bytes = (vec(any::<u8>(), 0..600), vec(any::<u8>(), 0..60), any::<[u8; 16]>(), any::<bool>());
    (names, bytes).prop_map(|((name, stream, tags), (data, metadata, id, drawn))| {
        let data = if drawn { data } else { vec![b'x'; data.len() * 10] };
        let event = Event::new(EventType::new(name).expect("type"), data).with_id(EventId::from_bytes(id));
        let event = event.with_metadata(metadata).tagged(Tags::new(tags).expect("tags"));
        match stream {
            Some(stream) => event.in_stream(StreamId::new(stream).expect("stream")),
            None => event,
        }
    })
}

/// Every record comes back as it was: by the scan, and by looking each position up.
fn check(written: &Written, events: &[Event], first: u64) {
    let expected: Vec<(u64, Vec<u8>)> =
        (first..).zip(events).map(|(at, event)| (at, record_of(event, at))).collect();
    let (seen, damage) = written.scan();
    assert_eq!(damage, vec![]);
    assert!(seen == expected, "the scan hands out what was written");
    let cache = cache();
    for (position, record) in &expected {
        let entry = written.segment.block_of(&written.file, &cache, *position).expect("a block");
        let records = written.segment.read(&written.file, &cache, &entry).expect("records");
        assert_eq!(records.record(*position).expect("a record"), record);
        assert_eq!(records.event(*position).expect("an event").event, events[(position - first) as usize]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_segment_comes_back_as_it_was(
        events in vec(events(), 1..60),
        first in prop_oneof![Just(1), 1..u64::MAX / 2],
        codec in prop_oneof![Just(Codec::Raw), Just(Codec::Dense)],
        trained in any::<bool>(),
        block_bytes in prop_oneof![Just(1_usize), 200..20_000_usize],
    ) {
        let policy = if trained { DictionaryPolicy::Train } else { DictionaryPolicy::Without };
        let written = write(&events, first, settings(codec, policy, block_bytes));
        check(&written, &events, first);
        let described = Segment::describe(STORE, &written.file).expect("a description");
        prop_assert_eq!(&described, &written.description);
        prop_assert_eq!(written.segment.tracking(&written.file).expect("tracking"), tracking());
    }

    #[test]
    fn any_records_that_can_be_taken_apart_come_back(
        events in vec(events(), 1..20), first in 1..1_000_u64, at in any::<usize>(), bit in 0..8_u8,
    ) {
        // A record with a flipped bit may be one that columns cannot say: then they must refuse.
        let (mut records, mut offsets) = (Vec::new(), Vec::new());
        for (position, event) in (first..).zip(&events) {
            offsets.push(records.len() as u32);
            records.extend(record_of(event, position));
        }
        let at = at % records.len();
        records[at] ^= 1 << bit;
        let Ok((ids, plain)) = columns::encode(&records, &offsets, first, 5) else { return Ok(()) };
        let content = Content {
            coding: Coding::Plain,
            layout: Layout::Columns,
            raw: records.len(),
            ids: ids.len(),
            events: events.len(),
            first,
            recorded_at: 5,
        };
        let mut bytes = vec![0; block::HEAD_BYTES];
        bytes.extend(ids);
        bytes.extend(plain);
        let block = sealed(&content, bytes).expect("a block");
        let found = block.records(None).expect("records");
        prop_assert_eq!(&found.bytes[..], &records[..]);
        prop_assert_eq!(found.offsets, offsets);
    }

    #[test]
    fn arbitrary_bytes_are_an_error_and_never_a_panic(bytes in vec(any::<u8>(), 0..20_000)) {
        let file = Memory::with(bytes.clone());
        prop_assert!(Segment::describe(STORE, &file).is_err());
        let bytes = bytes.len() as u64;
        let entry = SegmentEntry { first: 1, last: 10, bytes, first_recorded_at: 0, last_recorded_at: 0 };
        let mut events = 0;
        let scanned = scan(STORE, &file, &entry, &mut |records| events += records.offsets.len());
        prop_assert!(!scanned.damage.is_empty() && events == 0);
        prop_assert!(Segment::new(STORE, entry).block_of(&file, &cache(), 3).is_err());
        let _ = section::decode(&file.0.lock());
    }

    #[test]
    fn arbitrary_bodies_under_a_right_checksum_are_an_error_and_never_a_panic(
        body in vec(any::<u8>(), 0..500), coding in 0..2_u8, ids in 0..100_usize,
        raw in 0..1_000_usize, events in 1..10_usize, layout in any::<bool>(),
    ) {
        let content = Content {
            coding: if coding == 0 { Coding::Plain } else { Coding::Zstd },
            layout: if layout { Layout::Columns } else { Layout::Records },
            raw: body.len() + raw,
            ids,
            events,
            first: 1,
            recorded_at: 5,
        };
        let mut bytes = vec![0; block::HEAD_BYTES];
        bytes.extend(body);
        if let Ok(block) = sealed(&content, bytes)
            && let Ok(records) = block.records(None)
        {
            for position in records.first..=records.last() {
                let _ = records.event(position);
            }
        }
    }
}

fn some_place() -> Place {
    place(STORE, 1, 4_711)
}

fn sealed(content: &Content, mut bytes: Vec<u8>) -> Result<Block, crate::fields::Malformed> {
    block::seal(some_place(), content, &mut bytes);
    Block::check(some_place(), &Bytes::from(bytes))
}

/// Would fail if a block of little could claim to be one of much more than it says.
#[test]
fn a_decompression_bomb_is_refused() {
    let mut compressor = Compressor::new(3, &[]).expect("a compressor");
    for layout in [Layout::Records, Layout::Columns] {
        for (raw, real) in [(4_096, 64 << 20), (block::RAW_MAX, 64 << 20), (64, 65)] {
            let mut bytes = vec![0; block::HEAD_BYTES];
            compressor.compress(&vec![0; real], &mut bytes).expect("compress");
            let content =
                Content { coding: Coding::Zstd, layout, raw, ids: 0, events: 1, first: 1, recorded_at: 0 };
            if let Ok(block) = sealed(&content, bytes) {
                block.records(None).expect_err("refused");
            }
        }
        let content = Content {
            coding: Coding::Zstd,
            layout,
            raw: block::RAW_MAX + 1,
            ids: 0,
            events: 1,
            first: 1,
            recorded_at: 0,
        };
        sealed(&content, vec![0; 200]).expect_err("no block has as much");
    }
}

/// Would fail if the largest event that the contract allows could not be sealed, or took its neighbours' block.
#[test]
fn giant_records_have_blocks_of_their_own() {
    let mut events: Vec<Event> = (1..=20).map(event).collect();
    for (at, drawn) in [(3, false), (4, true), (15, false)] {
        let data: Vec<u8> = (0..factlog_core::limits::DATA_BYTES_MAX as u64)
            .map(|n| if drawn { (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 } else { b'y' })
            .collect();
        let metadata = vec![b'm'; factlog_core::limits::METADATA_BYTES_MAX];
        events[at] = Event::new(EventType::new("x".repeat(255)).expect("type"), data).with_metadata(metadata);
    }
    for codec in [Codec::Raw, Codec::Dense] {
        let written = write(&events, 7, settings(codec, DictionaryPolicy::Train, 8 << 10));
        let blocks = written.blocks();
        for giant in [10, 11, 22] {
            assert!(blocks.iter().any(|block| (block.first, block.last()) == (giant, giant)), "{blocks:?}");
        }
        check(&written, &events, 7);
    }
}

/// Would fail if a segment of many like events were written without a dictionary, or one could not be used again.
#[test]
fn a_dictionary_is_learned_where_it_pays_and_used_again() {
    let events: Vec<Event> = (1..=9_000).map(event).collect();
    let train = settings(Codec::Dense, DictionaryPolicy::Train, 1 << 10);
    let learned = write(&events, 1, train);
    let section = *learned.description.section(DICTIONARY).expect("a dictionary");
    let dictionary =
        learned.segment.dictionary_bytes(&learned.file, &learned.description).expect("it is whole");
    assert_eq!(dictionary.len() as u64, section.length);
    let plain = write(&events, 1, settings(Codec::Dense, DictionaryPolicy::Without, 1 << 10));
    assert!(learned.entry.bytes < plain.entry.bytes, "{} and {}", learned.entry.bytes, plain.entry.bytes);
    check(&learned, &events, 1);

    let reuse = DictionaryPolicy::Reuse(dictionary.clone().into());
    let again = write(&events, 9_001, settings(Codec::Dense, reuse, 1 << 10));
    let found = again.segment.dictionary_bytes(&again.file, &again.description).expect("it is whole");
    assert!(found == dictionary, "it still pays");
    check(&again, &events, 9_001);

    let useless = DictionaryPolicy::Reuse(vec![7; 5_000].into());
    let anew = write(&events, 1, settings(Codec::Dense, useless, 1 << 10));
    let found = anew.segment.dictionary_bytes(&anew.file, &anew.description).expect("it is whole");
    assert!(found == dictionary, "one that does not pay is learned anew");
    let few = write(&events[..50], 1, settings(Codec::Dense, DictionaryPolicy::Train, 1 << 10));
    assert_eq!(few.description.section(DICTIONARY), None, "a small segment has none");
}

/// Would fail if a section of a later program made an older one refuse the file, or one that is needed did not.
#[test]
fn an_unknown_section_is_skipped_if_it_may_be() {
    let events: Vec<Event> = (1..=40).map(event).collect();
    let raw = settings(Codec::Raw, DictionaryPolicy::Without, 4_096);
    let written = write_with(&events, 1, raw.clone(), &[(77, OPTIONAL, b"of a later time")]);
    check(&written, &events, 1);
    for flags in [0, 2, 3] {
        let written = write_with(&events, 1, raw.clone(), &[(77, flags, b"needed")]);
        let error = Segment::describe(STORE, &written.file).expect_err("refused");
        assert!(error.into_error("segments/1").to_string().contains("does not know"));
    }
    let twice = write_with(&events, 1, raw, &[(3, OPTIONAL, b"\0\0\0\0")]);
    Segment::describe(STORE, &twice.file).expect_err("a known section is there once");
}

/// Would fail if the builder wrote what a reader must refuse.
#[test]
fn a_record_that_is_none_is_refused() {
    let mut builder = Builder::new(STORE, 1, crate::segment::Settings::default(), Vec::new());
    assert!(builder.add(&[1, 2, 3]).is_err());
    let record = record_of(&event(1), 2);
    assert!(builder.add(&record).is_err(), "position 2 is not the first");
    let record = record_of(&event(1), 1);
    assert!(builder.add(&record[..record.len() - 1]).is_err(), "it is cut");
    builder.add(&record).expect("add");
    assert!(builder.add(&record).is_err(), "position 1 is there");
}
