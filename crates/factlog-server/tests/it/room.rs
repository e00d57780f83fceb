//! The memory of requests: who sends much and never ends is counted, and neither fills the server nor shuts out small ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::access::{Grants, NewKey, PrincipalName};
use factlog_core::{Append, ErrorKind, Event, EventStore as _, EventType, MemoryStore, Query, StartFrom};
use factlog_proto::v1;
use factlog_proto::v1::append_session_response::Outcome;
use factlog_proto::v1::event_store_service_client::EventStoreServiceClient;
use factlog_server::{Access, Limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic::Code;

use crate::served::{Served, runtime};
use crate::web::{Answer, answer_of, get, post};

const PATIENCE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

fn append(bytes: usize) -> Append {
    Append::new([Event::new(EventType::new("sent").expect("a type"), vec![b'x'; bytes])])
}

fn head(address: SocketAddr, length: usize) -> String {
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// A request that sends so much, announces more, and then says nothing.
async fn stalled(address: SocketAddr, bytes: usize) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("connect");
    socket.write_all(head(address, bytes + 1).as_bytes()).await.expect("send");
    socket.write_all(&vec![b' '; bytes]).await.expect("send");
    socket
}

/// What requests or answers hold, as the metrics tell.
async fn held(address: SocketAddr, whose: &str) -> usize {
    let (metrics, name) = (get(address, "/metrics").await.body, format!("factlog_{whose}_held_bytes "));
    let told = metrics.lines().find_map(|line| line.strip_prefix(&name));
    told.expect("the metric").parse().expect("a number")
}

/// Waits until requests hold so much.
async fn until_held(address: SocketAddr, enough: impl Fn(usize) -> bool) {
    until(address, "requests", enough).await;
}

async fn until(address: SocketAddr, whose: &str, enough: impl Fn(usize) -> bool) {
    let until = async {
        while !enough(held(address, whose).await) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, until).await.expect("they hold it in time");
}

/// Asks for this with this key and reads nothing.
async fn deaf(address: SocketAddr, path: &str, key: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("connect");
    let asked = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(asked.as_bytes()).await.expect("send");
    socket
}

/// A large append that is over the room: it is refused as soon as it comes, so what is sent of it is for nobody.
async fn large(address: SocketAddr) -> Answer {
    let mut request = head(address, MIB).into_bytes();
    request.resize(request.len() + MIB, b' ');
    let exchange = async {
        let mut socket = TcpStream::connect(address).await.expect("connect");
        // Whoever is refused half way may have its connection reset behind the answer, which is what counts.
        let _ = socket.write_all(&request).await;
        let mut bytes = Vec::new();
        let _ = socket.read_to_end(&mut bytes).await;
        answer_of(bytes)
    };
    timeout(PATIENCE, exchange).await.expect("it is answered at once")
}

/// Would fail if requests could fill the memory of the server together, if the refusal left open whether something was
/// written, if small appends were shut out, or if the room were not given back.
#[test]
fn requests_that_stay_share_a_bounded_room() {
    runtime().block_on(async {
        let limits = Limits { request_bytes: 8 * MIB, ..Limits::default() };
        let served = Served::start_with(Arc::new(MemoryStore::new()), |server| server.limits(limits)).await;
        let address = served.address;
        let small = served.client("?deadline=30s");
        let held = [stalled(address, 3 * MIB).await, stalled(address, 3 * MIB).await];
        until_held(address, |bytes| bytes == 6 * MIB).await;
        let answer = large(address).await;
        let problem = answer.json();
        assert_eq!((answer.status, &problem["outcome"]), (503, &"definite".into()), "{problem}");
        assert_eq!(answer.header("retry-after"), Some("1"), "who asks again at once is refused again");
        assert!(
            problem["detail"].as_str().is_some_and(|text| text.contains("nothing was written")),
            "{problem}"
        );

        let mut grpc = EventStoreServiceClient::connect(format!("http://{address}")).await.expect("connect");
        let status = grpc.append(v1::AppendRequest::from(append(MIB))).await.expect_err("there is no room");
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.message().contains("nothing was written"), "{status}");
        small.append(append(100)).await.expect("a small one over a session");
        let answer =
            post(address, "/v1/events", &["content-type: application/json"], r#"{"type":"t"}"#).await;
        assert_eq!(answer.status, 201, "{}", answer.body);

        drop(held);
        until_held(address, |bytes| bytes == 0).await;
        grpc.append(v1::AppendRequest::from(append(MIB))).await.expect("there is room again");
        assert_eq!(
            small.head().await.expect("a head").position.map(|at| at.get()),
            Some(3),
            "nothing refused is in it"
        );
        served.stop().await;
    });
}

/// Would fail if those who ask for pages and do not read them could fill the memory of the server, keep others from appending, or
/// keep the room for ever.
#[test]
fn pages_that_nobody_reads_share_a_room_for_a_while() {
    runtime().block_on(async {
        let limits =
            Limits { request_bytes: 8 * MIB, taking: Duration::from_millis(1_500), ..Limits::default() };
        let served = Served::start_with(Arc::new(MemoryStore::new()), |server| server.limits(limits)).await;
        let address = served.address;
        // Larger than the system keeps for a socket whose peer does not read.
        let client = served.client("?deadline=30s");
        client.append(append(15 * MIB)).await.expect("it is alone");
        let deaf = deaf(address, "/v1/events", "none").await;
        until(address, "answers", |bytes| 15 * MIB < bytes).await;
        let answer = get(address, "/v1/events").await;
        assert_eq!(answer.status, 503, "{:.200}", answer.body);
        assert_eq!(
            (answer.header("retry-after"), &answer.json()["outcome"]),
            (Some("1"), &"definite".into())
        );
        assert_eq!(get(address, "/v1/head").await.status, 200, "small answers go on");
        client.append(append(3 * MIB)).await.expect("so do appends");
        until(address, "answers", |bytes| bytes == 0).await;
        assert_eq!(get(address, "/v1/events").await.status, 200);
        drop(deaf);
        served.stop().await;
    });
}

/// Would fail if an event that is large were made once for each of many followers at the same time, whether they read or not,
/// or if those who read it had to wait for ever behind those who do not.
#[test]
fn followers_take_a_large_event_one_after_the_other() {
    follow_a_large_event(3, Duration::from_millis(100));
}

/// Would fail if the room were kept by a stream that has sent what it was for and goes on.
#[test]
fn a_stream_that_goes_on_gives_back_what_is_sent() {
    follow_a_large_event(0, Duration::from_secs(600));
}

/// Four who read it, beside so many who do not.
fn follow_a_large_event(deaf_ones: usize, taking: Duration) {
    runtime().block_on(async {
        let limits = Limits { request_bytes: 20 * MIB, taking, ..Limits::default() };
        let served = Served::start_with(Arc::new(MemoryStore::new()), |server| server.limits(limits)).await;
        let address = served.address;
        served.client("").append(append(15 * MIB)).await.expect("there is room");
        let mut unread = Vec::new();
        for _ in 0..deaf_ones {
            unread.push(deaf(address, "/v1/subscribe", "none").await);
            until(address, "answers", |bytes| 0 < bytes).await;
        }
        let readers = (0..4).map(|_| {
            let client = served.client("");
            tokio::spawn(async move {
                let mut following = client.subscribe(Query::All, StartFrom::Beginning);
                let event = following.next_event().await.expect("it goes on").expect("an event");
                (following, event.event.data.len())
            })
        });
        let readers = futures_util::future::join_all(readers);
        let most = async {
            let mut most = 0;
            loop {
                most = held(address, "answers").await.max(most);
                assert!(most <= 20 * MIB, "{most}");
            }
        };
        let read = async {
            tokio::select! { read = readers => read, () = most => Vec::new() }
        };
        let read = timeout(PATIENCE, read).await.expect("they get it in time");
        let read: Vec<_> = read.into_iter().map(|reader| reader.expect("a reader")).collect();
        assert!(read.iter().all(|(_, length)| *length == 15 * MIB));
        until(address, "answers", |bytes| bytes == 0).await;
        drop(read);
        drop(unread);
        served.stop().await;
    });
}

/// Would fail if an event that waits for room were sent to somebody who may not have it by then.
#[test]
fn whoever_waits_for_room_and_is_let_in_no_more_gets_nothing() {
    runtime().block_on(async {
        let store = Arc::new(MemoryStore::new());
        let access = Access::open(store.clone()).await.expect("open");
        let first = access.first_key().await.expect("a key").expect("the first").secret;
        let (owner, keeper) = (access.clone().as_owner(), access.clone());
        let principal = PrincipalName::new("reader").expect("a name");
        let grants = Some(Grants::parse(["read"]).expect("a grant"));
        let key = owner.create_key(NewKey { principal, grants, expires_at: None }).await.expect("a key");
        store.append(append(15 * MIB)).await.expect("it is there");
        let limits = Limits { request_bytes: 20 * MIB, taking: PATIENCE, ..Limits::default() };
        let served = Served::start_with(store, |server| server.authenticated(keeper).limits(limits)).await;
        let mut unread = deaf(served.address, "/v1/subscribe", &first).await;
        unread.read_exact(&mut vec![0; MIB]).await.expect("it begins, and then stands still");
        let mut following = served.client_with(&key.secret).subscribe(Query::All, StartFrom::Beginning);
        let next = timeout(Duration::from_millis(300), following.next_event()).await;
        assert!(next.is_err(), "it waits: {next:?}");
        owner.revoke_key(&key.info.id).await.expect("revoke");
        let next = timeout(PATIENCE, following.next_event()).await.expect("at once").expect("an end");
        assert_eq!(next.expect_err("it is let in no more").kind(), ErrorKind::Unauthenticated);
        drop(unread);
        served.stop().await;
    });
}

/// Would fail if what a session has sent were counted for ever, or its appends under way not at all.
#[test]
fn a_session_gives_back_what_is_answered() {
    runtime().block_on(async {
        let limits = Limits { request_bytes: 2 * MIB, ..Limits::default() };
        let served = Served::start_with(Arc::new(MemoryStore::new()), |server| server.limits(limits)).await;
        let mut grpc =
            EventStoreServiceClient::connect(format!("http://{}", served.address)).await.expect("connect");
        let other = stalled(served.address, 1_000).await;
        until_held(served.address, |bytes| bytes == 1_000).await;
        let (requests, mut outgoing) = tokio::sync::mpsc::channel(1);
        let outgoing = futures_util::stream::poll_fn(move |context| outgoing.poll_recv(context));
        let mut answers = grpc.append_session(outgoing).await.expect("a session").into_inner();
        // Ten times the room, one after the other; not alone, so that the room counts.
        for number in 1..=20 {
            let append = Some(append(MIB).into());
            let request = v1::AppendSessionRequest { number, append, writer: None };
            requests.send(request).await.expect("the session is open");
            let answer = answers.message().await.expect("an answer").expect("one");
            assert!(matches!(answer.outcome, Some(Outcome::Appended(_))), "{number}: {answer:?}");
        }
        let append = Some(append(2 * MIB).into());
        let request = v1::AppendSessionRequest { number: 21, append, writer: None };
        requests.send(request).await.expect("the session is open");
        let status = answers.message().await.expect_err("there is no room for it");
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        drop(other);
        served.stop().await;
    });
}
