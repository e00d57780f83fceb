//! `If-None-Match` of a read: nothing is sent to whoever has it, and nothing is told to whoever may not.

use std::sync::Arc;

use factlog_core::{EventStoreExt as _, MemoryStore};

use crate::access::{Kept, event};
use crate::served::{Served, runtime};
use crate::web::{get, send};

/// Would fail if a reader were sent again what it has, or kept for good what has changed.
#[test]
fn whoever_has_the_revision_is_sent_nothing_until_there_is_more() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        let append = async |stream| {
            behind.append_one(event(Some(stream), &[], "placed")).await.expect("append");
        };
        append("order-1").await;
        append("order-1").await;
        let served = Served::start(behind.clone()).await;
        let asked = async |line: &str, header: &str| send(served.address, line, &[header], "").await;
        const READ: &str = "GET /v1/streams/order-1/events";
        let tag = get(served.address, "/v1/streams/order-1/events").await;
        assert_eq!((tag.status, tag.header("etag")), (200, Some("\"1\"")));
        append("order-2").await;
        for header in ["\"1\"", "W/\"1\"", "\"0\", \"1\"", "*"] {
            let same = asked(READ, &format!("if-none-match: {header}")).await;
            assert_eq!((same.status, same.header("etag"), &*same.body), (304, Some("\"1\""), ""), "{header}");
            assert_eq!(same.header("cache-control"), Some("no-store"));
        }
        let head = asked("HEAD /v1/streams/order-1/events", "if-none-match: \"1\"").await;
        assert_eq!((head.status, head.header("etag")), (304, Some("\"1\"")));
        let head = asked("HEAD /v1/streams/order-1/events", "if-none-match: \"0\"").await;
        assert_eq!((head.status, head.header("etag"), &*head.body), (200, Some("\"1\""), ""));
        for header in ["\"0\"", "\"2\"", "\"other\""] {
            let changed = asked(READ, &format!("if-none-match: {header}")).await;
            assert_eq!((changed.status, changed.header("etag")), (200, Some("\"1\"")), "{header}");
        }
        let wrong = asked(READ, "if-none-match: 1").await;
        assert_eq!((wrong.status, &wrong.json()["header"]), (400, &"if-none-match".into()));
        let nothing = asked("GET /v1/streams/nobody/events", "if-none-match: *").await;
        assert_eq!((nothing.status, nothing.header("etag")), (200, None));
        append("order-1").await;
        let more = asked(READ, "if-none-match: \"1\"").await;
        assert_eq!((more.status, more.header("etag")), (200, Some("\"2\"")));
        assert_eq!(more.json()["events"].as_array().map(Vec::len), Some(3));
        served.stop().await;
    });
}

/// Would fail if a guessed revision told whether a stream is there, or how long the part is that may not be read.
#[tokio::test]
async fn a_guess_tells_nothing_of_what_may_not_be_read() {
    let kept = Kept::start().await;
    for tag in ["tenant:a", "tenant:b"] {
        kept.store.append_one(event(Some("order-1"), &[tag], "placed")).await.expect("append");
    }
    let (nobody, _) = kept.key("nobody", &[]).await;
    let (a, _) = kept.key("a", &["read tag:tenant:a"]).await;
    let asked = async |key: &str, stream: &str, header: &str| {
        let headers = [format!("authorization: Bearer {key}"), format!("if-none-match: {header}")];
        let line = format!("GET /v1/streams/{stream}/events");
        let answer = send(kept.served.address, &line, &headers.each_ref().map(String::as_str), "").await;
        (answer.status, answer.header("etag").map(str::to_owned), answer.body)
    };
    for guess in ["\"0\"", "\"1\"", "*"] {
        let there = asked(&nobody, "order-1", guess).await;
        assert_eq!((there.0, &there.1), (200, &None), "{guess}");
        assert_eq!(there, asked(&nobody, "order-2", guess).await, "{guess}");
    }
    let own = Some("\"0\"".to_owned());
    assert_eq!(asked(&a, "order-1", "\"0\"").await, (304, own.clone(), String::new()));
    let of_b = asked(&a, "order-1", "\"1\"").await;
    assert_eq!((of_b.0, of_b.1), (200, own));
    kept.served.stop().await;
}
