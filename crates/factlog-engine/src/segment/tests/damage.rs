//! Damage to one place is noticed, named, and costs the block it lies in and nothing else.

use std::io;

use factlog_core::Event;

use super::{Memory, STORE, Written, cache, event, record_of, settings, write};
use crate::Damage;
use crate::segment::table::BlockEntry;
use crate::segment::{Codec, DictionaryPolicy, Segment, scan};
use crate::storage::DiskFile;

/// A small segment with several blocks; with a dictionary if `trained`.
fn small(codec: Codec, trained: bool) -> (Vec<Event>, Written) {
    let count = if trained { 9_000 } else { 40 };
    let policy = if trained { DictionaryPolicy::Train } else { DictionaryPolicy::Without };
    let events: Vec<Event> = (1..=count).map(event).collect();
    let written = write(&events, 1, settings(codec, policy, 1 << 10));
    (events, written)
}

/// Every position is either handed out as it was written or named as lost.
fn check_what_is_left(written: &Written, events: &[Event], context: &str) -> Vec<Damage> {
    let (seen, damage) = written.scan();
    let lost = |position: u64| {
        damage.iter().filter_map(Damage::lost).any(|(first, last)| first <= position && position <= last)
    };
    let mut seen = seen.into_iter().peekable();
    for (position, event) in (1..).zip(events) {
        let there = seen.next_if(|(found, _)| *found == position);
        assert_ne!(there.is_some(), lost(position), "{context}: position {position} is there or lost");
        if let Some((_, record)) = there {
            assert_eq!(record, record_of(event, position), "{context}");
        }
    }
    assert_eq!(seen.next(), None, "{context}: nothing else is there");
    damage
}

/// What a flip at this offset may cost.
fn block_at(blocks: &[BlockEntry], offset: u64) -> Option<(u64, u64)> {
    let block = blocks.iter().find(|block| block.offset <= offset && offset < block.offset + block.length)?;
    Some((block.first, block.last()))
}

#[test]
fn every_flipped_bit_is_named_and_costs_its_block_only() {
    for codec in [Codec::Raw, Codec::Dense] {
        let (events, written) = small(codec, false);
        let (blocks, length) = (written.blocks(), written.entry.bytes as usize);
        assert!(4 < blocks.len(), "several blocks");
        for offset in 0..length {
            written.file.flip(offset, offset as u32 % 8);
            let context = format!("{codec:?}, a flip at {offset}");
            let damage = check_what_is_left(&written, &events, &context);
            assert_eq!(damage.len(), 1 + usize::from(is_page(&written, offset)), "{context}: {damage:?}");
            for one in &damage {
                assert!(one.offset <= offset as u64, "{context}: {one}");
                assert_eq!(one.lost(), block_at(&blocks, offset as u64), "{context}: {one}");
            }
            written.file.flip(offset, offset as u32 % 8);
        }
        assert_eq!(written.scan().1, vec![]);
    }
}

/// A page of the table is under two checksums.
fn is_page(written: &Written, offset: usize) -> bool {
    let (pages, start) = written.description.table();
    (start..start + pages * 4096).contains(&(offset as u64))
}

#[test]
fn damage_to_a_dictionary_costs_nothing() {
    let (events, written) = small(Codec::Dense, true);
    let section = *written.description.section(crate::segment::footer::DICTIONARY).expect("a dictionary");
    for offset in [48, 60, 3_000, section.offset, section.offset + 2_000] {
        written.file.flip(offset as usize, 3);
        let damage = check_what_is_left(&written, &events, &format!("a flip at {offset}"));
        assert!(damage.len() == 1 && damage[0].lost().is_none(), "{damage:?}");
        let cache = cache();
        let entry = written.segment.block_of(&written.file, &cache, 4_000).expect("a block");
        written.segment.read(&written.file, &cache, &entry).expect("the other copy serves");
        written.file.flip(offset as usize, 3);
    }
    for offset in [3_000, section.offset as usize] {
        written.file.flip(offset, 3);
    }
    let (seen, damage) = written.scan();
    assert!(seen.is_empty(), "both copies are lost");
    assert!(damage.iter().any(|one| one.lost() == Some((1, 9_000))), "it is said once: {damage:?}");
}

#[test]
fn a_damaged_block_takes_no_other_with_it_even_if_the_table_is_damaged_too() {
    let (events, written) = small(Codec::Dense, false);
    let (blocks, table) = (written.blocks(), written.description.table().1 as usize);
    for block in &blocks {
        for both in [false, true] {
            written.file.flip(block.offset as usize + 2, 5);
            if both {
                written.file.flip(table + 60, 1);
            }
            let damage = check_what_is_left(&written, &events, "block and table");
            let lost: Vec<_> = damage.iter().filter_map(Damage::lost).collect();
            assert_eq!(lost, vec![(block.first, block.last())], "{damage:?}");
            if both {
                written.file.flip(table + 60, 1);
            }
            written.file.flip(block.offset as usize + 2, 5);
        }
    }
}

#[test]
fn a_file_that_is_cut_serves_what_is_in_front_of_the_cut() {
    let (events, written) = small(Codec::Dense, false);
    let (blocks, bytes) = (written.blocks(), written.file.0.lock().clone());
    for length in 0..bytes.len() {
        *written.file.0.lock() = bytes[..length].to_vec();
        let damage = check_what_is_left(&written, &events, &format!("a cut at {length}"));
        assert!(!damage.is_empty(), "a cut at {length} goes unnoticed");
        let whole = blocks.iter().filter(|block| block.offset + block.length <= length as u64).count();
        let lost: u64 = damage.iter().filter_map(Damage::lost).map(|(first, last)| last - first + 1).sum();
        let behind: u64 = blocks[whole..].iter().map(|block| block.events).sum();
        assert_eq!(lost, behind, "a cut at {length}: {damage:?}");
        assert!(Segment::describe(STORE, &written.file).is_err(), "a cut at {length}");
    }
}

#[test]
fn look_ups_go_on_where_the_table_is_damaged() {
    let events: Vec<Event> = (1..=1_500).map(event).collect();
    let written = write(&events, 1, settings(Codec::Dense, DictionaryPolicy::Without, 1));
    let blocks = written.blocks();
    let (pages, table) = written.description.table();
    assert!(5 < pages, "several pages");
    let top = written.description.section(crate::segment::footer::TOP).expect("a top").offset;
    let cases = [
        vec![top],
        vec![table],
        // A sector at the border of both.
        vec![top, table + 4096 * (pages - 1)],
        vec![top, table],
        vec![table + 4096, table + 8192],
        vec![table + 4096 * (pages - 1)],
        (0..pages).map(|page| table + 4096 * page).collect(),
    ];
    for flips in cases {
        for &flip in &flips {
            written.file.flip(flip as usize + 9, 1);
        }
        assert_eq!(written.blocks(), blocks, "{flips:?}");
        let damage = check_what_is_left(&written, &events, "table");
        assert!(damage.iter().all(|one| one.lost().is_none()), "{damage:?}");
        for &flip in &flips {
            written.file.flip(flip as usize + 9, 1);
        }
    }
    // A block and the page it is on: its neighbours are found, and it is said to be damaged.
    written.file.flip(table as usize + 9, 1);
    written.file.flip(blocks[100].offset as usize + 1, 1);
    let cache = cache();
    for block in &blocks[..253] {
        let found = written.segment.block_of(&written.file, &cache, block.first).expect("a block");
        let read = written.segment.read(&written.file, &cache, &found);
        assert_eq!(read.is_ok(), block.first != blocks[100].first);
    }
}

#[test]
fn bytes_of_another_store_or_segment_are_refused() {
    let (_, written) = small(Codec::Dense, false);
    assert!(Segment::describe(uuid::Uuid::from_u128(8), &written.file).is_err());
    let mut events = 0;
    let other = crate::manifest::SegmentEntry { first: 2, last: 41, ..written.entry };
    let scanned = scan(STORE, &written.file, &other, &mut |records| events += records.offsets.len());
    assert!(!scanned.damage.is_empty() && events == 0);
    let longer = Memory::with([written.file.0.lock().clone(), vec![0; 4096]].concat());
    assert!(Segment::describe(STORE, &longer).is_err());
    assert!(!scan(STORE, &longer, &written.entry, &mut |_| {}).damage.is_empty());
}

/// A file of which one sector cannot be read.
#[derive(Debug)]
struct Unreadable {
    file: Memory,
    sector: std::ops::Range<u64>,
}

impl DiskFile for Unreadable {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset < self.sector.end && self.sector.start < offset + buffer.len() as u64 {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_durably(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}

#[test]
fn an_unreadable_sector_costs_the_blocks_that_touch_it() {
    let (_, written) = small(Codec::Raw, false);
    let blocks = written.blocks();
    let sectors = written.entry.bytes.div_ceil(4096);
    assert!(4 < sectors, "several sectors");
    for sector in 0..sectors {
        let sector = sector * 4096..(sector + 1) * 4096;
        let file = Unreadable { file: written.file.clone(), sector: sector.clone() };
        let mut seen = Vec::new();
        let scanned = scan(STORE, &file, &written.entry, &mut |records| {
            seen.extend(records.first..=records.last());
        });
        let touched = |block: &&BlockEntry| block.offset < sector.end && sector.start < block.end();
        let whole = blocks.iter().filter(|block| !touched(block));
        assert_eq!(
            seen,
            whole.flat_map(|block| block.first..=block.last()).collect::<Vec<_>>(),
            "{sector:?}"
        );
        let lost: u64 =
            scanned.damage.iter().filter_map(Damage::lost).map(|(first, last)| last - first + 1).sum();
        let touched: u64 = blocks.iter().filter(touched).map(|block| block.events).sum();
        assert_eq!(lost, touched, "{sector:?}: {:?}", scanned.damage);
        assert!(!scanned.damage.is_empty());
    }
}
