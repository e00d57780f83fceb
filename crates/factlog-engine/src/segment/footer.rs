//! The footer: what a segment holds and where its parts are. It is there twice, at the end of the file.
//!
//! ```text
//!   0  8   magic "FLSEGE1\n"                64  i64  recorded at, of the last event
//!   8  u32 version                          72  u64  bytes of all records
//!  12  u32 sections                         80  u64  bytes of all blocks, with their heads
//!  16  16  store id                         88  u64  blocks
//!  32  u64 first position                   96  u64  offset of the first block
//!  40  u64 last position                   104  u64  bytes of the file
//!  48  u64 events                          112  sections: u32 kind, u32 flags, u64 offset, u64 length,
//!  56  i64 recorded at, of the first event      u64 checksum of the section, seeded with its place
//!                                               zeros; at 4088 u64 checksum
//! ```
//! Sections lie behind the blocks, in this order, without gaps. Flag 1 says that a reader who does not know the
//! kind can do without; any other flag is refused.

use uuid::Uuid;

use super::table::{PAGE_ENTRIES, TOP_ENTRY_BYTES};
use super::wrong::{self, Wrong};
use super::{HEADER_BYTES, PAGE_BYTES, VERSION, block, dictionary, place};
use crate::checksum::{checksum, push_trailer, trailer_holds};
use crate::fields::{Fields, Malformed};
use crate::manifest::SegmentEntry;
use crate::storage::DiskFile;

const MAGIC: [u8; 8] = *b"FLSEGE1\n";
const HEAD_BYTES: usize = 112;
const SECTION_BYTES: usize = 32;
/// Sections that have room in a footer.
pub(super) const SECTIONS_MAX: usize = (PAGE_BYTES - 8 - HEAD_BYTES) / SECTION_BYTES;
pub(super) const OPTIONAL: u32 = 1;

/// The kinds of sections that this program knows; the numbers are part of the format.
pub(super) const DICTIONARY: u32 = 1;
pub(super) const TABLE: u32 = 2;
pub(super) const TRACKING: u32 = 3;
pub(super) const TOP: u32 = 4;

/// A part of the file behind the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) checksum: u64,
}

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) first_recorded_at: i64,
    pub(crate) last_recorded_at: i64,
    /// Bytes of all records before they were compressed.
    pub(crate) raw_bytes: u64,
    /// Bytes of all blocks in the file.
    pub(crate) stored_bytes: u64,
    pub(crate) blocks: u64,
    pub(crate) blocks_offset: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    pub(crate) sections: Vec<Section>,
}

impl Description {
    /// What the manifest says of the segment.
    pub(crate) fn entry(&self) -> SegmentEntry {
        let Self { first, last, bytes, first_recorded_at, last_recorded_at, .. } = *self;
        SegmentEntry { first, last, bytes, first_recorded_at, last_recorded_at }
    }

    /// Reads the footer of a file, which may be any file.
    pub(crate) fn read(store: Uuid, file: &dyn DiskFile) -> Result<Self, Wrong> {
        let bytes = file.length().map_err(|cause| Wrong {
            offset: 0,
            lost: (1, 0),
            cause: wrong::Cause::Unreadable(cause),
        })?;
        let read = |copy| Self::read_copy(store, file, bytes, copy);
        read(0).or_else(|first| read(1).map_err(|_| first))
    }

    /// Reads one of the two copies: 0 is the one at the end.
    pub(super) fn read_copy(store: Uuid, file: &dyn DiskFile, bytes: u64, copy: u64) -> Result<Self, Wrong> {
        let offset = bytes.checked_sub((copy + 1) * PAGE_BYTES as u64);
        let offset = offset.ok_or_else(|| Wrong::at(0, Malformed("the file is too short for a segment")))?;
        let page = wrong::read(file, offset, PAGE_BYTES)?;
        let found = Self::decode(store, offset, &page).map_err(|what| Wrong::at(offset, what))?;
        if found.bytes == bytes {
            Ok(found)
        } else {
            Err(Wrong::at(bytes, Malformed("the file is not as long as its footer says")))
        }
    }

    pub(super) fn section(&self, kind: u32) -> Option<&Section> {
        self.sections.iter().find(|section| section.kind == kind)
    }

    /// Where the blocks end.
    pub(super) fn blocks_end(&self) -> u64 {
        self.blocks_offset + self.stored_bytes
    }

    /// Pages of the table, and where it begins.
    pub(super) fn table(&self) -> (u64, u64) {
        self.section(TABLE).map_or((0, 0), |table| (table.length / PAGE_BYTES as u64, table.offset))
    }

    pub(super) fn encode(&self, store: Uuid, offset: u64) -> Vec<u8> {
        let mut page = Vec::with_capacity(PAGE_BYTES);
        page.extend_from_slice(&MAGIC);
        page.extend_from_slice(&VERSION.to_le_bytes());
        let sections = u32::try_from(self.sections.len()).expect("few sections");
        page.extend_from_slice(&sections.to_le_bytes());
        page.extend_from_slice(store.as_bytes());
        for number in [self.first, self.last, self.last - self.first + 1] {
            page.extend_from_slice(&number.to_le_bytes());
        }
        page.extend_from_slice(&self.first_recorded_at.to_le_bytes());
        page.extend_from_slice(&self.last_recorded_at.to_le_bytes());
        for number in [self.raw_bytes, self.stored_bytes, self.blocks, self.blocks_offset, self.bytes] {
            page.extend_from_slice(&number.to_le_bytes());
        }
        for section in &self.sections {
            page.extend_from_slice(&section.kind.to_le_bytes());
            page.extend_from_slice(&section.flags.to_le_bytes());
            for number in [section.offset, section.length, section.checksum] {
                page.extend_from_slice(&number.to_le_bytes());
            }
        }
        page.resize(PAGE_BYTES - 8, 0);
        push_trailer(place(store, self.first, offset).seed(), &mut page);
        page
    }

    pub(super) fn decode(store: Uuid, offset: u64, page: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(&page[..page.len().saturating_sub(8)]);
        if fields.array()? != MAGIC {
            return Err(Malformed("there is no footer"));
        }
        let (version, count, id) = (fields.u32()?, fields.u32()? as usize, fields.array()?);
        let (first, last, events) = (fields.u64()?, fields.u64()?, fields.u64()?);
        if !trailer_holds(place(store, first, offset).seed(), page) || id != *store.as_bytes() {
            return Err(Malformed("the footer's checksum is wrong"));
        }
        if version != VERSION {
            return Err(Malformed("the segment is of a version this program does not know"));
        }
        let (first_recorded_at, last_recorded_at) = (fields.i64()?, fields.i64()?);
        let [raw_bytes, stored_bytes, blocks] = [fields.u64()?, fields.u64()?, fields.u64()?];
        let (blocks_offset, bytes) = (fields.u64()?, fields.u64()?);
        let mut sections = Vec::new();
        for _ in 0..count.min(SECTIONS_MAX) {
            let (kind, flags) = (fields.u32()?, fields.u32()?);
            let (offset, length, checksum) = (fields.u64()?, fields.u64()?, fields.u64()?);
            sections.push(Section { kind, flags, offset, length, checksum });
        }
        fields.zero(fields.remaining())?;
        let found = Self {
            first,
            last,
            first_recorded_at,
            last_recorded_at,
            raw_bytes,
            stored_bytes,
            blocks,
            blocks_offset,
            bytes,
            sections,
        };
        if events != last.wrapping_sub(first).wrapping_add(1) || SECTIONS_MAX < count {
            return Err(Malformed("the footer is wrong"));
        }
        found.check().map(|()| found)
    }

    /// The parts follow each other from the header to the footers, and each is one we can read or do without.
    fn check(&self) -> Result<(), Malformed> {
        let wrong = Malformed("the footer is wrong");
        let known = |section: &Section| matches!(section.kind, DICTIONARY | TABLE | TRACKING | TOP);
        for section in &self.sections {
            if section.flags & !OPTIONAL != 0 || (!known(section) && section.flags & OPTIONAL == 0) {
                return Err(Malformed("a section is needed that this program does not know"));
            }
            if self.sections.iter().filter(|other| known(section) && other.kind == section.kind).count() > 1 {
                return Err(wrong);
            }
        }
        let length_of = |kind| self.section(kind).map(|section| section.length);
        if length_of(DICTIONARY).is_some_and(|length| (dictionary::BYTES_MAX as u64) < length) {
            return Err(wrong);
        }
        let front = length_of(DICTIONARY).map_or(0, |length| dictionary::HEAD_BYTES as u64 + length);
        let mut end = self.blocks_offset.checked_add(self.stored_bytes).ok_or(wrong.clone())?;
        for section in &self.sections {
            if section.offset != end {
                return Err(wrong);
            }
            end = end.checked_add(section.length).ok_or(wrong.clone())?;
        }
        let (pages, _) = self.table();
        let right = self.first != 0
            && self.first <= self.last
            && self.last < u64::MAX
            && self.blocks_offset == HEADER_BYTES as u64 + front
            && end.checked_add(2 * PAGE_BYTES as u64) == Some(self.bytes)
            && 0 < pages
            && pages <= self.blocks
            && self.blocks <= pages.saturating_mul(PAGE_ENTRIES as u64)
            && self.blocks <= (self.last - self.first).saturating_add(1)
            && self.blocks <= self.stored_bytes / block::HEAD_BYTES as u64
            && length_of(TABLE) == Some(pages * PAGE_BYTES as u64)
            && length_of(TOP) == Some(pages * TOP_ENTRY_BYTES as u64 + 8);
        if right { Ok(()) } else { Err(wrong) }
    }
}

/// The checksum of a section in its place.
pub(super) fn section_checksum(store: Uuid, first: u64, offset: u64, bytes: &[u8]) -> u64 {
    checksum(place(store, first, offset).seed(), bytes)
}
