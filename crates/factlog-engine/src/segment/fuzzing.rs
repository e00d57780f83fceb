//! The decoders of a sealed segment as functions of bytes; see [`crate::fuzzing`].
//!
//! `block` and `columns` take one block apart; `parts` looks at footer, table, tracking and dictionary; `whole` reads
//! a file in every way there is, and puts its checksums right.

mod block;
mod parts;
mod whole;

pub(crate) use block::{block, block_seeds, columns, columns_seeds};
pub(crate) use parts::{
    dictionary, dictionary_seeds, footer, footer_seeds, table, table_seeds, tracking, tracking_seeds,
};
pub(crate) use whole::{file, file_seeds, mend, segment_of, tracked};

use super::block::HEAD_BYTES;
use super::{footer as footers, place};
use crate::checksum::checksum;
use crate::fuzzing::kit::STORE;

/// Puts the checksum of the block that begins at an offset right; `false` if it has no room for one.
fn mend_block(segment: u64, offset: u64, block: &mut [u8]) -> bool {
    let Some((head, body)) = block.split_at_mut_checked(HEAD_BYTES) else { return false };
    let sum = checksum(checksum(place(STORE, segment, offset).seed(), &head[..HEAD_BYTES - 8]), body);
    head[HEAD_BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
    true
}

/// The bytes of a section in a footer behind its head, and where in a section its checksum stands.
const SECTION_AT: usize = 112;
const SECTION_BYTES: usize = 32;
const _: () = assert!(footers::SECTIONS_MAX * SECTION_BYTES + SECTION_AT <= super::PAGE_BYTES - 8);
