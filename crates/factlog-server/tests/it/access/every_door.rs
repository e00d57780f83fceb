//! Every call of gRPC and every route of HTTP, each with a request that asks for something: by somebody unknown, without a grant, with
//! every grant but the right one, and with the right one.
//!
//! * The calls are those of the descriptors, the routes those of the OpenAPI document. One without a row in `calls` or `routes` fails.
//! * What the right grant brings shows that the others were refused because of theirs, and not because of the request.
//! * Whoever was refused has changed nothing.

mod calls;
mod raw;
mod routes;

use std::collections::BTreeSet;
use std::sync::Arc;

use factlog_core::access::{KeyInfo, Principal};
use factlog_core::{
    Append, BoxFuture, EventStore as _, MemoryStore, Position, Query, ReadOptions, RecordedEvent, Tracking,
    TrackingSource,
};
use factlog_server::{Access, Answer, Call, Offer, OfferKind, Problem, Program};
use serde_json::json;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use self::raw::call;
use super::{Kept, event};
use crate::served::Served;
use crate::web::{Follower, send};

/// What nobody without a grant may see.
const CANARY: &str = "canary";
const STREAM: &str = "vault-canary";
const TRACKED: u64 = 7;
/// What the principals may do, one each: nothing, things of other events, and what is right for some and wrong for the rest.
const GRANTS: [&str; 8] = [
    "",
    "read,append stream:other-",
    "read,append tag:other:1",
    "read,append type:other",
    "read",
    "append",
    "admin",
    "call",
];

/// A program with something to keep.
#[derive(Debug)]
struct Vault([Offer; 2]);

impl Program for Vault {
    fn name(&self) -> &str {
        "vault"
    }

    fn offers(&self) -> &[Offer] {
        &self.0
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, Problem>> {
        let json = json!({ "canary": call.name }).to_string();
        Box::pin(async { Ok(Answer { json, position: None, recorded: true }) })
    }
}

/// Keys that somebody could take away.
struct Ids {
    rotated: String,
    revoked: String,
}

/// What must not change.
type State = (Vec<RecordedEvent>, Vec<KeyInfo>, Vec<Principal>);

/// A server with something to keep, and one key for each of the grants.
struct House {
    kept: Kept,
    ids: Ids,
    keys: Vec<(String, String, &'static str)>,
    strangers: [Option<String>; 3],
}

impl House {
    async fn build() -> Self {
        let store = Arc::new(MemoryStore::new());
        let access = Access::open(store.clone()).await.expect("open");
        let first = access.first_key().await.expect("a key").expect("the first").secret;
        let offer = |name: &str, kind| Offer { name: name.to_owned(), kind };
        let vault = Vault([offer("open", OfferKind::Query), offer("fill", OfferKind::Command)]);
        let (keeper, whole) = (access.clone(), store.clone());
        let server = |server: factlog_server::Server| server.authenticated(keeper).mount(vault).reflect(true);
        let served = Served::start_with(whole, server).await;
        let kept = Kept { store, access, served, first };
        let source = TrackingSource::new("canary-source").expect("a source");
        let position = Position::new(TRACKED).expect("above 0");
        let secret = Append::new([event(Some(STREAM), &["canary:1"], "canary.told")]);
        kept.store.append(secret.tracking(Tracking { source, position })).await.expect("append");
        let ids = Ids {
            rotated: kept.key("canary", &["read"]).await.1,
            revoked: kept.key("canary-2", &[]).await.1,
        };
        let (gone, id) = kept.key("gone", &["read,append", "admin", "call"]).await;
        kept.owner().revoke_key(&id).await.expect("revoke");
        let mut keys = Vec::new();
        for (n, grant) in GRANTS.into_iter().enumerate() {
            let (who, grants) = (format!("p-{n}"), Some(grant).filter(|grant| !grant.is_empty()));
            let (key, _) = kept.key(&who, grants.as_slice()).await;
            keys.push((who, key, grant));
        }
        Self { kept, ids, keys, strangers: [None, Some("factlog_0_0".to_owned()), Some(gone)] }
    }

    fn channel(&self) -> Channel {
        let address = format!("http://{}", self.kept.served.address);
        Endpoint::from_shared(address).expect("an address").connect_lazy()
    }

    /// All that is kept, but for the records of what was refused.
    async fn state(&self) -> State {
        let mut events =
            self.kept.store.read(Query::All, ReadOptions::default()).collect().await.expect("read").events;
        let audit = |event: &RecordedEvent| {
            event.event.stream.as_ref().is_some_and(|stream| stream.as_str() == "$server-audit")
        };
        events.retain(|event| !audit(event));
        let owner = self.kept.owner();
        (events, owner.keys().await.expect("keys"), owner.principals().await.expect("principals"))
    }

    /// The status and the body of an answer; of a subscription its messages until it has caught up.
    async fn ask(&self, row: &routes::Row, key: &str) -> (u16, String) {
        let (address, bearer) = (self.kept.served.address, format!("authorization: Bearer {key}"));
        if row.route != "GET /v1/subscribe" {
            let headers = [&*bearer, "content-type: application/json"];
            let answer = send(address, &row.asked, &headers, row.body).await;
            return (answer.status, answer.body);
        }
        let mut follower = Follower::start(address, "/v1/subscribe", &[&bearer]).await;
        let mut messages = Vec::new();
        loop {
            let message = follower.next().await.expect("it goes on");
            messages.push(json!({ "event": message.event, "data": message.data }));
            if message.event == "caught-up" {
                return (200, json!(messages).to_string());
            }
        }
    }
}

/// A row for each that is described, and for nothing else.
fn complete(described: Vec<String>, rows: impl Iterator<Item = &'static str>) {
    let (described, rows): (BTreeSet<_>, BTreeSet<_>) =
        (described.into_iter().collect(), rows.map(str::to_owned).collect());
    assert_eq!(described, rows, "each has a row in the table, which says what it tells to whom");
}

fn enough(row: &calls::Row) -> fn(&[u8]) -> bool {
    if row.call.ends_with("/Subscribe") { calls::caught_up } else { |_| false }
}

/// Would fail if a call, also one that is added later, were answered to somebody unknown, or told or changed what no grant says.
#[tokio::test]
async fn no_call_is_open_to_those_without_its_grant() {
    let house = House::build().await;
    let (channel, rows, before) = (house.channel(), calls::rows(&house.ids), house.state().await);
    complete(calls::described(), rows.iter().map(|row| row.call));
    for row in &rows {
        let path = format!("/factlog.v1.{}", row.call);
        for key in &house.strangers {
            let told = call(&channel, &path, key.as_deref(), &row.message, enough(row)).await;
            assert_eq!(
                told.refused.map(|status| status.code()),
                Some(Code::Unauthenticated),
                "{path} {key:?}"
            );
            assert!(told.messages.is_empty(), "{path}");
        }
        for (who, key, grant) in house.keys.iter().filter(|(_, _, grant)| !row.opened_by.contains(grant)) {
            let told = call(&channel, &path, Some(key), &row.message, enough(row)).await;
            let text = told.refused.as_ref().map(ToString::to_string).unwrap_or_default();
            let said = String::from_utf8_lossy(&told.messages.concat()).into_owned() + &text;
            let code = told.refused.map(|status| status.code());
            match row.closed {
                calls::Closed::Refused(wanted) => {
                    assert_eq!(
                        (code, told.messages.len()),
                        (Some(wanted), 0),
                        "{path} with {grant:?}: {said}"
                    );
                }
                calls::Closed::Tells(only) => {
                    assert_eq!(code, None, "{path} with {grant:?}: {said}");
                    assert!(only(&told.messages, who), "{path} with {grant:?}: {said}");
                }
            }
            assert!(!said.replace(STREAM, "").contains(CANARY), "{path} with {grant:?}: {said}");
        }
    }
    assert!(house.state().await == before, "somebody who may not has changed something");
    for row in &rows {
        for (_, key, grant) in house.keys.iter().filter(|(_, _, grant)| row.opened_by.contains(grant)) {
            let path = format!("/factlog.v1.{}", row.call);
            let told = call(&channel, &path, Some(key), &row.message, enough(row)).await;
            assert!(
                told.refused.is_none() && (row.open)(&told.messages),
                "{path} with {grant:?}: {:?}",
                told.refused
            );
        }
    }
    house.kept.served.stop().await;
}

/// The same over HTTP.
#[tokio::test]
async fn no_route_is_open_to_those_without_its_grant() {
    let house = House::build().await;
    let (address, rows, before) = (house.kept.served.address, routes::rows(&house.ids), house.state().await);
    complete(routes::described(), rows.iter().map(|row| row.route));
    for row in &rows {
        let asked = &row.asked;
        for key in &house.strangers {
            let bearer = key.as_ref().map(|key| format!("authorization: Bearer {key}"));
            let headers = bearer.as_deref().into_iter().chain(["content-type: application/json"]);
            let answer = send(address, asked, &headers.collect::<Vec<_>>(), row.body).await;
            match row.route {
                "GET /health/live" | "GET /health/ready" => assert_eq!(answer.status, 200, "{asked}"),
                _ => {
                    assert_eq!(answer.status, 401, "{asked} {key:?}");
                    assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{asked}");
                }
            }
            assert!(
                !answer.body.contains(CANARY) && !answer.body.contains("head"),
                "{asked}: {}",
                answer.body
            );
        }
        for (who, key, grant) in house.keys.iter().filter(|(_, _, grant)| !row.opened_by.contains(grant)) {
            let (status, body) = house.ask(row, key).await;
            match row.closed {
                routes::Closed::Refused(wanted) => {
                    assert_eq!(status, wanted, "{asked} with {grant:?}: {body}");
                }
                routes::Closed::Tells(only) => {
                    assert!(status == 200 && only(&body, who), "{asked} with {grant:?}: {status} {body}");
                }
            }
            assert!(!body.contains(CANARY), "{asked} with {grant:?}: {body}");
        }
    }
    assert!(house.state().await == before, "somebody who may not has changed something");
    for row in &rows {
        for (_, key, grant) in house.keys.iter().filter(|(_, _, grant)| row.opened_by.contains(grant)) {
            let (status, body) = house.ask(row, key).await;
            assert!((row.open)(status, &body), "{} with {grant:?}: {status} {body}", row.asked);
        }
    }
    house.kept.served.stop().await;
}

/// Would fail if somebody unknown learned more than that the server is well.
#[tokio::test]
async fn somebody_unknown_learns_that_the_server_is_well_and_no_more() {
    let house = House::build().await;
    let channel = house.channel();
    for path in ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"] {
        let told = call(&channel, path, None, &[], |_| true).await;
        // Field 1, `status`: 1, `SERVING`.
        assert_eq!(
            (told.refused.map(|status| status.code()), told.messages),
            (None, vec![vec![8, 1]]),
            "{path}"
        );
    }
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let told = call(&channel, &path, None, &[], |_| true).await;
        let code = told.refused.map(|status| status.code());
        assert_eq!((code, told.messages.len()), (Some(Code::Unauthenticated), 0), "{path}");
    }
    house.kept.served.stop().await;
}
