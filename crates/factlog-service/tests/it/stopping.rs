//! The server stops while it is called.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use factlog_core::{EventStore as _, Query, ReadOptions};

use crate::bank::Bank;
use crate::http::{Answer, send, try_send};

/// Would fail if a query that waits held up the end, or its caller were left without a reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_waits_ends_with_a_reason() {
    // A request that has only been sent when the server stops is not answered: another is tried then.
    for _ in 0..20 {
        if let Some(refused) = stopped_while_it_waits().await {
            assert_eq!(refused.refused(), (503, "F0006".to_owned()));
            assert_eq!(refused.header("retry-after"), Some("1"));
            return;
        }
    }
    panic!("no query was answered when the server stopped");
}

async fn stopped_while_it_waits() -> Option<Answer> {
    let bank = Bank::start(Duration::ZERO, Duration::from_secs(3_600)).await;
    let at = bank.at;
    let waiting = tokio::spawn(async move {
        try_send(at, "GET /app/bank/balance?account=ada", &["factlog-position: 7".to_owned()], "").await
    });
    // Most likely under way once the server counts two connections: its own, and the one that asks.
    loop {
        let metrics = send(at, "GET /metrics", &[], "").await.body;
        let open = metrics.lines().find(|line| line.starts_with("factlog_connections")).expect("a number");
        if open.ends_with(" 2") {
            break;
        }
    }
    bank.stop().await;
    waiting.await.expect("no panic")
}

/// Would fail if the end of the server lost a command that was answered, or did one twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_before_the_end_is_recorded_once() {
    let bank = Bank::start(Duration::ZERO, Duration::from_secs(30)).await;
    let at = bank.at;
    let done = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let done = done.clone();
            tokio::spawn(async move {
                let mut answered = Vec::new();
                for n in 0.. {
                    let headers = [
                        "content-type: application/json".to_owned(),
                        format!("idempotency-key: {client}-{n}"),
                    ];
                    let body = r#"{"account":"ada","amount":1}"#;
                    match try_send(at, "POST /app/bank/deposit", &headers, body).await {
                        Some(answer) if answer.status == 201 => answered.push(answer.position()),
                        Some(answer) => panic!("{answer:?}"),
                        None => break,
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                answered
            })
        })
        .collect();
    while done.load(Ordering::Relaxed) < 40 {
        tokio::task::yield_now().await;
    }
    let (store, _) = bank.end().await;
    let mut answered = BTreeSet::new();
    let mut answers = 0;
    for client in clients {
        let positions = client.await.expect("no panic");
        answers += positions.len();
        answered.extend(positions);
    }
    assert_eq!(answered.len(), answers, "no two commands are one event");
    let recorded = store.read(Query::All, ReadOptions::default()).collect().await.expect("read").events;
    let recorded: BTreeSet<u64> = recorded.iter().map(|event| event.position.get()).collect();
    assert!(40 <= answers && answered.is_subset(&recorded), "{answered:?} {recorded:?}");
    // What was begun and could not be answered any more is one command a client at most.
    assert!(recorded.len() <= answers + 8, "{} recorded, {answers} answered", recorded.len());
}
