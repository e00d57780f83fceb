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

mod build;
mod scan;

use std::sync::Arc;

use bytes::Bytes;
use factlog_core::Result;
use uuid::Uuid;

pub(crate) use build::Builder;
pub(crate) use scan::scan;

use crate::checksum::{FileKind, Place, checksum};
use crate::damage::Damage;
use crate::fields::{Fields, Malformed};
use crate::records::Records;
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

fn place(store: Uuid, first: u64, offset: u64) -> Place {
    Place { store, file: FileKind::Segment, number: first, offset }
}

fn block_checksum(place: Place, header: &[u8], body: &[u8]) -> u64 {
    checksum(checksum(place.seed(), header), body)
}
