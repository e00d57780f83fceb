//! The parts of a segment behind its blocks, each alone.

use super::super::codec::{Dictionary, with_decompressed};
use super::super::footer::Description;
use super::super::table::{self as tables, BlockEntry, Page, TopEntry};
use super::super::tracking as trackings;
use super::super::{PAGE_BYTES, dictionary as dictionaries, place};
use super::whole::{segment_of, tracked};
use super::{SECTION_AT, SECTION_BYTES};
use crate::fuzzing::kit::{STORE, reseal};

const SEGMENT: u64 = 1;
/// Positions that are looked for in a page.
const LOOKS: u64 = 8;

/// A page with what the input says and its checksum right, and the input as it is if it is a page.
fn pages(bytes: &[u8], offset: u64) -> Vec<Vec<u8>> {
    let mut mended = bytes.to_vec();
    mended.resize(PAGE_BYTES, 0);
    reseal(place(STORE, SEGMENT, offset).seed(), &mut mended);
    vec![bytes.to_vec(), mended]
}

/// A footer, which says what a file consists of; the file's length is what it says.
pub(crate) fn footer(bytes: &[u8]) {
    let mut said = bytes.to_vec();
    said.resize(PAGE_BYTES, 0);
    let length = u64_at(&said, 104);
    for offset in [length.wrapping_sub(PAGE_BYTES as u64), 8_192] {
        for page in pages(bytes, offset) {
            look_at(offset, &page);
        }
    }
    let mut page = bytes.to_vec();
    page.resize(PAGE_BYTES, 0);
    let length = chained(&mut page);
    let offset = length.wrapping_sub(PAGE_BYTES as u64);
    reseal(place(STORE, u64_at(&page, 32), offset).seed(), &mut page);
    look_at(offset, &page);
}

fn u64_at(page: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*page[at..].first_chunk().expect("a page is longer"))
}

/// Lets the parts that a footer names follow each other, whatever their lengths; returns the length of the file.
fn chained(page: &mut [u8]) -> u64 {
    let mut put = |at: usize, number: u64| page[at..at + 8].copy_from_slice(&number.to_le_bytes());
    put(0, u64::from_le_bytes(*b"FLSEGE1\n"));
    put(16, u64::from_le_bytes(*STORE.as_bytes().first_chunk().expect("16 bytes")));
    put(24, u64::from_le_bytes(*STORE.as_bytes().last_chunk().expect("16 bytes")));
    page[8..12].copy_from_slice(&1_u32.to_le_bytes());
    let count = u32::from_le_bytes(*page[12..].first_chunk().expect("a page is longer")) % 8;
    page[12..16].copy_from_slice(&count.to_le_bytes());
    page[SECTION_AT + count as usize * SECTION_BYTES..].fill(0);
    let events = u64_at(page, 40).wrapping_sub(u64_at(page, 32)).wrapping_add(1);
    page[48..56].copy_from_slice(&events.to_le_bytes());
    let sections: Vec<usize> = (0..count as usize).map(|at| SECTION_AT + at * SECTION_BYTES).collect();
    let dictionary = sections.iter().find(|&&at| page[at..at + 4] == [1, 0, 0, 0]);
    let front = dictionary.map_or(0, |&at| u64_at(page, at + 16).wrapping_add(16));
    let blocks = front.wrapping_add(48);
    page[96..104].copy_from_slice(&blocks.to_le_bytes());
    let mut end = blocks.wrapping_add(u64_at(page, 80));
    for at in sections {
        page[at + 8..at + 16].copy_from_slice(&end.to_le_bytes());
        end = end.wrapping_add(u64_at(page, at + 16));
    }
    let length = end.wrapping_add(2 * PAGE_BYTES as u64);
    page[104..112].copy_from_slice(&length.to_le_bytes());
    length
}

/// What a footer says is in its bounds.
fn look_at(offset: u64, page: &[u8]) {
    let Ok(found) = Description::decode(STORE, offset, page) else { return };
    assert_eq!(found.encode(STORE, offset), page, "a footer comes back");
    let entry = found.entry();
    assert!(0 < entry.first && entry.first <= entry.last && entry.last < u64::MAX, "positions have room");
    let events = entry.last - entry.first + 1;
    assert!(found.blocks <= events.min(found.stored_bytes), "no more blocks than events, or bytes");
    assert!(found.blocks_end() <= found.bytes && 2 * PAGE_BYTES as u64 <= found.bytes);
    assert!(found.sections.iter().all(|section| section.offset + section.length <= found.bytes));
}

pub(crate) fn footer_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of = |events| {
        let (bytes, _) = segment_of(events);
        bytes[bytes.len() - PAGE_BYTES..][..240].to_vec()
    };
    vec![("plain", of(0..6)), ("with-dictionary", of(0..60))]
}

/// A page of the table, and the same bytes as a top.
pub(crate) fn table(bytes: &[u8]) {
    let offset = PAGE_BYTES as u64;
    for page in pages(bytes, offset) {
        if Page::check(STORE, SEGMENT, offset, &page).is_ok() {
            look_up(&Page::new(&page).expect("it was checked"), bytes);
        }
    }
    let mut top = bytes.to_vec();
    reseal(place(STORE, SEGMENT, offset).seed(), &mut top);
    if let Ok(entries) = tables::decode_top(STORE, SEGMENT, offset, &top) {
        assert_eq!(tables::encode_top(STORE, SEGMENT, offset, &entries), top, "a top comes back");
    }
}

fn look_up(page: &Page<'_>, bytes: &[u8]) {
    let mut blocks = Vec::new();
    for at in 0..page.len() {
        blocks.extend(page.entry(at).ok());
    }
    let asked = bytes.chunks_exact(8).take(LOOKS as usize);
    let asked = asked.map(|number| u64::from_le_bytes(*number.first_chunk().expect("eight bytes")));
    for number in asked.chain([0, 1, page.first, page.last, u64::MAX]) {
        if let Ok(block) = page.of_position(number) {
            assert!(block.first <= number && number <= block.last(), "the block holds the position");
        }
        if let Some(Ok(block)) = page.behind(number) {
            assert!(number < block.offset && block.offset < block.end(), "the block is behind the offset");
        }
        if let Ok(Some(block)) = page.of_time(number as i64) {
            assert!(block.recorded_at <= number as i64, "the block begins in time");
        }
    }
    let follow = |pair: &[BlockEntry]| pair[0].last() + 1 == pair[1].first && pair[0].end() == pair[1].offset;
    if blocks.len() == page.len() && tables::page_length(&blocks) == blocks.len() {
        assert!(blocks.windows(2).all(follow), "blocks follow each other");
        let again = tables::encode_page(STORE, SEGMENT, 0, &blocks);
        let again = Page::new(&again).expect("a page that was just made");
        for (at, block) in blocks.iter().enumerate() {
            assert_eq!(again.entry(at).as_ref(), Ok(block), "a page comes back");
        }
    }
}

pub(crate) fn table_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let blocks: Vec<BlockEntry> = (0..20)
        .map(|n| BlockEntry {
            offset: 48 + n * 1_000,
            length: 1_000,
            first: 1 + n * 9,
            events: 9,
            recorded_at: n as i64,
        })
        .collect();
    let page = tables::encode_page(STORE, SEGMENT, PAGE_BYTES as u64, &blocks);
    let top: Vec<TopEntry> =
        (0..5).map(|n| TopEntry { first: 1 + n * 253, recorded_at: n as i64 * 10 }).collect();
    vec![
        ("page", page[..40 + 20 * 16].to_vec()),
        ("top", tables::encode_top(STORE, SEGMENT, PAGE_BYTES as u64, &top)),
    ]
}

pub(crate) fn tracking(bytes: &[u8]) {
    if let Ok(found) = trackings::decode(bytes) {
        assert_eq!(trackings::encode(&found), bytes, "tracking comes back");
    }
}

pub(crate) fn tracking_seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![("none", trackings::encode(&tracked(0))), ("several", trackings::encode(&tracked(40)))]
}

/// The copy of a dictionary in front of the blocks; what it holds is used to decompress the rest of the input.
pub(crate) fn dictionary(bytes: &[u8]) {
    let at = place(STORE, SEGMENT, 48);
    let (front, coded) = bytes.split_at(bytes.len() / 2);
    let content = &front[front.len().min(dictionaries::HEAD_BYTES)..];
    for copy in [bytes.to_vec(), dictionaries::encode(at, content)] {
        let Ok(found) = dictionaries::decode(at, &copy) else { continue };
        assert_eq!(dictionaries::encode(at, found), copy, "a dictionary comes back");
        let Ok(ready) = Dictionary::new(found) else { continue };
        drop(with_decompressed(coded, Some(&ready), 1 << 12, |out| {
            assert!(out.len() <= out.len().max(1 << 12), "no more than there is room for");
            Ok(())
        }));
    }
}

pub(crate) fn dictionary_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let (bytes, _) = segment_of(0..60);
    let front = &bytes[48..];
    let length = dictionaries::length(front).map_or(0, |length| dictionaries::HEAD_BYTES + length);
    assert!(0 < length, "the seed has a dictionary");
    vec![
        ("text", dictionaries::encode(place(STORE, SEGMENT, 48), b"order.placed order.paid thank you")),
        ("learned", front[..length].to_vec()),
    ]
}
