//! A projection with side effects, and who carries them out.

use std::sync::Arc;
use std::time::Duration;

use factlog::projection::{ApplyError, Effect, Effects};
use factlog::{App, Projection, Recorded, Result};
use parking_lot::Mutex;
use serde_json::json;

use crate::bank::{AccountEvent, Balances};

/// How many deposits an account has; version 2 counts double. Each deposit is a letter to somebody.
pub(crate) struct Letters<const VERSION: u32>;

/// What version 2 alone cannot digest.
pub(crate) const POISON: u64 = 1_313;

impl<const VERSION: u32> Projection for Letters<VERSION> {
    type Event = AccountEvent;
    type Key = u64;
    type Document = u64;
    const NAME: &'static str = "letters";
    const VERSION: u32 = VERSION;
    const EFFECTS: bool = true;
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        Balances.keys(recorded)
    }
    fn apply(&self, _: &u64, count: Option<u64>, _: &Recorded<AccountEvent>) -> Option<u64> {
        Some(count.unwrap_or(0) + u64::from(VERSION))
    }
    fn try_apply(
        &self,
        key: &u64,
        count: Option<u64>,
        recorded: &Recorded<AccountEvent>,
    ) -> Result<Option<u64>, ApplyError> {
        match &recorded.event {
            AccountEvent::Deposited(event) if VERSION == 2 && event.amount == POISON => {
                Err("version 2 does not know it".into())
            }
            _ => Ok(self.apply(key, count, recorded)),
        }
    }
    fn effects(&self, key: &u64, _: Option<&u64>, _: &Recorded<AccountEvent>) -> Vec<serde_json::Value> {
        vec![json!({ "to": key })]
    }
}

/// The letters that were sent, by key, from whichever generation.
#[derive(Clone, Default)]
pub(crate) struct Sent(pub(crate) Arc<Mutex<Vec<u64>>>);

impl Effects for Sent {
    fn carry_out(&self, effect: &Effect) -> Result<()> {
        self.0.lock().push(effect.position.get());
        Ok(())
    }
}

impl Sent {
    /// Every letter was sent, each once.
    pub(crate) async fn complete(&self, all: Vec<u64>) {
        for _ in 0..300 {
            if all.len() <= self.0.lock().len() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // One that is sent twice may come late.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut sent = self.0.lock().clone();
        sent.sort_unstable();
        assert_eq!(sent, all, "each once, none missing");
    }
}

/// Where the deposits are.
pub(crate) async fn deposits(app: &App) -> Vec<u64> {
    let item = factlog_core::QueryItem::of_types(["account.deposited".parse().unwrap()]);
    let query = factlog_core::Query::any_of([item]).unwrap();
    let events = app.store().read(query, Default::default()).collect().await.unwrap().events;
    events.iter().map(|event| event.position.get()).collect()
}
