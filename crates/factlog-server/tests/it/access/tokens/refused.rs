//! Tokens that are not good, on both ways in: who shows one learns nothing, and the audit log tells why.

use aws_lc_rs::hmac;
use factlog_core::{ErrorKind, EventStore as _, EventStoreExt as _, StreamId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::provider::{Pair, body, text};
use super::{Login, NOW};
use crate::web::{raw, send};

/// Wrong tokens, each with words of why.
fn wrong(login: &Login, rsa: &Pair, ed: &Pair) -> Vec<(String, &'static str)> {
    let good = || login.claims("ada");
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        ed.token(&claims)
    };
    let without = |name: &str| {
        let mut claims = good();
        claims.as_object_mut().expect("an object").remove(name);
        ed.token(&claims)
    };
    let header = |header: Value| ed.token_with(&header, &good());
    let signed = ed.token(&good());
    let (signed_body, signature) = signed.rsplit_once('.').expect("three parts");
    let none = body(&json!({ "alg": "none", "kid": "d" }), &good());
    let confused = body(&json!({ "alg": "HS256", "kid": "r", "typ": "JWT" }), &good());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &rsa.public_bytes());
    let confused = format!("{confused}.{}", text(hmac::sign(&key, confused.as_bytes()).as_ref()));
    let other = body(&json!({ "alg": "EdDSA", "kid": "d", "typ": "JWT" }), &login.claims("eve"));
    let embedded = Pair::ed("d");
    let embedding = json!({ "alg": "EdDSA", "kid": "d", "jwk": embedded.public() });
    vec![
        (format!("{none}."), "malformed"),
        (format!("{none}.{signature}"), "malformed"),
        (confused, "algorithm of the token is not allowed"),
        (Pair::ed("d").token(&good()), "not signed by the key"),
        (Pair::rsa("r").token(&good()), "not signed by the key"),
        (embedded.token_with(&embedding, &good()), "not signed by the key"),
        (format!("{other}.{signature}"), "not signed by the key"),
        (format!("{signed_body}."), "not signed by the key"),
        (rsa.token_with(&json!({ "alg": "RS256", "kid": "d" }), &good()), "for another algorithm"),
        (ed.token_with(&json!({ "alg": "EdDSA", "kid": "r" }), &good()), "for another algorithm"),
        (
            rsa.token_with(&json!({ "alg": "PS256", "kid": "r" }), &good()),
            "algorithm of the token is not allowed",
        ),
        (header(json!({ "alg": "EdDSA", "kid": "unknown" })), "no key of the id"),
        (header(json!({ "alg": "EdDSA" })), "names no key"),
        (header(json!({ "alg": "EdDSA", "kid": "d", "crit": ["exp"] })), "critical header"),
        (header(json!({ "alg": "EdDSA", "kid": "d", "typ": "logout+jwt" })), "another purpose"),
        (with("iss", json!("https://login.example")), "another issuer"),
        (with("aud", json!("billing")), "another audience"),
        (with("aud", json!(["billing", "mail"])), "another audience"),
        (with("exp", json!(NOW - 60)), "has expired"),
        (with("exp", json!(NOW + 25 * 3600)), "longer than is allowed"),
        (with("nbf", json!(NOW + 61)), "not good yet"),
        (with("iat", json!(NOW + 61)), "in the future"),
        (with("sub", json!(["ada"])), "no text"),
        (with("sub", json!("a da")), "no name of a principal"),
        (with("more", json!("x".repeat(9000))), "too long"),
        (without("exp"), "no end"),
        (without("iss"), "another issuer"),
        (without("aud"), "another audience"),
        (without("sub"), "missing"),
        ("a.b.c".to_owned(), "malformed"),
        ("...".to_owned(), "malformed"),
        (format!("{signed}.{signature}"), "malformed"),
    ]
}

/// Would fail if one of them were taken, if its answer told an attacker how far it came, or if the audit log did not tell
/// the operator why, or told a token.
#[tokio::test]
async fn a_token_that_is_not_good_is_refused_on_both_ways() {
    let (rsa, ed) = (Pair::rsa("r"), Pair::ed("d"));
    let login = Login::start(&[&rsa, &ed]).await;
    login.grant("jwt:ada", &["read,append", "admin"]).await;
    login.served.client_with(&ed.token(&login.claims("ada"))).head().await.expect("this one is good");
    let mut told = Vec::new();
    let wrong = wrong(&login, &rsa, &ed);
    for (token, why) in &wrong {
        let error = login.served.client_with(token).head().await.expect_err(why);
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{why}: {error}");
        let shown = format!("authorization: Bearer {token}");
        let answer = send(login.served.address, "GET /v1/events", &[&shown], "").await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{why}");
        told.push(answer.json()["detail"].to_string());
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    let shown = format!("authorization: Bearer {}", ed.token(&login.claims("ada")));
    let numbers = send(login.served.address, "GET /metrics", &[&shown], "").await.body;
    let counted = format!("factlog_auth_failures_total{{reason=\"bad_token\"}} {}", 2 * wrong.len());
    assert!(numbers.contains(&counted), "{counted} is not in {numbers}");
    assert_eq!(login.provider.asked(), 1, "the unknown key was asked for within a minute");
    login.served.stop().await;
    let audit = StreamId::new("$server-audit").expect("a stream");
    let read = login.store.read_stream(audit).await.expect("read");
    let facts: Vec<_> =
        read.events.iter().map(|event| String::from_utf8_lossy(&event.event.data).into_owned()).collect();
    let facts = facts.join("\n");
    for (token, why) in &wrong {
        assert!(facts.contains(why), "{why} is not in {facts}");
        let secret = token.split('.').nth(1).filter(|claims| 8 < claims.len());
        assert!(secret.is_none_or(|secret| !facts.contains(secret)), "a token is stored");
    }
}

/// Would fail if a token were taken where the operator has named no issuer, or for a key because of its form.
#[tokio::test]
async fn tokens_are_taken_only_where_an_issuer_is_named() {
    let kept = crate::access::Kept::start().await;
    let claims = json!({ "iss": "https://a.example", "aud": "factlog", "sub": "ada", "exp": NOW * 2 });
    let error = kept.served.client_with(&Pair::ed("d").token(&claims)).head().await.expect_err("a token");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    kept.served.stop().await;
}

/// Would fail if any bytes in the place of a token were taken, or brought the server down.
#[test]
fn no_bytes_are_taken_for_a_token() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let pair = Pair::ed("d");
    let login = runtime.block_on(Login::start(&[&pair]));
    runtime.block_on(login.grant("jwt:ada", &["read"]));
    let good = pair.token(&login.claims("ada"));
    let asked = |token: &[u8]| {
        let head =
            format!("GET /v1/events HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", login.served.address);
        let request = [head.as_bytes(), b"authorization: Bearer ", token, b"\r\n\r\n"].concat();
        runtime.block_on(raw(login.served.address, &request)).status
    };
    assert_eq!(asked(good.as_bytes()), 200);
    // A line break begins another header, and is another test.
    let bytes = || {
        proptest::collection::vec(
            any::<u8>().prop_filter("one line", |byte| !b"\r\n\0".contains(byte)),
            0..200,
        )
    };
    let json = || {
        let names = "(\"(alg|kid|typ|crit|iss|aud|sub|exp|jwk|x)\":(\"(none|EdDSA|HS256|d|JWT|)\"|[0-9]{1,20}|null|\\[\\]|\\{\\}),?){0,6}";
        names.prop_map(|members| {
            text(format!("{{{}}}", members.trim_end_matches(',')).as_bytes()).into_bytes()
        })
    };
    let parts = (json(), json(), bytes()).prop_map(|(header, claims, signature)| {
        [&header[..], b".", &claims, b".", text(&signature).as_bytes()].concat()
    });
    let changed = (0..good.len(), any::<u8>()).prop_map({
        let good = good.clone().into_bytes();
        move |(at, byte)| {
            let mut token = good.clone();
            token[at] = b'!' + byte % 94;
            token
        }
    });
    let cut = (0..good.len()).prop_map({
        let good = good.clone().into_bytes();
        move |at| good[..at].to_vec()
    });
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let any_token = prop_oneof![bytes(), parts, changed, cut];
    runner
        .run(&any_token, |token| {
            prop_assume!(token != good.as_bytes());
            let status = asked(&token);
            prop_assert!([400, 401].contains(&status), "{status}: {}", String::from_utf8_lossy(&token));
            Ok(())
        })
        .expect("none is taken");
    assert_eq!(asked(good.as_bytes()), 200, "it is well");
    runtime.block_on(login.served.stop());
}
