//! Keys: made once, shown, rotated, revoked; kept by those who may.

use std::sync::Arc;

use factlog_core::access::{AccessControl as _, Grants, NewKey};
use factlog_core::conformance::ManualClock;
use factlog_core::{ErrorKind, EventStore as _, EventStoreExt as _, MemoryStore, StreamId, Timestamp};
use factlog_server::{Access, ClientCertificates};

use super::{Kept, event};
use crate::certificates::{Authority, Issued};
use crate::served::{Served, client};
use crate::web::send;

#[tokio::test]
async fn without_a_good_key_nothing_is_answered() {
    let kept = Kept::start().await;
    let (key, id) = kept.key("ada", &["read"]).await;
    kept.served.client_with(&key).head().await.expect("a good key");
    kept.owner().revoke_key(&id).await.expect("revoke");
    let mistyped = key.replace("factlog_", "factl0g_");
    for wrong in [&*key, &*mistyped, "", "factlog_0_0"] {
        let error = kept.served.client_with(wrong).head().await.expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{wrong}: {error}");
    }
    let error = client(kept.served.address, "").head().await.expect_err("no key");
    assert!(error.to_string().contains("no key was shown"), "{error}");
    let (nobody, _) = kept.key("nobody", &[]).await;
    let shown = format!("authorization: Bearer {nobody}");
    let numbers = send(kept.served.address, "GET /metrics", &[&shown], "").await.body;
    for reason in ["bad_key", "no_key"] {
        let counted = format!("factlog_auth_failures_total{{reason=\"{reason}\"}}");
        assert!(numbers.contains(&counted), "{counted} is not in {numbers}");
    }
    kept.served.stop().await;
}

/// Would fail if a key were good after its end, or before another has taken its place.
#[tokio::test]
async fn a_key_ends_when_it_should_and_overlaps_with_the_next() {
    let clock = Arc::new(ManualClock::default());
    let second = |n: i64| Timestamp::from_micros(n * 1_000_000);
    clock.set(second(100));
    let store = Arc::new(MemoryStore::new());
    let access = Access::open_with(store.clone(), clock.clone()).await.expect("open");
    let owner = access.clone().as_owner();
    let grants = Some(Grants::parse(["read"]).expect("grants"));
    let new = NewKey { principal: "ada".parse().expect("a name"), grants, expires_at: Some(second(200)) };
    let old = owner.create_key(new.clone()).await.expect("a key");
    let late = NewKey { grants: None, expires_at: Some(second(50)), ..new };
    assert_eq!(owner.create_key(late).await.expect_err("it is over").kind(), ErrorKind::Invalid);
    let next = owner.rotate_key(&old.info.id, second(150), None).await.expect("a key");
    let served = Served::start_authenticated(store, access).await;
    let (old, next) = (served.client_with(&old.secret), served.client_with(&next.secret));
    clock.set(second(149));
    old.head().await.expect("both are good");
    next.head().await.expect("both are good");
    clock.set(second(150));
    assert_eq!(old.head().await.expect_err("it is over").kind(), ErrorKind::Unauthenticated);
    next.head().await.expect("it never ends");
    served.stop().await;
}

/// Would fail if a restart forgot a revocation, or made a second first key.
#[tokio::test]
async fn what_was_recorded_of_keys_is_known_after_a_restart() {
    let kept = Kept::start().await;
    let (good, _) = kept.key("ada", &["read stream:a-"]).await;
    let (bad, id) = kept.key("bob", &["read"]).await;
    kept.served.client_with(&kept.first).revoke_key(&id).await.expect("revoke");
    kept.served.stop().await;
    let access = Access::open(kept.store.clone()).await.expect("open");
    assert!(access.first_key().await.expect("look").is_none(), "a second first key");
    let served = Served::start_authenticated(kept.store, access).await;
    let whoami = served.client_with(&good).whoami().await.expect("a good key");
    assert_eq!((whoami.name.as_str(), whoami.grants.to_string().as_str()), ("ada", "read stream:a-"));
    assert!(served.client_with(&bad).whoami().await.is_err(), "revoked");
    served.stop().await;
}

/// Would fail if whoever may read or append could give itself more.
#[tokio::test]
async fn only_those_with_admin_keep_keys() {
    let kept = Kept::start().await;
    let ada = kept.client("ada", &["read,append"]).await;
    let name = "ada".parse().expect("a name");
    let new = NewKey {
        principal: "eve".parse().expect("a name"),
        grants: Some(Grants::everything()),
        expires_at: None,
    };
    let denied = [
        ada.create_key(new.clone()).await.map(drop),
        ada.set_grants(&name, Grants::everything()).await,
        ada.revoke_key("any").await,
        ada.keys().await.map(drop),
        ada.principals().await.map(drop),
        ada.rotate_key("any", Timestamp::from_micros(0), None).await.map(drop),
    ];
    for denied in denied {
        let error = denied.expect_err("it is not ada's");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains("takes the grant `admin`"), "{error}");
    }
    let admin = kept.served.client_with(&kept.first);
    admin.create_key(new).await.expect("admin may");
    let names: Vec<_> =
        admin.principals().await.expect("admin may").into_iter().map(|one| one.name).collect();
    assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["ada", "admin", "eve"]);
    assert_eq!(admin.keys().await.expect("admin may").len(), 3);
    kept.served.stop().await;
    let read =
        kept.store.read_stream(StreamId::new("$server-access").expect("a stream")).await.expect("read");
    let facts: Vec<_> =
        read.events.iter().map(|event| String::from_utf8_lossy(&event.event.data).into_owned()).collect();
    assert!(facts.last().is_some_and(|fact| fact.contains(r#""by":"admin""#)), "{facts:?}");
    assert!(!facts.iter().any(|fact| fact.contains(&kept.first[20..60])), "a secret is stored");
}

/// Would fail if a fact that this version cannot read, such as another kind of revocation, were passed over.
#[tokio::test]
async fn nobody_is_let_in_on_a_guess() {
    let store = Arc::new(MemoryStore::new());
    store.append_one(event(Some("$server-access"), &[], "$server.key-suspended")).await.expect("append");
    let error = Access::open(store).await.expect_err("it is unknown");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("position 1 in $server-access"), "{error}");
}

/// Would fail if a certificate that an authority has signed let in more than the principal of its name, or went on to after
/// its grants are gone.
#[tokio::test]
async fn a_certificate_is_a_principal_with_grants_of_its_own() {
    let (authority, clients) = (Authority::new(), Authority::named("clients"));
    let (orders, stranger) = (clients.issue(&["orders.example"]), clients.issue(&["stranger.example"]));
    let store: Arc<MemoryStore> = Arc::default();
    let access = Access::open(store.clone()).await.expect("open");
    let owner = access.clone().as_owner();
    let name = "cert:orders.example".parse().expect("a name");
    let grants = |text| Grants::parse([text]).expect("grants");
    owner.set_grants(&name, grants("append stream:orders-")).await.expect("set");
    let certificate = authority.server();
    let demand = (&certificate, ClientCertificates::Required(clients.file()));
    let served = Served::secured(store, &authority, demand, |server| server.authenticated(access)).await;
    let shown = |issued: &Issued| {
        let (certificate, key) = (issued.certificate.display(), issued.key.display());
        served.client(&format!("?cert={certificate}&cert-key={key}&deadline=20s"))
    };
    let client = shown(&orders);
    assert_eq!(client.whoami().await.expect("it is known").name, name);
    client.append_one(event(Some("orders-1"), &[], "placed")).await.expect("it may");
    let denied = client.append_one(event(Some("payments-1"), &[], "placed")).await.expect_err("no grant");
    assert_eq!(denied.failed().map(factlog_core::Error::kind), Some(ErrorKind::Denied), "{denied}");
    let unknown = shown(&stranger).head().await.expect_err("there is no such principal");
    assert_eq!(unknown.kind(), ErrorKind::Unauthenticated, "{unknown}");
    owner.set_grants(&name, Grants::default()).await.expect("set");
    client.append_one(event(Some("orders-1"), &[], "placed")).await.expect_err("its grants are gone");
    served.stop().await;
}
