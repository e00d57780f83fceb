//! Pages: what every run file is made of, and the checked reading of the numbers in them.
//!
//! A page has 4096 bytes; the last eight are the checksum of the others. Its seed is that of the page's place,
//! mixed with the run's level and last position, so that a page of another run never passes.

use std::io;
use std::sync::Arc;

use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::RunName;
use crate::checksum::{FileKind, Place, checksum, trailer_holds};
use crate::fields::Malformed;
use crate::storage::DiskFile;

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;
/// Bytes of a page before its checksum.
pub(super) const BODY: usize = PAGE - 8;
/// Bytes before the content: kind, level, entries.
pub(super) const HEAD: usize = 4;

/// What a page holds; the numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    KeyLeaf = 1,
    KeyFence = 2,
    Postings = 3,
    IdLeaf = 4,
    IdFence = 5,
    Filter = 6,
    Footer = 7,
}

impl PageKind {
    /// Whether a page is of this kind.
    pub(super) fn is(self, page: &[u8]) -> bool {
        page.first() == Some(&(self as u8))
    }
}

/// A page with its number.
pub(super) type Numbered = (u64, Arc<[u8]>);

/// Why a run could not be read.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// What the file holds at an offset is not what was written.
    Malformed { offset: u64, what: Malformed },
    /// The system could not read.
    Io(io::Error),
}

impl Wrong {
    /// Says in which page something is malformed.
    pub(super) fn in_page(number: u64) -> impl Fn(Malformed) -> Self {
        move |what| Self::Malformed { offset: number.saturating_mul(PAGE as u64), what }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed { offset, what } => write!(f, "{what} (offset {offset})"),
            Self::Io(cause) => write!(f, "it cannot be read: {cause}"),
        }
    }
}

/// Makes and checks the checksums of one run's pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal {
    store: Uuid,
    first: u64,
    mix: u64,
}

impl Seal {
    pub(super) fn new(store: Uuid, name: RunName) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&u64::from(name.level).to_le_bytes());
        bytes[8..].copy_from_slice(&name.last.to_le_bytes());
        Self { store, first: name.first, mix: xxh3_64(&bytes) }
    }

    pub(super) fn seed(&self, number: u64) -> u64 {
        let offset = number.wrapping_mul(PAGE as u64);
        Place { store: self.store, file: FileKind::Run, number: self.first, offset }.seed() ^ self.mix
    }

    /// Whether the page is the one with this number, unharmed.
    pub(super) fn holds(&self, number: u64, page: &[u8]) -> bool {
        trailer_holds(self.seed(number), page)
    }

    /// Puts the checksum into a page.
    fn close(&self, number: u64, page: &mut [u8]) {
        let sum = checksum(self.seed(number), &page[..BODY]);
        page[BODY..].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Hands out page numbers and writes pages, in any order.
pub(super) struct Sink<'a> {
    file: &'a dyn DiskFile,
    seal: Seal,
    /// The number of the next page.
    pub(super) next: u64,
}

impl<'a> Sink<'a> {
    pub(super) fn new(file: &'a dyn DiskFile, seal: Seal) -> Self {
        Self { file, seal, next: 0 }
    }

    /// Numbers for some pages that are written later.
    pub(super) fn reserve(&mut self, pages: u64) -> u64 {
        self.next += pages;
        self.next - pages
    }

    /// Writes a page at a number that was handed out. The buffer is filled up to a page.
    pub(super) fn write_at(&self, number: u64, page: &mut Vec<u8>) -> io::Result<()> {
        assert!(number < self.next, "the page's number was handed out");
        assert!(page.len() <= PAGE, "a page is not too long");
        page.resize(PAGE, 0);
        self.seal.close(number, page);
        self.file.write_at(page, number * PAGE as u64)
    }

    /// Writes the next page and returns its number.
    pub(super) fn write(&mut self, page: &mut Vec<u8>) -> io::Result<u64> {
        let number = self.reserve(1);
        self.write_at(number, page)?;
        Ok(number)
    }
}

/// Bytes of 48-bit numbers.
pub(super) const U48: usize = 6;

/// Appends a number of 48 bits.
pub(super) fn push_u48(out: &mut Vec<u8>, number: u64) {
    assert!(number < 1 << 48, "the number has 48 bits");
    out.extend_from_slice(&number.to_le_bytes()[..U48]);
}

/// Appends a number in groups of seven bits, the lowest first (LEB128).
pub(super) fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while 0x80 <= number {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A cursor over numbers in bytes that nobody vouches for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers<'a> {
    bytes: &'a [u8],
    /// Where the next number begins.
    pub(super) at: usize,
}

const SHORT: Malformed = Malformed("a page ends too early");

impl<'a> Numbers<'a> {
    /// Numbers in `bytes`, from `at` on.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && 1 < byte {
                return Err(Malformed("a number is too large"));
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        let byte = *self.bytes.get(self.at).ok_or(SHORT)?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes([self.u8()?, self.u8()?]))
    }

    pub(super) fn u48(&mut self) -> Result<u64, Malformed> {
        let mut number = [0; 8];
        number[..U48].copy_from_slice(self.bytes(U48)?);
        Ok(u64::from_le_bytes(number))
    }

    /// A length, which is no longer than what is left.
    pub(super) fn length(&mut self) -> Result<usize, Malformed> {
        let length = usize::try_from(self.varint()?).map_err(|_| SHORT)?;
        if self.bytes.len().saturating_sub(self.at) < length { Err(SHORT) } else { Ok(length) }
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(SHORT)?;
        let bytes = self.bytes.get(self.at..end).ok_or(SHORT)?;
        self.at = end;
        Ok(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() <= self.at
    }
}
