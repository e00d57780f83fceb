//! A record: one event as it lies in frames and blocks.
//!
//! ```text
//!  0  u32  length, with this header      32  16   event id
//!  4  u16  flags                         48  u16  stream length (0: none)
//!  6  u8   tags                          50  u8   type length
//!  7  u8   zero                          51  u8   content type length
//!  8  u64  position                      52  u32  metadata length
//! 16  i64  recorded at, µs since 1970    56  u32  data length
//! 24  u64  revision (0 without stream)   60  u32  zero
//! 64  stream, type, content type, tags (u8 length + text each), metadata, data, optional sections
//! ```
//!
//! The producer encodes all but bytes 8..32, the stamp, which the writer fills in. The content hash leaves the
//! stamp out. Checksums are the business of what holds the records.

use bytes::Bytes;
use factlog_core::{Event, EventId, Position, RecordedEvent, Revision, StreamId, Tags, Timestamp, limits};
use xxhash_rust::xxh3::Xxh3Default;

use crate::fields::{Fields, Malformed};
use crate::interner::Interner;

/// Bytes before the names.
pub(crate) const HEADER_BYTES: usize = 64;
const FIRST_OF_APPEND: u16 = 1;
const LAST_OF_APPEND: u16 = 2;

/// What only the writer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) position: u64,
    pub(crate) recorded_at: i64,
    pub(crate) revision: u64,
}

/// Where in its append an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boundary {
    pub(crate) first: bool,
    pub(crate) last: bool,
}

/// Appends the record of an event with an empty stamp.
pub(crate) fn encode(event: &Event, boundary: Boundary, out: &mut Vec<u8>) {
    let stream = event.stream.as_ref().map_or("", StreamId::as_str);
    let tags: usize = event.tags.iter().map(|tag| 1 + tag.as_str().len()).sum();
    let names = stream.len() + event.event_type.as_str().len() + event.content_type.as_str().len() + tags;
    let length = HEADER_BYTES + names + event.metadata.len() + event.data.len();
    let flags = u16::from(boundary.first) * FIRST_OF_APPEND + u16::from(boundary.last) * LAST_OF_APPEND;
    out.reserve(length);
    out.extend_from_slice(&narrow::<u32>(length).to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&[narrow(event.tags.len()), 0]);
    out.extend_from_slice(&[0; 24]);
    out.extend_from_slice(event.id.as_bytes());
    out.extend_from_slice(&narrow::<u16>(stream.len()).to_le_bytes());
    out.extend_from_slice(&[
        narrow(event.event_type.as_str().len()),
        narrow(event.content_type.as_str().len()),
    ]);
    out.extend_from_slice(&narrow::<u32>(event.metadata.len()).to_le_bytes());
    out.extend_from_slice(&narrow::<u32>(event.data.len()).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(stream.as_bytes());
    out.extend_from_slice(event.event_type.as_str().as_bytes());
    out.extend_from_slice(event.content_type.as_str().as_bytes());
    for tag in &event.tags {
        out.push(narrow(tag.as_str().len()));
        out.extend_from_slice(tag.as_str().as_bytes());
    }
    out.extend_from_slice(&event.metadata);
    out.extend_from_slice(&event.data);
}

/// A length that the contract's bounds keep small.
fn narrow<T: TryFrom<usize>>(length: usize) -> T {
    T::try_from(length).ok().expect("validated against the bounds of the contract")
}

/// Fills in the stamp of the record that begins here.
pub(crate) fn stamp(record: &mut [u8], stamp: Stamp) {
    record[8..16].copy_from_slice(&stamp.position.to_le_bytes());
    record[16..24].copy_from_slice(&stamp.recorded_at.to_le_bytes());
    record[24..32].copy_from_slice(&stamp.revision.to_le_bytes());
}

/// Where each record begins in bytes that are records and nothing else.
pub(crate) fn offsets(records: &[u8]) -> Result<Vec<u32>, Malformed> {
    let mut offsets = Vec::new();
    let mut at = 0;
    while at < records.len() {
        offsets.push(u32::try_from(at).map_err(|_| Malformed("it is larger than a block can be"))?);
        at += length(&records[at..])?;
    }
    Ok(offsets)
}

/// The length of the record that begins here.
pub(crate) fn length(bytes: &[u8]) -> Result<usize, Malformed> {
    let length = Fields::new(bytes).u32()? as usize;
    if HEADER_BYTES <= length && length <= bytes.len() {
        Ok(length)
    } else {
        Err(Malformed("a record's length is wrong"))
    }
}

/// Reads the record that begins here; the event shares nothing with `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Result<(RecordedEvent, Boundary), Malformed> {
    decode_with(bytes, &mut Interner::default(), Bytes::copy_from_slice)
}

/// The same with names that were seen before, and with a choice of how metadata and data are taken over.
pub(crate) fn decode_with(
    bytes: &[u8],
    names: &mut Interner,
    take: impl Fn(&[u8]) -> Bytes,
) -> Result<(RecordedEvent, Boundary), Malformed> {
    let mut fields = Fields::new(&bytes[..length(bytes)?]);
    let _length = fields.u32()?;
    let flags = fields.u16()?;
    let tag_count = fields.u8()?;
    fields.zero(1)?;
    let (position, recorded_at, revision) = stamp_of(&mut fields)?;
    let position = Position::new(position).ok_or(Malformed("a record has no position"))?;
    let (recorded_at, revision) = (Timestamp::from_micros(recorded_at), Revision::new(revision));
    let id = EventId::from_bytes(fields.array()?);
    let (stream_length, type_length, content_type_length) = (fields.u16()?, fields.u8()?, fields.u8()?);
    let (metadata_length, data_length) = (fields.u32()?, fields.u32()?);
    fields.zero(4)?;
    let stream = match stream_length {
        0 => None,
        length => Some(names.stream(fields.bytes(length.into())?)?),
    };
    let event_type = names.event_type(fields.bytes(type_length.into())?)?;
    let content_type = names.content_type(fields.bytes(content_type_length.into())?)?;
    let tags = decode_tags(&mut fields, tag_count, names)?;
    let metadata = take(fields.bytes(metadata_length as usize)?);
    let data = take(fields.bytes(data_length as usize)?);
    fields.sections()?;
    let boundary = Boundary { first: flags & FIRST_OF_APPEND != 0, last: flags & LAST_OF_APPEND != 0 };
    let revision = stream.is_some().then_some(revision);
    let event = Event { id, event_type, tags, data, metadata, content_type, stream };
    Ok((RecordedEvent { position, recorded_at, revision, event }, boundary))
}

/// Position, time and revision. A stream has no more events than there are positions, so that there is a next one of each.
fn stamp_of(fields: &mut Fields<'_>) -> Result<(u64, i64, u64), Malformed> {
    let (position, recorded_at, revision) = (fields.u64()?, fields.i64()?, fields.u64()?);
    if position == u64::MAX || position <= revision {
        return Err(Malformed("a record's position or revision is out of its bounds"));
    }
    Ok((position, recorded_at, revision))
}

/// Each tag once, so that an index has each position once in a list.
const TAGS_OUT_OF_ORDER: Malformed = Malformed("a record's tags are not in order");

fn decode_tags(fields: &mut Fields<'_>, count: u8, names: &mut Interner) -> Result<Tags, Malformed> {
    if count == 0 {
        return Ok(Tags::NONE);
    }
    let mut tags = Vec::with_capacity(count.into());
    for _ in 0..count {
        let length = fields.u8()?;
        let tag = names.tag(fields.bytes(length.into())?)?;
        if tags.last().is_some_and(|last| tag <= *last) {
            return Err(TAGS_OUT_OF_ORDER);
        }
        tags.push(tag);
    }
    Tags::new(tags).map_err(|_| Malformed("a record has too many tags"))
}

/// What a record says of its event but for what only its readers want, without owning it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) position: u64,
    /// 0 without a stream.
    pub(crate) revision: u64,
    pub(crate) recorded_at: i64,
    pub(crate) id: EventId,
    pub(crate) boundary: Boundary,
    pub(crate) stream: Option<&'a str>,
    pub(crate) event_type: &'a str,
    /// Tags as they stand in the record.
    tags: &'a [u8],
}

impl<'a> Names<'a> {
    /// The tags, in order.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = Fields::new(self.tags);
        std::iter::from_fn(move || {
            let length = rest.u8().ok()?;
            rest.text(length.into()).ok()
        })
    }
}

/// Reads the names of the record that begins here.
pub(crate) fn names(bytes: &[u8]) -> Result<Names<'_>, Malformed> {
    let record = &bytes[..length(bytes)?];
    let mut fields = Fields::new(record);
    let _length = fields.u32()?;
    let flags = fields.u16()?;
    let tag_count = fields.u8()?;
    fields.zero(1)?;
    let (position, recorded_at, revision) = stamp_of(&mut fields)?;
    let id = EventId::from_bytes(fields.array()?);
    let (stream_length, type_length, content_type_length) = (fields.u16()?, fields.u8()?, fields.u8()?);
    fields.bytes(12)?;
    let stream = fields.text(stream_length.into())?;
    let event_type = fields.text(type_length.into())?;
    fields.bytes(content_type_length.into())?;
    if limits::STREAM_ID_BYTES_MAX < stream.len()
        || event_type.is_empty()
        || limits::TAGS_MAX < tag_count.into()
    {
        return Err(Malformed("a name is out of its bounds"));
    }
    let (behind, mut last) = (fields, "");
    for _ in 0..tag_count {
        let length = fields.u8()?;
        let tag = fields.text(length.into())?;
        if tag <= last {
            return Err(TAGS_OUT_OF_ORDER);
        }
        last = tag;
    }
    let mut tags = behind;
    let tags = tags.bytes(behind.remaining() - fields.remaining())?;
    let boundary = Boundary { first: flags & FIRST_OF_APPEND != 0, last: flags & LAST_OF_APPEND != 0 };
    let stream = (stream_length != 0).then_some(stream);
    Ok(Names { position, revision, recorded_at, id, boundary, stream, event_type, tags })
}

/// A hash of everything in one append but the stamps: the same events have the same hash, for ever.
#[derive(Clone)]
pub(crate) struct ContentHash(Xxh3Default);

impl ContentHash {
    pub(crate) fn new() -> Self {
        Self(Xxh3Default::new())
    }

    /// Takes in the next record of the append.
    pub(crate) fn add(&mut self, record: &[u8]) {
        self.0.update(&record[..8]);
        self.0.update(&record[32..]);
    }

    pub(crate) fn finish(&self) -> u64 {
        self.0.digest()
    }
}
