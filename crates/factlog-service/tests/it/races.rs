//! Many clients at once.

use serde_json::json;
use std::time::Duration;

use crate::bank::{Bank, post};

/// Would fail if a lost race lost money, made some, or were the caller's to repeat. 16 clients take 1 each, 200 times in all, from
/// an account of 100.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_clients_take_all_there_is_and_no_more() {
    let bank = Bank::start(Duration::ZERO, Duration::from_secs(30)).await;
    let funded = bank.post("deposit", &[], r#"{"account":"ada","amount":100}"#).await;
    assert_eq!(funded.status, 201);
    let at = bank.at;
    let clients: Vec<_> = (0..16)
        .map(|client| {
            tokio::spawn(async move {
                let mut taken = Vec::new();
                // A lost race is tried again by the server, 16 times; that is more than there are others.
                for n in 0..if client < 8 { 13 } else { 12 } {
                    let key = format!("idempotency-key: {client}-{n}");
                    let answer = post(at, "withdraw", &[&key], r#"{"account":"ada","amount":1}"#).await;
                    match answer.status {
                        201 => taken.push(answer.position()),
                        422 => assert_eq!(answer.json()["detail"], "there are only 0 left"),
                        other => panic!("{other}: {answer:?}"),
                    }
                }
                taken
            })
        })
        .collect();
    let mut taken = Vec::new();
    for client in clients {
        taken.extend(client.await.expect("no panic"));
    }
    taken.sort_unstable();
    assert_eq!(taken, (2..=101).collect::<Vec<u64>>(), "each has a position of its own");
    let seen = bank.get("balance?account=ada", &["factlog-position: 101"]).await;
    assert_eq!(seen.json(), json!({ "account": "ada", "balance": 0 }));
    assert_eq!(bank.recorded().await.len(), 101);
    bank.stop().await;
}
