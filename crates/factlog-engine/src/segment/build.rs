//! Building a segment from records in order, into a sink, in bounded memory.
//!
//! The first [`SAMPLE_BYTES`] are held back where a dictionary is to be learned from them; everything behind is
//! written block by block. Besides, the builder keeps 40 bytes for each block.

use std::io::{self, Write};

use bytes::Bytes;
use uuid::Uuid;

use super::codec::Compressor;
use super::footer::{self, Description, SECTIONS_MAX, Section, section_checksum};
use super::gather::Gathered;
use super::settings::{Codec, DictionaryPolicy, Settings};
use super::table::{self, BlockEntry, TopEntry};
use super::tracking::{self, Tracking};
use super::{PAGE_BYTES, dictionary, header, place};
use crate::fields::Malformed;

/// Records that a dictionary is learned from.
const SAMPLE_BYTES: usize = 2 << 20;

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
            gathered: Gathered::new(first),
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
        self.last_recorded_at = self.gathered.add(record).map_err(|what| invalid(&what))?;
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        let next = Gathered::new(self.gathered.next());
        let block = std::mem::replace(&mut self.gathered, next);
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
        // A record with a block of its own says nothing about others, and has its own repetitions.
        let usual = waiting.iter().filter(|block| block.bytes.len() <= self.settings.block_bytes);
        let samples: Vec<Vec<u8>> = usual.filter_map(|block| Some(block.take_apart().ok()?.1)).collect();
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
        let at = place(self.store, self.first, self.offset);
        let block = records.encode(at, self.compressor.as_mut(), !self.dictionary.is_empty())?;
        self.raw_bytes += records.bytes.len() as u64;
        self.blocks.push(BlockEntry {
            offset: self.offset,
            length: block.len() as u64,
            first: records.first,
            events: records.offsets.len() as u64,
            recorded_at: records.recorded_at,
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
            top.push(block.begins());
            rest = after;
        }
        (pages, top)
    }
}

fn invalid(what: &Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what.to_string())
}
