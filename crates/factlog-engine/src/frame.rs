//! A frame: one group of appends as it is written to the write-ahead log, durable or not at all.
//!
//! ```text
//!  0  u32  magic "FLF1"                  40  u64  acknowledged: the head when this was written
//!  4  u32  length, a multiple of 4096    48  u64  epoch: grows with every opening of the store
//!  8  u32  body length                   56  u64  checksum of the frame before
//! 12  u32  appends                       64  u64  checksum of all other bytes, seeded with the place
//! 16  u64  position of the first event   72  the body: appends one after the other
//! 24  u32  events (0: a beacon)              optional sections, zeros up to the length
//! 28  u32  bytes of optional sections
//! 32  i64  recorded at, µs since 1970
//! ```
//!
//! Because a frame says how far acknowledgements had gone, a frame that cannot be read and is followed by one
//! that vouches for it is damage; one that nobody vouches for is a torn tail.

use crate::checksum::{Place, checksum};
use crate::fields::{Fields, Malformed};
use crate::storage::{self, Buffer};

/// Frames begin at multiples of this, so that no acknowledged sector is ever written again.
pub(crate) const ALIGNMENT: usize = storage::ALIGNMENT;
/// Bytes before the body.
pub(crate) const HEADER_BYTES: usize = 72;
const MAGIC: [u8; 4] = *b"FLF1";
const CHECKSUM_AT: usize = 64;

/// What a frame says besides its appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) appends: u32,
    pub(crate) first: u64,
    pub(crate) events: u32,
    pub(crate) recorded_at: i64,
    pub(crate) acknowledged: u64,
    pub(crate) epoch: u64,
    pub(crate) previous: u64,
}

/// A frame that was read and is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) header: Header,
    pub(crate) length: usize,
    pub(crate) checksum: u64,
    pub(crate) body: &'a [u8],
}

/// Clears a buffer and leaves room for the header, so that appends can be added behind it.
pub(crate) fn begin(buffer: &mut Buffer) {
    buffer.clear();
    buffer.resize(HEADER_BYTES);
}

/// Pads the buffer, fills in the header and returns the checksum.
pub(crate) fn finish(buffer: &mut Buffer, header: &Header, place: Place) -> u64 {
    let body_length = buffer.len() - HEADER_BYTES;
    buffer.resize(buffer.len().next_multiple_of(ALIGNMENT));
    let length = u32::try_from(buffer.len()).expect("a group is far below 4 GiB");
    let body_length = u32::try_from(body_length).expect("a group is far below 4 GiB");
    let mut head = Vec::with_capacity(HEADER_BYTES);
    head.extend_from_slice(&MAGIC);
    for number in [length, body_length, header.appends] {
        head.extend_from_slice(&number.to_le_bytes());
    }
    head.extend_from_slice(&header.first.to_le_bytes());
    head.extend_from_slice(&header.events.to_le_bytes());
    head.extend_from_slice(&[0; 4]);
    head.extend_from_slice(&header.recorded_at.to_le_bytes());
    for number in [header.acknowledged, header.epoch, header.previous] {
        head.extend_from_slice(&number.to_le_bytes());
    }
    buffer[..CHECKSUM_AT].copy_from_slice(&head);
    buffer[CHECKSUM_AT..HEADER_BYTES].fill(0);
    let sum = checksum(place.seed(), buffer);
    buffer[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    sum
}

/// Makes a buffer the beacon that vouches for a head, of whose last event the time is given, behind a frame; its checksum.
pub(crate) fn beacon(
    (head, recorded_at): (u64, i64),
    (epoch, previous): (u64, u64),
    place: Place,
    buffer: &mut Buffer,
) -> u64 {
    begin(buffer);
    let (appends, events) = (0, 0);
    let header =
        Header { appends, first: head + 1, events, recorded_at, acknowledged: head, epoch, previous };
    finish(buffer, &header, place)
}

/// Reads the frame that begins at the front of `bytes`, which may be anything.
pub(crate) fn parse(bytes: &[u8], place: Place) -> Result<Frame<'_>, Malformed> {
    let mut fields = Fields::new(bytes);
    if fields.array()? != MAGIC {
        return Err(Malformed("there is no frame"));
    }
    let (length, body_length) = (fields.u32()? as usize, fields.u32()? as usize);
    let end = HEADER_BYTES + body_length;
    if length % ALIGNMENT != 0 || bytes.len() < length || length < end {
        return Err(Malformed("a frame's length is wrong"));
    }
    let appends = fields.u32()?;
    let (first, events) = (fields.u64()?, fields.u32()?);
    let sections = fields.u32()? as usize;
    let recorded_at = fields.i64()?;
    let (acknowledged, epoch, previous) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let sum = fields.u64()?;
    if sum != checksum_without_itself(&bytes[..length], place) && !planted!(FrameUnchecked) {
        return Err(Malformed("a frame's checksum is wrong"));
    }
    let behind = first.checked_add(events.into()).filter(|&behind| behind < u64::MAX);
    if behind.is_none() || first <= acknowledged || epoch == u64::MAX {
        return Err(Malformed("a frame's positions are wrong"));
    }
    Fields::new(bytes[end..length].get(..sections).unwrap_or(&[0])).sections()?;
    let header = Header { appends, first, events, recorded_at, acknowledged, epoch, previous };
    Ok(Frame { header, length, checksum: sum, body: &bytes[HEADER_BYTES..end] })
}

/// The first position of a frame that these bytes may be the front of, whole or torn; for guesses only.
pub(crate) fn claims(bytes: &[u8]) -> Option<u64> {
    let mut fields = Fields::new(bytes);
    let magic: [u8; 4] = fields.array().ok()?;
    fields.bytes(12).ok()?;
    fields.u64().ok().filter(|_| magic == MAGIC)
}

fn checksum_without_itself(frame: &[u8], place: Place) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::with_seed(place.seed());
    hash.update(&frame[..CHECKSUM_AT]);
    hash.update(&[0; 8]);
    hash.update(&frame[HEADER_BYTES..]);
    hash.digest()
}

/// Bytes before the source and the records of an append.
pub(crate) const APPEND_BYTES: usize = 24;

/// One append in a frame's body: `u32` length, `u32` events, `u64` tracking position (0: none), `u16` length of
/// the tracking source, `u16` bytes of optional sections, 4 zeros, the source, the sections, the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppendEntry<'a> {
    pub(crate) events: u32,
    pub(crate) tracking: Option<(&'a str, u64)>,
    pub(crate) records: &'a [u8],
}

/// Writes an append's head; the records follow.
pub(crate) fn push_append_head(
    out: &mut Buffer,
    events: u32,
    tracking: Option<(&str, u64)>,
    records_length: usize,
) {
    let (source, position) = tracking.unwrap_or(("", 0));
    let length = APPEND_BYTES + source.len() + records_length;
    out.extend_from_slice(&u32::try_from(length).expect("an append is far below 4 GiB").to_le_bytes());
    out.extend_from_slice(&events.to_le_bytes());
    out.extend_from_slice(&position.to_le_bytes());
    out.extend_from_slice(&u16::try_from(source.len()).expect("a validated source").to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(source.as_bytes());
}

/// The appends of a frame's body.
pub(crate) fn appends(body: &[u8]) -> Result<Vec<AppendEntry<'_>>, Malformed> {
    let mut fields = Fields::new(body);
    let mut entries = Vec::new();
    while 0 < fields.remaining() {
        let length =
            (fields.u32()? as usize).checked_sub(4).ok_or(Malformed("an append's length is wrong"))?;
        let mut entry = Fields::new(fields.bytes(length)?);
        let (events, position, source_length) = (entry.u32()?, entry.u64()?, entry.u16()?);
        let sections = entry.u16()?;
        entry.zero(4)?;
        let source = entry.text(source_length.into())?;
        Fields::new(entry.bytes(sections.into())?).sections()?;
        let tracking = (source_length != 0).then_some((source, position));
        entries.push(AppendEntry { events, tracking, records: entry.bytes(entry.remaining())? });
    }
    Ok(entries)
}
