//! Records with what is the same for all of them taken out, so that they compress better and faster.
//!
//! ```text
//! u32  bytes of the heads
//! heads, for each record: u8 flags, u8 tags, u8 id bytes shared with the record before, u8 type length,
//!      u8 content type length, then as varints: recorded at - that of the record before (zigzag), revision,
//!      stream length, bytes of tags, metadata length, data length
//! bodies, for each record: what follows its 64 bytes of header
//! ```
//! The bytes of ids that are not shared lie outside, uncompressed: they are drawn by lot, and would only spoil the
//! statistics of the text. Positions are dense and need no room. Only records that come back byte by byte are taken
//! apart; a varint has seven bits a byte, the lowest first.

use bytes::Bytes;

use super::block::Head;
use crate::fields::{Fields, Malformed};
use crate::record::HEADER_BYTES;

const ID_BYTES: usize = 16;
/// Bytes of a record's head: five, and six numbers.
const RECORD_MIN: usize = 5 + 6;
type Id = [u8; ID_BYTES];

/// What a record's header says, as far as it cannot be known from the place.
#[derive(Clone, Copy, Debug)]
struct Fixed {
    flags: u8,
    tags: u8,
    type_length: u8,
    content_type_length: u8,
    recorded_at: i64,
    revision: u64,
    id: Id,
    stream_length: u16,
    metadata_length: u32,
    data_length: u32,
    /// Bytes behind the header.
    body: u32,
}

impl Fixed {
    /// Reads the header of a record, if it is just as the writer of records makes it.
    fn read(record: &[u8], position: u64) -> Result<Self, Malformed> {
        let mut fields = Fields::new(record);
        let length = fields.u32()?;
        let (flags, no_flags) = (fields.u8()?, fields.zero(1));
        let tags = fields.u8()?;
        no_flags.and(fields.zero(1))?;
        let found = fields.u64()?;
        let (recorded_at, revision, id) = (fields.i64()?, fields.u64()?, fields.array()?);
        let stream_length = fields.u16()?;
        let (type_length, content_type_length) = (fields.u8()?, fields.u8()?);
        let (metadata_length, data_length) = (fields.u32()?, fields.u32()?);
        fields.zero(4)?;
        if found != position || length as usize != record.len() {
            return Err(Malformed("a record is in another's place"));
        }
        let body = length - HEADER_BYTES as u32;
        let fixed = Self {
            flags,
            tags,
            type_length,
            content_type_length,
            recorded_at,
            revision,
            id,
            stream_length,
            metadata_length,
            data_length,
            body,
        };
        fixed.tag_bytes().map(|_| fixed)
    }

    /// The bytes of tags: what the lengths leave over.
    fn tag_bytes(&self) -> Result<u32, Malformed> {
        let names = u32::from(self.stream_length) + u32::from(self.type_length);
        let names = names + u32::from(self.content_type_length);
        [names, self.metadata_length, self.data_length]
            .into_iter()
            .try_fold(self.body, u32::checked_sub)
            .ok_or(Malformed("a record's length is wrong"))
    }

    fn write_head(&self, before: &(Id, i64), tag_bytes: u32, heads: &mut Vec<u8>, ids: &mut Vec<u8>) {
        let shared = self.id.iter().zip(&before.0).take_while(|(id, before)| id == before).count();
        ids.extend_from_slice(&self.id[shared..]);
        heads.extend_from_slice(&[
            self.flags,
            self.tags,
            u8::try_from(shared).expect("at most 16"),
            self.type_length,
            self.content_type_length,
        ]);
        let later = self.recorded_at.wrapping_sub(before.1);
        push_varint(((later << 1) ^ (later >> 63)) as u64, heads);
        push_varint(self.revision, heads);
        push_varint(self.stream_length.into(), heads);
        push_varint(tag_bytes.into(), heads);
        push_varint(self.metadata_length.into(), heads);
        push_varint(self.data_length.into(), heads);
    }

    fn header(&self, position: u64) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&(self.body + HEADER_BYTES as u32).to_le_bytes());
        header[4] = self.flags;
        header[6] = self.tags;
        header[8..16].copy_from_slice(&position.to_le_bytes());
        header[16..24].copy_from_slice(&self.recorded_at.to_le_bytes());
        header[24..32].copy_from_slice(&self.revision.to_le_bytes());
        header[32..48].copy_from_slice(&self.id);
        header[48..50].copy_from_slice(&self.stream_length.to_le_bytes());
        header[50] = self.type_length;
        header[51] = self.content_type_length;
        header[52..56].copy_from_slice(&self.metadata_length.to_le_bytes());
        header[56..60].copy_from_slice(&self.data_length.to_le_bytes());
        header
    }
}

/// Takes the records of a block apart: ids that lie outside, and the rest. `Err` if they would not come back.
pub(super) fn encode(
    records: &[u8],
    offsets: &[u32],
    first: u64,
    recorded_at: i64,
) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
    let (mut heads, mut ids) = (vec![0; 4], Vec::with_capacity(offsets.len() * ID_BYTES));
    let mut bodies = Vec::with_capacity(records.len() - offsets.len() * HEADER_BYTES);
    let mut before = ([0; ID_BYTES], recorded_at);
    let ends = offsets.iter().skip(1).map(|&end| end as usize).chain([records.len()]);
    for ((position, &start), end) in (first..).zip(offsets).zip(ends) {
        let record = &records[start as usize..end];
        let fixed = Fixed::read(record, position)?;
        fixed.write_head(&before, fixed.tag_bytes()?, &mut heads, &mut ids);
        bodies.extend_from_slice(&record[HEADER_BYTES..]);
        before = (fixed.id, fixed.recorded_at);
    }
    let length = u32::try_from(heads.len() - 4).expect("a block is far below 4 GiB");
    heads[..4].copy_from_slice(&length.to_le_bytes());
    heads.append(&mut bodies);
    Ok((ids, heads))
}

/// Puts the records of a block together again, with the place of each.
pub(super) fn decode(head: &Head, ids: &[u8], columns: &[u8]) -> Result<(Bytes, Vec<u32>), Malformed> {
    let mut rest = Fields::new(columns);
    let length = rest.u32()? as usize;
    let mut heads = Fields::new(rest.bytes(length)?);
    let (mut bodies, mut ids) = (rest, Fields::new(ids));
    let raw = head.raw as usize;
    let (most, events) = (heads.remaining() / RECORD_MIN, head.events as usize);
    // Nobody vouches for the head's numbers before they agree with what is there.
    if most < events || raw != HEADER_BYTES * events + bodies.remaining() {
        return Err(Malformed("a block's records are not what its head says"));
    }
    let (mut out, mut offsets) = (Vec::with_capacity(raw), Vec::with_capacity(events));
    let mut before = ([0; ID_BYTES], head.recorded_at);
    for position in head.first..=head.last() {
        let fixed = read_head(&mut heads, &mut ids, &before)?;
        let body = bodies.bytes(fixed.body as usize)?;
        offsets.push(u32::try_from(out.len()).expect("a block is far below 4 GiB"));
        out.extend_from_slice(&fixed.header(position));
        out.extend_from_slice(body);
        before = (fixed.id, fixed.recorded_at);
    }
    heads.end().and(ids.end()).and(bodies.end())?;
    Ok((out.into(), offsets))
}

fn read_head(heads: &mut Fields<'_>, ids: &mut Fields<'_>, before: &(Id, i64)) -> Result<Fixed, Malformed> {
    let [flags, tags, shared, type_length, content_type_length] = heads.array()?;
    let shared = usize::from(shared);
    let mut id = before.0;
    let own = id.get_mut(shared..).ok_or(Malformed("a record's id is wrong"))?;
    own.copy_from_slice(ids.bytes(own.len())?);
    let later = varint(heads)?;
    let later = (later >> 1) as i64 ^ -((later & 1) as i64);
    let revision = varint(heads)?;
    let stream_length = short(heads)?;
    let (tag_bytes, metadata_length, data_length) = (short(heads)?, short(heads)?, short(heads)?);
    let mut body = u32::from(type_length) + u32::from(content_type_length);
    for length in [u32::from(stream_length), tag_bytes, metadata_length, data_length] {
        body = body.checked_add(length).ok_or(Malformed("a record's length is wrong"))?;
    }
    if u32::MAX - body < HEADER_BYTES as u32 {
        return Err(Malformed("a record's length is wrong"));
    }
    Ok(Fixed {
        flags,
        tags,
        type_length,
        content_type_length,
        recorded_at: before.1.wrapping_add(later),
        revision,
        id,
        stream_length,
        metadata_length,
        data_length,
        body,
    })
}

fn push_varint(mut number: u64, out: &mut Vec<u8>) {
    while 0x80 <= number {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn varint(fields: &mut Fields<'_>) -> Result<u64, Malformed> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = fields.u8()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return if shift == 63 && 1 < byte { Err(TOO_LARGE) } else { Ok(number) };
        }
    }
    Err(TOO_LARGE)
}

fn short<T: TryFrom<u64>>(fields: &mut Fields<'_>) -> Result<T, Malformed> {
    T::try_from(varint(fields)?).map_err(|_| TOO_LARGE)
}

const TOO_LARGE: Malformed = Malformed("a number in a block is too large");
