//! A sealed segment, format version 1: compressed blocks of records, a table of the blocks, sections, a footer.
//! Written once, never changed.
//!
//! ```text
//! header      8 magic "FLSEGM1\n", u32 version, u32 zero, 16 store id, u64 first position, u64 checksum
//! dictionary  where blocks need one: u32 magic "FLDI", u32 length, u64 checksum, the dictionary
//! blocks      see `block`, one behind the other without a gap
//! sections    dictionary (a second copy), pages of the table, top of the table, tracking, others: see `footer`
//! footer      4096 bytes, and the same again: see `footer`
//! ```
//!
//! * Every byte is under a checksum that is seeded with its place, so that bytes of another file never pass.
//! * One damaged place costs at most the block it lies in: dictionary and footer are there twice, and a part of the
//!   table that is damaged is found again from the heads of the blocks.
//! * Looking up a block reads one page of the table, through a bounded cache; no table is ever held as a whole.
//! * What is read is the records as they were given, byte by byte.
//!
//! This module never opens a file and keeps nothing but what [`SegmentCache`] bounds.

mod block;
mod build;
mod cache;
mod codec;
mod columns;
mod dictionary;
mod footer;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gather;
mod lookup;
mod scan;
mod settings;
mod sink;
mod table;
mod table_walk;
#[cfg(test)]
pub(crate) mod tests;
mod tracking;
mod walk;
mod wrong;

use uuid::Uuid;

pub(crate) use self::{
    build::Builder,
    cache::SegmentCache,
    footer::Description,
    lookup::Segment,
    scan::scan,
    settings::{Codec, DictionaryPolicy, Settings},
    sink::FileSink,
    wrong::Wrong,
};

use crate::checksum::{FileKind, Place, push_trailer, trailer_holds};
use crate::fields::{Fields, Malformed};

/// The version of the format, in header and footer.
const VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"FLSEGM1\n";
const HEADER_BYTES: usize = 48;
/// Footers and the pages of the table have this size.
const PAGE_BYTES: usize = 4096;

/// The name of a segment's file in its directory.
pub(crate) fn file_name(first: u64) -> String {
    format!("{first:020}.log")
}

fn place(store: Uuid, first: u64, offset: u64) -> Place {
    Place { store, file: FileKind::Segment, number: first, offset }
}

fn header(store: Uuid, first: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(store.as_bytes());
    bytes.extend_from_slice(&first.to_le_bytes());
    push_trailer(place(store, first, 0).seed(), &mut bytes);
    bytes
}

fn check_header(store: Uuid, first: u64, bytes: &[u8]) -> Result<(), Malformed> {
    if !trailer_holds(place(store, first, 0).seed(), bytes) || !bytes.starts_with(&MAGIC) {
        return Err(Malformed("the segment's header is wrong"));
    }
    match Fields::new(&bytes[MAGIC.len()..]).u32()? {
        VERSION => Ok(()),
        _ => Err(Malformed("the segment is of a version this program does not know")),
    }
}
