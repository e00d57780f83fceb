//! Queries: they see what their callers have done, or say how far they are.

use std::time::Duration;

use serde_json::json;

use crate::bank::Bank;
use crate::http::send;

const WAIT: Duration = Duration::from_secs(30);

/// Would fail if a query could be answered from before the command whose position it brings along.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_sees_what_the_command_before_it_did() {
    let bank = Bank::start(Duration::from_millis(3), WAIT).await;
    for n in 1..=100 {
        let done = bank.post("deposit", &[], r#"{"account":"ada","amount":1}"#).await;
        assert_eq!((done.status, done.position()), (201, n), "{done:?}");
        let token = format!("factlog-position: {n}");
        let seen = bank.get("balance?account=ada", &[&token]).await;
        assert_eq!(seen.status, 200, "{seen:?}");
        assert_eq!(seen.json(), json!({ "account": "ada", "balance": n }));
        assert!(n <= seen.position());
    }
    bank.stop().await;
}

/// Would fail if a query waited for ever, did not wait at all, or did not say what it waited for.
#[tokio::test]
async fn a_query_that_waits_in_vain_says_how_far_it_is() {
    let bank = Bank::start(Duration::ZERO, Duration::from_millis(50)).await;
    let empty = bank.get("live?account=ada", &[]).await;
    assert_eq!((empty.status, empty.position(), empty.body.as_str()), (200, 0, "0"));
    let echoed = bank.get("live?account=ada", &["factlog-position: 0"]).await;
    assert_eq!(echoed.status, 200, "what an empty log tells may be sent back");
    bank.post("deposit", &[], r#"{"account":"ada","amount":1}"#).await;
    // However slow the machine is, this one is there in the end.
    while bank.get("balance?account=ada", &["factlog-position: 1"]).await.status != 200 {}
    for (call, beyond) in
        [("balance?account=ada", 2_u64), ("live?account=ada", 2), ("balance?account=ada", u64::MAX)]
    {
        let refused = bank.get(call, &[&format!("factlog-position: {beyond}")]).await;
        assert_eq!(refused.refused(), (503, "F0006".to_owned()));
        assert_eq!(refused.header("retry-after"), Some("1"));
        let problem = refused.json();
        assert_eq!((&problem["applied"], &problem["wanted"]), (&json!(1), &json!(beyond)), "{problem}");
    }
    for wrong in ["factlog-position: x", "factlog-position: -1", "factlog-position: 1\r\nfactlog-position: 1"]
    {
        let refused = bank.get("balance?account=ada", &[wrong]).await;
        assert_eq!(refused.refused(), (400, "F0009".to_owned()), "{wrong}");
        assert_eq!(refused.json()["header"], "Factlog-Position");
    }
    bank.stop().await;
}

/// Would fail if a paused or stopped read model answered as if it were of now.
#[tokio::test]
async fn a_read_model_that_stands_still_is_told() {
    let bank = Bank::start(Duration::ZERO, Duration::from_millis(50)).await;
    bank.balances.operations().pause().await.expect("pause");
    bank.post("deposit", &[], r#"{"account":"ada","amount":1}"#).await;
    assert_eq!(bank.get("balance?account=ada", &["factlog-position: 1"]).await.status, 503);
    let health = send(bank.at, "GET /health/projections", &[], "").await;
    assert_eq!((health.status, &health.json()["projections"][0]["state"]), (200, &json!("paused")));
    bank.balances.stop().await.expect("stop");
    let stopped = bank.get("balance?account=ada", &[]).await;
    assert_eq!(stopped.refused(), (503, "F0006".to_owned()));
    assert!(stopped.json()["detail"].as_str().is_some_and(|told| told.contains("was stopped")));
    assert_eq!(send(bank.at, "GET /health/projections", &[], "").await.status, 503);
    bank.stop().await;
}

/// Would fail if a parameter were passed over, or what is the same were sent again to whoever has it.
#[tokio::test]
async fn parameters_are_all_known_and_answers_are_compared() {
    let bank = Bank::start(Duration::ZERO, WAIT).await;
    for (call, told) in [
        ("balance", "missing field `account`"),
        ("balance?account=a&bogus=1", "no field `bogus`"),
        ("balance?account=a&account=b", "duplicate field"),
    ] {
        let refused = bank.get(call, &[]).await;
        assert_eq!(refused.refused(), (400, "F0009".to_owned()), "{call}");
        assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{refused:?}");
    }
    bank.post("deposit", &[], r#"{"account":"Ada L","amount":1}"#).await;
    let call = "balance?account=Ada%20L";
    let first = bank.get(call, &["factlog-position: 1"]).await;
    let tag = format!("if-none-match: {}", first.header("etag").expect("a tag"));
    let same = bank.get(call, &[&tag]).await;
    assert_eq!((same.status, same.body.as_str(), same.header("etag")), (304, "", first.header("etag")));
    let next = bank.post("deposit", &[], r#"{"account":"Ada L","amount":1}"#).await.position();
    let changed = bank.get(call, &[&tag, &format!("factlog-position: {next}")]).await;
    assert_eq!((changed.status, &changed.json()["balance"]), (200, &json!(2)));
    assert_eq!(bank.get("balance?account=nobody", &[]).await.refused(), (404, "F0009".to_owned()));
    let head = send(bank.at, &format!("HEAD /app/bank/{call}"), &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let metrics = send(bank.at, "GET /metrics", &[], "").await.body;
    assert!(metrics.contains("GET /app/{service}/{name}"), "{metrics}");
    bank.stop().await;
}
