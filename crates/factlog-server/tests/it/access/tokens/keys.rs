//! The keys of an issuer: rotated, asked for too often, not to be had.

use std::time::Duration;

use factlog_core::{ErrorKind, EventStore as _};
use serde_json::json;

use super::provider::{Mood, Pair, Provider};
use super::{Login, NOW, later, public, second};
use crate::web::send;

/// Would fail if a key that the issuer has just made were not known until much later, or if whoever makes up ids of keys
/// could have the issuer asked as often as they like.
#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_shown_and_once_a_minute_at_most() {
    let (old, new) = (Pair::ed("old"), Pair::ec("new"));
    let login = Login::start(&[&old]).await;
    login.grant("jwt:ada", &["read"]).await;
    let client = |pair: &Pair| login.served.client_with(&pair.token(&login.claims("ada")));
    client(&old).head().await.expect("it is known");
    login.provider.publishes(&public(&[&new]));
    let unknown = old.token_with(&json!({ "alg": "EdDSA", "kid": "made up" }), &login.claims("ada"));
    let unknown = login.served.client_with(&unknown);
    for _ in 0..20 {
        unknown.head().await.expect_err("there is no such key");
        client(&new).head().await.expect_err("it was fetched a moment ago");
    }
    assert_eq!(login.provider.asked(), 1);
    // Somebody has asked in vain meanwhile, so that it is fetched as soon as it may be.
    later(Duration::from_secs(61)).await;
    client(&new).head().await.expect("it was fetched");
    assert_eq!(client(&old).head().await.expect_err("it is gone").kind(), ErrorKind::Unauthenticated);
    for _ in 0..20 {
        unknown.head().await.expect_err("there is no such key");
    }
    assert_eq!(login.provider.asked(), 2);
    // Nobody has to ask for it.
    login.provider.publishes(&public(&[&old, &new]));
    later(Duration::from_secs(61)).await;
    later(Duration::from_secs(301)).await;
    while login.provider.asked() < 3 {
        later(Duration::from_secs(1)).await;
    }
    client(&old).head().await.expect("it is back");
    login.served.stop().await;
}

/// Would fail if a provider that is down kept the server from starting, or its keys from being used, or were never asked again.
#[tokio::test]
async fn a_provider_that_is_down_is_told_and_asked_again() {
    let pair = Pair::ed("d");
    let provider = Provider::start(&public(&[&pair])).await;
    provider.is(Mood::Down);
    let login = Login::with(provider, |_| {}).await;
    login.grant("jwt:ada", &["read"]).await;
    let told = login.trouble("every token is refused").await;
    assert!(told.contains("openid-configuration: it answers 503"), "{told}");
    let ada = || {
        let mut claims = login.claims("ada");
        claims["exp"] = json!(NOW + 40 * 3600);
        claims["iat"] = json!(NOW + 30 * 3600);
        login.served.client_with(&pair.token(&claims))
    };
    login.clock.set(second(NOW + 30 * 3600));
    assert_eq!(ada().head().await.expect_err("no keys").kind(), ErrorKind::Unauthenticated);
    login.served.client_with(&login.first).head().await.expect("a key is as good as ever");
    login.provider.is(Mood::Fine);
    later(Duration::from_secs(11)).await;
    ada().head().await.expect("it is there");
    login.provider.is(Mood::Down);
    login.clock.set(second(NOW + 39 * 3600));
    later(Duration::from_secs(61)).await;
    later(Duration::from_secs(301)).await;
    login.trouble("are used for 24 h").await;
    ada().head().await.expect("its keys are known");
    login.clock.set(second(NOW + 54 * 3600 + 1));
    let mut claims = login.claims("ada");
    claims["iat"] = json!(NOW + 54 * 3600);
    claims["exp"] = json!(NOW + 55 * 3600);
    let late = login.served.client_with(&pair.token(&claims)).head().await.expect_err("they are too old");
    assert_eq!(late.kind(), ErrorKind::Unauthenticated, "{late}");
    assert_eq!(login.trouble.lock().len(), 2, "each outage is told once");
    let shown = format!("authorization: Bearer {}", login.first);
    let numbers = send(login.served.address, "GET /metrics", &[&shown], "").await.body;
    assert!(numbers.contains("factlog_token_key_fetches_total{result=\"fetched\"} 1"), "{numbers}");
    assert!(numbers.contains("factlog_token_key_fetches_total{result=\"failed\"} "), "{numbers}");
    login.served.stop().await;
}

/// Would fail if an answer without an end, or none, or one of somebody else, hung the server, filled its memory, or were used.
#[tokio::test]
async fn a_provider_that_does_not_answer_as_it_should_is_told() {
    let pair = Pair::ed("d");
    for (mood, words) in [
        (Mood::Silent, "no whole answer within 5 s"),
        (Mood::Endless, "has more than 262144 bytes"),
        (Mood::Elsewhere, "it answers 302"),
        (Mood::Garbage, "it is no set of keys"),
        (Mood::OfAnother, "it says that it is \"https://login.example\""),
    ] {
        let provider = Provider::start(&public(&[&pair])).await;
        provider.is(mood);
        let login = Login::with(provider, |_| {}).await;
        login.grant("jwt:ada", &["read"]).await;
        login.trouble(words).await;
        let ada = login.served.client_with(&pair.token(&login.claims("ada")));
        assert_eq!(ada.head().await.expect_err("no keys").kind(), ErrorKind::Unauthenticated);
        login.served.client_with(&login.first).head().await.expect("a key is as good as ever");
        login.served.stop().await;
    }
}
