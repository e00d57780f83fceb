//! Compression with zstd (<https://github.com/facebook/zstd>, RFC 8878), with contexts that are used again.

use std::cell::RefCell;
use std::fmt;
use std::io;

use zstd::bulk::Compressor as Bulk;
use zstd::zstd_safe::{CParameter, DCtx, DDict};

use crate::fields::Malformed;

/// A thread keeps no buffer above this size.
const KEPT_BYTES: usize = 1 << 20;

/// A dictionary made ready for decoding. Of its kind there are as many as
/// [`SegmentCache`](super::SegmentCache) allows.
pub(super) struct Dictionary(DDict<'static>);

impl Dictionary {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, Malformed> {
        DDict::try_create(bytes).map(Self).ok_or(Malformed("the dictionary is not one"))
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dictionary").finish_non_exhaustive()
    }
}

/// Compresses one block after the other.
pub(super) struct Compressor(Bulk<'static>);

impl Compressor {
    /// With an empty dictionary there is none.
    pub(super) fn new(level: i32, dictionary: &[u8]) -> io::Result<Self> {
        let mut bulk = Bulk::with_dictionary(level, dictionary)?;
        // The head of a block says all that, or has a better checksum.
        for parameter in [
            CParameter::ContentSizeFlag(false),
            CParameter::DictIdFlag(false),
            CParameter::ChecksumFlag(false),
        ] {
            bulk.set_parameter(parameter)?;
        }
        Ok(Self(bulk))
    }

    /// Appends the compressed form of `bytes`.
    pub(super) fn compress(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let start = out.len();
        out.resize(start + zstd::zstd_safe::compress_bound(bytes.len()), 0);
        let length = self.0.compress_to_buffer(bytes, &mut out[start..])?;
        out.truncate(start + length);
        Ok(())
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

thread_local! {
    static DECODER: RefCell<(DCtx<'static>, Vec<u8>)> = RefCell::new((DCtx::create(), Vec::new()));
}

/// No frame decompresses to more: a block of it has four bytes at least, and 128 KiB of content at most.
fn most_of(bytes: &[u8], most: usize) -> usize {
    most.min((bytes.len() / 4 + 1) << 17)
}

/// Decompresses into memory of its own, never into more than `most` bytes.
pub(super) fn decompress(
    bytes: &[u8],
    dictionary: Option<&Dictionary>,
    most: usize,
) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(most_of(bytes, most));
    DECODER.with_borrow_mut(|(context, _)| decompress_into(context, bytes, dictionary, &mut out))?;
    Ok(out)
}

/// Decompresses into the thread's buffer, never more than `most` bytes, for as long as `look` takes.
pub(super) fn with_decompressed<T>(
    bytes: &[u8],
    dictionary: Option<&Dictionary>,
    most: usize,
    look: impl FnOnce(&[u8]) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    DECODER.with_borrow_mut(|(context, buffer)| {
        buffer.clear();
        buffer.reserve(most_of(bytes, most));
        decompress_into(context, bytes, dictionary, buffer)?;
        let result = look(buffer);
        if KEPT_BYTES < buffer.capacity() {
            *buffer = Vec::new();
        }
        result
    })
}

/// Fills the vector up to its capacity at most.
fn decompress_into(
    context: &mut DCtx<'static>,
    bytes: &[u8],
    dictionary: Option<&Dictionary>,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let done = match dictionary {
        None => context.decompress(out, bytes),
        Some(dictionary) => context.decompress_using_ddict(out, bytes, &dictionary.0),
    };
    done.map(|_| ()).map_err(|_| Malformed("a block cannot be decompressed"))
}
