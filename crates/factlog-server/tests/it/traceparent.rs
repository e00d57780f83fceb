//! `traceparent`: with whose events it is stored, and that it makes no repeat an error.

use std::sync::Arc;

use factlog_core::MemoryStore;
use factlog_proto::v1;
use factlog_proto::v1::event_store_service_client::EventStoreServiceClient;
use serde_json::{Value, json};

use crate::served::{Served, runtime};
use crate::web::{get, post};

const FIRST: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SECOND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01";
const STORE: &str = "factlog-store-traceparent: true";

/// The last event's metadata.
async fn metadata(served: &Served) -> Value {
    let page = get(served.address, "/v1/events?backwards&limit=1").await.json();
    page["events"][0]["metadata"].clone()
}

fn header(parent: &str) -> String {
    format!("traceparent: {parent}")
}

/// Would fail if the trace of a request were lost on its events, or written over what they bring along.
#[test]
fn a_request_leaves_its_trace_with_the_events_it_makes() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let append = async |headers: &[&str], event: Value| {
            let answer = post(served.address, "/v1/events", headers, &event.to_string()).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            metadata(&served).await
        };
        let first = header(FIRST);
        let traced = json!({ "traceparent": FIRST });
        assert_eq!(append(&[&first], json!({"type":"t"})).await, traced);
        assert_eq!(append(&[], json!({"type":"t"})).await, Value::Null);
        assert_eq!(append(&["traceparent: 00-nonsense"], json!({"type":"t"})).await, Value::Null);
        assert_eq!(append(&[&first, &first], json!({"type":"t"})).await, Value::Null, "two are none");
        let own = json!({"type":"t","metadata":{"traceparent":"mine"}});
        assert_eq!(append(&[&first], own).await, json!({"traceparent":"mine"}));
        let beside = json!({"type":"t","metadata":{"user":"ada"}});
        assert_eq!(append(&[&first], beside).await, json!({"user":"ada","traceparent":FIRST}));
        let id = json!({"type":"t","id":"00000000-0000-4000-8000-000000000001"});
        assert_eq!(append(&[&first], id).await, Value::Null, "it may be a repeat");
        let id = json!({"type":"t","id":"00000000-0000-4000-8000-000000000002"});
        assert_eq!(append(&[&first, STORE], id).await, traced, "the caller asks for it");
        let unwanted = "factlog-store-traceparent: false";
        assert_eq!(append(&[&first, unwanted], json!({"type":"t"})).await, Value::Null);
        let neither =
            post(served.address, "/v1/events", &["factlog-store-traceparent: si"], r#"{"type":"t"}"#);
        assert_eq!(neither.await.status, 400);
        served.stop().await;
    });
}

/// Would fail if a retry, which carries a `traceparent` of its own, were refused as other content, or written again.
#[test]
fn a_retry_with_another_traceparent_is_a_repeat() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let with_id = r#"{"type":"t","id":"00000000-0000-4000-8000-000000000001"}"#;
        for (headers, event) in [(&["idempotency-key: one"][..], r#"{"type":"t"}"#), (&[], with_id)] {
            for (parent, status) in [(FIRST, 201), (SECOND, 200), (FIRST, 200)] {
                let parent = header(parent);
                let headers: Vec<&str> = headers.iter().copied().chain([parent.as_str()]).collect();
                let answer = post(served.address, "/v1/events", &headers, event).await;
                assert_eq!(answer.status, status, "{answer:?}");
            }
        }
        assert_eq!(get(served.address, "/v1/head").await.json()["position"], 2);
        served.stop().await;
    });
}

/// The same over gRPC, whose callers always give the ids.
#[test]
fn over_grpc_it_is_stored_when_asked_for() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", served.address));
        let channel = channel.expect("an address").connect().await.expect("connect");
        let mut client = EventStoreServiceClient::new(channel);
        for (id, asked, stored) in
            [(1, None, Value::Null), (2, Some("true"), json!({ "traceparent": FIRST }))]
        {
            let event =
                v1::Event { id: vec![id; 16].into(), event_type: "t".to_owned(), ..Default::default() };
            let mut request =
                tonic::Request::new(v1::AppendRequest { events: vec![event], ..Default::default() });
            request.metadata_mut().insert("traceparent", FIRST.parse().expect("a value"));
            if let Some(asked) = asked {
                request.metadata_mut().insert("factlog-store-traceparent", asked.parse().expect("a value"));
            }
            client.append(request).await.expect("append");
            assert_eq!(metadata(&served).await, stored);
        }
        served.stop().await;
    });
}
