//! Peers that are slow, idle or too many: each is cut, and who was there before goes on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use factlog_client::RemoteStore;
use factlog_core::{Append, Event, EventStore as _, EventType, MemoryStore, Query, StartFrom};
use factlog_proto::v1;
use factlog_proto::v1::event_store_service_client::EventStoreServiceClient;
use factlog_server::{ClientCertificates, Limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::certificates::Authority;
use crate::served::{Served, runtime};
use crate::web::{Answer, get, raw};

/// Far more than any limit of these tests.
const PATIENCE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(150);

fn append() -> Append {
    Append::new([Event::new(EventType::new("counted").expect("a type"), "{}")])
}

async fn served(limits: Limits) -> Served {
    Served::start_with(Arc::new(MemoryStore::new()), |server| server.limits(limits)).await
}

/// Sends these bytes and waits until the server closes; answers what it said.
pub(crate) async fn cut(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).await.expect("connect");
    socket.write_all(bytes).await.expect("send");
    let mut said = Vec::new();
    // A reset is an end, too.
    let _ = timeout(PATIENCE, socket.read_to_end(&mut said)).await.expect("it is cut");
    said
}

/// Appends for as long as `harm` goes on, and once more. None may fail.
async fn while_appending(store: &RemoteStore, harm: impl Future<Output = ()>) {
    let append_on = async {
        loop {
            store.append(append()).await.expect("an existing client goes on");
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = harm => {}
        () = append_on => {}
    }
    store.append(append()).await.expect("an existing client goes on");
}

/// Would fail if somebody could hold connections open for nothing by never finishing a handshake.
#[test]
fn a_stalled_handshake_is_cut() {
    runtime().block_on(async {
        let authority = Authority::new();
        let certificate = authority.server();
        let identity = (&certificate, ClientCertificates::Unasked);
        let limits = Limits { handshake: SHORT, ..Limits::default() };
        let store = Arc::new(MemoryStore::new());
        let served = Served::secured(store, &authority, identity, |server| server.limits(limits)).await;
        let existing = served.client("?deadline=30s");
        while_appending(&existing, async {
            // Nothing at all, the first byte of a handshake, and one that announces more than it sends.
            for bytes in [&b""[..], &[0x16], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]] {
                cut(served.address, bytes).await;
            }
        })
        .await;
        served.stop().await;
    });
}

/// Would fail if headers that never end, or a connection that asks nothing, were waited for; or if one that is between
/// two requests were taken for slow.
#[test]
fn slow_headers_and_idle_connections_are_cut() {
    runtime().block_on(async {
        let served = served(Limits { headers: SHORT, ..Limits::default() }).await;
        let existing = served.client("?deadline=30s");
        while_appending(&existing, async {
            for bytes in ["GET /health/live HTTP/1.1\r\nhost: 127", "P", "PRI * HTTP/2.0\r\n\r\nSM"] {
                cut(served.address, bytes.as_bytes()).await;
            }
            let mut patient = TcpStream::connect(served.address).await.expect("connect");
            for _ in 0..2 {
                let request = format!("GET /health/live HTTP/1.1\r\nhost: {}\r\n\r\n", served.address);
                patient.write_all(request.as_bytes()).await.expect("it is still there");
                let mut seen = Vec::new();
                while !seen.ends_with(b"}") {
                    assert!(0 < patient.read_buf(&mut seen).await.expect("an answer"), "it was closed");
                }
                sleep(SHORT * 2).await;
            }
        })
        .await;
        served.stop().await;

        let served = self::served(Limits { idle: SHORT, ..Limits::default() }).await;
        let mut following = served.client("?deadline=30s").subscribe(Query::All, StartFrom::Beginning);
        following.next().await.expect("open").expect("caught up");
        cut(served.address, b"").await;
        let live = format!("GET /health/live HTTP/1.1\r\nhost: {}\r\n\r\n", served.address);
        assert!(cut(served.address, live.as_bytes()).await.starts_with(b"HTTP/1.1 200 OK\r\n"));
        // Settings and a ping are no call; the reason of the end is none, error 0.
        let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let said = cut(served.address, http2).await;
        let goaway = [&[0, 0, 8, 7, 0, 0, 0, 0, 0][..], &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]].concat();
        assert!(said.windows(goaway.len()).any(|window| window == goaway), "{said:?}");
        let idle = served.client("?deadline=30s");
        idle.append(append()).await.expect("a first call");
        sleep(SHORT * 3).await;
        idle.append(append()).await.expect("it connects again by itself");
        let seen = following.next_event().await.expect("a subscription is not idle").expect("an event");
        assert_eq!(seen.position.get(), 1);
        served.stop().await;
    });
}

/// Would fail if a body that trickles held a call for ever; or if an append session, which has no end, were cut for it.
#[test]
fn a_body_that_trickles_is_refused_and_a_session_is_not() {
    runtime().block_on(async {
        let served = served(Limits { body: SHORT, ..Limits::default() }).await;
        let address = served.address;
        let mut session = EventStoreServiceClient::connect(format!("http://{address}")).await.expect("connect");
        let (requests, mut outgoing) = tokio::sync::mpsc::channel(1);
        let outgoing = futures_util::stream::poll_fn(move |context| outgoing.poll_recv(context));
        let mut answers = session.append_session(outgoing).await.expect("a session").into_inner();

        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: 1000\r\n\r\n[{{"
        );
        let answer: Answer = timeout(PATIENCE, raw(address, head.as_bytes())).await.expect("it is answered");
        let problem = answer.json();
        assert_eq!((answer.status, &problem["outcome"]), (408, &"definite".into()), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains("too slow to arrive")), "{problem}");

        let append = Some(append().into());
        let request = v1::AppendSessionRequest { number: 1, append, writer: None };
        requests.send(request).await.expect("the session is open");
        assert_eq!(answers.message().await.expect("an answer").expect("one").number, 1);
        served.stop().await;
    });
}

/// Would fail if a flood of connections were all let in, shut out who was there, or shut out others for good.
#[test]
fn connections_over_the_limit_are_closed_at_once() {
    runtime().block_on(async {
        const MOST: usize = 8;
        let served = served(Limits { connections: MOST, ..Limits::default() }).await;
        let existing = served.client("?deadline=30s");
        existing.append(append()).await.expect("it is there first");
        while_appending(&existing, async {
            let mut held = Vec::new();
            for _ in 0..MOST - 1 {
                held.push(crate::web::Idle::start(served.address).await);
            }
            for _ in 0..200 {
                assert_eq!(cut(served.address, b"").await, b"", "one too many is closed, not answered");
            }
            drop(held);
        })
        .await;
        let again = served.client("?deadline=30s");
        again.append(append()).await.expect("there is room again");
        served.stop().await;
    });
}

/// Would fail if subscriptions that nobody ends could fill the memory of the server, or if a place were kept by one that ended.
#[test]
fn reads_and_subscriptions_over_the_limit_are_refused() {
    runtime().block_on(async {
        let served = served(Limits { reads: 3, ..Limits::default() }).await;
        let client = served.client("?deadline=30s");
        let mut following = Vec::new();
        for _ in 0..3 {
            let mut subscription = client.subscribe(Query::All, StartFrom::Beginning);
            subscription.next().await.expect("open").expect("it has a place");
            following.push(subscription);
        }
        let read = async || get(served.address, "/v1/events").await;
        let answer = read().await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.body.contains("3 reads and subscriptions are open"), "{}", answer.body);
        client.append(append()).await.expect("appends go on");
        following.pop();
        let again = async {
            while read().await.status != 200 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, again).await.expect("there is a place again");
        served.stop().await;
    });
}
