//! A read model over events that are split: the facts of one stored event are applied in order, and parked as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use factlog::projection::ApplyError;
use factlog::{App, Event, EventStoreExt as _, MemoryStore, OnTimeout, Projection, Recorded, Split};
use serde::{Deserialize, Serialize};

use crate::SOON;

/// Several amounts at once, as it was recorded once.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "coins.counted")]
struct Counted {
    coins: Vec<u64>,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "coin.taken", split_from(Coins))]
struct Taken {
    coin: u64,
}

struct Coins;

impl Split for Coins {
    type Old = Counted;
    type Into = Taken;
    fn split(old: Counted) -> Vec<Taken> {
        old.coins.into_iter().map(|coin| Taken { coin }).collect()
    }
}

/// Coins in order; it cannot take one until it is cured. Each coin is to be rung for.
struct Purse {
    poison: Arc<AtomicU64>,
}

impl Projection for Purse {
    type Event = Taken;
    type Key = u8;
    type Document = Vec<u64>;
    const NAME: &'static str = "purse";
    const EFFECTS: bool = true;
    fn keys(&self, _: &Recorded<Taken>) -> Vec<u8> {
        vec![0]
    }
    fn apply(&self, _: &u8, coins: Option<Vec<u64>>, taken: &Recorded<Taken>) -> Option<Vec<u64>> {
        let mut coins = coins.unwrap_or_default();
        coins.push(taken.event.coin);
        Some(coins)
    }
    fn try_apply(
        &self,
        key: &u8,
        coins: Option<Vec<u64>>,
        taken: &Recorded<Taken>,
    ) -> Result<Option<Vec<u64>>, ApplyError> {
        if taken.event.coin == self.poison.load(Ordering::Relaxed) {
            return Err("it is bent".into());
        }
        Ok(self.apply(key, coins, taken))
    }
    fn effects(&self, _: &u8, _: Option<&Vec<u64>>, taken: &Recorded<Taken>) -> Vec<serde_json::Value> {
        vec![taken.event.coin.into()]
    }
}

/// Trap 25: half an event must be neither seen nor rung for, and nothing of it twice when its key goes on.
#[tokio::test]
async fn an_event_of_which_one_fact_fails_leaves_nothing_and_comes_whole_and_once_when_it_is_cured() {
    let store = MemoryStore::new();
    for coins in ["[1,2]", "[3,13,4]", "[5]"] {
        let counted = format!(r#"{{"coins":{coins}}}"#);
        store.append_one(factlog_core::Event::new("coins.counted".parse().unwrap(), counted)).await.unwrap();
    }
    let app = App::new(store);
    let head = app.store().head().await.unwrap().position;
    let poison = Arc::new(AtomicU64::new(13));
    let sink = Arc::new(factlog::projection::MemorySink::<u8, Vec<u64>>::default());
    let model = app
        .project(Purse { poison: poison.clone() })
        .kept_in(sink.clone())
        .effects_after(None)
        .start()
        .unwrap();
    model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
    assert_eq!(model.get(&0).await.unwrap(), Some(vec![1, 2]));
    let owed = || factlog::projection::TransactionalSink::rows(&sink, "outbox/", 99).unwrap().len();
    assert_eq!(owed(), 2);
    let parked = model.operations().parked().await.unwrap();
    assert_eq!(parked[0].waiting.iter().map(|at| at.get()).collect::<Vec<_>>(), [2, 3]);
    poison.store(0, Ordering::Relaxed);
    model.operations().retry(&0_u8).await.unwrap();
    for _ in 0..500 {
        if model.get(&0).await.unwrap().is_some_and(|coins| coins.len() == 6) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(model.get(&0).await.unwrap(), Some(vec![1, 2, 3, 13, 4, 5]));
    assert_eq!(owed(), 6);
    model.stop().await.unwrap();
}
