//! Commands: done once, refused in words, recorded with who asked.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bank::Bank;
use crate::http::send;

const WAIT: Duration = Duration::from_secs(20);

/// Would fail if a command were recorded twice that is sent again because its answer was lost.
#[tokio::test]
async fn under_a_key_a_command_happens_once() {
    let bank = Bank::start(Duration::ZERO, WAIT).await;
    let key = ["idempotency-key: salary-may"];
    let deposit = r#"{"account":"ada","amount":10}"#;
    let first = bank.post("deposit", &key, deposit).await;
    assert_eq!((first.status, first.position()), (201, 1), "{first:?}");
    assert_eq!(first.json(), json!({ "position": 1, "first": 1, "last": 1, "deduplicated": false }));
    bank.post("deposit", &[], deposit).await;
    let again = bank.post("deposit", &key, deposit).await;
    assert_eq!((again.status, again.position()), (200, 1), "{again:?}");
    assert_eq!(again.json(), json!({ "position": 1, "first": 1, "last": 1, "deduplicated": true }));
    // The same key of another command is another key.
    let other = bank.post("withdraw", &key, r#"{"account":"ada","amount":1}"#).await;
    assert_eq!((other.status, other.position()), (201, 3), "{other:?}");
    assert_eq!(bank.recorded().await.len(), 3);
    bank.stop().await;
}

/// Would fail if a rule of the program looked like a mistake of the caller's, or left a trace.
#[tokio::test]
async fn a_rule_refuses_in_its_own_words() {
    let bank = Bank::start(Duration::ZERO, WAIT).await;
    bank.post("deposit", &[], r#"{"account":"ada","amount":10}"#).await;
    let refused = bank.post("withdraw", &[], r#"{"account":"ada","amount":11}"#).await;
    assert_eq!(refused.refused(), (422, "F0015".to_owned()));
    let problem = refused.json();
    assert_eq!(
        (&problem["detail"], &problem["rule"]),
        (&json!("there are only 10 left"), &json!("too-little"))
    );
    assert_eq!((&problem["reason"], &problem["outcome"]), (&json!("REJECTED"), &json!("definite")));
    assert_eq!(bank.recorded().await.len(), 1);
    let nothing = bank.post("deposit", &[], r#"{"account":"ada","amount":0}"#).await;
    assert_eq!((nothing.status, nothing.position()), (200, 1), "nothing to do is no refusal");
    assert_eq!(nothing.json()["last"], Value::Null);
    assert_eq!(bank.recorded().await.len(), 1);
    bank.stop().await;
}

/// Would fail if a mistyped field were passed over in silence, or a wrong one not named.
#[tokio::test]
async fn what_is_wrong_with_a_command_is_told_by_its_path() {
    let bank = Bank::start(Duration::ZERO, WAIT).await;
    for (body, field, told) in [
        (r#"{"account":"ada","amount":"ten"}"#, json!("amount"), "invalid type: string"),
        (r#"{"account":"ada","amount":-1}"#, json!("amount"), "invalid value"),
        (r#"{"account":"ada","amount":1,"ammount":2}"#, json!("ammount"), "no field `ammount`"),
        (r#"{"account":"ada","amount":1,"note":{"lines":["a",7]}}"#, json!("note.lines[1]"), "invalid type"),
        (r#"{"account":"ada","amount":1,"note":{"lines":[],"x":1}}"#, json!("note.?.x"), "no field"),
        (r#"{"amount":1}"#, Value::Null, "missing field `account`"),
        (r#"{"account":"ada","amount":1,"amount":2}"#, Value::Null, "duplicate field `amount`"),
        (r#"{"account":"ada","amount":1} x"#, Value::Null, "trailing characters"),
        (r#"{"account":"ada","#, Value::Null, "EOF while parsing"),
        ("7", Value::Null, "invalid type: integer"),
        ("", Value::Null, "EOF while parsing"),
    ] {
        let refused = bank.post("deposit", &[], body).await;
        assert_eq!(refused.refused(), (400, "F0009".to_owned()), "{body}: {refused:?}");
        let problem = refused.json();
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{body}: {problem}");
        assert_eq!(problem["field"], field, "{body}: {problem}");
    }
    assert!(bank.recorded().await.is_empty());
    bank.stop().await;
}

/// Would fail if a page of a web site could send a command unasked, or a caller fill the memory.
#[tokio::test]
async fn a_command_is_json_of_a_bounded_size_and_a_post() {
    let bank = Bank::start(Duration::ZERO, WAIT).await;
    let body = r#"{"account":"ada","amount":1}"#;
    let line = "POST /app/bank/deposit";
    for (headers, status) in [
        (vec![], 415),
        (vec!["content-type: text/plain".to_owned()], 415),
        (vec!["content-type: application/x-ndjson".to_owned()], 415),
        (vec!["content-type: application/json".to_owned(), "idempotency-key:".to_owned()], 400),
    ] {
        assert_eq!(send(bank.at, line, &headers, body).await.status, status, "{headers:?}");
    }
    let large = ["content-length: 16777217"];
    assert_eq!(bank.post("deposit", &large, "{").await.status, 413);
    for (line, status) in [
        ("GET /app/bank/deposit", 405),
        ("POST /app/bank/balance", 405),
        ("DELETE /app/bank/deposit", 405),
        ("POST /app/bank/close", 404),
        ("POST /app/shop/deposit", 404),
        ("GET /app/bank", 404),
        ("POST /app/bank/deposit?account=ada", 400),
    ] {
        let answer = send(bank.at, line, &["content-type: application/json".to_owned()], body).await;
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        answer.refused();
    }
    assert!(bank.recorded().await.is_empty());
    bank.stop().await;
}

/// Would fail if nobody could tell from the log who asked for what happened, and in which trace.
#[tokio::test]
async fn events_say_who_called_and_in_which_trace() {
    let bank = Bank::with_keys().await;
    let ada = bank.key("ada", &["call app:bank"]).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = format!("traceparent: {parent}");
    let body = r#"{"account":"ada","amount":5}"#;
    assert_eq!(bank.post("deposit", &[&ada, &traced], body).await.status, 201);
    assert_eq!(bank.post("deposit", &[&ada, "traceparent: nonsense"], body).await.status, 201);
    // Whose account it is follows from the key, where nothing else is said.
    assert_eq!(bank.post("withdraw", &[&ada], r#"{"amount":10}"#).await.status, 201);
    let metadata = |event: &factlog_core::RecordedEvent| {
        serde_json::from_slice::<Value>(&event.event.metadata).expect("JSON")
    };
    let told: Vec<Value> = bank.recorded().await.iter().map(metadata).collect();
    let plain = json!({ "principal": "ada" });
    assert_eq!(told, [json!({ "principal": "ada", "traceparent": parent }), plain.clone(), plain]);
    bank.stop().await;
}
