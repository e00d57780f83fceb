//! `GET /metrics` over a real socket: what it says after calls that are known.

use std::collections::HashMap;
use std::sync::Arc;

use factlog_core::{Append, Event, EventStore as _, EventType, MemoryStore, Query, StartFrom};
use serde_json::json;

use crate::served::{Served, runtime};
use crate::web::{Answer, get, post};

/// Samples by name and labels. Refuses what is no OpenMetrics: a sample without its type, a repeat, a missing end.
fn samples(answer: &Answer) -> HashMap<String, f64> {
    assert_eq!(answer.status, 200);
    let content_type = answer.header("content-type").expect("a type");
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let body = answer.body.strip_suffix("# EOF\n").expect("an end");
    let (mut families, mut samples): (Vec<&str>, _) = (Vec::new(), HashMap::new());
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, _) = rest.split_once(' ').expect("a type");
            assert!(name.starts_with("factlog_"), "{name}");
            assert!(!families.contains(&name), "{name} twice");
            families.push(name);
        } else if !line.starts_with("# ") {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let name = series.split('{').next().expect("a name");
            let family = families.last().expect("a type before");
            assert!(name.starts_with(family), "{name} stands below {family}");
            let value = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} twice");
        }
    }
    samples
}

/// Would fail if a dashboard showed numbers that have nothing to do with what the server has done.
#[test]
fn a_scrape_tells_what_was_done() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let at = served.address;
        let events = json!([{"type":"a"}, {"type":"b"}]).to_string();
        for status in [201, 200] {
            let answer = post(at, "/v1/streams/x-secret/events", &["idempotency-key: one"], &events).await;
            assert_eq!(answer.status, status);
        }
        let conflict = ["if-match: \"9\""];
        assert_eq!(post(at, "/v1/streams/x-secret/events", &conflict, &events).await.status, 412);
        assert_eq!(get(at, "/v1/streams/x-secret/events").await.status, 200);
        assert_eq!(get(at, "/nothing/here").await.status, 404);
        let client = served.client("");
        let event = Event::new(EventType::new("c").expect("a type"), "{}");
        client.append(Append::new([event])).await.expect("append");
        client.head().await.expect("a head");
        let mut following = client.subscribe(Query::All, StartFrom::End);
        following.next().await.expect("open").expect("caught up");
        let told = samples(&get(at, "/metrics").await);
        let number = |series: &str| *told.get(series).unwrap_or_else(|| panic!("{series} in {told:#?}"));
        assert_eq!(number("factlog_append_events_total{result=\"appended\"}"), 3.0);
        assert_eq!(number("factlog_append_events_total{result=\"deduplicated\"}"), 2.0);
        assert_eq!(number("factlog_append_events_total{result=\"conflict\"}"), 2.0);
        assert_eq!(number("factlog_append_duration_seconds_count"), 4.0);
        assert_eq!(number("factlog_log_head_position"), 3.0);
        assert_eq!(number("factlog_subscriptions"), 1.0);
        assert_eq!(number("factlog_subscription_lag_events"), 0.0);
        assert!(2.0 <= number("factlog_connections"), "the client's, and the one that asks");
        let http = |method: &str, code: u16| {
            number(&format!(
                "factlog_requests_total{{protocol=\"http\",method=\"{method}\",code=\"{code}\"}}"
            ))
        };
        assert_eq!(http("POST /v1/streams/{id}/events", 201), 1.0);
        assert_eq!(http("POST /v1/streams/{id}/events", 412), 1.0);
        assert_eq!(http("GET unknown", 404), 1.0);
        let head = "protocol=\"grpc\",method=\"factlog.v1.EventStoreService/GetHead\",code=\"OK\"";
        assert_eq!(
            number(&format!("factlog_requests_total{{{head}}}")),
            2.0,
            "one to find the end of the log"
        );
        assert!(told.keys().all(|series| !series.contains("secret")), "{told:?}");
        drop((following, client));
        served.stop().await;
    });
}

/// Would fail if connections or subscriptions were counted for ever, so that the number says nothing.
#[test]
fn what_has_ended_is_counted_no_more() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let client = served.client("");
        let mut following = client.subscribe(Query::All, StartFrom::Beginning);
        following.next().await.expect("open").expect("caught up");
        drop((following, client));
        for _ in 0..1_000 {
            let told = samples(&get(served.address, "/metrics").await);
            if (told["factlog_subscriptions"], told["factlog_connections"]) == (0.0, 1.0) {
                return served.stop().await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("they are counted although they are gone");
    });
}
