//! Who asks, and what they may do: over the wire, with real keys.

mod crossing;
mod every_door;
mod keys;
mod streams;
mod tokens;
mod web_keys;

use std::sync::Arc;

use factlog_client::RemoteStore;
use factlog_core::access::{AccessControl, Grants, NewKey};
use factlog_core::{Administration, Event, EventType, MemoryStore, StreamId, Tags};
use factlog_server::Access;

use crate::served::Served;

/// A served store, its keys, and the key of its first principal.
pub(crate) struct Kept {
    pub(crate) store: Arc<dyn Administration>,
    pub(crate) access: Arc<Access>,
    pub(crate) served: Served,
    pub(crate) first: String,
}

impl Kept {
    pub(crate) async fn start() -> Self {
        let store: Arc<dyn Administration> = Arc::new(MemoryStore::new());
        let access = Access::open(store.clone()).await.expect("open");
        let first = access.first_key().await.expect("a key").expect("the first").secret;
        let served = Served::start_authenticated(store.clone(), access.clone()).await;
        Self { store, access, served, first }
    }

    pub(crate) fn owner(&self) -> Arc<dyn AccessControl> {
        self.access.clone().as_owner()
    }

    /// The secret and the id of a new key of a principal with these grants.
    pub(crate) async fn key(&self, principal: &str, grants: &[&str]) -> (String, String) {
        let new = NewKey {
            principal: principal.parse().expect("a name"),
            grants: Some(Grants::parse(grants.iter().copied()).expect("grants")),
            expires_at: None,
        };
        let minted = self.owner().create_key(new).await.expect("a key");
        (minted.secret, minted.info.id)
    }

    pub(crate) async fn client(&self, principal: &str, grants: &[&str]) -> RemoteStore {
        self.served.client_with(&self.key(principal, grants).await.0)
    }
}

pub(crate) fn event(stream: Option<&str>, tags: &[&str], event_type: &str) -> Event {
    let event = Event::new(EventType::new(event_type).expect("a type"), r#"{"n":1}"#)
        .tagged(Tags::new(tags.iter().copied()).expect("tags"));
    match stream {
        Some(stream) => event.in_stream(StreamId::new(stream).expect("a stream")),
        None => event,
    }
}
