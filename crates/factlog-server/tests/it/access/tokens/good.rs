//! Tokens that are good: what they allow, and when they end.

use std::time::Duration;

use factlog_core::access::AccessControl as _;
use factlog_core::{Delivery, ErrorKind, EventStore as _, EventStoreExt as _, Query, StartFrom};
use factlog_server::{TokenKeys, TokenSettings};
use serde_json::json;

use super::provider::{Pair, Provider};
use super::{Login, NOW, later, public, second};
use crate::access::event;
use crate::certificates::Authority;
use crate::web::{Follower, post, send};

/// Would fail if a token let in more than the principal it speaks of, or a kind of key could not be used.
#[tokio::test]
async fn a_token_is_a_principal_with_grants_of_its_own() {
    let pairs = [Pair::rsa("r"), Pair::ec("e"), Pair::ed("d")];
    let login = Login::start(&pairs.each_ref()).await;
    login.grant("jwt:ada", &["read,append stream:orders-"]).await;
    for pair in &pairs {
        let token = pair.token(&login.claims("ada"));
        let ada = login.served.client_with(&token);
        let whoami = ada.whoami().await.unwrap_or_else(|error| panic!("{}: {error}", pair.algorithm()));
        assert_eq!(whoami.name.as_str(), "jwt:ada");
        ada.append_one(event(Some("orders-1"), &[], "placed")).await.expect("it may");
        let denied = ada.append_one(event(Some("payments-1"), &[], "paid")).await.expect_err("no grant");
        assert_eq!(denied.failed().map(factlog_core::Error::kind), Some(ErrorKind::Denied), "{denied}");
        let shown = format!("authorization: bearer {token}");
        for (stream, status) in [("orders-1", 201), ("payments-1", 403)] {
            let path = format!("/v1/streams/{stream}/events");
            let answer = post(login.served.address, &path, &[&shown], r#"{"type":"placed","data":{}}"#).await;
            assert_eq!(answer.status, status, "{}", answer.body);
        }
    }
    let eve = login.served.client_with(&pairs[1].token(&login.claims("eve")));
    let unknown = eve.head().await.expect_err("there is no such principal");
    assert_eq!(unknown.kind(), ErrorKind::Unauthenticated);
    assert!(unknown.to_string().contains("there is no principal jwt:eve"), "{unknown}");
    login.grant("jwt:ada", &[]).await;
    let ada = login.served.client_with(&pairs[2].token(&login.claims("ada")));
    ada.append_one(event(Some("orders-1"), &[], "placed")).await.expect_err("its grants are gone");
    login.served.stop().await;
}

/// Would fail if the grants of a role were not given, were given to others, or stayed with who lost the role.
#[tokio::test]
async fn a_role_gives_its_grants_to_those_who_have_it() {
    let pair = Pair::ed("d");
    let login = Login::start(&[&pair]).await;
    login.grant("jwt:ada", &["append stream:a-"]).await;
    login.grant("role:b-writers", &["append stream:b-"]).await;
    let client = |sub: &str, roles: &[&str]| {
        let mut claims = login.claims(sub);
        claims["roles"] = json!(roles);
        login.served.client_with(&pair.token(&claims))
    };
    for (sub, roles, allowed) in [
        ("ada", &[][..], &["a-1"][..]),
        ("ada", &["b-writers", "unknown"], &["a-1", "b-1"]),
        ("bob", &["b-writers"], &["b-1"]),
        ("bob", &["unknown"], &[]),
        ("b-writers", &[], &[]),
    ] {
        let client = client(sub, roles);
        for stream in ["a-1", "b-1"] {
            let appended = client.append_one(event(Some(stream), &[], "placed")).await;
            assert_eq!(appended.is_ok(), allowed.contains(&stream), "{sub} {roles:?} {stream}: {appended:?}");
        }
    }
    login.served.stop().await;
}

/// Would fail if a key could be made for the principal of a token, so that one is taken for the other.
#[tokio::test]
async fn nobody_has_a_key_to_a_name_that_a_token_shows() {
    let login = Login::start(&[&Pair::ed("d")]).await;
    login.grant("jwt:ada", &["read"]).await;
    for (name, grants) in
        [("jwt:ada", None), ("jwt:eve", Some("read")), ("role:a", Some("read")), ("cert:a", Some("read"))]
    {
        let new = factlog_core::access::NewKey {
            principal: name.parse().expect("a name"),
            grants: grants.map(|text| factlog_core::access::Grants::parse([text]).expect("grants")),
            expires_at: None,
        };
        let refused = login.access.clone().as_owner().create_key(new).await.expect_err(name);
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }
    login.served.stop().await;
}

/// Would fail if what was opened with a token went on after its end.
#[tokio::test]
async fn open_streams_end_with_the_token() {
    let pair = Pair::ed("d");
    let login = Login::start(&[&pair]).await;
    login.grant("jwt:ada", &["read,append"]).await;
    let token = pair.token(&login.claims("ada"));
    let ada = login.served.client_with(&token);
    let mut following = ada.subscribe(Query::All, StartFrom::Beginning);
    while !matches!(following.next().await, Some(Ok(Delivery::CaughtUp(_)))) {}
    let shown = format!("authorization: Bearer {token}");
    let mut follower = Follower::start(login.served.address, "/v1/subscribe?from=end", &[&shown]).await;
    ada.append_one(event(Some("a-1"), &[], "placed")).await.expect("it may");
    assert!(following.next_event().await.expect("it is open").is_ok());
    while follower.next().await.expect("it is open").id.is_none() {}
    // Clocks may be a minute apart.
    login.clock.set(second(NOW + 600 + 59));
    ada.append_one(event(Some("a-1"), &[], "placed")).await.expect("it is good for a moment more");
    login.clock.set(second(NOW + 600 + 60));
    later(Duration::from_secs(61)).await;
    let ended = loop {
        match following.next_event().await.expect("a reason") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(ended.kind(), ErrorKind::Unauthenticated, "{ended}");
    assert!(ended.to_string().contains("token of jwt:ada is expired"), "{ended}");
    let last = loop {
        let message = follower.next().await.expect("a reason");
        if message.event == "end" {
            break message.data;
        }
    };
    assert!(last.contains("F0014") && last.contains("expired"), "{last}");
    let late = ada.append_one(event(Some("a-1"), &[], "placed")).await.expect_err("it is over");
    assert_eq!(late.failed().map(factlog_core::Error::kind), Some(ErrorKind::Unauthenticated), "{late}");
    assert_eq!(send(login.served.address, "GET /v1/events", &[&shown], "").await.status, 401);
    login.served.stop().await;
}

/// Would fail if keys could not be had over TLS, from a URL or from a file, or from somebody whom nobody vouches for.
#[tokio::test]
async fn keys_come_over_tls_from_those_who_are_trusted() {
    let pair = Pair::ed("d");
    let authority = Authority::new();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("keys.json");
    std::fs::write(&file, json!({ "keys": public(&[&pair]) }).to_string()).expect("write");
    let others = Authority::new();
    let stranger = others.file();
    type Change = Box<dyn FnOnce(&mut TokenSettings)>;
    let trusted = authority.file();
    let by_url = trusted.clone();
    let ways: [(bool, Change); 4] = [
        (true, Box::new(move |settings| settings.authorities = Some(trusted))),
        (
            true,
            Box::new(move |settings| {
                settings.keys = TokenKeys::Url(format!("{}/keys", settings.issuer));
                settings.authorities = Some(by_url);
            }),
        ),
        (true, Box::new(move |settings| settings.keys = TokenKeys::File(file))),
        (false, Box::new(move |settings| settings.authorities = Some(stranger))),
    ];
    for (n, (good, change)) in ways.into_iter().enumerate() {
        let provider = Provider::secured(&public(&[&pair]), &authority.server()).await;
        assert!(provider.url.starts_with("https://"));
        let login = Login::with(provider, change).await;
        login.grant("jwt:ada", &["read"]).await;
        let asked = login.served.client_with(&pair.token(&login.claims("ada"))).head().await;
        assert_eq!(asked.is_ok(), good, "{n}: {asked:?}");
        if !good {
            login.trouble("TLS failed").await;
        }
        login.served.stop().await;
    }
}
