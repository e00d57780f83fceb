//! Messages to bytes and back, for tonic. The generated code names it; nobody else needs it.
//!
//! Two differences from tonic's own: bytes that are no message are the caller's fault, `Invalid`, and not ours; and what stands in a
//! request more often than it may is refused before memory is taken for it.

use std::marker::PhantomData;

use factlog_core::{AppendError, Error};
use prost::Message;
use prost::bytes::{Buf as _, Bytes};
use tonic::Status;
use tonic::codec::{DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::counts::check;
use crate::status_of;

/// Protocol buffers in gRPC frames.
#[derive(Debug)]
pub struct Codec<E, D>(PhantomData<(E, D)>);

impl<E, D> Default for Codec<E, D> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E, D> tonic::codec::Codec for Codec<E, D>
where
    E: Message + 'static,
    D: Message + Default + 'static,
{
    type Encode = E;
    type Decode = D;
    type Encoder = Encoding<E>;
    type Decoder = Decoding<D>;

    fn encoder(&mut self) -> Self::Encoder {
        Encoding(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        Decoding(PhantomData)
    }
}

/// Messages to bytes.
#[derive(Debug)]
pub struct Encoding<E>(PhantomData<E>);

impl<E: Message> Encoder for Encoding<E> {
    type Item = E;
    type Error = Status;

    fn encode(&mut self, item: E, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        // Or the buffer would grow, and move, a dozen times for a batch.
        buffer.reserve(item.encoded_len());
        item.encode(buffer).map_err(|error| Status::internal(format!("cannot encode the message: {error}")))
    }
}

/// Bytes to messages.
#[derive(Debug)]
pub struct Decoding<D>(PhantomData<D>);

impl<D: Message + Default + 'static> Decoder for Decoding<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        // The whole message is there in one piece, which is not copied.
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        message(bytes).map(Some).map_err(|error| status_of(&AppendError::Failed(error)))
    }
}

/// Reads a message.
///
/// # Errors
/// `Invalid` where the bytes are none, or a part is there too often.
pub(crate) fn message<D: Message + Default + 'static>(bytes: Bytes) -> factlog_core::Result<D> {
    check::<D>(&bytes)?;
    D::decode(bytes).map_err(|error| {
        Error::invalid(format!("the bytes are no such message of package factlog.v1: {error}"))
    })
}
