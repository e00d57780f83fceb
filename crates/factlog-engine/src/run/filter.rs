//! Filters that say "certainly not here": split block Bloom filters.
//!
//! The algorithm is that of the Parquet format
//! (<https://github.com/apache/parquet-format/blob/master/BloomFilter.md>): the upper half of a 64-bit hash chooses
//! a block of 256 bits, the lower half one bit in each of its eight words. One probe reads one block, so one page.
//! At 10 bits a key about 1 in 100 absent keys passes.

use xxhash_rust::xxh3::xxh3_64;

use super::page::{BODY, HEAD, PageKind};
use crate::fields::Malformed;

/// Bytes of a block.
pub(super) const BLOCK: usize = 32;
/// Blocks in a page.
pub(super) const PAGE_BLOCKS: u64 = ((BODY - HEAD) / BLOCK) as u64;
const BITS_PER_KEY: u64 = 10;
const SALT: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];
/// A number that many numbers divide, so that a filter made for too many keys can be folded.
const FOLDABLE: u64 = 840;

/// The hash that a filter of ids takes: its upper half grows with the id's hash, so that ids in order fill the
/// filter from front to back.
pub(super) fn hash_of_id(id_hash: u64) -> u64 {
    (id_hash >> 8) << 32 | xxh3_64(&id_hash.to_le_bytes()) & 0xffff_ffff
}

/// The block that a hash belongs to.
pub(super) fn block_of(hash: u64, blocks: u64) -> u64 {
    ((u128::from(hash >> 32) * u128::from(blocks)) >> 32) as u64
}

/// How many blocks so many keys need.
pub(super) fn blocks_for(keys: u64) -> u64 {
    (keys.saturating_mul(BITS_PER_KEY)).div_ceil(8 * BLOCK as u64)
}

/// Sets the bits of a hash in its block.
pub(super) fn set(block: &mut [u8], hash: u64) {
    for (word, salt) in block.chunks_exact_mut(4).zip(SALT) {
        let bit = (hash as u32).wrapping_mul(salt) >> 27;
        word[(bit / 8) as usize] |= 1 << (bit % 8);
    }
}

/// Whether a block may have the hash.
pub(super) fn may_have(block: &[u8], hash: u64) -> bool {
    block.chunks_exact(4).zip(SALT).all(|(word, salt)| {
        let bit = (hash as u32).wrapping_mul(salt) >> 27;
        word[(bit / 8) as usize] & 1 << (bit % 8) != 0
    })
}

/// The blocks in a page.
pub(super) fn blocks_of(page: &[u8]) -> Result<&[u8], Malformed> {
    if PageKind::Filter.is(page) {
        page.get(HEAD..HEAD + PAGE_BLOCKS as usize * BLOCK).ok_or(Malformed("a page ends too early"))
    } else {
        Err(Malformed("a page of another kind is in place of a filter"))
    }
}

/// The page of a filter with these blocks.
pub(super) fn page(blocks: &[u8]) -> Vec<u8> {
    let mut page = Vec::with_capacity(super::PAGE);
    page.extend_from_slice(&[PageKind::Filter as u8, 0, 0, 0]);
    page.extend_from_slice(blocks);
    page
}

/// A filter in the making, whose keys come in no order.
pub(super) struct Filter {
    pub(super) bytes: Vec<u8>,
    keys: u64,
}

impl Filter {
    /// A filter for at most this many keys.
    pub(super) fn new(expected: u64) -> Self {
        let blocks = blocks_for(expected).max(1);
        let multiple = if blocks < 10 * FOLDABLE { 8 } else { FOLDABLE };
        let length = blocks.next_multiple_of(multiple) * BLOCK as u64;
        Self { bytes: vec![0; usize::try_from(length).expect("a filter fits into memory")], keys: 0 }
    }

    /// Takes in a key.
    pub(super) fn add(&mut self, hash: u64) {
        let at = block_of(hash, (self.bytes.len() / BLOCK) as u64) as usize * BLOCK;
        set(&mut self.bytes[at..at + BLOCK], hash);
        self.keys += 1;
    }

    /// Folds the filter as far as the number of keys that came allows. A block is chosen by multiplication, so
    /// neighbours fall together when there are fewer blocks by a whole factor.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.keys == 0 {
            return Vec::new();
        }
        let (blocks, needed) = ((self.bytes.len() / BLOCK) as u64, blocks_for(self.keys));
        let fits = |factor: &u64| blocks.is_multiple_of(*factor) && needed <= blocks / factor;
        let factor = (2..=blocks.min(FOLDABLE)).rev().find(fits).unwrap_or(1) as usize;
        for folded in 0..self.bytes.len() / BLOCK / factor {
            for byte in 0..BLOCK {
                let parts = (0..factor).map(|part| self.bytes[(folded * factor + part) * BLOCK + byte]);
                self.bytes[folded * BLOCK + byte] = parts.fold(0, |all, part| all | part);
            }
        }
        self.bytes.truncate(self.bytes.len() / factor);
        self.bytes
    }
}
