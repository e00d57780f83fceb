//! The dictionary of a segment: made from its first records, stored in front of the blocks and once more behind.
//!
//! ```text
//! u32 magic "FLDI", u32 length, u64 checksum (of the dictionary, seeded with that of the 8 bytes, seeded with the
//! place), the dictionary
//! ```

use std::io;

use super::codec::Compressor;
use crate::checksum::{Place, checksum};
use crate::fields::{Fields, Malformed};

pub(super) const MAGIC: [u8; 4] = *b"FLDI";
pub(super) const HEAD_BYTES: usize = 16;
/// No dictionary is larger.
pub(super) const BYTES_MAX: usize = 64 << 10;
/// What is made: larger ones compressed no better, and cost as much more.
const BYTES: usize = 16 << 10;
const SAMPLE_BYTES: usize = 4 << 10;
/// With fewer samples there is nothing to learn.
const SAMPLES_MIN: usize = 16;
/// How much longer than its sample a segment is expected to be, if the sample is full.
const SAMPLE_SHARE: usize = 4;

/// Learns a dictionary; `None` where there is too little to learn from or the method finds nothing.
pub(super) fn train(blocks: &[Vec<u8>]) -> Option<Vec<u8>> {
    let samples: Vec<&[u8]> = blocks.iter().flat_map(|block| block.chunks(SAMPLE_BYTES)).collect();
    if samples.len() < SAMPLES_MIN {
        return None;
    }
    zstd::dict::from_samples(&samples, BYTES).ok().filter(|bytes| !bytes.is_empty())
}

/// Whether compressing with the dictionary saves more than its two copies take. Where the segment goes on behind
/// the sample, what comes is taken to be like it.
pub(super) fn pays(blocks: &[Vec<u8>], dictionary: &[u8], level: i32, more: bool) -> io::Result<bool> {
    let size = |dictionary: &[u8]| -> io::Result<usize> {
        let (mut compressor, mut out) = (Compressor::new(level, dictionary)?, Vec::new());
        blocks.iter().try_fold(0, |sum, block| {
            out.clear();
            compressor.compress(block, &mut out)?;
            Ok(sum + out.len())
        })
    };
    let saved = size(&[])?.saturating_sub(size(dictionary)?);
    let expected = if more { saved * SAMPLE_SHARE } else { saved };
    Ok(2 * (dictionary.len() + HEAD_BYTES) < expected)
}

/// The copy in front of the blocks.
pub(super) fn encode(place: Place, dictionary: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES + dictionary.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&u32::try_from(dictionary.len()).expect("at most 64 KiB").to_le_bytes());
    let sum = checksum(checksum(place.seed(), &out), dictionary);
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(dictionary);
    out
}

/// The length that the copy in front of the blocks says it has.
pub(super) fn length(head: &[u8]) -> Result<usize, Malformed> {
    let mut fields = Fields::new(head);
    if fields.array()? != MAGIC {
        return Err(Malformed("there is no dictionary"));
    }
    let length = fields.u32()? as usize;
    if 0 < length && length <= BYTES_MAX {
        Ok(length)
    } else {
        Err(Malformed("the dictionary's length is wrong"))
    }
}

/// Checks the copy in front of the blocks.
pub(super) fn decode(place: Place, bytes: &[u8]) -> Result<&[u8], Malformed> {
    let length = length(bytes)?;
    let mut fields = Fields::new(bytes);
    let head = fields.bytes(8)?;
    let sum = fields.u64()?;
    let dictionary = fields.bytes(length)?;
    fields.end()?;
    if sum != checksum(checksum(place.seed(), head), dictionary) {
        return Err(Malformed("the dictionary's checksum is wrong"));
    }
    Ok(dictionary)
}
