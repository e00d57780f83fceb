//! Look-ups by position and time against the plain list of blocks.

use factlog_core::{Event, EventType};
use proptest::prelude::*;

use super::{STORE, settings, time_of, write};
use crate::checksum::checksum;
use crate::segment::table::{self, BlockEntry, Page};
use crate::segment::{Codec, DictionaryPolicy, SegmentCache, place};

/// Would fail if a block were looked for on the wrong page, or a page were needed that is not in the cache.
#[test]
fn positions_and_times_are_found_on_more_than_a_hundred_pages() {
    let first = 1_000;
    let small = Event::new(EventType::new("a").expect("type"), "");
    let events = vec![small; 27_000];
    let written = write(&events, first, settings(Codec::Raw, DictionaryPolicy::Without, 1));
    assert!(100 < written.description.table().0, "{:?}", written.description);
    let cache = SegmentCache::new(8, 1, 1);
    for n in 0..20_000_u64 {
        let position = first + checksum(n, b"") % 27_000;
        let block = written.segment.block_of(&written.file, &cache, position).expect("a block");
        assert_eq!((block.first, block.events, block.recorded_at), (position, 1, time_of(position)));
        let time = time_of(position) + (n % 3) as i64 - 1;
        let found = written.segment.block_at_time(&written.file, &cache, time).expect("a look");
        let model = model_at_time(first, first + 26_999, time);
        assert_eq!(found.map(|block| block.first), model, "{time}");
    }
    assert_eq!(written.segment.block_at_time(&written.file, &cache, 0).expect("a look"), None);
    for position in [first, first + 26_999] {
        assert_eq!(
            written.segment.block_of(&written.file, &cache, position).expect("a block").first,
            position
        );
    }
}

/// The last position at or before a time, where each position is a block: by `time_of`, three share a time.
fn model_at_time(first: u64, last: u64, time: i64) -> Option<u64> {
    let (mut found, start) =
        (None, first.max(((time - time_of(0)).max(0) as u64 / 1_000 * 3).saturating_sub(6)));
    for position in start..=last.min(start + 20) {
        if time_of(position) <= time {
            found = Some(position);
        }
    }
    found
}

proptest! {
    #[test]
    fn a_page_says_what_it_was_told(
        blocks in proptest::collection::vec((1..5_000_u64, 1..20_000_u64, 0..3_i64), 1..300),
        first in 1..u64::MAX / 2,
        offset in 48..u64::MAX / 4,
    ) {
        let (mut first, mut offset, mut recorded_at, mut entries) = (first, offset, -7, Vec::new());
        for (events, length, later) in blocks {
            recorded_at += later;
            entries.push(BlockEntry { offset, length, first, events, recorded_at });
            (first, offset) = (first + events, offset + length);
        }
        let mut rest = &entries[..];
        while !rest.is_empty() {
            let (of_page, after) = rest.split_at(table::page_length(rest));
            let bytes = table::encode_page(STORE, 1, 4096, of_page);
            Page::check(STORE, 1, 4096, &bytes).expect("a page");
            prop_assert!(Page::check(STORE, 1, 8192, &bytes).is_err(), "another place never passes");
            let page = Page::new(&bytes).expect("a page");
            prop_assert_eq!(page.len(), of_page.len());
            for (at, entry) in of_page.iter().enumerate() {
                prop_assert_eq!(&page.entry(at).expect("an entry"), entry);
                for position in [entry.first, entry.last()] {
                    prop_assert_eq!(&page.of_position(position).expect("an entry"), entry);
                }
                let latest = of_page.iter().rfind(|other| other.recorded_at <= entry.recorded_at);
                let at_time = page.of_time(entry.recorded_at).expect("a look");
                prop_assert_eq!(at_time.as_ref(), latest);
                let behind = page.behind(entry.offset).transpose().expect("a look");
                prop_assert_eq!(behind.as_ref(), of_page.get(at + 1));
            }
            prop_assert!(page.of_position(of_page[0].first - 1).is_err());
            rest = after;
        }
    }

    #[test]
    fn a_page_of_any_bytes_is_an_error_and_never_a_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 4096..=4096), position in any::<u64>(), time in any::<i64>(),
    ) {
        let count = u32::from(bytes[0]) % 254;
        bytes[..8].copy_from_slice(&u64::from(count).to_le_bytes());
        bytes.truncate(4088);
        crate::checksum::push_trailer(place(STORE, 1, 0).seed(), &mut bytes);
        if Page::check(STORE, 1, 0, &bytes).is_ok() {
            let page = Page::new(&bytes).expect("checked");
            let _ = (page.of_position(position), page.of_time(time), page.behind(position));
        }
    }
}

/// Would fail if a page that is far from the last one could not be told by 32 bits.
#[test]
fn a_page_ends_where_its_numbers_end() {
    let block = |n: u64| BlockEntry {
        offset: 48 + n * (1 << 31),
        length: 1 << 31,
        first: 1 + n,
        events: 1,
        recorded_at: 0,
    };
    let blocks: Vec<BlockEntry> = (0..10).map(block).collect();
    assert_eq!(table::page_length(&blocks), 2);
}
