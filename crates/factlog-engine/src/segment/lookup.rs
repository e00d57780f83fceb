//! A segment that is read: look-ups by position and by time, and blocks.
//!
//! A page or the top of the table that is damaged is found again from its neighbours, so that look-ups go on.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::block::{self, Block, Coding};
use super::cache::Opened;
use super::codec::Dictionary;
use super::footer::{self, Section, section_checksum};
use super::table::{self, BlockEntry, Page, TopEntry};
use super::tracking::{self, Tracking};
use super::walk::Walk;
use super::wrong::{self, Wrong};
use super::{Description, HEADER_BYTES, PAGE_BYTES, SegmentCache, dictionary, file_name, place};
use crate::fields::Malformed;
use crate::manifest::SegmentEntry;
use crate::records::Records;
use crate::storage::DiskFile;

/// A sealed segment. It holds nothing: whoever reads opens its file and brings the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    store: Uuid,
    pub(crate) entry: SegmentEntry,
}

impl Segment {
    pub(crate) fn new(store: Uuid, entry: SegmentEntry) -> Self {
        Self { store, entry }
    }

    /// The file's name relative to the store.
    pub(crate) fn path(&self) -> String {
        format!("segments/{}", file_name(self.entry.first))
    }

    /// What a file says that it is, from the file alone.
    pub(crate) fn describe(store: Uuid, file: &dyn DiskFile) -> Result<Description, Wrong> {
        Description::read(store, file)
    }

    /// The block that holds a position of this segment.
    pub(crate) fn block_of(
        &self,
        file: &dyn DiskFile,
        cache: &SegmentCache,
        position: u64,
    ) -> Result<BlockEntry, Wrong> {
        assert!(self.entry.first <= position, "a position of this segment");
        assert!(position <= self.entry.last, "a position of this segment");
        let opened = self.opened(file, cache)?;
        let after = opened.top.partition_point(|page| page.first <= position);
        let at = after.checked_sub(1).ok_or_else(|| no_page(&opened))?;
        self.look(file, cache, &opened, at, |page| page.of_position(position))
    }

    /// The last block whose first event was recorded at or before a time; `None` where all were recorded after it.
    /// The last event up to that time is in this block.
    pub(crate) fn block_at_time(
        &self,
        file: &dyn DiskFile,
        cache: &SegmentCache,
        time: i64,
    ) -> Result<Option<BlockEntry>, Wrong> {
        let opened = self.opened(file, cache)?;
        match opened.top.partition_point(|page| page.recorded_at <= time) {
            0 => Ok(None),
            after => self.look(file, cache, &opened, after - 1, |page| page.of_time(time)),
        }
    }

    /// Reads, checks and decompresses a block.
    pub(crate) fn read(
        &self,
        file: &dyn DiskFile,
        cache: &SegmentCache,
        entry: &BlockEntry,
    ) -> Result<Arc<Records>, Wrong> {
        let lost = |wrong: Wrong| wrong.losing(entry.first, entry.last());
        let damaged = |what| lost(Wrong::at(entry.offset, what));
        let length = usize::try_from(entry.length).unwrap_or(usize::MAX);
        if block::HEAD_BYTES + block::RAW_MAX < length {
            return Err(damaged(Malformed("a block's length is wrong")));
        }
        let bytes = wrong::read(file, entry.offset, length).map_err(lost)?;
        let at = place(self.store, self.entry.first, entry.offset);
        let block = Block::check(at, &Bytes::from(bytes)).map_err(damaged)?;
        let head = &block.head;
        if (head.first, u64::from(head.events), head.recorded_at)
            != (entry.first, entry.events, entry.recorded_at)
        {
            return Err(damaged(Malformed("a block is in another's place")));
        }
        let dictionary = match head.coding {
            Coding::Plain | Coding::Zstd => None,
            Coding::ZstdWithDictionary => Some(self.dictionary(file, cache).map_err(lost)?),
        };
        block.records(dictionary.as_deref()).map(Arc::new).map_err(damaged)
    }

    /// How far each source was read as of the segment's last event.
    pub(crate) fn tracking(&self, file: &dyn DiskFile) -> Result<Tracking, Wrong> {
        let description = Self::describe(self.store, file)?;
        let Some(section) = description.section(footer::TRACKING) else {
            return Ok(Tracking::new());
        };
        let bytes = self.section(file, section)?;
        tracking::decode(&bytes).map_err(|what| Wrong::at(section.offset, what))
    }

    fn opened(&self, file: &dyn DiskFile, cache: &SegmentCache) -> Result<Arc<Opened>, Wrong> {
        cache.opened(self.entry.first, || {
            let description = Self::describe(self.store, file)?;
            if description.entry() != self.entry {
                return Err(Wrong::at(0, Malformed("the file is another segment's")));
            }
            let top = self.top(file, &description)?;
            Ok(Arc::new(Opened { description, top }))
        })
    }

    fn top(&self, file: &dyn DiskFile, description: &Description) -> Result<Box<[TopEntry]>, Wrong> {
        let section = description.section(footer::TOP).ok_or_else(|| Wrong::at(0, NO_TABLE))?;
        let read = || {
            let bytes = self.section(file, section)?;
            table::decode_top(self.store, self.entry.first, section.offset, &bytes)
                .map_err(|what| Wrong::at(section.offset, what))
        };
        // One damage costs nothing: the pages say the same.
        read().or_else(|wrong| self.top_again(file, description).ok_or(wrong))
    }

    /// The top made again from the pages; where one of them is damaged too, as a sector at their border takes both with
    /// it, from the block that the page begins with.
    fn top_again(&self, file: &dyn DiskFile, description: &Description) -> Option<Box<[TopEntry]>> {
        let mut walk = Walk::new(self.store, self.entry, file, description.blocks_end());
        let mut next = Some(description.blocks_offset);
        let mut top = Vec::new();
        for at in 0..description.table().0 {
            let bytes = self.page_bytes(file, description, at).ok();
            let page = bytes.as_ref().and_then(|(_, bytes)| Page::new(bytes).ok());
            top.push(match &page {
                Some(page) => page.entry(0).ok()?.begins(),
                None => {
                    let head = walk.block(next?).ok()?.head;
                    TopEntry { first: head.first, recorded_at: head.recorded_at }
                }
            });
            next = page.map(|page| page.end);
        }
        Some(top.into())
    }

    /// Looks into a page of the table.
    fn look<T>(
        &self,
        file: &dyn DiskFile,
        cache: &SegmentCache,
        opened: &Opened,
        at: usize,
        look: impl FnOnce(&Page<'_>) -> Result<T, Malformed>,
    ) -> Result<T, Wrong> {
        let bytes = cache.page(self.entry.first, at as u64, || {
            let read = self.page_bytes(file, &opened.description, at as u64);
            let bytes = read.map(|(_, bytes)| bytes).or_else(|wrong| self.rebuild(file, opened, at, wrong));
            bytes.map(Arc::<[u8]>::from)
        })?;
        let offset = opened.description.table().1 + at as u64 * PAGE_BYTES as u64;
        Page::new(&bytes).and_then(|page| look(&page)).map_err(|what| Wrong::at(offset, what))
    }

    fn page_bytes(
        &self,
        file: &dyn DiskFile,
        description: &Description,
        at: u64,
    ) -> Result<(u64, Vec<u8>), Wrong> {
        let offset = description.table().1 + at * PAGE_BYTES as u64;
        let bytes = wrong::read(file, offset, PAGE_BYTES)?;
        Page::check(self.store, self.entry.first, offset, &bytes).map_err(|what| Wrong::at(offset, what))?;
        Ok((offset, bytes))
    }

    /// A page made again from the blocks themselves. A block that is damaged too keeps its place in it.
    fn rebuild(
        &self,
        file: &dyn DiskFile,
        opened: &Opened,
        at: usize,
        wrong: Wrong,
    ) -> Result<Vec<u8>, Wrong> {
        let description = &opened.description;
        let from = opened.top[at].first;
        let until = opened.top.get(at + 1).map_or(self.entry.last + 1, |page| page.first);
        let good = |at: &usize| self.page_bytes(file, description, *at as u64).ok();
        let before = (0..at).rev().find_map(|at| good(&at));
        let (mut offset, mut next) = (description.blocks_offset, self.entry.first);
        if let Some((_, bytes)) = &before {
            let page = Page::new(bytes).map_err(|what| Wrong::at(offset, what))?;
            (offset, next) = (page.end, page.last + 1);
        }
        let mut walk = Walk::new(self.store, self.entry, file, description.blocks_end());
        let mut found = Vec::new();
        while next < until {
            let block = walk.block(offset).ok().filter(|block| block.head.first == next);
            let entry = match &block {
                Some(block) => entry_of(offset, block),
                None => {
                    let (end, after) = walk
                        .search(offset, next)
                        .map_or((description.blocks_end(), until), |(end, block)| (end, block.head.first));
                    let recorded_at = opened.top[at].recorded_at;
                    if end <= offset {
                        return Err(wrong);
                    }
                    let first = next.max(from).min(until - 1);
                    let events = after.min(until).saturating_sub(first).max(1);
                    BlockEntry { offset, length: end - offset, first, events, recorded_at }
                }
            };
            if from <= entry.last() {
                found.push(entry);
            }
            (offset, next) = (entry.end(), entry.last() + 1);
        }
        if found.is_empty() || table::page_length(&found) < found.len() {
            return Err(wrong);
        }
        Ok(table::encode_page(self.store, self.entry.first, 0, &found))
    }

    fn dictionary(&self, file: &dyn DiskFile, cache: &SegmentCache) -> Result<Arc<Dictionary>, Wrong> {
        let read = || self.dictionary_bytes(file, &self.opened(file, cache)?.description);
        let make = |bytes: &[u8]| Dictionary::new(bytes).map_err(|what| Wrong::at(HEADER_BYTES as u64, what));
        cache.dictionary(self.entry.first, read, make)
    }

    /// The dictionary, from whichever copy is whole; empty if there is none.
    pub(crate) fn dictionary_bytes(
        &self,
        file: &dyn DiskFile,
        description: &Description,
    ) -> Result<Vec<u8>, Wrong> {
        let Some(section) = description.section(footer::DICTIONARY) else {
            return Ok(Vec::new());
        };
        self.section(file, section).or_else(|wrong| {
            let offset = HEADER_BYTES as u64;
            let length = usize::try_from(section.length).expect("at most 64 KiB");
            let bytes = wrong::read(file, offset, dictionary::HEAD_BYTES + length).map_err(|_| wrong)?;
            dictionary::decode(place(self.store, self.entry.first, offset), &bytes)
                .map(<[u8]>::to_vec)
                .map_err(|what| Wrong::at(offset, what))
        })
    }

    /// All of a section that is small.
    pub(super) fn section(&self, file: &dyn DiskFile, section: &Section) -> Result<Vec<u8>, Wrong> {
        let damaged = |what| Wrong::at(section.offset, what);
        // The footer vouches for the length, and that it is within the file.
        let length =
            usize::try_from(section.length).map_err(|_| damaged(Malformed("a section is too long")))?;
        let bytes = wrong::read(file, section.offset, length)?;
        if section_checksum(self.store, self.entry.first, section.offset, &bytes) == section.checksum {
            Ok(bytes)
        } else {
            Err(damaged(Malformed("the checksum of a section is wrong")))
        }
    }
}

const NO_TABLE: Malformed = Malformed("there is no table of blocks");

fn no_page(opened: &Opened) -> Wrong {
    Wrong::at(opened.description.table().1, NO_TABLE)
}

/// What the table says of a block.
pub(super) fn entry_of(offset: u64, block: &Block) -> BlockEntry {
    let head = &block.head;
    BlockEntry {
        offset,
        length: head.length() as u64,
        first: head.first,
        events: head.events.into(),
        recorded_at: head.recorded_at,
    }
}
