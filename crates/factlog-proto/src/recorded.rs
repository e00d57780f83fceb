//! A recorded event on the wire: what `event.proto` says, written from the store's own event.
//!
//! * It is sent without a copy of its names: a reader of everything would make half a dozen strings of each event, only to write
//!   them and throw them away.
//! * Lengths are taken once, where generated code takes them again at every level of nesting.
//! * The bytes are those that generated code writes; a test compares them.

use std::hash::{Hash, Hasher};

use factlog_core::{ContentType, Error, Event, Result, Revision, Timestamp};
use prost::bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType, encode_key, encode_varint, encoded_len_varint};
use prost::encoding::{int64, key_len, uint64};
use prost::{DecodeError, Message};

use crate::event::{position, required};
use crate::v1;

/// `factlog.v1.RecordedEvent`. Two are equal when their bytes are.
#[derive(Clone, Debug)]
pub struct RecordedEvent(Form);

#[derive(Clone, Debug)]
enum Form {
    /// To be sent, with the bytes of its event.
    Ours(factlog_core::RecordedEvent, usize),
    /// As it came.
    Theirs(Received),
}

/// The message as generated code would have it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Received {
    #[prost(uint64, tag = "1")]
    pub(crate) position: u64,
    #[prost(int64, tag = "2")]
    pub(crate) recorded_at_micros: i64,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) revision: Option<u64>,
    #[prost(message, optional, tag = "4")]
    pub(crate) event: Option<v1::Event>,
}

impl PartialEq for RecordedEvent {
    fn eq(&self, other: &Self) -> bool {
        self.encode_to_vec() == other.encode_to_vec()
    }
}

impl Eq for RecordedEvent {}

impl Hash for RecordedEvent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.encode_to_vec().hash(state);
    }
}

impl Default for RecordedEvent {
    fn default() -> Self {
        Self(Form::Theirs(Received::default()))
    }
}

impl From<factlog_core::RecordedEvent> for RecordedEvent {
    fn from(recorded: factlog_core::RecordedEvent) -> Self {
        let mut bytes = 0;
        fields(&recorded.event, |tag, field| {
            bytes += key_len(tag) + encoded_len_varint(field.len() as u64) + field.len();
        });
        Self(Form::Ours(recorded, bytes))
    }
}

impl TryFrom<RecordedEvent> for factlog_core::RecordedEvent {
    type Error = Error;

    fn try_from(recorded: RecordedEvent) -> Result<Self> {
        let received = match recorded.0 {
            Form::Ours(recorded, _) => return Ok(recorded),
            Form::Theirs(received) => received,
        };
        Ok(Self {
            position: position("the position of a recorded event", received.position)?,
            recorded_at: Timestamp::from_micros(received.recorded_at_micros),
            revision: received.revision.map(Revision::new),
            event: required("the event of a recorded event", received.event)?.try_into()?,
        })
    }
}

/// What `factlog.v1.Event` has of an event, with the numbers of the fields: all of them are bytes.
fn fields(event: &Event, mut field: impl FnMut(u32, &[u8])) {
    let mut unless_empty = |tag, bytes: &[u8]| {
        if !bytes.is_empty() {
            field(tag, bytes);
        }
    };
    unless_empty(1, event.id.as_bytes());
    unless_empty(2, event.event_type.as_str().as_bytes());
    event.tags.iter().for_each(|tag| unless_empty(3, tag.as_str().as_bytes()));
    unless_empty(4, &event.data);
    unless_empty(5, &event.metadata);
    if event.content_type != ContentType::JSON {
        unless_empty(6, event.content_type.as_str().as_bytes());
    }
    if let Some(stream) = &event.stream {
        unless_empty(7, stream.as_str().as_bytes());
    }
}

impl Message for RecordedEvent {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        let (recorded, bytes) = match &self.0 {
            Form::Ours(recorded, bytes) => (recorded, *bytes),
            Form::Theirs(received) => return received.encode_raw(buffer),
        };
        uint64::encode(1, &recorded.position.get(), buffer);
        let micros = recorded.recorded_at.as_micros();
        if micros != 0 {
            int64::encode(2, &micros, buffer);
        }
        if let Some(revision) = recorded.revision {
            uint64::encode(3, &revision.get(), buffer);
        }
        encode_key(4, WireType::LengthDelimited, buffer);
        encode_varint(bytes as u64, buffer);
        fields(&recorded.event, |tag, field| {
            encode_key(tag, WireType::LengthDelimited, buffer);
            encode_varint(field.len() as u64, buffer);
            buffer.put_slice(field);
        });
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        if let Form::Ours(..) = self.0 {
            *self = Self::default();
        }
        match &mut self.0 {
            Form::Theirs(received) => received.merge_field(tag, wire_type, buffer, context),
            Form::Ours(..) => Ok(()),
        }
    }

    fn encoded_len(&self) -> usize {
        let (recorded, bytes) = match &self.0 {
            Form::Ours(recorded, bytes) => (recorded, *bytes),
            Form::Theirs(received) => return received.encoded_len(),
        };
        let micros = recorded.recorded_at.as_micros();
        uint64::encoded_len(1, &recorded.position.get())
            + if micros == 0 { 0 } else { int64::encoded_len(2, &micros) }
            + recorded.revision.map_or(0, |revision| uint64::encoded_len(3, &revision.get()))
            + key_len(4)
            + encoded_len_varint(bytes as u64)
            + bytes
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
pub(crate) fn as_generated(recorded: factlog_core::RecordedEvent) -> Received {
    Received {
        position: recorded.position.get(),
        recorded_at_micros: recorded.recorded_at.as_micros(),
        revision: recorded.revision.map(Revision::get),
        event: Some(recorded.event.into()),
    }
}
