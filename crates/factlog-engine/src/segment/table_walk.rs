//! The table of blocks beside a scan of the blocks: what it knows of a place, one page at a time.

use uuid::Uuid;

use super::lookup::Segment;
use super::table::{BlockEntry, Page};
use super::wrong::{self, Wrong};
use super::{Description, PAGE_BYTES};
use crate::storage::DiskFile;

/// A page of the table, whole.
pub(super) fn read_page(
    store: Uuid,
    segment: Segment,
    file: &dyn DiskFile,
    offset: u64,
) -> Result<Vec<u8>, Wrong> {
    let bytes = wrong::read(file, offset, PAGE_BYTES)?;
    Page::check(store, segment.entry.first, offset, &bytes).map_err(|what| Wrong::at(offset, what))?;
    Ok(bytes)
}

/// What the table knows of a place.
pub(super) enum Known {
    Block(BlockEntry),
    /// There is no block behind it.
    End,
    /// The page is damaged.
    Nothing,
}

/// Goes through the pages of the table beside the blocks, one page at a time.
pub(super) struct TableWalk<'a> {
    segment: Segment,
    store: Uuid,
    description: Option<&'a Description>,
    /// All pages before this one are whole and behind us.
    at: u64,
    /// The page that was read last, if it is whole.
    page: Option<(u64, Option<Vec<u8>>)>,
}

impl<'a> TableWalk<'a> {
    pub(super) fn new(segment: Segment, store: Uuid, description: Option<&'a Description>) -> Self {
        Self { segment, store, description, at: 0, page: None }
    }

    /// The first block that begins behind a place, which is never in front of one asked for before.
    pub(super) fn behind(&mut self, file: &dyn DiskFile, offset: u64) -> Known {
        let Some(description) = self.description else { return Known::Nothing };
        let (pages, start) = description.table();
        let mut skipped = false;
        for at in self.at..pages {
            if self.page.as_ref().is_none_or(|(number, _)| *number != at) {
                let place = start + at * PAGE_BYTES as u64;
                self.page = Some((at, read_page(self.store, self.segment, file, place).ok()));
            }
            let bytes = self.page.as_ref().and_then(|(_, bytes)| bytes.as_deref());
            match bytes.and_then(|bytes| Page::new(bytes).ok()) {
                None => skipped = true,
                Some(page) => match page.behind(offset) {
                    // The damaged page in front may have had a nearer one.
                    Some(Ok(entry)) if skipped && entry.first == page.first => return Known::Nothing,
                    Some(Ok(entry)) => return Known::Block(entry),
                    Some(Err(_)) => return Known::Nothing,
                    None if skipped => {}
                    None => self.at = at + 1,
                },
            }
        }
        if skipped { Known::Nothing } else { Known::End }
    }
}
