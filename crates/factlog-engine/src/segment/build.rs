//! Building a segment from records in order, into a sink, in bounded memory.
//!
//! The first [`SAMPLE_BYTES`] are held back where a dictionary is to be learned from them; everything behind is
//! written block by block. Besides, the builder keeps 40 bytes for each block.

use std::io::{self, Write};

use bytes::Bytes;
use uuid::Uuid;

use super::block::{self, Coding, Content, Layout};
use super::codec::Compressor;
use super::footer::{self, Description, SECTIONS_MAX, Section, section_checksum};
use super::table::{self, BlockEntry, TopEntry};
use super::tracking::{self, Tracking};
use super::{PAGE_BYTES, columns, dictionary, header, place};
use crate::fields::{Fields, Malformed};

/// Records that a dictionary is learned from.
const SAMPLE_BYTES: usize = 2 << 20;
/// Compression pays when it saves this share of the records.
const SAVING_SHARE: usize = 16;

/// How much work compressing may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// None.
    Raw,
    /// zstd level 1.
    Fast,
    /// zstd level 3.
    Dense,
}

impl Codec {
    fn level(self) -> i32 {
        match self {
            Self::Raw => 0,
            Self::Fast => 1,
            Self::Dense => 3,
        }
    }
}

/// Where a segment's dictionary comes from. It is never used where it does not pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DictionaryPolicy {
    /// There is none.
    Without,
    /// Learned from the segment's first records: about 0.1 s of work.
    Train,
    /// That of a segment before, learned anew if it no longer pays.
    Reuse(Bytes),
}

/// How a segment is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) codec: Codec,
    pub(crate) dictionary: DictionaryPolicy,
    /// Records are gathered into blocks of at most this size; a larger record has a block of its own.
    pub(crate) block_bytes: usize,
}

impl Default for Settings {
    /// 8 KiB: with a dictionary hardly larger in all than 32 KiB, and decoded in a third of the time.
    fn default() -> Self {
        Self { codec: Codec::Dense, dictionary: DictionaryPolicy::Train, block_bytes: 8 << 10 }
    }
}

/// Records that become one block.
#[derive(Debug, Default)]
struct Gathered {
    first: u64,
    bytes: Vec<u8>,
    offsets: Vec<u32>,
}

/// Builds a segment.
#[derive(Debug)]
pub(crate) struct Builder<W> {
    store: Uuid,
    first: u64,
    settings: Settings,
    sink: W,
    offset: u64,
    gathered: Gathered,
    /// Blocks that wait for the dictionary; `None` once there is one, or it is clear that there is none.
    waiting: Option<Vec<Gathered>>,
    waiting_bytes: usize,
    dictionary: Bytes,
    compressor: Option<Compressor>,
    blocks: Vec<BlockEntry>,
    raw_bytes: u64,
    blocks_offset: u64,
    last_recorded_at: i64,
}

impl<W: Write> Builder<W> {
    /// Begins a segment whose first event has this position.
    pub(crate) fn new(store: Uuid, first: u64, settings: Settings, sink: W) -> Self {
        let waits = settings.codec != Codec::Raw && settings.dictionary != DictionaryPolicy::Without;
        Self {
            store,
            first,
            settings,
            sink,
            offset: 0,
            gathered: Gathered { first, ..Gathered::default() },
            waiting: waits.then(Vec::new),
            waiting_bytes: 0,
            dictionary: Bytes::new(),
            compressor: None,
            blocks: Vec::new(),
            raw_bytes: 0,
            blocks_offset: 0,
            last_recorded_at: 0,
        }
    }

    /// Adds the record of the next position.
    pub(crate) fn add(&mut self, record: &[u8]) -> io::Result<()> {
        let length = self.gathered.bytes.len();
        if 0 < length && self.settings.block_bytes < length + record.len() {
            self.end_block()?;
        }
        self.last_recorded_at = recorded_at(record)?;
        let start = u32::try_from(self.gathered.bytes.len()).map_err(|_| too_large())?;
        self.gathered.offsets.push(start);
        self.gathered.bytes.extend_from_slice(record);
        if block::RAW_MAX < self.gathered.bytes.len() { Err(too_large()) } else { Ok(()) }
    }

    fn end_block(&mut self) -> io::Result<()> {
        let next = self.gathered.first + self.gathered.offsets.len() as u64;
        let block = std::mem::replace(&mut self.gathered, Gathered { first: next, ..Gathered::default() });
        let Some(waiting) = &mut self.waiting else {
            return self.write_block(&block);
        };
        self.waiting_bytes += block.bytes.len();
        waiting.push(block);
        if SAMPLE_BYTES <= self.waiting_bytes { self.start(true) } else { Ok(()) }
    }

    /// Decides on the dictionary, writes what stands in front of the blocks, and the blocks that waited.
    fn start(&mut self, more: bool) -> io::Result<()> {
        let waiting = self.waiting.take().unwrap_or_default();
        let level = self.settings.codec.level();
        if !waiting.is_empty() {
            self.dictionary = self.choose_dictionary(&waiting, more)?;
        }
        if self.settings.codec != Codec::Raw {
            self.compressor = Some(Compressor::new(level, &self.dictionary)?);
        }
        self.write(&header(self.store, self.first))?;
        if !self.dictionary.is_empty() {
            let front = dictionary::encode(place(self.store, self.first, self.offset), &self.dictionary);
            self.write(&front)?;
        }
        self.blocks_offset = self.offset;
        waiting.iter().try_for_each(|block| self.write_block(block))
    }

    fn choose_dictionary(&self, waiting: &[Gathered], more: bool) -> io::Result<Bytes> {
        let level = self.settings.codec.level();
        let samples: Vec<Vec<u8>> =
            waiting.iter().filter_map(|block| Some(take_apart(block).ok()?.1)).collect();
        if let DictionaryPolicy::Reuse(dictionary) = &self.settings.dictionary
            && !dictionary.is_empty()
            && dictionary.len() <= dictionary::BYTES_MAX
            && dictionary::pays(&samples, dictionary, level, more)?
        {
            return Ok(dictionary.clone());
        }
        match dictionary::train(&samples) {
            Some(dictionary) if dictionary::pays(&samples, &dictionary, level, more)? => {
                Ok(dictionary.into())
            }
            Some(_) | None => Ok(Bytes::new()),
        }
    }

    fn write_block(&mut self, records: &Gathered) -> io::Result<()> {
        if self.offset == 0 {
            self.start(true)?;
        }
        let mut block = vec![0; block::HEAD_BYTES];
        let mut content = Content {
            coding: Coding::Plain,
            layout: Layout::Records,
            raw: records.bytes.len(),
            ids: 0,
            events: records.offsets.len(),
            first: records.first,
            recorded_at: recorded_at(&records.bytes)?,
        };
        if let Some(compressor) = &mut self.compressor {
            let parts = take_apart(records);
            let (layout, ids, rest) = match &parts {
                Ok((ids, rest)) => (Layout::Columns, &ids[..], &rest[..]),
                Err(_) => (Layout::Records, &[][..], &records.bytes[..]),
            };
            block.extend_from_slice(ids);
            compressor.compress(rest, &mut block)?;
            let with = !self.dictionary.is_empty();
            content.coding = if with { Coding::ZstdWithDictionary } else { Coding::Zstd };
            (content.layout, content.ids) = (layout, ids.len());
        }
        let pays = block.len() - block::HEAD_BYTES <= content.raw - content.raw / SAVING_SHARE;
        if content.coding == Coding::Plain || !pays {
            block.truncate(block::HEAD_BYTES);
            block.extend_from_slice(&records.bytes);
            (content.coding, content.layout, content.ids) = (Coding::Plain, Layout::Records, 0);
        }
        block::seal(place(self.store, self.first, self.offset), &content, &mut block);
        self.raw_bytes += content.raw as u64;
        self.blocks.push(BlockEntry {
            offset: self.offset,
            length: block.len() as u64,
            first: content.first,
            events: content.events as u64,
            recorded_at: content.recorded_at,
        });
        self.write(&block)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Ends the segment, which has at least one record. The sink is flushed; making it durable is the caller's.
    pub(crate) fn finish(self, tracking: &Tracking) -> io::Result<Description> {
        self.finish_with(tracking, &[])
    }

    /// The same with further sections: kind, flags and content.
    pub(super) fn finish_with(
        mut self,
        tracking: &Tracking,
        more: &[(u32, u32, &[u8])],
    ) -> io::Result<Description> {
        assert!(!self.gathered.offsets.is_empty(), "a segment has at least one record");
        self.end_block()?;
        if self.waiting.is_some() {
            self.start(false)?;
        }
        let blocks_end = self.offset;
        let mut sections = Vec::new();
        if !self.dictionary.is_empty() {
            let dictionary = self.dictionary.clone();
            self.section(&mut sections, footer::DICTIONARY, 0, &dictionary)?;
        }
        let (pages, top) = self.table();
        self.section(&mut sections, footer::TABLE, 0, &pages)?;
        let top = table::encode_top(self.store, self.first, self.offset, &top);
        self.section(&mut sections, footer::TOP, 0, &top)?;
        self.section(&mut sections, footer::TRACKING, footer::OPTIONAL, &tracking::encode(tracking))?;
        for (kind, flags, content) in more {
            self.section(&mut sections, *kind, *flags, content)?;
        }
        let description = Description {
            first: self.first,
            last: self.blocks.last().map_or(self.first, BlockEntry::last),
            first_recorded_at: self.blocks.first().map_or(0, |block| block.recorded_at),
            last_recorded_at: self.last_recorded_at,
            raw_bytes: self.raw_bytes,
            stored_bytes: blocks_end - self.blocks_offset,
            blocks: self.blocks.len() as u64,
            blocks_offset: self.blocks_offset,
            bytes: self.offset + 2 * PAGE_BYTES as u64,
            sections,
        };
        for _ in 0..2 {
            let page = description.encode(self.store, self.offset);
            self.write(&page)?;
        }
        self.sink.flush()?;
        Ok(description)
    }

    fn section(&mut self, list: &mut Vec<Section>, kind: u32, flags: u32, bytes: &[u8]) -> io::Result<()> {
        assert!(list.len() < SECTIONS_MAX, "a footer has room for so many sections");
        let checksum = section_checksum(self.store, self.first, self.offset, bytes);
        list.push(Section { kind, flags, offset: self.offset, length: bytes.len() as u64, checksum });
        self.write(bytes)
    }

    /// The pages of the table for where they are written next, and its top.
    fn table(&self) -> (Vec<u8>, Vec<TopEntry>) {
        let (mut pages, mut top) = (Vec::new(), Vec::new());
        let mut rest = &self.blocks[..];
        while let Some(block) = rest.first() {
            let (page, after) = rest.split_at(table::page_length(rest));
            let offset = self.offset + pages.len() as u64;
            pages.append(&mut table::encode_page(self.store, self.first, offset, page));
            top.push(TopEntry { first: block.first, recorded_at: block.recorded_at });
            rest = after;
        }
        (pages, top)
    }
}

fn take_apart(block: &Gathered) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
    let recorded_at = time_of(&block.bytes)?;
    columns::encode(&block.bytes, &block.offsets, block.first, recorded_at)
}

fn time_of(record: &[u8]) -> Result<i64, Malformed> {
    let mut fields = Fields::new(record);
    fields.bytes(16)?;
    fields.i64()
}

fn recorded_at(record: &[u8]) -> io::Result<i64> {
    time_of(record).map_err(|what| io::Error::new(io::ErrorKind::InvalidInput, what.to_string()))
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a record is larger than an event can be")
}
