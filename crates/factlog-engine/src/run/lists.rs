//! Writing posting lists: short ones beside their key, long ones as chunks in pages of their own.
//!
//! A long list of one chunk is the chunk. Of more, it is a tree of nodes, each with up to 64 children, all full but
//! the last ones: so the n-th chunk is found by arithmetic and the chunk of a position by binary search.
//!
//! ```text
//! node  u8 2, u8 children less one, for each: u48 its first position counted from the run's first, u48 its place
//! ```
//! A place is a page's number times 4096 plus the offset in it. No chunk or node crosses a page's end.

use std::io;

use super::chunk::{self, CHUNK};
use super::page::{BODY, PAGE, PageKind, Sink, U48, push_u48, push_varint};

/// Children of a node, as a power of two.
pub(super) const FANOUT_BITS: u32 = 6;
pub(super) const FANOUT: usize = 1 << FANOUT_BITS;
/// What a node begins with.
pub(super) const NODE_TAG: u8 = 2;
/// Bytes before a node's children.
pub(super) const NODE_HEAD: usize = 2;
/// Bytes of a child in a node.
pub(super) const CHILD: usize = 2 * U48;
/// A list of more is long.
const INLINE: usize = 64;
/// A list that needs more bytes is long.
const INLINE_BYTES: usize = 512;

/// How many levels of nodes a list of so many postings has.
pub(super) fn levels(count: u64) -> u32 {
    let mut chunks = count.div_ceil(CHUNK as u64);
    let mut levels = 0;
    while 1 < chunks {
        chunks = chunks.div_ceil(FANOUT as u64);
        levels += 1;
    }
    levels
}

/// Writes the lists of a run.
pub(super) struct Lists {
    first: u64,
    page: Vec<u8>,
    /// The number of the page that is being filled.
    number: Option<u64>,
    blob: Vec<u8>,
    waiting: Vec<u64>,
    /// The children of the node in the making at each level, and the first position of the node.
    nodes: Vec<Vec<(u64, u64)>>,
}

impl Lists {
    pub(super) fn new(first: u64) -> Self {
        let (page, blob) = (Vec::with_capacity(PAGE), Vec::new());
        Self { first, page, number: None, blob, waiting: Vec::with_capacity(CHUNK), nodes: Vec::new() }
    }

    /// Appends a list to the entry of its key and returns the number of its postings.
    ///
    /// `each` sees every posting.
    pub(super) fn add<E: From<io::Error>>(
        &mut self,
        sink: &mut Sink<'_>,
        base: u64,
        postings: impl Iterator<Item = Result<u64, E>>,
        out: &mut Vec<u8>,
        mut each: impl FnMut(u64),
    ) -> Result<u64, E> {
        let (mut count, mut before) = (0_u64, None);
        self.waiting.clear();
        self.nodes.iter_mut().for_each(Vec::clear);
        for position in postings {
            let position = position?;
            assert!(before < Some(position), "postings grow");
            before = Some(position);
            each(position);
            if self.waiting.len() == CHUNK {
                self.flush_chunk(sink)?;
            }
            self.waiting.push(position - self.first);
            count += 1;
        }
        assert!(0 < count, "a key has postings");
        let has_base = u64::from(base != 0) << 1;
        if count as usize <= INLINE && self.inline() {
            push_varint(out, (self.blob.len() as u64) << 2 | has_base);
        } else {
            push_varint(out, count << 2 | has_base | 1);
        }
        if base != 0 {
            push_varint(out, base);
        }
        if self.blob.is_empty() {
            let place = self.finish_long(sink)?;
            push_varint(out, place);
        } else {
            out.append(&mut self.blob);
        }
        Ok(count)
    }

    /// Packs a short list into `blob`; leaves that empty if it is too long.
    fn inline(&mut self) -> bool {
        let mut next = 0;
        for &position in &self.waiting {
            push_varint(&mut self.blob, position - next);
            next = position + 1;
        }
        if INLINE_BYTES < self.blob.len() {
            self.blob.clear();
        }
        !self.blob.is_empty()
    }

    fn flush_chunk(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        let first = self.waiting[0];
        self.blob.clear();
        chunk::encode(&self.waiting, &mut self.blob);
        self.waiting.clear();
        let place = self.put(sink)?;
        self.add_child(0, sink, (first, place))
    }

    /// Adds a child to the node at a level; a full node is written, and is a child of the next level.
    fn add_child(&mut self, mut level: usize, sink: &mut Sink<'_>, mut child: (u64, u64)) -> io::Result<()> {
        loop {
            if self.nodes.len() == level {
                self.nodes.push(Vec::with_capacity(FANOUT));
            }
            self.nodes[level].push(child);
            if self.nodes[level].len() < FANOUT {
                return Ok(());
            }
            child = self.flush_node(level, sink)?;
            level += 1;
        }
    }

    fn flush_node(&mut self, level: usize, sink: &mut Sink<'_>) -> io::Result<(u64, u64)> {
        let children = &self.nodes[level];
        let first = children[0].0;
        self.blob.clear();
        self.blob.extend_from_slice(&[NODE_TAG, (children.len() - 1) as u8]);
        for &(first, place) in children {
            push_u48(&mut self.blob, first);
            push_u48(&mut self.blob, place);
        }
        self.nodes[level].clear();
        Ok((first, self.put(sink)?))
    }

    /// Writes what is left of a long list and returns its root's place.
    fn finish_long(&mut self, sink: &mut Sink<'_>) -> io::Result<u64> {
        self.flush_chunk(sink)?;
        let mut level = 0;
        loop {
            let above = self.nodes[level + 1..].iter().any(|node| !node.is_empty());
            match self.nodes[level].as_slice() {
                &[(_, place)] if !above => return Ok(place),
                [] => {}
                [_, ..] => {
                    let child = self.flush_node(level, sink)?;
                    self.add_child(level + 1, sink, child)?;
                }
            }
            level += 1;
        }
    }

    /// Puts the blob where there is room and returns its place.
    fn put(&mut self, sink: &mut Sink<'_>) -> io::Result<u64> {
        if BODY < self.page.len() + self.blob.len() {
            self.finish(sink)?;
        }
        let number = *self.number.get_or_insert_with(|| {
            self.page.clear();
            self.page.extend_from_slice(&[PageKind::Postings as u8, 0, 0, 0]);
            sink.reserve(1)
        });
        let place = number * PAGE as u64 + self.page.len() as u64;
        self.page.append(&mut self.blob);
        Ok(place)
    }

    /// Writes the page that is being filled.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        if let Some(number) = self.number.take() {
            sink.write_at(number, &mut self.page)?;
        }
        Ok(())
    }
}
