//! Appends over HTTP on the engine: what was written is read again, under every condition, once.

use std::sync::Arc;

use factlog_core::{EventStore as _, MemoryStore, Query, ReadOptions};
use factlog_engine::{Engine, Settings};
use serde_json::json;

use crate::served::{Served, runtime};
use crate::web::{get, post, send};

async fn on_engine() -> (tempfile::TempDir, Arc<Engine>, Served) {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Arc::new(Engine::open(dir.path(), Settings::default()).expect("open"));
    let served = Served::start(engine.clone()).await;
    (dir, engine, served)
}

const OPENED: &str =
    r#"{"type":"account.opened","tags":["owner:ada"],"data":{"amount":1.10},"metadata":{"by":"me"}}"#;

/// Would fail if an event lost a digit or a label on its way, or the revision were not the one to go on from.
#[test]
fn what_is_appended_is_read_again_with_its_revision() {
    runtime().block_on(async {
        let (_dir, engine, served) = on_engine().await;
        let at = served.address;
        let path = "/v1/streams/account-1/events";
        let opened = post(at, path, &["if-none-match: *"], OPENED).await;
        assert_eq!((opened.status, opened.header("etag")), (201, Some("\"0\"")), "{opened:?}");
        assert_eq!(
            opened.json(),
            json!({"first":1,"last":1,"revisions":[{"stream":"account-1","revision":0}],"deduplicated":false})
        );
        let list = r#"[{"type":"a"},{"type":"b","data":"<x/>","content_type":"text/xml"},{"type":"c","data_base64":"/w=="}]"#;
        let more = post(at, path, &["if-match: \"0\""], list).await;
        assert_eq!((more.status, more.header("etag")), (201, Some("\"3\"")), "{more:?}");

        let page = get(at, path).await;
        assert_eq!((page.status, page.header("etag")), (200, Some("\"3\"")));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let events = &page.json()["events"];
        assert_eq!(events[0]["tags"], json!(["owner:ada"]));
        assert!(page.body.contains(r#""data":{"amount":1.10},"metadata":{"by":"me"}}"#), "{}", page.body);
        assert_eq!(events[2]["data"], "<x/>");
        assert_eq!((&events[3]["data_base64"], &events[3]["revision"]), (&json!("/w=="), &json!(3)));
        let recorded = engine.read(Query::All, ReadOptions::default()).collect().await.expect("read").events;
        assert_eq!(&recorded[3].event.data[..], b"\xff");
        served.stop().await;
    });
}

/// Would fail if two who read the same revision both wrote.
#[test]
fn one_of_two_who_read_the_same_revision_is_refused() {
    runtime().block_on(async {
        let (_dir, engine, served) = on_engine().await;
        let (at, path) = (served.address, "/v1/streams/account-1/events");
        assert_eq!(post(at, path, &[], OPENED).await.status, 201);
        assert_eq!(post(at, path, &["if-match: \"0\""], OPENED).await.status, 201);
        let lost = post(at, path, &["if-match: \"0\""], OPENED).await;
        insta::assert_snapshot!("if_match_did_not_hold", lost.shown());
        assert_eq!(post(at, path, &["if-none-match: *"], OPENED).await.status, 412);
        assert_eq!(post(at, "/v1/streams/other/events", &["if-match: *"], OPENED).await.status, 412);
        assert_eq!(engine.head().await.expect("a head").position.map(|head| head.get()), Some(2));
        served.stop().await;
    });
}

/// Would fail if a boundary over tags were not held to.
#[test]
fn a_seat_is_taken_once() {
    runtime().block_on(async {
        let (_dir, _engine, served) = on_engine().await;
        let take = |conditions: &str| {
            let event = r#"{"type":"seat.taken","tags":["seat:7"]}"#;
            format!(r#"{{"events":[{event}],"conditions":[{conditions}],"tracking":null}}"#)
        };
        let none = r#"{"none_match":[{"types":["seat.taken"],"tags":["seat:7"]}],"after":0}"#;
        let first = post(served.address, "/v1/events", &[], &take(none)).await;
        assert_eq!((first.status, first.header("etag")), (201, None), "{first:?}");
        let both = take(&format!(r#"{none},{{"stream":"row-1","expected":"exists"}}"#));
        insta::assert_snapshot!(
            "both_conditions",
            post(served.address, "/v1/events", &[], &both).await.shown()
        );
        let later = take(&none.replace(r#""after":0"#, r#""after":1"#));
        assert_eq!(post(served.address, "/v1/events", &[], &later).await.status, 201);
        served.stop().await;
    });
}

/// Would fail if a request repeated after a lost answer were written twice, also across a restart of the server.
#[test]
fn a_repeated_key_is_written_once() {
    runtime().block_on(async {
        let (_dir, engine, served) = on_engine().await;
        let key: &[&str] = &["idempotency-key: order-17", "if-none-match: *"];
        let (path, body) = ("/v1/streams/order-17/events", r#"[{"type":"placed"},{"type":"paid"}]"#);
        let first = post(served.address, path, key, body).await;
        assert_eq!((first.status, &first.json()["deduplicated"]), (201, &json!(false)), "{first:?}");
        served.stop().await;
        let served = Served::start(engine.clone()).await;
        let again = post(served.address, path, key, body).await;
        assert_eq!((again.status, &again.json()["deduplicated"]), (200, &json!(true)), "{again:?}");
        assert_eq!((again.json()["first"].as_u64(), again.json()["last"].as_u64()), (Some(1), Some(2)));
        assert_eq!(again.header("etag"), Some("\"1\""));
        let other = post(served.address, path, &key[..1], r#"{"type":"cancelled"}"#).await;
        assert_eq!(other.status, 400, "another request under the same key: {other:?}");
        assert_eq!(engine.head().await.expect("a head").position.map(|head| head.get()), Some(2));
        served.stop().await;
    });
}

/// Would fail if the good lines before a bad one were written, and then written again with the corrected ones.
#[test]
fn a_bad_line_is_named_and_nothing_is_written() {
    runtime().block_on(async {
        let (_dir, engine, served) = on_engine().await;
        let send = |body: &'static str| {
            send(served.address, "POST /v1/events", &["content-type: application/x-ndjson"], body)
        };
        let bad = send("{\"type\":\"a\"}\n\n{\"type\":\"b\",\"dta\":1}\n{\"type\":\"c\"}\n").await;
        insta::assert_snapshot!("a_bad_line", bad.shown());
        assert_eq!(engine.head().await.expect("a head").position, None);
        let good = send("{\"type\":\"a\"}\n\n{\"type\":\"b\"}\r\n{\"type\":\"c\"}").await;
        assert_eq!((good.status, &good.json()["last"]), (201, &json!(3)), "{good:?}");
        served.stop().await;
    });
}

/// Would fail if what another system sends in the standard's form were not taken, or taken twice.
#[test]
fn a_cloud_event_is_taken_once() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        let served = Served::start(behind.clone()).await;
        let event =
            r#"{"specversion":"1.0","id":"row-1","source":"bank","type":"imported","subject":"account-1"}"#;
        let sent = ["content-type: application/cloudevents+json"];
        assert_eq!(send(served.address, "POST /v1/events", &sent, event).await.status, 201);
        assert_eq!(send(served.address, "POST /v1/events", &sent, event).await.status, 200);
        let read = get(served.address, "/v1/streams/account-1/events").await.json();
        assert_eq!(read["events"][0]["metadata"], json!({"id":"row-1","source":"bank"}));
        served.stop().await;
    });
}
