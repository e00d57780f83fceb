//! What ends by itself: connections whose certificate was verified long ago, and calls whose caller waits no longer.

use std::sync::Arc;
use std::time::Duration;

use factlog_core::{
    Append, Error, ErrorKind, Event, EventStore, EventType, MemoryStore, Position, Query, StartFrom,
};
use factlog_server::{ClientCertificates, Limits, Server};
use tokio::time::{sleep, timeout};

use crate::certificates::Authority;
use crate::gone::Silent;
use crate::served::{Served, runtime};
use crate::web::{Answer, raw};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn numbered(number: u64) -> Append {
    Append::new([Event::new(EventType::new("counted").expect("a type"), number.to_string())])
}

/// Would fail if somebody lost or doubled an event because its connection was told to end, if somebody without a certificate were told
/// so as well, or if a client of an authority that is trusted no more stayed for ever.
#[test]
fn a_certificate_is_shown_anew_and_nothing_is_lost() {
    runtime().block_on(async {
        let (authority, clients, others) = (Authority::new(), Authority::new(), Authority::new());
        let certificate = authority.server();
        let orders = clients.issue(&["orders.example"]);
        let limits = Limits {
            age: Duration::from_millis(250),
            leaving: Duration::from_millis(100),
            reload: Duration::from_millis(20),
            ..Limits::default()
        };
        let identity = (&certificate, ClientCertificates::Optional(clients.file()));
        let store = Arc::new(MemoryStore::new());
        let served =
            Served::secured(store.clone(), &authority, identity, |server| server.limits(limits)).await;
        let (cert, key) = (orders.certificate.display(), orders.key.display());
        let client = served.client(&format!("?cert={cert}&cert-key={key}&deadline=30s"));
        let nameless = served.client("?deadline=30s");
        let mut following = client.subscribe(Query::All, StartFrom::Beginning);
        let mut staying = nameless.subscribe(Query::All, StartFrom::Beginning);
        staying.next().await.expect("open").expect("caught up");

        let mut appended = 0;
        let append_on = async {
            // A subscription resumes only where its connection was cut.
            while client.resumed() < 3 {
                client.append(numbered(appended)).await.expect("whoever shows it again goes on");
                appended += 1;
                let seen = following.next_event().await.expect("open").expect("an event");
                assert_eq!(
                    (seen.position.get(), &*seen.event.data),
                    (appended, (appended - 1).to_string().as_bytes())
                );
            }
        };
        timeout(PATIENCE, append_on).await.expect("connections end");
        let head = store.head().await.expect("a head").position;
        assert_eq!(head.map(Position::get), Some(appended), "each is written once");
        for number in 0..appended {
            let seen = staying.next_event().await.expect("open").expect("an event");
            assert_eq!(seen.event.data, number.to_string());
        }
        assert_eq!(nameless.resumed(), 0, "whoever shows no certificate stays");

        std::fs::copy(others.file(), clients.file()).expect("another authority");
        let refused = async {
            loop {
                match client.append(numbered(0)).await {
                    Ok(_) => sleep(Duration::from_millis(5)).await,
                    // It was under way when its connection was cut: only the next one is known not to be let in.
                    Err(error) if error.failed().map(Error::kind) == Some(ErrorKind::Indeterminate) => {}
                    Err(error) => break error,
                }
            }
        };
        let error = timeout(PATIENCE, refused).await.expect("it is not let in again");
        assert_eq!(error.failed().map(Error::kind), Some(ErrorKind::Denied), "{error}");
        nameless.append(numbered(0)).await.expect("others go on");
        served.stop().await;
    });
}

/// Would fail if a call went on for a caller that waits no longer, if its end had another code than the protocol's, or if an append
/// that may have been written were called "not written".
#[test]
fn a_deadline_ends_a_call_and_says_whether_something_was_written() {
    // An event with an id of sixteen letters and the type "t", which are text in every frame.
    const APPEND: &str = "\0\0\0\0\x17\x0a\x15\x0a\x10aaaaaaaaaaaaaaaa\x12\x01t";
    // A source with the name "s".
    const TRACKING: &str = "\0\0\0\0\x03\x0a\x01s";
    runtime().block_on(async {
        let (store, _silence) = Silent::new();
        let served = Served::start_server(Server::new(store)).await;
        let call = async |method: &str, time: &str, body: &str| -> Answer {
            let head = format!(
                "POST /factlog.v1.EventStoreService/{method} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nte: trailers\r\n\
                 content-type: application/grpc\r\ngrpc-timeout: {time}\r\ncontent-length: {}\r\n\r\n{body}",
                served.address,
                body.len()
            );
            raw(served.address, head.as_bytes()).await
        };
        for (method, body, said) in
            [("GetTracking", TRACKING, "nothing%20was%20written"), ("Append", APPEND, "may%20have%20been%20written")]
        {
            let answer = call(method, "50m", body).await;
            assert_eq!(answer.header("grpc-status"), Some("4"), "{method}: {answer:?}");
            let message = answer.header("grpc-message").expect("a sentence");
            assert!(message.contains(said), "{method}: {message}");
            assert!(answer.header("grpc-status-details-bin").is_some(), "{method}: {answer:?}");
        }
        let answer = call("GetTracking", "50x", TRACKING).await;
        assert_eq!(answer.header("grpc-status"), Some("3"), "{answer:?}");
        let answer = call("GetHead", "50S", "\0\0\0\0\0").await;
        assert_ne!(answer.header("grpc-status"), Some("4"), "there is time: {answer:?}");
        served.stop().await;
    });
}
