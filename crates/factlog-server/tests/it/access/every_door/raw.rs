//! Calls of gRPC by their path, with bytes as they are.

use std::time::Duration;

use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Bytes as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(into, &item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let length = bytes::Buf::remaining(from);
        let mut item = vec![0; length];
        bytes::Buf::copy_to_slice(from, &mut item);
        Ok(Some(item))
    }
}

/// What a call answers: its messages, and the status if it was refused, at first or in the end.
pub(super) struct Told {
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) refused: Option<Status>,
}

/// Calls with one message, and listens until the end or until a message is `enough`.
pub(super) async fn call(
    channel: &Channel,
    path: &str,
    key: Option<&str>,
    message: &[u8],
    enough: fn(&[u8]) -> bool,
) -> Told {
    let mut request = Request::new(futures_util::stream::iter([message.to_vec()]));
    if let Some(key) = key {
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().expect("a value"));
    }
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.expect("it listens");
    let mut messages = Vec::new();
    let mut answers = match grpc.streaming(request, PathAndQuery::try_from(path).expect("a path"), Raw).await
    {
        Ok(response) => response.into_inner(),
        Err(status) => return Told { messages, refused: Some(status) },
    };
    loop {
        match timeout(Duration::from_secs(20), answers.message()).await.expect("it goes on") {
            Ok(Some(message)) => {
                messages.push(message);
                if messages.last().is_some_and(|message| enough(message)) {
                    return Told { messages, refused: None };
                }
            }
            Ok(None) => return Told { messages, refused: None },
            Err(status) => return Told { messages, refused: Some(status) },
        }
    }
}
