//! Writing a run from keys in order and ids in order.

use std::io;

use uuid::Uuid;

use super::coded::Coded;
use super::filter::{self, BLOCK, Filter, PAGE_BLOCKS};
use super::footer::{Footer, Section};
use super::ids::IdTree;
use super::keys::{self, Fingerprint, KEY_BYTES_MAX, STREAM, TAG};
use super::lists::Lists;
use super::page::{PAGE, PageKind, Seal, Sink};
use super::tree::{Fences, separator};
use super::{Counts, RunName};
use crate::storage::DiskFile;

/// Writes a run. First come the keys in their order, then the ids in theirs.
///
/// Memory is that of a few pages and of the filter of keys. The file is neither synced nor renamed here.
pub(crate) struct Builder<'a> {
    store: Uuid,
    name: RunName,
    seed: u64,
    sink: Sink<'a>,
    footer: Footer,
    leaf: Coded,
    /// The last key of the leaf before.
    before_leaf: Vec<u8>,
    fences: Fences,
    lists: Lists,
    filter: Filter,
    payload: Vec<u8>,
    ids: IdTree,
    id_filter: IdFilter,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) bytes: u64,
    pub(crate) counts: Counts,
    pub(crate) fingerprint: Fingerprint,
}

impl<'a> Builder<'a> {
    /// Begins a run in an empty file. There may be fewer keys and ids than expected, not more.
    pub(crate) fn new(
        store: Uuid,
        name: RunName,
        expected_keys: u64,
        expected_ids: u64,
        file: &'a dyn DiskFile,
    ) -> Self {
        assert!(name.holds(), "a run has positions, and fewer than 2^48");
        Self {
            store,
            name,
            seed: keys::seed(store),
            sink: Sink::new(file, Seal::new(store, name)),
            footer: Footer::default(),
            leaf: Coded::new(PageKind::KeyLeaf, 0),
            before_leaf: Vec::new(),
            fences: Fences::new(PageKind::KeyFence),
            lists: Lists::new(name.first),
            filter: Filter::new(expected_keys),
            payload: Vec::new(),
            ids: IdTree::new(),
            id_filter: IdFilter::new(expected_ids),
        }
    }

    /// Adds the next key. `base` is the revision of a stream's first posting here, 0 for other kinds.
    pub(crate) fn key<E: From<io::Error>>(
        &mut self,
        key: &[u8],
        base: u64,
        postings: impl Iterator<Item = Result<u64, E>>,
    ) -> Result<(), E> {
        let kind = *key.first().expect("a key has a kind");
        assert!((STREAM..=TAG).contains(&kind) && key.len() <= KEY_BYTES_MAX, "a key of the known kinds");
        assert!(self.footer.keys.count == 0 || self.leaf.last.as_slice() < key, "keys are in order");
        assert!(self.footer.counts.ids == 0, "keys come before ids");
        let hash = keys::hash(self.seed, key);
        let (mut sum, last) = (0_u64, self.name.last);
        self.payload.clear();
        let count = self.lists.add(&mut self.sink, base, postings, &mut self.payload, |position| {
            assert!(position <= last, "a posting is in its run");
            sum = sum.wrapping_add(keys::fingerprint_of_posting(hash, position));
        })?;
        self.filter.add(hash);
        let counts = &mut self.footer.counts;
        counts.keys[usize::from(kind - STREAM)] += 1;
        counts.postings += count;
        counts.new_streams += u64::from(kind == STREAM && base == 0);
        let sums = &mut self.footer.fingerprint;
        sums.postings = sums.postings.wrapping_add(sum);
        self.footer.keys.count += 1;
        if !self.leaf.push(key, &self.payload) {
            self.flush_leaf()?;
            assert!(self.leaf.push(key, &self.payload), "an empty page has room for an entry");
        }
        Ok(())
    }

    fn flush_leaf(&mut self) -> io::Result<()> {
        let first = std::mem::take(&mut self.leaf.first);
        let number = self.sink.write(&mut self.leaf.take())?;
        let separator = separator(&self.before_leaf, &first);
        self.fences.add(&mut self.sink, separator, number)?;
        self.before_leaf.clone_from(&self.leaf.last);
        Ok(())
    }

    /// Adds the next id: its hash and the position of its event.
    pub(crate) fn id(&mut self, hash: u64, position: u64) -> io::Result<()> {
        assert!(hash < 1 << 40, "the hash of an id has 40 bits");
        assert!((self.name.first..=self.name.last).contains(&position), "an id's event is in the run");
        if self.footer.counts.ids == 0 {
            self.finish_keys()?;
        }
        let sums = &mut self.footer.fingerprint;
        sums.ids = sums.ids.wrapping_add(keys::fingerprint_of_id(hash, position));
        self.footer.counts.ids += 1;
        self.id_filter.add(&self.sink, hash)?;
        self.ids.add(&mut self.sink, hash, position - self.name.first)
    }

    /// Writes what is left of the keys, and their filter; makes room for the filter of ids.
    fn finish_keys(&mut self) -> io::Result<()> {
        // The root must be the section's last page.
        self.lists.finish(&mut self.sink)?;
        if self.footer.keys.count != 0 {
            self.flush_leaf()?;
        }
        std::mem::replace(&mut self.fences, Fences::new(PageKind::KeyFence)).finish(&mut self.sink)?;
        self.footer.keys.pages = self.sink.next;
        let filter = std::mem::replace(&mut self.filter, Filter::new(0)).finish();
        let section = &mut self.footer.key_filter;
        (section.first, section.count) = (self.sink.next, (filter.len() / BLOCK) as u64);
        for blocks in filter.chunks(PAGE_BLOCKS as usize * BLOCK) {
            self.sink.write(&mut filter::page(blocks))?;
        }
        section.pages = self.sink.next - section.first;
        let section = self.id_filter.section();
        let first = self.sink.reserve(section.pages);
        self.footer.id_filter = Section { first, ..section };
        self.id_filter.first = first;
        self.footer.ids.first = self.sink.next;
        Ok(())
    }

    /// Ends the run.
    pub(crate) fn finish(mut self) -> io::Result<Built> {
        if self.footer.counts.ids == 0 {
            self.id_filter = IdFilter::new(0);
            self.finish_keys()?;
        }
        self.id_filter.finish(&self.sink)?;
        self.ids.finish(&mut self.sink)?;
        let footer = &mut self.footer;
        footer.ids.count = footer.counts.ids;
        footer.ids.pages = self.sink.next - footer.ids.first;
        footer.pages = self.sink.next + 1;
        self.sink.write(&mut footer.encode(self.store, self.name, &[]))?;
        let bytes = footer.pages * PAGE as u64;
        Ok(Built { bytes, counts: footer.counts, fingerprint: footer.fingerprint })
    }
}

/// The filter of ids, of which one page is in memory: ids in order fill it from front to back.
struct IdFilter {
    blocks: u64,
    first: u64,
    page: u64,
    bytes: Vec<u8>,
}

impl IdFilter {
    fn new(expected: u64) -> Self {
        let bytes = vec![0; PAGE_BLOCKS as usize * BLOCK];
        Self { blocks: filter::blocks_for(expected), first: 0, page: 0, bytes }
    }

    /// How many blocks and pages it has.
    fn section(&self) -> Section {
        Section { first: 0, pages: self.blocks.div_ceil(PAGE_BLOCKS), count: self.blocks }
    }

    fn add(&mut self, sink: &Sink<'_>, id_hash: u64) -> io::Result<()> {
        assert!(self.blocks != 0, "ids are expected");
        let hash = filter::hash_of_id(id_hash);
        let block = filter::block_of(hash, self.blocks);
        while self.page < block / PAGE_BLOCKS {
            self.flush(sink)?;
        }
        let at = (block % PAGE_BLOCKS) as usize * BLOCK;
        filter::set(&mut self.bytes[at..at + BLOCK], hash);
        Ok(())
    }

    fn flush(&mut self, sink: &Sink<'_>) -> io::Result<()> {
        sink.write_at(self.first + self.page, &mut filter::page(&self.bytes))?;
        self.bytes.fill(0);
        self.page += 1;
        Ok(())
    }

    fn finish(&mut self, sink: &Sink<'_>) -> io::Result<()> {
        while self.page < self.section().pages {
            self.flush(sink)?;
        }
        Ok(())
    }
}
