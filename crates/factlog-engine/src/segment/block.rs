//! A block: records, compressed or not, behind a head that says all there is to know about them.
//!
//! ```text
//!  0  u32  magic "FLBK"                      20  u32  events
//!  4  u8   coding: 0 none, 1 zstd,           24  u64  first position
//!          2 zstd with the dictionary        32  i64  recorded at, of the first event
//!  5  u8   layout: 0 records, 1 columns      40  u64  checksum
//!  6  u16  zero                              48  ids (of columns), then the rest, coded
//!  8  u32  bytes of the records
//! 12  u32  bytes of the body
//! 16  u32  bytes of ids in front of the body
//! ```
//! The checksum covers the body, seeded with the checksum of bytes 0 to 39, seeded with the place. A head is believed
//! only together with its body.

use bytes::Bytes;
use factlog_core::limits;

use super::codec::{self, Dictionary};
use super::columns;
use crate::checksum::{Place, checksum};
use crate::fields::{Fields, Malformed};
use crate::record;
use crate::records::Records;

pub(super) const MAGIC: [u8; 4] = *b"FLBK";
pub(super) const HEAD_BYTES: usize = 48;
/// The largest record there can be, and the most that a block's records take: no more is ever allocated.
pub(super) const RAW_MAX: usize = record::HEADER_BYTES
    + limits::STREAM_ID_BYTES_MAX
    + limits::EVENT_TYPE_BYTES_MAX
    + limits::CONTENT_TYPE_BYTES_MAX
    + limits::TAGS_MAX * (1 + limits::TAG_BYTES_MAX)
    + limits::METADATA_BYTES_MAX
    + limits::DATA_BYTES_MAX;

/// How the body is coded; the numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Plain = 0,
    Zstd = 1,
    ZstdWithDictionary = 2,
}

/// How records lie in the body; the numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Records = 0,
    Columns = 1,
}

/// A block's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) coding: Coding,
    pub(super) layout: Layout,
    pub(super) raw: u32,
    pub(super) stored: u32,
    pub(super) ids: u32,
    pub(super) events: u32,
    pub(super) first: u64,
    pub(super) recorded_at: i64,
    checksum: u64,
}

impl Head {
    /// Reads a head that nobody vouches for yet.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(bytes);
        if fields.array()? != MAGIC {
            return Err(Malformed("there is no block"));
        }
        let coding = match fields.u8()? {
            0 => Coding::Plain,
            1 => Coding::Zstd,
            2 => Coding::ZstdWithDictionary,
            _ => return Err(Malformed("a block's coding is unknown")),
        };
        let layout = match fields.u8()? {
            0 => Layout::Records,
            1 => Layout::Columns,
            _ => return Err(Malformed("a block's layout is unknown")),
        };
        fields.zero(2)?;
        let (raw, stored, ids, events) = (fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?);
        let (first, recorded_at, checksum) = (fields.u64()?, fields.i64()?, fields.u64()?);
        let head = Self { coding, layout, raw, stored, ids, events, first, recorded_at, checksum };
        if head.is_plausible() { Ok(head) } else { Err(Malformed("a block's head is wrong")) }
    }

    /// Bounds that hold for every block that was ever written; they keep a false one from costing memory.
    fn is_plausible(&self) -> bool {
        let (raw, events) = (u64::from(self.raw), u64::from(self.events));
        let ids_max = if self.layout == Layout::Columns { events * 16 } else { 0 };
        0 < events
            && events * record::HEADER_BYTES as u64 <= raw
            && raw <= RAW_MAX as u64
            && self.stored <= self.raw
            && self.ids <= self.stored
            && u64::from(self.ids) <= ids_max
            && 0 < self.first
            && self.first.checked_add(events).is_some_and(|next| next < u64::MAX)
    }

    /// Bytes of the block with its head.
    pub(super) fn length(&self) -> usize {
        HEAD_BYTES + self.stored as usize
    }

    pub(super) fn last(&self) -> u64 {
        self.first + u64::from(self.events) - 1
    }
}

/// A block whose checksum holds.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) head: Head,
    body: Bytes,
}

impl Block {
    /// Checks the block that consists of all of `bytes`.
    pub(super) fn check(place: Place, bytes: &Bytes) -> Result<Self, Malformed> {
        let head = Head::parse(bytes)?;
        if bytes.len() != head.length() {
            return Err(Malformed("a block's length is wrong"));
        }
        let sum = checksum(checksum(place.seed(), &bytes[..HEAD_BYTES - 8]), &bytes[HEAD_BYTES..]);
        if sum != head.checksum && !planted!(BlockUnchecked) {
            return Err(Malformed("a block's checksum is wrong"));
        }
        Ok(Self { head, body: bytes.slice(HEAD_BYTES..) })
    }

    /// The records. Without the dictionary that the block needs they cannot be had.
    pub(super) fn records(&self, dictionary: Option<&Dictionary>) -> Result<Records, Malformed> {
        let head = &self.head;
        let dictionary = match head.coding {
            Coding::Plain | Coding::Zstd => None,
            Coding::ZstdWithDictionary => Some(dictionary.ok_or(Malformed("a block's dictionary is lost"))?),
        };
        let (ids, body) = self.body.split_at(head.ids as usize);
        let raw = head.raw as usize;
        let (bytes, offsets) = match (head.coding, head.layout) {
            (Coding::Plain, Layout::Records) => (self.body.clone(), record::offsets(body)?),
            (Coding::Plain, Layout::Columns) => columns::decode(head, ids, body)?,
            (_, Layout::Records) => {
                let bytes = codec::decompress(body, dictionary, raw)?;
                let offsets = record::offsets(&bytes)?;
                (bytes.into(), offsets)
            }
            (_, Layout::Columns) => codec::with_decompressed(body, dictionary, raw, |columns| {
                columns::decode(head, ids, columns)
            })?,
        };
        if bytes.len() != raw || offsets.len() != head.events as usize {
            return Err(Malformed("a block's records are not what its head says"));
        }
        Ok(Records { first: head.first, bytes, offsets })
    }
}

/// What the bytes behind a block's head are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    pub(super) coding: Coding,
    pub(super) layout: Layout,
    pub(super) raw: usize,
    pub(super) ids: usize,
    pub(super) events: usize,
    pub(super) first: u64,
    pub(super) recorded_at: i64,
}

/// Puts the head into the room that was left for it in front of a block's body.
pub(super) fn seal(place: Place, content: &Content, block: &mut [u8]) {
    let (head, body) = block.split_at_mut(HEAD_BYTES);
    head[..4].copy_from_slice(&MAGIC);
    head[4..8].copy_from_slice(&[content.coding as u8, content.layout as u8, 0, 0]);
    let numbers = [content.raw, body.len(), content.ids, content.events];
    for (at, number) in numbers.into_iter().enumerate() {
        let number = u32::try_from(number).expect("a block is far below 4 GiB");
        head[8 + 4 * at..12 + 4 * at].copy_from_slice(&number.to_le_bytes());
    }
    head[24..32].copy_from_slice(&content.first.to_le_bytes());
    head[32..40].copy_from_slice(&content.recorded_at.to_le_bytes());
    let sum = checksum(checksum(place.seed(), &head[..40]), body);
    head[40..].copy_from_slice(&sum.to_le_bytes());
}
