//! Every call of gRPC and every route of HTTP, named by the files that define them: without a key, with keys that are not good,
//! and with a good one that is allowed nothing.

use std::time::Duration;

use factlog_core::EventStoreExt as _;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::{Kept, event};
use crate::web::send;

/// What nobody without a grant may see.
const CANARY: &str = "canary";
const PROTO_FILES: [&str; 3] = [
    include_str!("../../../../factlog-proto/proto/factlog/v1/event_store.proto"),
    include_str!("../../../../factlog-proto/proto/factlog/v1/administration.proto"),
    include_str!("../../../../factlog-proto/proto/factlog/v1/access.proto"),
];
/// Held against the router by `web_openapi`.
const DOCUMENT: &str = include_str!("../../../../../docs/openapi.json");

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

/// The paths of all calls.
fn calls() -> Vec<String> {
    let mut calls = Vec::new();
    let mut service = "";
    for line in PROTO_FILES.iter().flat_map(|file| file.lines()) {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("service") => service = words.next().expect("its name"),
            Some("rpc") => {
                let call = words.next().and_then(|rest| rest.split('(').next()).expect("its name");
                calls.push(format!("/factlog.v1.{service}/{call}"));
            }
            _ => {}
        }
    }
    calls
}

/// The routes with their methods.
fn routes() -> Vec<(String, String)> {
    let document: serde_json::Value = serde_json::from_str(DOCUMENT).expect("a document");
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys() {
            routes
                .push((method.to_uppercase(), path.replace("{id}", "secret-1").replace("{name}", "canary")));
        }
    }
    routes
}

/// What a call answers: its messages, and its end.
async fn call(channel: &Channel, path: &str, key: Option<&str>) -> (Vec<u8>, Option<Status>) {
    let mut request = Request::new(futures_util::stream::iter([Vec::new()]));
    if let Some(key) = key {
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().expect("a value"));
    }
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.expect("it listens");
    let path = PathAndQuery::try_from(path).expect("a path");
    let mut messages = match grpc.streaming(request, path, Raw).await {
        Ok(response) => response.into_inner(),
        Err(status) => return (Vec::new(), Some(status)),
    };
    let mut bytes = Vec::new();
    loop {
        match timeout(Duration::from_secs(20), messages.message()).await.expect("an end") {
            Ok(Some(message)) => bytes.extend(message),
            Ok(None) => return (bytes, None),
            Err(status) => return (bytes, Some(status)),
        }
    }
}

async fn store_with_a_secret() -> Kept {
    let kept = Kept::start().await;
    let secret = event(Some("secret-1"), &["canary:1"], "canary.told");
    kept.store.append_one(secret).await.expect("append");
    kept
}

/// Would fail if a call or a route, also one that is added later, were answered to somebody unknown.
#[tokio::test]
async fn no_door_is_open_to_somebody_unknown() {
    let kept = store_with_a_secret().await;
    let (revoked, id) = kept.key("gone", &["read,append", "admin"]).await;
    kept.owner().revoke_key(&id).await.expect("revoke");
    let address = kept.served.address;
    let channel = Endpoint::from_shared(format!("http://{address}")).expect("an address").connect_lazy();
    let (calls, routes) = (calls(), routes());
    assert!(18 <= calls.len() && 19 <= routes.len(), "{calls:?} {routes:?}");
    for key in [None, Some("factlog_0_0"), Some(&*revoked)] {
        for path in &calls {
            let (bytes, status) = call(&channel, path, key).await;
            assert_eq!(status.map(|status| status.code()), Some(Code::Unauthenticated), "{path} {key:?}");
            assert!(bytes.is_empty(), "{path}");
        }
        for (method, path) in &routes {
            let shown = key.map(|key| format!("authorization: Bearer {key}"));
            let headers: Vec<&str> = shown.iter().map(String::as_str).collect();
            let answer = send(address, &format!("{method} {path}"), &headers, "").await;
            match path.as_str() {
                "/health/live" | "/health/ready" => assert_eq!(answer.status, 200, "{path}"),
                _ => {
                    assert_eq!(answer.status, 401, "{method} {path} {key:?}");
                    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
                }
            }
            assert!(
                !answer.body.contains(CANARY) && !answer.body.contains("head"),
                "{path}: {}",
                answer.body
            );
        }
    }
    kept.served.stop().await;
}

/// Would fail if a good key let its owner see or do what no grant says.
#[tokio::test]
async fn no_door_shows_anything_to_somebody_without_a_grant() {
    let kept = store_with_a_secret().await;
    let (key, _) = kept.key("nobody", &[]).await;
    let address = kept.served.address;
    let channel = Endpoint::from_shared(format!("http://{address}")).expect("an address").connect_lazy();
    for path in calls() {
        let (bytes, status) = call(&channel, &path, Some(&key)).await;
        assert!(!String::from_utf8_lossy(&bytes).contains(CANARY), "{path}");
        let told = status.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(!told.contains(CANARY), "{path}: {told}");
        if path.contains("AccessService") && !path.ends_with("WhoAmI") {
            // What is wrong with the empty message may be told first.
            let code = status.expect("refused").code();
            assert!(matches!(code, Code::PermissionDenied | Code::InvalidArgument), "{path}: {code}");
        }
    }
    let bearer = format!("authorization: Bearer {key}");
    for (method, path) in routes().into_iter().filter(|(_, path)| path != "/v1/subscribe") {
        let answer = send(address, &format!("{method} {path}"), &[&bearer], "").await;
        assert!(!answer.body.contains(CANARY), "{path}: {}", answer.body);
        let of_keys = ["/v1/keys", "/v1/principals"].iter().any(|prefix| path.starts_with(prefix));
        if of_keys && method != "POST" && method != "PUT" {
            assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
        }
    }
    for (line, body) in [
        ("POST /v1/keys", r#"{"principal":"eve","grants":["admin"],"expires_at":null}"#),
        ("POST /v1/keys/x/rotate", r#"{"old_expires_at":"2099-01-01T00:00:00Z","expires_at":null}"#),
        ("PUT /v1/principals/nobody/grants", r#"{"grants":["admin"]}"#),
    ] {
        let answer = send(address, line, &[&bearer, "content-type: application/json"], body).await;
        assert_eq!(answer.status, 403, "{line}: {}", answer.body);
    }
    let body = r#"{"type":"placed","data":{}}"#;
    let headers = [&*bearer, "content-type: application/json"];
    let answer = send(address, "POST /v1/streams/secret-1/events", &headers, body).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    kept.served.stop().await;
}
