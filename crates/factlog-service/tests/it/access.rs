//! Who may call what.

use factlog_core::{EventStore as _, Query, ReadOptions};
use serde_json::json;

use crate::bank::Bank;
use crate::http::send;

const WITHDRAW: &str = r#"{"account":"ada","amount":1}"#;

/// Would fail if a call were answered to somebody unknown, or to somebody whose grants do not name it.
#[tokio::test]
async fn nothing_is_called_without_a_grant_that_names_it() {
    let bank = Bank::with_keys().await;
    let teller = bank.key("teller", &["call app:bank"]).await;
    assert_eq!(bank.post("deposit", &[&teller], r#"{"account":"ada","amount":9}"#).await.status, 201);
    for headers in [vec![], vec!["authorization: Bearer factlog_0_0"]] {
        let (command, query) = (
            bank.post("withdraw", &headers, WITHDRAW).await,
            bank.get("balance?account=ada", &headers).await,
        );
        for refused in [command, query] {
            assert_eq!(refused.refused(), (401, "F0014".to_owned()));
            assert!(!refused.body.contains("balance"), "{refused:?}");
        }
        let headers: Vec<String> = headers.iter().map(ToString::to_string).collect();
        assert_eq!(send(bank.at, "GET /app", &headers, "").await.status, 401);
    }
    let others: [&[&str]; 5] = [
        &[],
        &["read,append", "admin"],
        &["call app:bank2"],
        &["call app:shop"],
        &["call app:bank/balances"],
    ];
    for (n, grants) in others.into_iter().enumerate() {
        let key = bank.key(&format!("other-{n}"), grants).await;
        assert_eq!(
            bank.post("withdraw", &[&key], WITHDRAW).await.refused(),
            (403, "F0005".to_owned()),
            "{grants:?}"
        );
        assert_eq!(bank.get("balance?account=ada", &[&key]).await.refused().0, 403, "{grants:?}");
        // What nobody offers cannot be told from what one may not call.
        assert_eq!(bank.post("nothing", &[&key], "{}").await.refused().0, 403);
        assert_eq!(send(bank.at, "GET /app", &[key], "").await.json(), json!({ "services": [] }));
    }
    assert_eq!(bank.recorded().await.len(), 1);
    assert_eq!(bank.post("nothing", &[&teller], "{}").await.refused().0, 404);
    let (store, _) = bank.end().await;
    let audit = store.read(Query::All, ReadOptions::default()).collect().await.expect("read").events;
    let denied =
        |event: &&factlog_core::RecordedEvent| event.event.event_type.as_str() == "$server.access-denied";
    let denied: Vec<String> = audit
        .iter()
        .filter(denied)
        .map(|event| String::from_utf8_lossy(&event.event.data).into_owned())
        .collect();
    assert!(
        denied.iter().any(|told| told.contains("call bank/withdraw") && told.contains("other-0")),
        "{denied:?}"
    );
}

/// Would fail if whoever may call a command could write or read past its rule.
#[tokio::test]
async fn a_caller_cannot_go_past_the_rule() {
    let bank = Bank::with_keys().await;
    let ada = bank.key("ada", &["call app:bank/withdraw", "call app:bank/balance"]).await;
    assert_eq!(bank.post("withdraw", &[&ada], WITHDRAW).await.refused().0, 422, "the rule is asked");
    assert_eq!(bank.post("deposit", &[&ada], WITHDRAW).await.refused().0, 403);
    let event = r#"{"type":"money.deposited","tags":["account:ada"],"data":{"account":"ada","amount":1000}}"#;
    let headers = [ada.clone(), "content-type: application/json".to_owned()];
    for path in ["/v1/events", "/v1/streams/bank/events", "/v1/streams/$app-bank/events"] {
        assert_eq!(send(bank.at, &format!("POST {path}"), &headers, event).await.status, 403, "{path}");
    }
    let page = send(bank.at, "GET /v1/events", &headers, "").await.json();
    assert_eq!(page["events"], json!([]));
    let listed = send(bank.at, "GET /app", &headers, "").await.json();
    assert_eq!(
        listed["services"][0]["calls"],
        json!([
            { "name": "withdraw", "method": "POST", "path": "/app/bank/withdraw" },
            { "name": "balance", "method": "GET", "path": "/app/bank/balance" },
        ])
    );
    bank.stop().await;
}

/// Would fail if one principal's key could answer, or stop, the command of another.
#[tokio::test]
async fn idempotency_keys_are_the_principals_own() {
    let bank = Bank::with_keys().await;
    let deposit = r#"{"account":"shared","amount":1}"#;
    for (n, name) in ["ada", "bob"].into_iter().enumerate() {
        let key = bank.key(name, &["call app:bank/deposit"]).await;
        let headers = [key.as_str(), "idempotency-key: 1"];
        assert_eq!(bank.post("deposit", &headers, deposit).await.status, 201, "{name}");
        assert_eq!(bank.post("deposit", &headers, deposit).await.status, 200, "{name}");
        assert_eq!(bank.recorded().await.len(), n + 1);
    }
    bank.stop().await;
}
