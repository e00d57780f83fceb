//! Sinks without transactions, and what is passed over by choice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use factlog::projection::{Delivery, IdempotentSink, MemorySink, ProjectionState, Unreadable};
use factlog::{App, Error, EventStoreExt as _, MemoryStore, OnTimeout, Result};
use futures_util::FutureExt as _;
use parking_lot::Mutex;

use crate::SOON;
use crate::bank::{Balances, app_with, deposited, record};

/// By generation and key: the number of the delivery, and the document.
type Kept = BTreeMap<(u64, u64), (u64, Option<u64>)>;

/// A cache of balances; every so often it takes a delivery and answers as if it had not.
#[derive(Clone, Default)]
struct Cache {
    kept: Arc<Mutex<Kept>>,
    calls: Arc<AtomicU32>,
    /// The broken twin takes whatever comes, whenever.
    heedless: bool,
}

impl IdempotentSink<u64, u64> for Cache {
    fn document(&self, generation: u64, key: &u64) -> Result<Option<u64>> {
        Ok(self.kept.lock().get(&(generation, *key)).and_then(|(_, document)| *document))
    }
    fn deliver(&self, number: u64, delivery: Delivery<u64, u64>) -> Result<()> {
        if let Delivery::Document { generation, key, document } = delivery {
            let mut kept = self.kept.lock();
            let entry = kept.entry((generation, key)).or_default();
            if entry.0 < number || self.heedless {
                *entry = (number, document);
            }
        }
        match self.calls.fetch_add(1, Ordering::Relaxed) % 7 {
            3 => Err(Error::unavailable("the answer was lost")),
            _ => Ok(()),
        }
    }
}

async fn delivers(heedless: bool) {
    let cache = Cache { heedless, ..Cache::default() };
    let rows = Arc::new(MemorySink::<u64, u64>::default());
    let app = app_with([]).await;
    for round in 1..=3 {
        let model = app.project(Balances).delivered_to(cache.clone(), rows.clone()).start().unwrap();
        record(&app, (0..40).map(|n| deposited(n % 4, 1))).await;
        let head = app.store().head().await.unwrap().position;
        model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
        assert_eq!(model.get(&1).await.unwrap(), Some(10 * round));
        model.stop().await.unwrap();
        // What came long ago comes again, as it does from a network.
        cache.deliver(2, Delivery::Document { generation: 1, key: 1, document: Some(0) }).ok();
        assert_eq!(cache.document(1, &1).unwrap(), Some(10 * round));
    }
}

/// Trap 12: a sink without transactions counts each event once all the same.
#[tokio::test]
async fn a_sink_that_takes_deliveries_counts_each_event_once_although_answers_are_lost() {
    delivers(false).await;
}

#[tokio::test]
async fn a_twin_that_does_not_look_at_the_number_is_found() {
    let twin = std::panic::AssertUnwindSafe(delivers(true)).catch_unwind().await;
    assert!(twin.is_err(), "a late delivery was taken and not found");
}

/// Trap 40: passing over what cannot be read is a choice, and it is counted.
#[tokio::test]
async fn events_that_cannot_be_read_are_passed_over_only_by_choice_and_are_counted() {
    let store = MemoryStore::new();
    let app = App::new(store.clone());
    record(&app, [deposited(1, 5)]).await;
    let newer = factlog_core::Event::new("account.deposited".parse().unwrap(), r#"{"of":"the future"}"#);
    store.append_one(newer).await.unwrap();
    record(&app, [deposited(1, 6)]).await;
    let head = app.store().head().await.unwrap().position;
    let stops = app.project(Balances).in_memory().start().unwrap();
    stops.at_least(head, SOON, OnTimeout::Error).await.expect_err("it stops");
    assert!(matches!(stops.status().state, ProjectionState::Failed(_)));
    let skips = app.project(Balances).in_memory().unreadable(Unreadable::Skip).start().unwrap();
    skips.at_least(head, SOON, OnTimeout::Error).await.unwrap();
    assert_eq!(skips.get(&1).await.unwrap(), Some(11));
    assert_eq!(skips.status().unread, 1);
}
