//! Index runs: immutable files that say at which positions each key stands, and each id.
//!
//! A run covers the positions `first..=last` and is derived from the log: whoever loses one builds it again. It is
//! made of pages of 4096 bytes, each with a checksum that is looked at whenever the page is read from the disk.
//!
//! * A run is written once, from keys in order and ids in order of their hashes, with memory for a few pages and
//!   the filter of keys. What is not synced and renamed into place by the caller does not count.
//! * Opening reads the footer only. A lookup reads a filter's page, then one page at each height of a tree; pages
//!   come from a shared, bounded cache.
//! * Readers take no lock but the cache's own. Nothing here writes to a file that can be read.
//! * Positions that an id's hash stands for are candidates: the caller compares with the record.
//!
//! `docs/format.md` describes every byte. Begin reading at [`Run`], then `build`.

mod build;
mod cache;
mod check;
mod chunk;
mod coded;
mod filter;
mod find;
mod footer;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gather;
mod ids;
pub(crate) mod keys;
mod keytable;
mod lists;
mod merge;
mod page;
mod postings;
#[cfg(test)]
pub(crate) mod tests;
mod tree;

use std::sync::{Arc, OnceLock};

use uuid::Uuid;

pub(crate) use build::{Builder as RunBuilder, Built};
pub(crate) use cache::Pages;
pub(crate) use check::check;
pub(crate) use find::{Found, KeyScan};
pub(crate) use footer::Counts;
pub(crate) use gather::{Entry, Gather};
pub(crate) use keys::Fingerprint;
pub(crate) use merge::{MergeError, merge};
pub(crate) use page::{PAGE, Wrong};
pub(crate) use postings::Postings;

use crate::fields::Malformed;
use crate::storage::{self, DiskFile};
use chunk::Span;
use footer::{Footer, Section};
use page::{PageKind, Seal};
use tree::Tree;

/// What a run's file is called by: how often it was merged, and the positions it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RunName {
    pub(crate) level: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl RunName {
    /// Whether the positions make sense: not empty, and fewer than 2^48.
    fn holds(&self) -> bool {
        self.first != 0 && self.last.checked_sub(self.first).is_some_and(|more| more < 1 << 48)
    }
}

/// The name of a run's file in its directory.
pub(crate) fn file_name(name: RunName) -> String {
    format!("{}-{:020}-{:020}.idx", name.level, name.first, name.last)
}

/// The same relative to the store.
pub(crate) fn relative_path(name: RunName) -> String {
    format!("index/{}", file_name(name))
}

/// The run that a file's name stands for, `None` if no run is called so.
pub(crate) fn parse_name(text: &str) -> Option<RunName> {
    let mut parts = text.strip_suffix(".idx")?.split('-');
    let level = parts.next()?.parse().ok()?;
    let name = RunName { level, first: parts.next()?.parse().ok()?, last: parts.next()?.parse().ok()? };
    (name.holds() && file_name(name) == text).then_some(name)
}

/// An open run.
#[derive(Debug)]
pub(crate) struct Run {
    name: RunName,
    file: Box<dyn DiskFile>,
    number: u64,
    pages: Arc<Pages>,
    seal: Seal,
    seed: u64,
    footer: Footer,
    filters: [OnceLock<Box<[u8]>>; 2],
}

impl Drop for Run {
    fn drop(&mut self) {
        let taken = self.filters.iter().filter_map(OnceLock::get).map(|filter| filter.len() as u64);
        self.pages.give_filter_room(taken.sum());
    }
}

impl Run {
    /// Opens a run by its footer. Its filters stay in memory from their first use on, while there is room for them.
    pub(crate) fn open(
        store: Uuid,
        name: RunName,
        file: Box<dyn DiskFile>,
        pages: Arc<Pages>,
    ) -> Result<Self, Wrong> {
        let length = file.length().map_err(Wrong::Io)?;
        let count = length / PAGE as u64;
        let wrong = |what| Wrong::Malformed { offset: length.saturating_sub(PAGE as u64), what };
        if count == 0 || !length.is_multiple_of(PAGE as u64) || !name.holds() {
            return Err(wrong(Malformed("the file's length is not a run's")));
        }
        let seal = Seal::new(store, name);
        let footer = read_page(&*file, seal, count - 1)?;
        let footer = Footer::decode(&footer, store, name, count).map_err(wrong)?;
        let (number, seed, filters) = (Pages::next_file(), keys::seed(store), Default::default());
        Ok(Self { name, file, number, pages, seal, seed, footer, filters })
    }

    /// The level, and the first and last position that it covers.
    pub(crate) fn name(&self) -> RunName {
        self.name
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.footer.pages * PAGE as u64
    }

    /// How much there is in it.
    pub(crate) fn counts(&self) -> Counts {
        self.footer.counts
    }

    /// The sums that must agree with those over the log's records.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.footer.fingerprint
    }

    fn span(&self) -> Span {
        Span { first: self.name.first, last: self.name.last }
    }

    fn key_tree(&self) -> Tree {
        Tree { section: self.footer.keys, leaf: PageKind::KeyLeaf, fence: PageKind::KeyFence }
    }

    fn id_tree(&self) -> Tree {
        Tree { section: self.footer.ids, leaf: PageKind::IdLeaf, fence: PageKind::IdFence }
    }

    /// A page, from the cache or read and checked.
    fn page(&self, number: u64) -> Result<Arc<[u8]>, Wrong> {
        self.pages.get((self.number, number), || self.read_page(number))
    }

    /// A page from the disk, checked.
    fn read_page(&self, number: u64) -> Result<Arc<[u8]>, Wrong> {
        read_page(&*self.file, self.seal, number)
    }

    fn may_have_key(&self, key: &[u8]) -> Result<bool, Wrong> {
        self.probe(self.footer.key_filter, &self.filters[0], keys::hash(self.seed, key))
    }

    fn may_have_id(&self, id_hash: u64) -> Result<bool, Wrong> {
        self.probe(self.footer.id_filter, &self.filters[1], filter::hash_of_id(id_hash))
    }

    /// Asks a filter.
    fn probe(&self, section: Section, filter: &OnceLock<Box<[u8]>>, hash: u64) -> Result<bool, Wrong> {
        if section.count == 0 {
            return Ok(false);
        }
        let block = filter::block_of(hash, section.count);
        if let Some(bytes) = self.resident(section, filter)? {
            let block = bytes.chunks_exact(filter::BLOCK).nth(block as usize);
            return Ok(block.is_none_or(|block| filter::may_have(block, hash)));
        }
        let number = section.first + block / filter::PAGE_BLOCKS;
        let page = self.page(number)?;
        let blocks = filter::blocks_of(&page).map_err(Wrong::in_page(number))?;
        let at = (block % filter::PAGE_BLOCKS) as usize * filter::BLOCK;
        Ok(filter::may_have(&blocks[at..at + filter::BLOCK], hash))
    }

    /// The whole filter, if there is room for it in memory.
    fn resident<'a>(
        &self,
        section: Section,
        filter: &'a OnceLock<Box<[u8]>>,
    ) -> Result<Option<&'a [u8]>, Wrong> {
        let bytes = section.count * filter::BLOCK as u64;
        if filter.get().is_none() && self.pages.take_filter_room(bytes) {
            // What another thread has loaded meanwhile stays.
            let unused = self.load_filter(section).map(|loaded| filter.set(loaded).is_err());
            if !matches!(unused, Ok(false)) {
                self.pages.give_filter_room(bytes);
            }
            unused?;
        }
        Ok(filter.get().map(|bytes| &**bytes))
    }

    fn load_filter(&self, section: Section) -> Result<Box<[u8]>, Wrong> {
        let mut bytes = Vec::new();
        for number in section.first..section.first + section.pages {
            let page = self.read_page(number)?;
            bytes.extend_from_slice(filter::blocks_of(&page).map_err(Wrong::in_page(number))?);
        }
        bytes.truncate(usize::try_from(section.count).unwrap_or(usize::MAX).saturating_mul(filter::BLOCK));
        Ok(bytes.into_boxed_slice())
    }
}

fn read_page(file: &dyn DiskFile, seal: Seal, number: u64) -> Result<Arc<[u8]>, Wrong> {
    let wrong = Wrong::in_page(number);
    let mut page: Arc<[u8]> = Arc::new([0; PAGE]);
    let bytes = Arc::get_mut(&mut page).expect("nobody else has the page yet");
    let offset = number.checked_mul(PAGE as u64).ok_or_else(|| wrong(Malformed("there is no such page")))?;
    let read = file.read_at(bytes, offset).map_err(|cause| {
        if storage::is_lost(&cause) {
            wrong(Malformed("the disk cannot read a page"))
        } else {
            Wrong::Io(cause)
        }
    })?;
    if read < PAGE {
        return Err(wrong(Malformed("the file ends too early")));
    }
    if seal.holds(number, bytes) || planted!(PageUnchecked) {
        Ok(page)
    } else {
        Err(wrong(Malformed("a page's checksum is wrong")))
    }
}
