//! A server with something to keep, and those who ask for it.

use std::sync::Arc;

use factlog_core::access::{KeyInfo, Principal};
use factlog_core::{
    Append, BoxFuture, EventStore as _, MemoryStore, Position, Query, ReadOptions, RecordedEvent, Tracking,
    TrackingSource,
};
use factlog_server::{Access, Answer, Call, Offer, OfferKind, Problem, Program};
use serde_json::json;
use tonic::transport::{Channel, Endpoint};

use super::super::{Kept, event};
use super::routes;
use crate::served::Served;
use crate::web::{Follower, send};

/// What nobody without a grant may see.
pub(super) const CANARY: &str = "canary";
pub(super) const STREAM: &str = "vault-canary";
pub(super) const TRACKED: u64 = 7;
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
pub(super) struct Ids {
    pub(super) rotated: String,
    pub(super) revoked: String,
}

/// What must not change.
pub(super) type State = (Vec<RecordedEvent>, Vec<KeyInfo>, Vec<Principal>);

/// A server with something to keep, and one key for each of the grants.
pub(super) struct House {
    pub(super) kept: Kept,
    pub(super) ids: Ids,
    pub(super) keys: Vec<(String, String, &'static str)>,
    pub(super) strangers: [Option<String>; 3],
}

impl House {
    pub(super) async fn build() -> Self {
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

    pub(super) fn channel(&self) -> Channel {
        let address = format!("http://{}", self.kept.served.address);
        Endpoint::from_shared(address).expect("an address").connect_lazy()
    }

    /// All that is kept, but for the records of what was refused.
    pub(super) async fn state(&self) -> State {
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
    pub(super) async fn ask(&self, row: &routes::Row, key: &str) -> (u16, String) {
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
