//! What a server and a client refuse, and what they say when the other is not there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{
    Administration as _, Append, AppendCondition, AppendError, Delivery, ErrorKind, Event, EventStore,
    EventType, ExpectedRevision, MemoryStore, Query, ReadOptions, StartFrom, StreamId,
};
use factlog_proto::v1::event_store_service_client::EventStoreServiceClient;
use factlog_proto::{failure_of, v1};
use factlog_server::Server;
use tokio::net::TcpListener;
use tonic::Code;

use crate::served::{Served, client, runtime};

fn event(name: &str) -> Event {
    Event::new(EventType::new(name).expect("a type"), "{}")
        .in_stream(StreamId::new("account-1").expect("a stream"))
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.expect("bind").local_addr().expect("an address")
}

/// Would fail if a server without authentication could be reached from another machine.
#[test]
fn an_address_that_others_can_reach_is_refused() {
    runtime().block_on(async {
        let listener = TcpListener::bind("0.0.0.0:0").await.expect("bind");
        let served = Server::new(Arc::new(MemoryStore::new())).serve(listener, std::future::pending()).await;
        let error = served.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(
            error.to_string().contains("there is no TLS and authentication; listen on 127.0.0.1"),
            "{error}"
        );
    });
}

/// Would fail if a caller were left in the dark whether an append that was never sent may have been written.
#[test]
fn without_a_server_nothing_was_written_and_the_client_says_so() {
    runtime().block_on(async {
        let store = client(nobody().await, "?deadline=200ms&resume=200ms");
        match store.append(Append::new([event("a")])).await {
            Err(AppendError::Failed(error)) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(error.to_string().contains("was not sent, nothing was written"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(store.head().await.expect_err("no server").kind(), ErrorKind::Unavailable);
        let read = store.read(Query::All, ReadOptions::default()).collect().await;
        assert_eq!(read.expect_err("no server").kind(), ErrorKind::Unavailable);
        let ended = store.subscribe(Query::All, StartFrom::Beginning).next().await.expect("a reason");
        assert_eq!(ended.expect_err("no server").kind(), ErrorKind::Unavailable);
        store.close().await.expect("closing is fine all the same");
    });
}

/// A peer that accepts and never answers. Would fail if the deadline did not hold, or if the client called an append
/// "not written" whose bytes were out of its hands.
#[test]
fn a_server_that_never_answers_costs_a_deadline() {
    runtime().block_on(async {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let store = client(silent.local_addr().expect("an address"), "?deadline=200ms");
        match store.append(Append::new([event("a")])).await {
            Err(AppendError::Failed(error)) => assert!(error.is_retryable(), "{error}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(store.head().await.expect_err("silent").kind(), ErrorKind::Unavailable);
    });
}

/// Would fail if a subscription hung when its server stops, or did not go on when there is one again.
#[test]
fn a_subscription_outlives_its_server() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        let served = Served::start(behind.clone()).await;
        let address = served.address;
        let store = served.client("?deadline=20s");
        let mut subscription = store.subscribe(Query::All, StartFrom::Beginning);
        assert_eq!(subscription.next().await.expect("open").expect("well"), Delivery::CaughtUp(None));
        served.stop().await;
        behind.append(Append::new([event("while.it.was.away")])).await.expect("append");
        let served = Served::start_at(address, behind.clone()).await;
        let first = subscription.next_event().await.expect("open").expect("it has resumed");
        assert_eq!(first.position.get(), 1);
        assert!(0 < store.resumed());
        store.append(Append::new([event("after")])).await.expect("appends go on, too");
        assert_eq!(subscription.next_event().await.expect("open").expect("well").position.get(), 2);
        served.stop().await;
    });
}

/// What somebody with another client sees: the status of the table, with its details.
#[test]
fn a_bare_client_is_told_by_the_table() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let address = format!("http://{}", served.address);
        let mut bare = EventStoreServiceClient::connect(address).await.expect("connect");
        let stream = StreamId::new("account-1").expect("a stream");
        let guard = AppendCondition::revision(stream, ExpectedRevision::NoStream);
        let append = |name| v1::AppendRequest::from(Append::new([event(name)]).when(guard.clone()));
        assert_eq!(bare.append(append("a")).await.expect("the first").into_inner().first, 1);
        let lost = bare.append(append("b")).await.expect_err("a lost race");
        assert_eq!(lost.code(), Code::Aborted);
        assert_eq!(failure_of(&lost).conflict().expect("its facts").failed.len(), 1);
        let nothing = bare.append(v1::AppendRequest::default()).await.expect_err("no event");
        assert_eq!(nothing.code(), Code::InvalidArgument);
        let session = v1::AppendSessionRequest { number: 7, append: None, writer: None };
        let requests = futures_util::stream::iter([session]);
        let mut answers = bare.append_session(requests).await.expect("a session").into_inner();
        let answer = answers.message().await.expect("an answer").expect("one");
        assert_eq!(answer.number, 7);
        assert!(matches!(answer.outcome, Some(v1::append_session_response::Outcome::Failure(_))));
        assert!(answers.message().await.expect("it ends in order").is_none());
        served.stop().await;
    });
}

/// A client gives up a session, sends its append again over a newer one and is told "conflict". Would fail if the copy
/// that the network had kept were written afterwards, when its condition has come true.
#[test]
fn a_late_copy_of_an_append_is_not_written_after_its_retry_lost() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        let served = Served::start(behind.clone()).await;
        let mut bare =
            EventStoreServiceClient::connect(format!("http://{}", served.address)).await.expect("connect");
        let stream = StreamId::new("account-1").expect("a stream");
        let exists = AppendCondition::revision(stream, ExpectedRevision::Exists);
        let append = v1::AppendRequest::from(Append::new([event("deposited")]).when(exists));
        let message = |epoch: Option<u64>, number| v1::AppendSessionRequest {
            number,
            append: Some(append.clone()),
            writer: epoch.map(|epoch| v1::Writer { id: vec![7; 16], epoch }),
        };
        let (old, old_requests) = futures_channel::mpsc::unbounded();
        let mut old_answers = bare.append_session(old_requests).await.expect("a session").into_inner();
        old.unbounded_send(message(Some(1), 1)).expect("open");
        assert_conflict(old_answers.message().await.expect("an answer"));
        let newer = futures_util::stream::iter([message(Some(2), 1)]);
        let mut answers = bare.append_session(newer).await.expect("a session").into_inner();
        assert_conflict(answers.message().await.expect("an answer"));

        behind.append(Append::new([event("opened")])).await.expect("now the condition would hold");
        old.unbounded_send(message(None, 2)).expect("open");
        let superseded = old_answers.message().await.expect_err("a newer session has taken its place");
        assert_eq!(superseded.code(), Code::Unavailable);
        let repeated = futures_util::stream::iter([message(Some(2), 1)]);
        let mut answers = bare.append_session(repeated).await.expect("a session").into_inner();
        assert_eq!(answers.message().await.expect_err("it was there before").code(), Code::Unavailable);
        assert_eq!(behind.head().await.expect("a head").position, factlog_core::Position::new(1));
        served.stop().await;
    });
}

fn assert_conflict(answer: Option<v1::AppendSessionResponse>) {
    use v1::append_session_response::Outcome;
    match answer.expect("one").outcome.expect("an outcome") {
        Outcome::Failure(failure) => assert_eq!(failure.code, "F0004", "{}", failure.message),
        Outcome::Appended(appended) => panic!("{appended:?}"),
    }
}

/// Would fail if streams and types of a remote store differed from those behind the server.
#[test]
fn lists_and_numbers_are_those_of_the_store_behind() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        let served = Served::start(behind.clone()).await;
        let store = served.client("");
        for n in 0..30 {
            let stream = StreamId::new(format!("account-{n:02}")).expect("a stream");
            store.append(Append::new([event("opened").in_stream(stream)])).await.expect("append");
        }
        let after = StreamId::new("account-03").ok();
        let (here, there) =
            (store.streams("account-", after.clone(), 5), behind.streams("account-", after, 5));
        let (here, there) = (here.await.expect("here"), there.await.expect("there"));
        assert_eq!((here.len(), &here), (5, &there));
        assert_eq!(store.types().await.expect("here"), behind.types().await.expect("there"));
        assert_eq!(store.stats().await.expect("here"), behind.stats().await.expect("there"));
        let one = StreamId::new("account-07").expect("a stream");
        assert_eq!(store.stream(one.clone()).await.expect("here"), behind.stream(one).await.expect("there"));
        served.stop().await;
    });
}

/// Would fail if one subscriber that does not read took the memory or the time of the others.
#[test]
fn stalled_subscribers_hold_up_nobody() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let store = served.client("?deadline=20s");
        let stalled: Vec<_> = (0..40).map(|_| store.subscribe(Query::All, StartFrom::Beginning)).collect();
        let large = |_| Event { data: vec![0; 512 << 10].into(), ..event("large") };
        for _ in 0..8 {
            store.append(Append::new((0..2).map(large))).await.expect("nobody holds it up");
        }
        let read = store.read(Query::All, ReadOptions::default()).collect();
        let read = tokio::time::timeout(Duration::from_secs(20), read).await.expect("nobody holds it up");
        assert_eq!(read.expect("all").events.len(), 16);
        for mut subscription in stalled.into_iter().take(3) {
            for position in 1..=16 {
                let event = subscription.next_event().await.expect("open").expect("well");
                assert_eq!(event.position.get(), position);
            }
        }
        served.stop().await;
    });
}
