//! A sealed segment: records in checksummed blocks, a table of the blocks, a footer. Never changed once written.
//!
//! ```text
//! header  8 magic "FLSEGM1\0", 16 store id, u64 first position, u64 checksum
//! block   u32 magic "FLB1", u32 body length, u32 events, u32 zero, u64 first position, u64 checksum, the records
//! table   u64 offset, u64 first position, u32 events, u32 body length for each block; u64 checksum
//! footer  8 magic "FLSEGE1\0", u64 first position, u64 last position, u64 table offset, u32 blocks, u32 zero,
//!         u64 checksum
//! ```
//! Every checksum comes last in its part, is seeded with the place where the part begins, and every byte of the
//! file is under one. A block's checksum covers its records too. Both the table and the blocks' own heads say
//! where blocks are, so damage to one of them loses nothing.

use std::sync::Arc;

use bytes::Bytes;
use factlog_core::{RecordedEvent, Result};
use uuid::Uuid;

use crate::checksum::{FileKind, Place, checksum, push_trailer, trailer_holds};
use crate::damage::Damage;
use crate::fields::{Fields, Malformed};
use crate::record;
use crate::storage::{self, DiskFile};

/// Records are gathered into blocks of about this size; a larger record has a block of its own.
pub(crate) const BLOCK_BYTES: usize = 32 << 10;
const MAGIC: [u8; 8] = *b"FLSEGM1\0";
const BLOCK_MAGIC: [u8; 4] = *b"FLB1";
const END_MAGIC: [u8; 8] = *b"FLSEGE1\0";
const HEADER_BYTES: usize = 40;
const BLOCK_HEADER_BYTES: usize = 32;
const TABLE_ENTRY_BYTES: usize = 24;
const FOOTER_BYTES: usize = 48;

/// The name of a segment's file in its directory.
pub(crate) fn file_name(first: u64) -> String {
    format!("{first:020}.log")
}

/// Where a block lies and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    pub(crate) offset: u64,
    pub(crate) first: u64,
    pub(crate) events: u32,
    pub(crate) body_length: u32,
}

impl BlockEntry {
    pub(crate) fn last(&self) -> u64 {
        self.first + u64::from(self.events) - 1
    }
}

/// Records in memory with the place of each: a block that was read, or a frame of the tail.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) first: u64,
    pub(crate) bytes: Bytes,
    pub(crate) offsets: Vec<u32>,
}

impl Records {
    /// Finds the records in bytes that hold nothing else.
    pub(crate) fn new(first: u64, bytes: Bytes) -> Result<Self, Malformed> {
        let offsets = record::offsets(&bytes)?;
        Ok(Self { first, bytes, offsets })
    }

    pub(crate) fn last(&self) -> u64 {
        self.first + self.offsets.len() as u64 - 1
    }

    /// The bytes of the record at a position that lies in here, and nothing behind it.
    pub(crate) fn record(&self, position: u64) -> Result<&[u8], Malformed> {
        let at = usize::try_from(position - self.first).expect("a place in a block");
        let bytes = &self.bytes[self.offsets[at] as usize..];
        Ok(&bytes[..record::length(bytes)?])
    }

    /// The event at a position that lies in here.
    pub(crate) fn event(&self, position: u64) -> Result<RecordedEvent, Malformed> {
        let (event, _) = record::decode(self.record(position)?)?;
        if event.position.get() == position {
            Ok(event)
        } else {
            Err(Malformed("a record is in another's place"))
        }
    }
}

/// Builds a segment's bytes part by part; the caller writes them in order.
pub(crate) struct Builder {
    store: Uuid,
    first: u64,
    next: u64,
    offset: u64,
    body: Vec<u8>,
    body_first: u64,
    blocks: Vec<BlockEntry>,
}

impl Builder {
    /// Begins a segment; the returned bytes are its header.
    pub(crate) fn new(store: Uuid, first: u64) -> (Self, Vec<u8>) {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(store.as_bytes());
        header.extend_from_slice(&first.to_le_bytes());
        push_trailer(place(store, first, 0).seed(), &mut header);
        let offset = header.len() as u64;
        let builder = Self {
            store,
            first,
            next: first,
            offset,
            body: Vec::new(),
            body_first: first,
            blocks: Vec::new(),
        };
        (builder, header)
    }

    /// Adds the next record; returns a block when one is full.
    pub(crate) fn add(&mut self, record: &[u8]) -> Option<Vec<u8>> {
        let full = !self.body.is_empty() && BLOCK_BYTES < self.body.len() + record.len();
        let block = full.then(|| self.finish_block());
        self.body.extend_from_slice(record);
        self.next += 1;
        block
    }

    fn finish_block(&mut self) -> Vec<u8> {
        let body_length = u32::try_from(self.body.len()).expect("a block is far below 4 GiB");
        let events = u32::try_from(self.next - self.body_first).expect("a block has few events");
        let mut block = Vec::with_capacity(BLOCK_HEADER_BYTES + self.body.len());
        block.extend_from_slice(&BLOCK_MAGIC);
        for number in [body_length, events, 0] {
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.extend_from_slice(&self.body_first.to_le_bytes());
        let sum = block_checksum(place(self.store, self.first, self.offset), &block, &self.body);
        block.extend_from_slice(&sum.to_le_bytes());
        block.append(&mut self.body);
        self.blocks.push(BlockEntry { offset: self.offset, first: self.body_first, events, body_length });
        self.offset += block.len() as u64;
        self.body_first = self.next;
        block
    }

    /// Ends the segment: the last block, the table and the footer, and the blocks' places.
    pub(crate) fn finish(mut self) -> (Vec<u8>, Vec<BlockEntry>) {
        let mut out = if self.body.is_empty() { Vec::new() } else { self.finish_block() };
        let table_offset = self.offset;
        let mut table = Vec::with_capacity(self.blocks.len() * TABLE_ENTRY_BYTES + 8);
        for block in &self.blocks {
            table.extend_from_slice(&block.offset.to_le_bytes());
            table.extend_from_slice(&block.first.to_le_bytes());
            table.extend_from_slice(&block.events.to_le_bytes());
            table.extend_from_slice(&block.body_length.to_le_bytes());
        }
        push_trailer(place(self.store, self.first, table_offset).seed(), &mut table);
        let mut footer = Vec::with_capacity(FOOTER_BYTES);
        footer.extend_from_slice(&END_MAGIC);
        for number in [self.first, self.next - 1, table_offset] {
            footer.extend_from_slice(&number.to_le_bytes());
        }
        footer.extend_from_slice(&u32::try_from(self.blocks.len()).expect("few blocks").to_le_bytes());
        footer.extend_from_slice(&[0; 4]);
        push_trailer(place(self.store, self.first, table_offset + table.len() as u64).seed(), &mut footer);
        out.append(&mut table);
        out.append(&mut footer);
        (out, self.blocks)
    }
}

fn place(store: Uuid, first: u64, offset: u64) -> Place {
    Place { store, file: FileKind::Segment, number: first, offset }
}

fn block_checksum(place: Place, header: &[u8], body: &[u8]) -> u64 {
    checksum(checksum(place.seed(), header), body)
}

/// A sealed segment. Its file is opened by whoever reads, so that a store may have more segments than a process
/// may have open files.
#[derive(Debug)]
pub(crate) struct Segment {
    store: Uuid,
    pub(crate) first: u64,
    /// The blocks that can be read, in order.
    pub(crate) blocks: Vec<BlockEntry>,
}

impl Segment {
    /// A segment whose blocks are known.
    pub(crate) fn new(store: Uuid, first: u64, blocks: Vec<BlockEntry>) -> Self {
        Self { store, first, blocks }
    }

    /// The file's name relative to the store.
    pub(crate) fn path(&self) -> String {
        format!("segments/{}", file_name(self.first))
    }

    /// The block that holds a position, if there is one.
    pub(crate) fn block_of(&self, position: u64) -> Option<&BlockEntry> {
        let after = self.blocks.partition_point(|block| block.first <= position);
        self.blocks[..after].last().filter(|block| position <= block.last())
    }

    /// Reads and checks a block of the segment's file.
    pub(crate) fn read(&self, file: &dyn DiskFile, entry: &BlockEntry) -> Result<Arc<Records>> {
        let damage = |what: Malformed| {
            Damage::new(self.path(), entry.offset, (entry.first, entry.last()), what.to_string()).to_error()
        };
        let length = BLOCK_HEADER_BYTES + entry.body_length as usize;
        let bytes = storage::read_exact(file, entry.offset, length)
            .map_err(|cause| storage::failed("read", std::path::Path::new(&self.path()), cause))?;
        let (found, records) = parse_block(self.store, self.first, entry.offset, bytes).map_err(damage)?;
        if found != *entry {
            return Err(damage(Malformed("a block is in another's place")));
        }
        Ok(Arc::new(records))
    }
}

/// Checks a block that begins at `offset` and consists of all of `bytes`.
fn parse_block(
    store: Uuid,
    first: u64,
    offset: u64,
    bytes: Vec<u8>,
) -> Result<(BlockEntry, Records), Malformed> {
    let entry = parse_block_header(offset, &bytes)?;
    if bytes.len() != BLOCK_HEADER_BYTES + entry.body_length as usize {
        return Err(Malformed("a block's length is wrong"));
    }
    let (header, body) = bytes.split_at(BLOCK_HEADER_BYTES);
    let sum = Fields::new(&header[BLOCK_HEADER_BYTES - 8..]).u64()?;
    if sum != block_checksum(place(store, first, offset), &header[..BLOCK_HEADER_BYTES - 8], body) {
        return Err(Malformed("a block's checksum is wrong"));
    }
    let records = Records::new(entry.first, Bytes::from(bytes).slice(BLOCK_HEADER_BYTES..))?;
    if records.offsets.len() != entry.events as usize {
        return Err(Malformed("a block's count of events is wrong"));
    }
    Ok((entry, records))
}

fn parse_block_header(offset: u64, bytes: &[u8]) -> Result<BlockEntry, Malformed> {
    let mut fields = Fields::new(bytes);
    if fields.array()? != BLOCK_MAGIC {
        return Err(Malformed("there is no block"));
    }
    let (body_length, events) = (fields.u32()?, fields.u32()?);
    fields.zero(4)?;
    let first = fields.u64()?;
    if events == 0 || first == 0 {
        Err(Malformed("a block is empty"))
    } else {
        Ok(BlockEntry { offset, first, events, body_length })
    }
}

/// Opens a segment by reading all of it: hands out the records of every good block in order, and the damage.
pub(crate) fn scan(
    store: Uuid,
    file: &dyn DiskFile,
    expected: &crate::manifest::SegmentEntry,
    visit: &mut dyn FnMut(&Records),
) -> Result<(Segment, Vec<Damage>)> {
    let scan = Scan { store, file, expected, path: format!("segments/{}", file_name(expected.first)) };
    let mut damage = Vec::new();
    let table = scan.table().unwrap_or_else(|(offset, what)| {
        damage.push(scan.damage(offset, (1, 0), what));
        None
    });
    if let Err((offset, what)) = scan.header() {
        damage.push(scan.damage(offset, (1, 0), what));
    }
    let blocks = scan.blocks(table.as_deref(), visit, &mut damage);
    let segment = Segment::new(store, expected.first, blocks);
    Ok((segment, damage))
}

struct Scan<'a> {
    store: Uuid,
    file: &'a dyn DiskFile,
    expected: &'a crate::manifest::SegmentEntry,
    path: String,
}

type Found<T> = Result<T, (u64, String)>;

impl Scan<'_> {
    fn damage(&self, offset: u64, lost: (u64, u64), what: String) -> Damage {
        Damage::new(self.path.clone(), offset, lost, what)
    }

    fn read(&self, offset: u64, length: usize) -> Found<Vec<u8>> {
        storage::read_exact(self.file, offset, length).map_err(|cause| (offset, cause.to_string()))
    }

    fn header(&self) -> Found<()> {
        let bytes = self.read(0, HEADER_BYTES)?;
        let seed = place(self.store, self.expected.first, 0).seed();
        if trailer_holds(seed, &bytes) && bytes.starts_with(&MAGIC) {
            return Ok(());
        }
        Err((0, "the segment's header is wrong".to_owned()))
    }

    /// The table of blocks, where footer and table are whole.
    fn table(&self) -> Found<Option<Vec<BlockEntry>>> {
        let length = self.file.length().map_err(|cause| (0, cause.to_string()))?;
        if length != self.expected.bytes {
            return Err((length, format!("the file has {length} bytes instead of {}", self.expected.bytes)));
        }
        let footer_offset = self.expected.bytes - FOOTER_BYTES as u64;
        let wrong = |what: &str| (footer_offset, what.to_owned());
        let footer = self.read(footer_offset, FOOTER_BYTES)?;
        let seed = place(self.store, self.expected.first, footer_offset).seed();
        if !trailer_holds(seed, &footer) || !footer.starts_with(&END_MAGIC) {
            return Err(wrong("the footer's checksum is wrong"));
        }
        let mut fields = Fields::new(&footer[8..]);
        let mut number = || fields.u64().map_err(|malformed| wrong(malformed.0));
        let (first, last, table_offset) = (number()?, number()?, number()?);
        if (first, last) != (self.expected.first, self.expected.last) || footer_offset < table_offset {
            return Err(wrong("the footer is another segment's"));
        }
        let table = self.read(table_offset, usize::try_from(footer_offset - table_offset).unwrap_or(0))?;
        if !trailer_holds(place(self.store, self.expected.first, table_offset).seed(), &table) {
            return Err((table_offset, "the checksum of the table of blocks is wrong".to_owned()));
        }
        let entries = table[..table.len() - 8].chunks_exact(TABLE_ENTRY_BYTES);
        Ok(Some(entries.filter_map(|bytes| parse_table_entry(bytes).ok()).collect()))
    }

    /// Reads block after block, each at the place where the one before ended or the table says.
    fn blocks(
        &self,
        table: Option<&[BlockEntry]>,
        visit: &mut dyn FnMut(&Records),
        damage: &mut Vec<Damage>,
    ) -> Vec<BlockEntry> {
        let mut blocks: Vec<BlockEntry> = Vec::new();
        let (mut offset, mut next) = (HEADER_BYTES as u64, self.expected.first);
        while next <= self.expected.last {
            match self.block_at(offset) {
                Ok((entry, records)) if entry.first == next => {
                    visit(&records);
                    offset += (BLOCK_HEADER_BYTES + records.bytes.len()) as u64;
                    next = entry.last() + 1;
                    blocks.push(entry);
                }
                other => {
                    let what = other.err().map_or("a block is in another's place".to_owned(), |malformed| {
                        malformed.to_string()
                    });
                    let after = table.and_then(|table| table.iter().find(|entry| offset < entry.offset));
                    let lost_until = after.map_or(self.expected.last, |entry| entry.first - 1);
                    damage.push(self.damage(offset, (next, lost_until), what));
                    let Some(entry) = after else { break };
                    (offset, next) = (entry.offset, entry.first);
                }
            }
        }
        blocks
    }

    fn block_at(&self, offset: u64) -> Result<(BlockEntry, Records), Malformed> {
        let short = |_| Malformed("the file cannot be read to the end of a block");
        let header = storage::read_exact(self.file, offset, BLOCK_HEADER_BYTES).map_err(short)?;
        let entry = parse_block_header(offset, &header)?;
        if self.expected.bytes < offset + u64::from(entry.body_length) {
            return Err(Malformed("a block's length is wrong"));
        }
        let length = BLOCK_HEADER_BYTES + entry.body_length as usize;
        let bytes = storage::read_exact(self.file, offset, length).map_err(short)?;
        parse_block(self.store, self.expected.first, offset, bytes)
    }
}

fn parse_table_entry(bytes: &[u8]) -> Result<BlockEntry, Malformed> {
    let mut fields = Fields::new(bytes);
    Ok(BlockEntry {
        offset: fields.u64()?,
        first: fields.u64()?,
        events: fields.u32()?,
        body_length: fields.u32()?,
    })
}
