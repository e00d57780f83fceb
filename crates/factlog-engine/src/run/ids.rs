//! Ids of appends' first events: hashes of 40 bits in order, each with its position.
//!
//! ```text
//! leaf  0  u8 kind 4, u8 level 0, u16 entries
//!       4  entries: varint hash less the hash before, varint position counted from the run's first
//!          zeros
//!          u16 offset of each 32nd entry, whose hash is whole; these end where the checksum begins
//! ```
//! Several entries may have one hash; they are in the order of their positions, and may go on in the next leaf.

use std::io;
use std::sync::Arc;

use super::Run;
use super::chunk::Span;
use super::page::{BODY, HEAD, Numbered, Numbers, PAGE, PageKind, Sink, U48, Wrong, push_varint};
use super::tree::{Fences, Leaves, separator};
use crate::fields::Malformed;

/// Entries from one with a whole hash to the next.
const GROUP: usize = 32;
/// Bytes that an entry has at most: a hash of 40 bits and a position of 48.
const ENTRY_MAX: usize = 6 + 7;

/// Bytes of a hash in a fence; a position of six bytes may follow.
const HASH: usize = 5;

/// An entry as fences have it, so that bytes sort as entries do.
fn fence((hash, from_first): (u64, u64)) -> [u8; HASH + U48] {
    let mut bytes = [0; HASH + U48];
    bytes[..HASH].copy_from_slice(&hash.to_be_bytes()[8 - HASH..]);
    bytes[HASH..].copy_from_slice(&from_first.to_be_bytes()[8 - U48..]);
    bytes
}

/// Writes the leaves and fences of ids that come in order.
pub(super) struct IdTree {
    page: Vec<u8>,
    groups: Vec<u16>,
    entries: u16,
    leaf_first: (u64, u64),
    before: (u64, u64),
    /// The last entry of the leaf before, as fences have it.
    before_leaf: Vec<u8>,
    fences: Fences,
}

impl IdTree {
    pub(super) fn new() -> Self {
        let fences = Fences::new(PageKind::IdFence);
        let (page, groups, before_leaf) = (Vec::with_capacity(PAGE), Vec::new(), Vec::new());
        Self { page, groups, entries: 0, leaf_first: (0, 0), before: (0, 0), before_leaf, fences }
    }

    /// Adds the next id; its position is counted from the run's first.
    pub(super) fn add(&mut self, sink: &mut Sink<'_>, hash: u64, from_first: u64) -> io::Result<()> {
        assert!(self.entries == 0 || self.before < (hash, from_first), "ids are in order");
        if BODY < self.page.len() + ENTRY_MAX + 2 * (self.groups.len() + 1) {
            self.flush(sink)?;
        }
        if self.entries == 0 {
            self.page.extend_from_slice(&[PageKind::IdLeaf as u8, 0, 0, 0]);
            self.leaf_first = (hash, from_first);
        }
        let whole = usize::from(self.entries).is_multiple_of(GROUP);
        if whole {
            self.groups.push(u16::try_from(self.page.len()).expect("a page is short"));
        }
        push_varint(&mut self.page, if whole { hash } else { hash - self.before.0 });
        push_varint(&mut self.page, from_first);
        self.before = (hash, from_first);
        self.entries += 1;
        Ok(())
    }

    fn flush(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        self.page[2..HEAD].copy_from_slice(&self.entries.to_le_bytes());
        self.page.resize(BODY - 2 * self.groups.len(), 0);
        for offset in self.groups.drain(..) {
            self.page.extend_from_slice(&offset.to_le_bytes());
        }
        let number = sink.write(&mut self.page)?;
        self.page.clear();
        self.entries = 0;
        let first = fence(self.leaf_first);
        self.fences.add(sink, separator(&self.before_leaf, &first), number)?;
        self.before_leaf = fence(self.before).to_vec();
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn finish(mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        if self.entries != 0 {
            self.flush(sink)?;
        }
        self.fences.finish(sink)
    }
}

/// Goes through the entries of a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    at: usize,
    index: usize,
    hash: u64,
}

impl Leaf {
    /// In front of the first entry.
    pub(super) fn start() -> Self {
        Self { at: HEAD, index: 0, hash: 0 }
    }

    /// In front of the group in which entries with this hash begin.
    pub(super) fn before(page: &[u8], hash: u64) -> Result<Self, Malformed> {
        let (entries, table) = shape(page)?;
        let group = |index: usize| -> Result<(usize, u64), Malformed> {
            let offset = usize::from(Numbers::new(page, table + 2 * index).u16()?);
            Ok((offset, Numbers::new(&page[..table], offset).varint()?))
        };
        let (mut low, mut high) = (0, entries.div_ceil(GROUP));
        while low < high {
            let middle = low.midpoint(high);
            if group(middle)?.1 < hash { low = middle + 1 } else { high = middle }
        }
        let index = low.saturating_sub(1);
        Ok(Self { at: group(index)?.0, index: index * GROUP, hash: 0 })
    }

    pub(super) fn next(&mut self, page: &[u8], span: Span) -> Result<Option<(u64, u64)>, Malformed> {
        let (entries, table) = shape(page)?;
        if entries <= self.index {
            return Ok(None);
        }
        let mut numbers = Numbers::new(&page[..table], self.at);
        let opens = self.index.is_multiple_of(GROUP);
        if opens && usize::from(Numbers::new(page, table + 2 * (self.index / GROUP)).u16()?) != self.at {
            return Err(Malformed("a group of ids is in another's place"));
        }
        let before = if opens { 0 } else { self.hash };
        let hash = before.checked_add(numbers.varint()?).filter(|&hash| hash < 1 << 40);
        self.hash = hash.ok_or(Malformed("the hash of an id is too large"))?;
        let position = span.position(numbers.varint()?)?;
        (self.at, self.index) = (numbers.at, self.index + 1);
        Ok(Some((self.hash, position)))
    }
}

fn shape(page: &[u8]) -> Result<(usize, usize), Malformed> {
    let entries = usize::from(Numbers::new(page, 2).u16()?);
    let table = BODY.checked_sub(2 * entries.div_ceil(GROUP)).filter(|&table| HEAD <= table);
    match table {
        Some(table) if 0 < entries && page.len() == PAGE => Ok((entries, table)),
        Some(_) | None => Err(Malformed("a page's number of entries is wrong")),
    }
}

impl Run {
    /// The positions whose events may have the id with this hash; the caller compares the ids.
    pub(crate) fn ids(self: &Arc<Self>, hash: u64) -> Result<Vec<u64>, Wrong> {
        let mut found = Vec::new();
        if !self.may_have_id(hash)? {
            return Ok(found);
        }
        // The hash alone is below all its entries.
        let fence = fence((hash, 0));
        let probe = &fence[..HASH];
        // Nearly always the one leaf says all.
        let Some((number, page)) = self.id_tree().leaf(self, probe)? else { return Ok(found) };
        if self.ids_in_leaf(number, &page, hash, &mut found)? {
            return Ok(found);
        }
        let mut leaves = self.id_tree().leaves(self, probe);
        leaves.next()?;
        while let Some((number, page)) = leaves.next()? {
            if self.ids_in_leaf(number, &page, hash, &mut found)? {
                break;
            }
        }
        Ok(found)
    }

    /// Collects from one leaf; `true` if no later leaf can have more.
    fn ids_in_leaf(&self, number: u64, page: &[u8], hash: u64, out: &mut Vec<u64>) -> Result<bool, Wrong> {
        let wrong = Wrong::in_page(number);
        let mut leaf = Leaf::before(page, hash).map_err(&wrong)?;
        while let Some((found, position)) = leaf.next(page, self.span()).map_err(&wrong)? {
            if hash < found {
                return Ok(true);
            }
            if found == hash {
                out.push(position);
            }
        }
        Ok(false)
    }

    /// Every id's hash with its position, in order.
    pub(crate) fn id_entries(self: &Arc<Self>) -> IdScan {
        let leaves = self.id_tree().leaves(self, &[]);
        IdScan { span: self.span(), leaves, page: None, leaf: Leaf::start(), before: None }
    }
}

/// The ids of a run in the order of their hashes.
#[derive(Debug)]
pub(crate) struct IdScan {
    span: Span,
    leaves: Leaves,
    page: Option<Numbered>,
    leaf: Leaf,
    before: Option<(u64, u64)>,
}

impl IdScan {
    fn advance(&mut self) -> Result<Option<(u64, u64)>, Wrong> {
        loop {
            let Some((number, page)) = &self.page else {
                self.page = self.leaves.next()?;
                self.leaf = Leaf::start();
                if self.page.is_none() {
                    return Ok(None);
                }
                continue;
            };
            let wrong = Wrong::in_page(*number);
            match self.leaf.next(page, self.span).map_err(&wrong)? {
                None => self.page = None,
                entry if entry <= self.before => return Err(wrong(Malformed("ids are not in order"))),
                entry => {
                    self.before = entry;
                    return Ok(entry);
                }
            }
        }
    }
}

impl Iterator for IdScan {
    type Item = Result<(u64, u64), Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
