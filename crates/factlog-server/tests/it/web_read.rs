//! Pages and followers over HTTP, beside gRPC on the one port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Append, Event, EventStore, EventType, MemoryStore, Query, ReadOptions, StreamId, Tags};
use factlog_engine::{Engine, Settings};
use serde_json::{Value, json};

use crate::served::{Served, runtime};
use crate::web::{Follower, Idle, get, post, send};

async fn write(store: &dyn EventStore, from: u64, to: u64) {
    let event = |n: u64| {
        Event::new(EventType::new(if n.is_multiple_of(2) { "even" } else { "odd" }).expect("a type"), "{}")
            .in_stream(StreamId::new(format!("number-{}", n % 3)).expect("a stream"))
            .tagged(Tags::new([format!("third:{}", n % 3)]).expect("a tag"))
    };
    store.append(Append::new((from..=to).map(event))).await.expect("append");
}

/// The positions of all pages, one after the other.
async fn walk(at: SocketAddr, path: &str, cursor: &str) -> Vec<u64> {
    let (mut positions, mut next) = (Vec::new(), None);
    loop {
        let from = next.map_or(String::new(), |next: u64| format!("&{cursor}={next}"));
        let page = get(at, &format!("{path}{from}")).await.json();
        let events = page["events"].as_array().expect("a page");
        assert!(events.len() <= 7, "{page}");
        positions.extend(events.iter().map(|event| event["position"].as_u64().expect("a position")));
        next = page["next"].as_u64();
        if next.is_none() {
            return positions;
        }
    }
}

/// Would fail if pages left out or repeated an event where one ends and the next begins.
#[test]
fn pages_put_together_are_the_log() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        write(&*behind, 1, 50).await;
        let served = Served::start(behind).await;
        let at = served.address;
        let all: Vec<u64> = (1..=50).collect();
        assert_eq!(walk(at, "/v1/events?limit=7", "after").await, all);
        assert_eq!(walk(at, "/v1/events?limit=5", "after").await, all, "a page that is full at the end");
        let back: Vec<u64> = all.iter().rev().copied().collect();
        assert_eq!(walk(at, "/v1/events?limit=7&backwards=true", "until").await, back);
        let odd_thirds: Vec<u64> = all.iter().copied().filter(|n| n % 3 == 1 && n % 2 == 1).collect();
        assert_eq!(walk(at, "/v1/events?limit=2&type=odd&tag=third%3A1", "after").await, odd_thirds);
        assert_eq!(walk(at, "/v1/streams/number-1/events?limit=2&type=odd", "after").await, odd_thirds);
        assert_eq!(walk(at, "/v1/events?limit=7&category=number&type=odd&type=even", "after").await, all);
        let page = get(at, "/v1/events?after=10&until=12").await.json();
        assert_eq!((page["events"].as_array().map(Vec::len), &page["head"]), (Some(2), &json!(50)));
        let later = get(at, "/v1/streams/number-1/events?from_revision=15").await;
        assert_eq!(
            (later.json()["events"].as_array().map(Vec::len), later.header("etag")),
            (Some(2), Some("\"16\""))
        );
        let nothing = get(at, "/v1/streams/nobody/events").await;
        assert_eq!((nothing.status, nothing.header("etag")), (200, None));
        served.stop().await;
    });
}

/// Would fail if a page of large events were held in memory whole.
#[test]
fn a_page_of_large_events_ends_early_and_goes_on() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        let large =
            |_| Event::new(EventType::new("large").expect("a type"), format!("{:?}", "x".repeat(1 << 20)));
        behind.append(Append::new((0..9).map(large))).await.expect("append");
        let served = Served::start(behind).await;
        let page = get(served.address, "/v1/events?limit=1000").await;
        assert!(page.body.len() < 6 << 20, "{} bytes", page.body.len());
        assert_eq!(walk(served.address, "/v1/events?limit=7", "after").await, (1..=9).collect::<Vec<_>>());
        served.stop().await;
    });
}

/// Would fail if a page came in another form than asked for, or a line were no event.
#[test]
fn an_event_a_line_for_those_who_accept_it() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        write(&*behind, 1, 5).await;
        let served = Served::start(behind).await;
        let at = served.address;
        let lines = send(at, "GET /v1/events?limit=3", &["accept: application/x-ndjson"], "").await;
        assert_eq!((lines.header("factlog-head"), lines.header("factlog-next")), (Some("5"), Some("3")));
        let positions: Vec<_> =
            lines.body.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).collect();
        assert_eq!(
            positions.iter().filter_map(|event| event["position"].as_u64()).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        assert_eq!(
            get(at, "/v1/types").await.json(),
            json!({"types":[{"type":"even","events":2},{"type":"odd","events":3}]})
        );
        let streams = get(at, "/v1/streams?prefix=number-&limit=2").await.json();
        assert_eq!(
            (&streams["streams"][0]["last_position"], &streams["next"]),
            (&json!(3), &json!("number-1"))
        );
        let rest = get(at, "/v1/streams?prefix=number-&limit=2&after=number-1").await.json();
        assert_eq!((&rest["streams"][0]["stream"], &rest["next"]), (&json!("number-2"), &Value::Null));
        assert_eq!(get(at, "/v1/head").await.json()["position"], 5);
        assert_eq!(get(at, "/health/live").await.json(), json!({"status":"live"}));
        assert_eq!(get(at, "/health/ready").await.json(), json!({"status":"ready"}));
        served.stop().await;
    });
}

/// Would fail if a follower that comes back with its last id missed or saw twice what was written around a restart.
#[test]
fn a_follower_goes_on_across_a_restart_without_gap_or_repeat() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Arc::new(Engine::open(dir.path(), Settings::default()).expect("open"));
        write(&*engine, 1, 20).await;
        let served = Served::start(engine.clone()).await;
        let mut follower =
            Follower::start(served.address, "/v1/subscribe?after=2&category=number", &[]).await;
        let (mut seen, mut last, mut caught_up) = (Vec::new(), 0, false);
        let mut stop = Some(served);
        let end = loop {
            let message = follower.next().await.expect("a reason before the end");
            last = message.id.unwrap_or(last);
            match message.event.as_str() {
                "" => seen.push(
                    serde_json::from_str::<Value>(&message.data).expect("JSON")["position"]
                        .as_u64()
                        .expect("one"),
                ),
                "caught-up" if !caught_up => {
                    assert_eq!((last, message.data.as_str()), (20, "{\"position\":20}"));
                    caught_up = true;
                    write(&*engine, 21, 22).await;
                }
                "caught-up" if last == 22 => {
                    if let Some(served) = stop.take() {
                        tokio::spawn(served.stop());
                    }
                }
                "caught-up" => {}
                _ => break message,
            }
        };
        assert_eq!((end.event.as_str(), end.id), ("end", None));
        insta::assert_snapshot!("the_end_of_a_follower", format!("{end:?}"));
        assert_eq!(follower.next().await, None);

        write(&*engine, 23, 30).await;
        let served = Served::start(engine.clone()).await;
        let id = format!("last-event-id: {last}");
        let mut follower =
            Follower::start(served.address, "/v1/subscribe?after=2&category=number", &[&id]).await;
        while last < 30 {
            let message = follower.next().await.expect("it goes on");
            assert_eq!(message.event, "");
            last = message.id.expect("a position");
            seen.push(last);
        }
        assert_eq!(seen, (3..=30).collect::<Vec<_>>());
        // It does not read any more; the server stops all the same.
        served.stop().await;
    });
}

/// Would fail if followers that do not read held up those who write, or lost what was written meanwhile; or if a
/// connection that only waits for another request held up the end of the server.
#[test]
fn stalled_followers_and_idle_connections_hold_up_nobody() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        let served = Served::start(behind.clone()).await;
        let at = served.address;
        let mut stalled = Vec::new();
        for _ in 0..20 {
            stalled.push(Follower::start(at, "/v1/subscribe", &[]).await);
        }
        let data = format!("{:?}", "x".repeat(512 << 10));
        let event = format!(r#"{{"type":"large","data":{data}}}"#);
        for _ in 0..16 {
            assert_eq!(post(at, "/v1/events", &[], &event).await.status, 201);
        }
        for mut follower in stalled.drain(..3) {
            let mut positions = Vec::new();
            while positions.len() < 16 {
                let message = follower.next().await.expect("it goes on");
                positions.extend(message.id.filter(|_| message.event.is_empty()));
            }
            assert_eq!(positions, (1..=16).collect::<Vec<_>>());
        }
        drop(stalled);
        let idle = Idle::start(at).await;
        let stopped = tokio::time::timeout(Duration::from_secs(5), served.stop()).await;
        stopped.expect("it does not wait for whoever asks nothing");
        drop(idle);
    });
}

/// Would fail if one of the two ways in did not see what the other wrote, or the port spoke one of them only.
#[test]
fn both_ways_in_are_one_store() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let at = served.address;
        let remote = served.client("?deadline=20s");
        let mut follower = Follower::start(at, "/v1/subscribe?type=odd", &[]).await;
        let web = async {
            for _ in 0..20 {
                assert_eq!(post(at, "/v1/streams/web-1/events", &[], r#"{"type":"even"}"#).await.status, 201);
            }
        };
        let grpc = async {
            for n in 0..20 {
                write(&remote, 2 * n + 1, 2 * n + 1).await;
            }
        };
        futures_util::future::join(web, grpc).await;
        let read = remote.read(Query::All, ReadOptions::default()).collect().await.expect("read");
        assert_eq!(read.events.len(), 40);
        let mut followed = Vec::new();
        while followed.len() < 20 {
            let message = follower.next().await.expect("it goes on");
            followed.extend(message.id.filter(|_| message.event.is_empty()));
        }
        let odd = read.events.iter().filter(|event| event.event.event_type.as_str() == "odd");
        assert_eq!(followed, odd.map(|event| event.position.get()).collect::<Vec<_>>());
        served.stop().await;
    });
}
