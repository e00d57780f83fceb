//! Tokens of an issuer, over real sockets on both sides: what is taken, what is refused, and what becomes of keys.

mod good;
mod keys;
mod provider;
mod refused;
mod renewed;

use std::sync::Arc;
use std::time::Duration;

use factlog_core::access::{AccessControl, Grants};
use factlog_core::conformance::ManualClock;
use factlog_core::{Administration, MemoryStore, Timestamp};
use factlog_server::{Access, TokenSettings};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::served::Served;
use provider::{Pair, Provider};

/// When the tests begin, in seconds since 1970.
const NOW: i64 = 1_800_000_000;
const AUDIENCE: &str = "factlog";

/// A server that takes the tokens of a provider.
struct Login {
    provider: Provider,
    store: Arc<dyn Administration>,
    access: Arc<Access>,
    served: Served,
    clock: Arc<ManualClock>,
    trouble: Arc<Mutex<Vec<String>>>,
    first: String,
}

impl Login {
    /// With a provider that publishes these keys.
    async fn start(pairs: &[&Pair]) -> Self {
        Self::with(Provider::start(&public(pairs)).await, |_| {}).await
    }

    async fn with(provider: Provider, change: impl FnOnce(&mut TokenSettings)) -> Self {
        let store: Arc<dyn Administration> = Arc::new(MemoryStore::new());
        let clock = Arc::new(ManualClock::at(second(NOW)));
        let access = Access::open_with(store.clone(), clock.clone()).await.expect("open");
        let first = access.first_key().await.expect("a key").expect("the first").secret;
        let mut settings = TokenSettings::new(&provider.url, AUDIENCE);
        settings.roles_claim = Some("roles".to_owned());
        change(&mut settings);
        access.take_tokens(&settings).expect("settings");
        let trouble: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = trouble.clone();
        let served = Served::start_with(store.clone(), |server| {
            let report = move |error: &factlog_core::Error| told.lock().push(error.to_string());
            server.authenticated(access.clone()).reports(report)
        })
        .await;
        Self { provider, store, access, served, clock, trouble, first }
    }

    async fn grant(&self, principal: &str, grants: &[&str]) {
        let grants = Grants::parse(grants.iter().copied()).expect("grants");
        let owner: Arc<dyn AccessControl> = self.access.clone().as_owner();
        owner.set_grants(&principal.parse().expect("a name"), grants).await.expect("set");
    }

    /// What a good token of this principal says.
    fn claims(&self, sub: &str) -> Value {
        json!({ "iss": self.provider.url, "aud": AUDIENCE, "sub": sub, "iat": NOW, "exp": NOW + 600 })
    }

    /// Waits until the operator is told something with these words in it.
    async fn trouble(&self, words: &str) -> String {
        loop {
            let found = self.trouble.lock().iter().find(|told| told.contains(words)).cloned();
            if let Some(found) = found {
                return found;
            }
            later(Duration::from_secs(1)).await;
        }
    }
}

fn public(pairs: &[&Pair]) -> Vec<Value> {
    pairs.iter().map(|pair| pair.public()).collect()
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// So much later, by the clock of timers. The sockets go on as they are.
async fn later(time: Duration) {
    // What is under way comes to where it waits.
    tokio::time::sleep(Duration::from_millis(20)).await;
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
