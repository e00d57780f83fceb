//! The table of a segment's blocks, in pages that each can be used alone, and the top that says which page.
//!
//! ```text
//! page  4096 bytes: u32 entries, u32 zero, u64 first position, u64 last position, u64 offset of the first block,
//!       u64 offset behind the last block; for each block: u32 first position and u32 offset, both less those of the
//!       page, i64 recorded at, of the first event; zeros; u64 checksum
//! top   for each page: u64 first position, i64 recorded at, of the first event; u64 checksum
//! ```
//! Blocks follow each other without a gap, so that one ends where the next begins.

use uuid::Uuid;

use super::{PAGE_BYTES, place};
use crate::checksum::{push_trailer, trailer_holds};
use crate::fields::{Fields, Malformed};

const PAGE_HEAD_BYTES: usize = 40;
const ENTRY_BYTES: usize = 16;
/// Blocks of a full page.
pub(super) const PAGE_ENTRIES: usize = (PAGE_BYTES - PAGE_HEAD_BYTES - 8) / ENTRY_BYTES;
pub(super) const TOP_ENTRY_BYTES: usize = 16;

/// Where a block lies and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    pub(crate) offset: u64,
    /// Bytes in the file.
    pub(crate) length: u64,
    pub(crate) first: u64,
    pub(crate) events: u64,
    /// When its first event was recorded.
    pub(crate) recorded_at: i64,
}

impl BlockEntry {
    pub(crate) fn last(&self) -> u64 {
        self.first + self.events - 1
    }

    pub(super) fn end(&self) -> u64 {
        self.offset + self.length
    }

    /// What the top says of a page that begins with this block.
    pub(super) fn begins(&self) -> TopEntry {
        TopEntry { first: self.first, recorded_at: self.recorded_at }
    }
}

/// Where a page of the table begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TopEntry {
    pub(super) first: u64,
    pub(super) recorded_at: i64,
}

/// How many of these blocks, at least one, go onto the page that begins with the first.
pub(super) fn page_length(blocks: &[BlockEntry]) -> usize {
    let Some(base) = blocks.first() else { return 0 };
    let near = |block: &&BlockEntry| {
        u32::try_from(block.offset - base.offset).is_ok() && u32::try_from(block.first - base.first).is_ok()
    };
    blocks.iter().take(PAGE_ENTRIES).take_while(near).count()
}

/// The page of these blocks, which are no more than [`page_length`] says, for its place in the file.
pub(super) fn encode_page(store: Uuid, segment: u64, offset: u64, blocks: &[BlockEntry]) -> Vec<u8> {
    let (first, last) = blocks.first().zip(blocks.last()).expect("a page has a block");
    let mut page = Vec::with_capacity(PAGE_BYTES);
    let count = u32::try_from(blocks.len()).expect("at most 253");
    page.extend_from_slice(&count.to_le_bytes());
    page.extend_from_slice(&[0; 4]);
    for number in [first.first, last.last(), first.offset, last.end()] {
        page.extend_from_slice(&number.to_le_bytes());
    }
    for block in blocks {
        for number in [block.first - first.first, block.offset - first.offset] {
            page.extend_from_slice(&u32::try_from(number).expect("near the page's first").to_le_bytes());
        }
        page.extend_from_slice(&block.recorded_at.to_le_bytes());
    }
    page.resize(PAGE_BYTES - 8, 0);
    push_trailer(place(store, segment, offset).seed(), &mut page);
    page
}

/// A page whose checksum held when it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    pub(super) first: u64,
    pub(super) last: u64,
    offset: u64,
    pub(super) end: u64,
    entries: &'a [[u8; ENTRY_BYTES]],
}

impl<'a> Page<'a> {
    /// Whether these bytes are a page of this place, with blocks in order.
    pub(super) fn check(store: Uuid, segment: u64, offset: u64, bytes: &[u8]) -> Result<(), Malformed> {
        if bytes.len() != PAGE_BYTES || !trailer_holds(place(store, segment, offset).seed(), bytes) {
            return Err(Malformed("the checksum of a page of the table is wrong"));
        }
        let page = Page::new(bytes)?;
        (0..page.len()).try_for_each(|at| page.entry(at).map(drop))
    }

    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(bytes);
        let count = fields.u32()? as usize;
        fields.zero(4)?;
        let (first, last, offset, end) = (fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
        let entries = fields.bytes(count.saturating_mul(ENTRY_BYTES))?.as_chunks().0;
        if entries.is_empty() || last < first || last == u64::MAX || end < offset {
            return Err(Malformed("a page of the table is wrong"));
        }
        Ok(Self { first, last, offset, end, entries })
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// First position, offset and time of a block.
    fn start(&self, at: usize) -> (u64, u64, i64) {
        let [p0, p1, p2, p3, o0, o1, o2, o3, time @ ..] = self.entries[at];
        let first = self.first.saturating_add(u32::from_le_bytes([p0, p1, p2, p3]).into());
        let offset = self.offset.saturating_add(u32::from_le_bytes([o0, o1, o2, o3]).into());
        (first, offset, i64::from_le_bytes(time))
    }

    /// A block of the page.
    pub(super) fn entry(&self, at: usize) -> Result<BlockEntry, Malformed> {
        let (first, offset, recorded_at) = self.start(at);
        let (next, end) = match at + 1 < self.len() {
            true => (self.start(at + 1).0, self.start(at + 1).1),
            false => (self.last.saturating_add(1), self.end),
        };
        if next <= first || end <= offset {
            return Err(Malformed("a page of the table is wrong"));
        }
        Ok(BlockEntry { offset, length: end - offset, first, events: next - first, recorded_at })
    }

    /// The block that holds a position.
    pub(super) fn of_position(&self, position: u64) -> Result<BlockEntry, Malformed> {
        let wrong = Malformed("a page of the table is another's");
        let after = partition(self.len(), |at| self.start(at).0 <= position);
        let entry = self.entry(after.checked_sub(1).ok_or(wrong.clone())?)?;
        if position <= entry.last() { Ok(entry) } else { Err(wrong) }
    }

    /// The last block that begins at or before a time.
    pub(super) fn of_time(&self, time: i64) -> Result<Option<BlockEntry>, Malformed> {
        let after = partition(self.len(), |at| self.start(at).2 <= time);
        after.checked_sub(1).map(|at| self.entry(at)).transpose()
    }

    /// The first block that begins behind an offset.
    pub(super) fn behind(&self, offset: u64) -> Option<Result<BlockEntry, Malformed>> {
        let at = partition(self.len(), |at| self.start(at).1 <= offset);
        (at < self.len()).then(|| self.entry(at))
    }
}

/// The first number below `count` that does not satisfy what the ones before it do.
fn partition(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// The top of a table.
pub(super) fn encode_top(store: Uuid, segment: u64, offset: u64, top: &[TopEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(top.len() * TOP_ENTRY_BYTES + 8);
    for entry in top {
        out.extend_from_slice(&entry.first.to_le_bytes());
        out.extend_from_slice(&entry.recorded_at.to_le_bytes());
    }
    push_trailer(place(store, segment, offset).seed(), &mut out);
    out
}

/// Reads the top of a table of so many pages.
pub(super) fn decode_top(
    store: Uuid,
    segment: u64,
    offset: u64,
    bytes: &[u8],
) -> Result<Box<[TopEntry]>, Malformed> {
    if !trailer_holds(place(store, segment, offset).seed(), bytes) {
        return Err(Malformed("the checksum of the table's top is wrong"));
    }
    let (entries, rest) = bytes[..bytes.len() - 8].as_chunks::<TOP_ENTRY_BYTES>();
    if !rest.is_empty() {
        return Err(Malformed("the table's top is of another length"));
    }
    let top: Box<[TopEntry]> = entries
        .iter()
        .map(|bytes| {
            let mut fields = Fields::new(bytes.as_slice());
            Ok(TopEntry { first: fields.u64()?, recorded_at: fields.i64()? })
        })
        .collect::<Result<_, Malformed>>()?;
    let starts = top.first().is_none_or(|page| page.first != 0);
    if starts && top.is_sorted_by(|page, next| page.first < next.first) {
        Ok(top)
    } else {
        Err(Malformed("the table's top is not in order"))
    }
}
