//! Parked keys of several workers: each tries its own again, and no other's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use factlog::projection::{
    ApplyError, Commit, Committed, Generation, MemorySink, PARTITIONS, Rows, TransactionalSink, partition,
};
use factlog::{App, OnTimeout, Position, Projection, ReadModel, Recorded, Result};

use crate::SOON;
use crate::bank::{AccountEvent, app_with, deposited, record};

/// The amounts of each account in order; it cannot digest one amount until it is cured.
struct Amounts(Arc<AtomicU64>);

impl Projection for Amounts {
    type Event = AccountEvent;
    type Key = u64;
    type Document = Vec<u64>;
    const NAME: &'static str = "owned-amounts";
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        match &recorded.event {
            AccountEvent::Deposited(event) => vec![event.account],
            AccountEvent::Opened(_) | AccountEvent::Withdrawn(_) => Vec::new(),
        }
    }
    fn apply(&self, _: &u64, seen: Option<Vec<u64>>, recorded: &Recorded<AccountEvent>) -> Option<Vec<u64>> {
        let mut seen = seen.unwrap_or_default();
        if let AccountEvent::Deposited(event) = &recorded.event {
            seen.push(event.amount);
        }
        Some(seen)
    }
    fn try_apply(
        &self,
        key: &u64,
        seen: Option<Vec<u64>>,
        recorded: &Recorded<AccountEvent>,
    ) -> std::result::Result<Option<Vec<u64>>, ApplyError> {
        match &recorded.event {
            AccountEvent::Deposited(event) if event.amount == self.0.load(Ordering::SeqCst) => {
                Err("this amount is poison".into())
            }
            _ => Ok(self.apply(key, seen, recorded)),
        }
    }
}

/// A sink that keeps a worker waiting for one document while it is closed.
struct Gated {
    sink: MemorySink<u64, Vec<u64>>,
    account: u64,
    closed: AtomicBool,
}

impl TransactionalSink<u64, Vec<u64>> for Gated {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<Vec<u64>>> {
        while *key == self.account && self.closed.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.sink.document(of, key)
    }
    fn scan(&self, of: Generation, wanted: &dyn Fn(&u64) -> bool) -> Result<Vec<(u64, Vec<u64>)>> {
        self.sink.scan(of, wanted)
    }
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.sink.rows(prefix, limit)
    }
    fn commit(&self, commit: Commit<u64, Vec<u64>>) -> Result<Committed> {
        self.sink.commit(commit)
    }
}

impl Gated {
    fn new(account: u64) -> Arc<Self> {
        Arc::new(Self { sink: MemorySink::default(), account, closed: AtomicBool::new(false) })
    }

    fn parked(&self) -> Vec<String> {
        self.sink.rows("parked/", 9).unwrap().into_keys().collect()
    }

    fn owners(&self) -> usize {
        let rows = self.sink.rows("range/", 9).unwrap();
        rows.values().filter(|text| !text.contains(r#""owner":null"#)).count()
    }

    /// As if the time for the next try had come, or never came.
    fn retry_at(&self, at: &serde_json::Value) {
        let mut commit = Commit::new(0);
        for (name, text) in self.sink.rows("parked/", 9).unwrap() {
            let mut row: serde_json::Value = serde_json::from_str(&text).unwrap();
            row["retry_at"] = at.clone();
            commit.rows.push((name, Some(row.to_string())));
        }
        assert_eq!(self.sink.commit(commit).unwrap(), Committed::Written);
    }
}

/// So many accounts of the first or the second of two workers.
fn of_half(half: u16, count: usize) -> Vec<u64> {
    (0..).filter(|key: &u64| partition(key).unwrap() / (PARTITIONS / 2) == half).take(count).collect()
}

async fn head(app: &App) -> Option<Position> {
    app.store().head().await.unwrap().position
}

async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come");
}

/// A model of two workers for which both these accounts are parked.
async fn parked(app: &App, sink: &Arc<Gated>, accounts: [u64; 2], cure: &Arc<AtomicU64>) {
    cure.store(13, Ordering::SeqCst);
    record(app, accounts.map(|account| deposited(account, 13))).await;
    let model = start(app, sink, cure);
    until("two parked keys", || sink.parked().len() == 2).await;
    assert_eq!(model.status().parked, 2, "of all workers");
    model.stop().await.unwrap();
}

fn start(app: &App, sink: &Arc<Gated>, cure: &Arc<AtomicU64>) -> ReadModel<Amounts> {
    app.project(Amounts(cure.clone())).kept_in(sink.clone()).workers(2).start().unwrap()
}

/// Traps 25 and 39: whoever holds the partition still takes the key for parked, so what comes next would wait for ever.
#[tokio::test]
async fn a_worker_does_not_try_keys_again_that_another_holds() {
    let own = of_half(0, 9)[8];
    let [others, gate] = of_half(1, 2)[..] else { panic!("two accounts") };
    assert!(others < own, "it would be tried first");
    let (app, sink, cure) = (app_with([]).await, Gated::new(gate), Arc::default());
    parked(&app, &sink, [own, others], &cure).await;
    sink.retry_at(&0.into());
    cure.store(0, Ordering::SeqCst);
    record(&app, [deposited(gate, 1)]).await;
    sink.closed.store(true, Ordering::SeqCst);
    let model = start(&app, &sink, &cure);
    let mine = format!("parked/00000001/{own}");
    until("the first worker's retry", || !sink.parked().contains(&mine)).await;
    assert_eq!(sink.parked(), [format!("parked/00000001/{others}")], "its owner has not come to it yet");
    sink.closed.store(false, Ordering::SeqCst);
    record(&app, [deposited(others, 5)]).await;
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    until("the second worker's retry", || sink.parked().is_empty()).await;
    assert_eq!(model.get(&others).await.unwrap(), Some(vec![13, 5]));
    model.stop().await.unwrap();
}

/// An event that waits behind no parked key would never be applied.
#[tokio::test]
async fn an_event_does_not_wait_behind_a_key_that_is_not_parked_any_more() {
    let account = of_half(1, 1)[0];
    let (app, sink, cure) = (app_with([]).await, Gated::new(u64::MAX), Arc::default());
    parked(&app, &sink, [account, of_half(0, 1)[0]], &cure).await;
    sink.retry_at(&serde_json::Value::Null);
    let model = start(&app, &sink, &cure);
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    until("both workers", || sink.owners() == 2).await;
    // Whatever did this: it was not the owner.
    let mut gone = Commit::new(0);
    for prefix in [format!("parked/00000001/{account}"), format!("waiting/00000001/{account}/")] {
        gone.rows.extend(sink.sink.rows(&prefix, 9).unwrap().into_keys().map(|name| (name, None)));
    }
    assert_eq!(gone.rows.len(), 2);
    assert_eq!(sink.sink.commit(gone).unwrap(), Committed::Written);
    record(&app, [deposited(account, 5)]).await;
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    assert_eq!(model.get(&account).await.unwrap(), Some(vec![5]));
    model.stop().await.unwrap();
}

/// An operator asks one program; the key is another's.
#[tokio::test]
async fn a_retry_that_is_ordered_in_one_program_is_done_by_the_one_that_holds_the_key() {
    let account = of_half(1, 1)[0];
    let (app, sink, cure) = (app_with([]).await, Gated::new(u64::MAX), Arc::default());
    parked(&app, &sink, [account, of_half(0, 1)[0]], &cure).await;
    sink.retry_at(&serde_json::Value::Null);
    let lease = Duration::from_secs(60);
    let start = || app.project(Amounts(cure.clone())).kept_in(sink.clone()).shared(2, lease).start().unwrap();
    let one = start();
    until("the first program", || sink.owners() == 1).await;
    let other = start();
    until("the second program", || sink.owners() == 2).await;
    cure.store(0, Ordering::SeqCst);
    one.operations().retry(&account).await.unwrap();
    until("the retry", || sink.parked().len() == 1).await;
    assert_eq!(one.get(&account).await.unwrap(), Some(vec![13]));
    for model in [one, other] {
        model.stop().await.unwrap();
    }
}

/// Trap 25: with more parked keys than are looked at, events of the others would be applied before those that wait.
#[tokio::test]
async fn a_read_model_with_too_many_parked_keys_does_not_go_on_after_a_restart_either() {
    let account = 30_000;
    let (app, sink, cure) =
        (app_with([deposited(account, 1)]).await, Gated::new(u64::MAX), Arc::<AtomicU64>::default());
    let start = || app.project(Amounts(cure.clone())).kept_in(sink.clone()).start().unwrap();
    let model = start();
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    model.stop().await.unwrap();
    let row = r#"{"error":"unlucky","attempts":8,"retry_at":null}"#;
    let mut parked = Commit::new(0);
    parked
        .rows
        .extend((10_000..=account).map(|key| (format!("parked/00000001/{key}"), Some(row.to_owned()))));
    assert_eq!(sink.sink.commit(parked).unwrap(), Committed::Written);
    record(&app, [deposited(account, 2)]).await;
    let model = start();
    let stands = model.at_least(head(&app).await, SOON, OnTimeout::Error).await;
    assert!(stands.expect_err("it stands still").to_string().contains("more than 10000 parked keys"));
    assert_eq!(sink.sink.document(Generation::Serving, &account).unwrap(), Some(vec![1]));
    model.stop().await.unwrap();
}

/// What is only looked after in quiet moments is never looked after where there are none.
#[tokio::test]
async fn a_parked_key_is_tried_again_also_under_steady_traffic() {
    let account = of_half(0, 1)[0];
    let (app, sink, cure) = (app_with([]).await, Gated::new(u64::MAX), Arc::default());
    parked(&app, &sink, [account, of_half(1, 1)[0]], &cure).await;
    let model = start(&app, &sink, &cure);
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    cure.store(0, Ordering::SeqCst);
    for _ in 0..2_000 {
        // Of both workers, and never a quarter of a second without.
        record(&app, [deposited(of_half(0, 2)[1], 1), deposited(of_half(1, 2)[1], 1)]).await;
        if sink.parked().is_empty() {
            model.stop().await.unwrap();
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("still parked: {:?}", sink.parked());
}
