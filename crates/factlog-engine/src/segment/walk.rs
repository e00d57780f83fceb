//! Walking from block to block, and finding the next one where a block cannot be read.

use bytes::Bytes;
use uuid::Uuid;

use super::block::{self, Block, HEAD_BYTES, Head};
use super::place;
use super::wrong::{self, Wrong};
use crate::fields::Malformed;
use crate::manifest::SegmentEntry;
use crate::storage::DiskFile;

/// Read at once, so that neighbours cost one call.
const WINDOW_BYTES: u64 = 256 << 10;
/// What a disk fails to read at a time.
const SECTOR_BYTES: u64 = 4096;

/// Reads the blocks of a segment in order.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    store: Uuid,
    segment: SegmentEntry,
    file: &'a dyn DiskFile,
    /// No block reaches beyond.
    end: u64,
    window: Bytes,
    window_offset: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(store: Uuid, segment: SegmentEntry, file: &'a dyn DiskFile, end: u64) -> Self {
        Self { store, segment, file, end, window: Bytes::new(), window_offset: 0 }
    }

    /// The block at a place, whole and of this segment.
    pub(super) fn block(&mut self, offset: u64) -> Result<Block, Wrong> {
        let wrong = |what| Wrong::at(offset, what);
        let head = Head::parse(&self.bytes(offset, HEAD_BYTES)?).map_err(wrong)?;
        let bytes = self.bytes(offset, head.length())?;
        let block = Block::check(place(self.store, self.segment.first, offset), &bytes).map_err(wrong)?;
        if block.head.first < self.segment.first || self.segment.last < block.head.last() {
            return Err(wrong(Malformed("a block is in another's place")));
        }
        Ok(block)
    }

    /// The next whole block behind a place with positions from `next` on: found by its first bytes, byte by byte.
    pub(super) fn search(&mut self, mut offset: u64, next: u64) -> Option<(u64, Block)> {
        loop {
            offset += 1;
            offset = self.next_magic(offset)?;
            match self.block(offset) {
                Ok(block) if next <= block.head.first => return Some((offset, block)),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Where the next block's first bytes stand, at or behind a place.
    fn next_magic(&mut self, mut offset: u64) -> Option<u64> {
        const LENGTH: usize = block::MAGIC.len();
        while offset + LENGTH as u64 <= self.end {
            if self.fill(offset, LENGTH).is_err() {
                offset = (offset / SECTOR_BYTES + 1) * SECTOR_BYTES;
                continue;
            }
            let from = usize::try_from(offset - self.window_offset).expect("inside the window");
            let bytes = &self.window[from..];
            if let Some(at) = bytes.windows(LENGTH).position(|bytes| bytes == block::MAGIC) {
                return Some(offset + at as u64);
            }
            offset += (bytes.len() - (LENGTH - 1)) as u64;
        }
        None
    }

    fn bytes(&mut self, offset: u64, length: usize) -> Result<Bytes, Wrong> {
        self.fill(offset, length)?;
        let from = usize::try_from(offset - self.window_offset).expect("inside the window");
        Ok(self.window.slice(from..from + length))
    }

    /// Makes the window hold these bytes.
    fn fill(&mut self, offset: u64, length: usize) -> Result<(), Wrong> {
        let end = offset.saturating_add(length as u64);
        if self.end < end {
            return Err(Wrong::at(offset, Malformed("there is no room for a block")));
        }
        if self.window_offset <= offset && end <= self.window_offset + self.window.len() as u64 {
            return Ok(());
        }
        let most = WINDOW_BYTES.max(length as u64).min(self.end - offset);
        let mut bytes = vec![0; usize::try_from(most).expect("a window is small")];
        // What lies behind may be unreadable or missing without harm to what is asked for.
        let window = match self.file.read_at(&mut bytes, offset) {
            Ok(read) if length <= read => {
                bytes.truncate(read);
                bytes
            }
            // To the end of the sector at least, so that a search does not ask a failing disk for each byte.
            Ok(_) | Err(_) => {
                let sector = (end.div_ceil(SECTOR_BYTES) * SECTOR_BYTES).min(self.end) - offset;
                let sector = usize::try_from(sector).expect("a block and a sector are small");
                wrong::read(self.file, offset, sector).or_else(|_| wrong::read(self.file, offset, length))?
            }
        };
        (self.window, self.window_offset) = (window.into(), offset);
        Ok(())
    }
}
