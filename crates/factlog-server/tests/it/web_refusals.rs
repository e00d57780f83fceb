//! What the server refuses over HTTP, and in which words.

use std::sync::Arc;

use factlog_core::{EventStore as _, MemoryStore};
use factlog_proto::v1::event_store_service_client::EventStoreServiceClient;
use factlog_server::Server;
use tokio::net::TcpListener;

use crate::served::{Served, runtime};
use crate::web::{get, post, raw, send};

/// Would fail if a refusal had another form, status or code than the table's, or left out its place.
#[test]
fn every_refusal_is_a_problem() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        let served = Served::start(behind.clone()).await;
        let at = served.address;
        let mut shown = String::new();
        let mut show = |what: &str, answer: crate::web::Answer| {
            shown.push_str(&format!("# {what}\n{}\n", answer.shown()));
        };
        show("no such route", get(at, "/v2/events").await);
        show("wrong method", send(at, "DELETE /v1/events", &[], "").await);
        show("unknown parameter", get(at, "/v1/events?frm=1").await);
        show("twice", get(at, "/v1/events?after=1&after=2").await);
        show("no number", get(at, "/v1/events?after=x").await);
        show("limit", get(at, "/v1/events?limit=1001").await);
        show("not offered", send(at, "GET /v1/events", &["accept: text/html"], "").await);
        show("no content type", send(at, "POST /v1/events", &[], "{}").await);
        show("form", send(at, "POST /v1/events", &["content-type: text/plain"], "{}").await);
        show("no JSON", post(at, "/v1/events", &[], "[{\n \"type\":").await);
        show("empty body", post(at, "/v1/events", &[], " ").await);
        show("no events", post(at, "/v1/events", &[], "[]").await);
        show("no type", post(at, "/v1/events", &[], r#"[{"type":"a"},{"data":1}]"#).await);
        show("bad id", post(at, "/v1/events", &[], r#"{"type":"a","id":"7"}"#).await);
        show("other stream", post(at, "/v1/streams/a/events", &[], r#"{"type":"a","stream":"b"}"#).await);
        show("weak", post(at, "/v1/streams/a/events", &["if-match: W/\"1\""], r#"{"type":"a"}"#).await);
        show("no stream for it", post(at, "/v1/events", &["if-match: \"1\""], r#"{"type":"a"}"#).await);
        let half = r#"{"events":[{"type":"a"}],"conditions":[{"stream":"a"}]}"#;
        show("half a condition", post(at, "/v1/events", &[], half).await);
        let huge = &["content-type: application/json", "content-length: 100663297"];
        show("too large", send(at, "POST /v1/events", huge, "").await);
        show("foreign host", send(at, "GET /v1/head", &["host: evil.example"], "").await);
        show("foreign page", send(at, "GET /v1/head", &["origin: https://evil.example"], "").await);
        show("beyond the head", get(at, "/v1/subscribe?after=9").await);
        insta::assert_snapshot!("refusals", shown);
        let preflight = send(at, "OPTIONS /v1/events", &["origin: http://localhost:1"], "").await;
        assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (405, None));
        assert_eq!(preflight.header("allow").map(|allow| allow.contains("POST")), Some(true));
        assert_eq!(behind.head().await.expect("a head").position, None);
        served.stop().await;
    });
}

/// Would fail if a web site could call gRPC through a browser of this machine.
#[test]
fn the_guard_stands_before_both_ways_in() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let at = served.address;
        let call = "POST /factlog.v1.EventStoreService/GetHead";
        let headers = ["host: evil.example", "content-type: application/grpc"];
        let refused = send(at, call, &headers, "\0\0\0\0\0").await;
        assert_eq!(refused.header("grpc-status"), Some("7"), "{refused:?}");
        let unknown = send(at, "POST /factlog.v9.Nothing/Call", &headers[1..], "").await;
        assert_eq!(unknown.header("grpc-status"), Some("12"), "{unknown:?}");
        let mut bare = EventStoreServiceClient::connect(format!("http://{at}")).await.expect("connect");
        bare.get_head(factlog_proto::v1::GetHeadRequest {})
            .await
            .expect("a caller of this machine is answered");
        served.stop().await;
    });
}

/// Would fail if a store without lists were taken for one without streams.
#[test]
fn a_store_without_lists_says_so() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let at = listener.local_addr().expect("an address");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = Server::new(Arc::new(MemoryStore::new()));
        let serving = tokio::spawn(server.serve(listener, async { drop(stopped.await) }));
        let streams = get(at, "/v1/streams").await;
        assert_eq!((streams.status, &streams.json()["code"]), (404, &"F0009".into()));
        stop.send(()).expect("it runs");
        serving.await.expect("no panic").expect("in order");
    });
}

/// Bytes that are no request, or a wild one. Would fail if one of them ended the server or hung it.
#[test]
fn wild_input_is_refused_and_the_server_goes_on() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let at = served.address;
        let mut random = fastrand::Rng::with_seed(7);
        let seeds = [
            r#"{"type":"a","id":"4000d4e9-32ed-5d13-a2ca-ba9245cc3b97","tags":["x"],"data":{"a":[1.5,null]}}"#,
            r#"{"events":[{"type":"a"}],"conditions":[{"none_match":[{"tags":["x"]}],"after":3}]}"#,
            r#"[{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"AAAA"}]"#,
        ];
        for _ in 0..150 {
            let mut body = random.choice(seeds).expect("one").as_bytes().to_vec();
            for _ in 0..random.usize(1..4) {
                let place = random.usize(..body.len());
                body[place] = random.u8(..);
            }
            let kind = if random.bool() { "json" } else { "x-ndjson" };
            let head = format!(
                "POST /v1/events HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\ncontent-type: application/{kind}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let answer = raw(at, &[head.as_bytes(), &body].concat()).await;
            assert!([200, 201, 400, 409].contains(&answer.status), "{body:?}: {answer:?}");
        }
        let paths = ["/v1/streams/%ff/events", "/v1/streams/%00/events", "/v1/events?tag=%ff", "/v1/events?%", "/v1/events?until=0"];
        for path in paths {
            let answer = get(at, path).await;
            assert!([200, 400].contains(&answer.status), "{path}: {answer:?}");
        }
        let deep = format!("{{\"type\":\"a\",\"data\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!([201, 400].contains(&post(at, "/v1/events", &[], &deep).await.status));
        assert_eq!(get(at, "/health/ready").await.status, 200);
        served.stop().await;
    });
}
