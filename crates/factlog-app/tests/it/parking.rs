//! Failure per key: what cannot be applied parks its key, in order, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use factlog::projection::{ApplyError, Commit, Committed, MemorySink, ParkedKey, TransactionalSink as _};
use factlog::{App, EventStoreExt as _, OnTimeout, Position, Projection, ReadModel, Recorded, StreamId};

use crate::SOON;
use crate::bank::{AccountEvent, app_with, deposited, record};

/// The amounts of each account in order; it cannot digest one amount until it is cured.
struct Amounts {
    poison: Arc<AtomicU64>,
}

/// Amounts that make `apply` panic instead.
const PANICS: u64 = 666;

impl Projection for Amounts {
    type Event = AccountEvent;
    type Key = u64;
    type Document = Vec<u64>;
    const NAME: &'static str = "amounts";
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        match &recorded.event {
            AccountEvent::Deposited(event) => vec![event.account],
            AccountEvent::Opened(_) | AccountEvent::Withdrawn(_) => Vec::new(),
        }
    }
    fn apply(&self, _: &u64, seen: Option<Vec<u64>>, recorded: &Recorded<AccountEvent>) -> Option<Vec<u64>> {
        let mut seen = seen.unwrap_or_default();
        if let AccountEvent::Deposited(event) = &recorded.event {
            assert!(event.amount != PANICS, "a mistake in the projection");
            seen.push(event.amount);
        }
        Some(seen)
    }
    fn try_apply(
        &self,
        key: &u64,
        seen: Option<Vec<u64>>,
        recorded: &Recorded<AccountEvent>,
    ) -> Result<Option<Vec<u64>>, ApplyError> {
        match &recorded.event {
            AccountEvent::Deposited(event) if event.amount == self.poison.load(Ordering::Relaxed) => {
                Err("this amount is poison".into())
            }
            _ => Ok(self.apply(key, seen, recorded)),
        }
    }
}

fn amounts(poison: u64) -> (Amounts, Arc<AtomicU64>) {
    let poison = Arc::new(AtomicU64::new(poison));
    (Amounts { poison: poison.clone() }, poison)
}

async fn caught_up(app: &App, model: &ReadModel<Amounts>) {
    let head = app.store().head().await.unwrap().position;
    model.at_least(head, SOON, OnTimeout::Error).await.expect("others are not held up");
}

/// Waits until as many keys are parked.
async fn parked(model: &ReadModel<Amounts>, count: usize) -> Vec<ParkedKey> {
    for _ in 0..1_000 {
        let parked = model.operations().parked().await.unwrap();
        if parked.len() == count {
            return parked;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("not {count} parked keys: {:?}", model.operations().parked().await);
}

/// What was recorded of acts, once there are so many.
async fn acts(app: &App, count: usize) -> Vec<(String, serde_json::Value)> {
    let stream = StreamId::new("$parked-amounts").unwrap();
    for _ in 0..500 {
        let events = app.store().read_stream(stream.clone()).await.unwrap().events;
        if count <= events.len() {
            let parsed = events.into_iter().map(|event| {
                let data = serde_json::from_slice(&event.event.data).unwrap();
                (event.event.event_type.to_string(), data)
            });
            return parsed.collect();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("not {count} acts");
}

/// Traps 25 and 40: one event that cannot be applied must not stop the others, nor be passed over within its key.
#[tokio::test]
async fn an_event_that_cannot_be_applied_parks_its_key_and_followers_in_order_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let app = app_with([deposited(1, 5), deposited(2, 13), deposited(1, 6), deposited(2, 7)]).await;
    for file in [false, true] {
        let (projection, cure) = amounts(13);
        let project = app.project(projection);
        let path = directory.path().join("a.sqlite");
        let model = if file { project.sqlite(&path) } else { project.in_memory() }.start().unwrap();
        caught_up(&app, &model).await;
        record(&app, [deposited(2, 8), deposited(3, 9)]).await;
        caught_up(&app, &model).await;
        assert!(model.get(&3).await.unwrap().expect("it is there").starts_with(&[9]));
        let first = &parked(&model, 1).await[0];
        assert_eq!((first.key.as_str(), first.error.as_str()), ("2", "this amount is poison"));
        let waiting: Vec<u64> = first.waiting.iter().map(|position| position.get()).collect();
        assert!(waiting.starts_with(&[2, 4]) && waiting.is_sorted(), "{waiting:?}");
        assert_eq!(model.get(&2).await.unwrap(), None);
        assert_eq!(model.status().parked, 1);

        cure.store(0, Ordering::Relaxed);
        model.operations().retry(&2_u64).await.unwrap();
        parked(&model, 0).await;
        let seen = model.get(&2).await.unwrap().expect("it is there");
        assert!(seen.starts_with(&[13, 7, 8]), "in order: {seen:?}");
        assert!(model.operations().retry(&2_u64).await.is_err(), "it is not parked any more");
        model.stop().await.unwrap();
    }
}

/// Trap 25: a retry by itself, with growing pauses, brings back what failed only for a while.
#[tokio::test]
async fn a_key_that_failed_for_a_while_goes_on_by_itself() {
    let app = app_with([deposited(1, 13), deposited(1, 2)]).await;
    let (projection, cure) = amounts(13);
    let model = app.project(projection).in_memory().start().unwrap();
    assert_eq!(parked(&model, 1).await[0].attempts, 1);
    cure.store(0, Ordering::Relaxed);
    parked(&model, 0).await;
    assert_eq!(model.get(&1).await.unwrap(), Some(vec![13, 2]));
}

/// Reliability row 18: a panic is a failure of the key as well, and it survives a restart without being forgotten.
#[tokio::test]
async fn a_panic_parks_its_key_and_is_there_after_a_restart_and_can_be_skipped_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let app = app_with([deposited(1, 1), deposited(1, PANICS), deposited(1, 2), deposited(2, 3)]).await;
    let start = || app.project(amounts(0).0).sqlite(directory.path().join("a.sqlite")).start().unwrap();
    let model = start();
    caught_up(&app, &model).await;
    assert!(parked(&model, 1).await[0].error.contains("a mistake in the projection"));
    assert_eq!(model.get(&1).await.unwrap(), Some(vec![1]));
    model.stop().await.unwrap();

    let model = start();
    record(&app, [deposited(1, 4)]).await;
    caught_up(&app, &model).await;
    assert_eq!(parked(&model, 1).await[0].waiting.len(), 3);
    model.operations().skip(&1_u64, "it was a test of ours").await.unwrap();
    parked(&model, 0).await;
    assert_eq!(model.get(&1).await.unwrap(), Some(vec![1, 2, 4]));
    model.rebuild().await.unwrap();
    assert_eq!(model.get(&1).await.unwrap(), Some(vec![1, 2, 4]), "skipped in a rebuild, too");
    let acts = acts(&app, 3).await;
    let kinds: Vec<&str> = acts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds[..2], ["$projection.parked", "$projection.skipped"]);
    assert_eq!(acts[1].1["reason"], "it was a test of ours");
    assert_eq!(acts[1].1["position"], 2);
}

#[tokio::test]
async fn an_edited_event_is_read_with_its_new_data_live_and_in_a_rebuild_and_the_log_stays() {
    let app = app_with([deposited(1, 13), deposited(1, 2)]).await;
    let model = app.project(amounts(13).0).in_memory().start().unwrap();
    parked(&model, 1).await;
    let at = Position::FIRST;
    let misfit = model.operations().edit(at, r#"{"account":"nobody"}"#).await;
    misfit.expect_err("data that cannot be read would stop the whole read model");
    model
        .operations()
        .edit(at.next(), r#"{"account":1,"amount":3}"#)
        .await
        .expect("what waits behind can be edited");
    model.operations().edit(at, r#"{"account":1,"amount":12}"#).await.unwrap();
    parked(&model, 0).await;
    assert_eq!(model.get(&1).await.unwrap(), Some(vec![12, 3]));
    model.rebuild().await.unwrap();
    assert_eq!(model.get(&1).await.unwrap(), Some(vec![12, 3]));
    let stored =
        app.store().read(factlog_core::Query::All, Default::default()).next().await.unwrap().unwrap();
    assert!(stored.event.data.windows(2).any(|bytes| bytes == b"13"));
}

/// Reliability row 18: one poison event in 10,000; the lag of the others is not touched.
#[tokio::test]
async fn one_poison_event_in_ten_thousand_holds_up_its_key_alone() {
    let app = app_with([]).await;
    let batch = (0..10_000).map(|n| deposited(n % 100, if n == 5_050 { 13 } else { 1 })).collect();
    app.execute(crate::bank::Record(batch)).await.unwrap();
    let model = app.project(amounts(13).0).in_memory().workers(2).threads(2).start().unwrap();
    caught_up(&app, &model).await;
    let all = model.all().await.unwrap();
    assert_eq!(all.iter().filter(|(_, seen)| seen.len() == 100).count(), 99);
    let held = parked(&model, 1).await;
    assert_eq!((held[0].key.as_str(), held[0].waiting.len()), ("50", 50));
}

/// A crash between the sink's commit and the append leaves the act in the sink; a crash after the append leaves it
/// there, too. Either way it is recorded once.
#[tokio::test]
async fn an_act_that_a_crash_left_in_the_sink_is_recorded_once() {
    let sink = Arc::new(MemorySink::<u64, Vec<u64>>::default());
    let app = app_with([deposited(1, 13)]).await;
    let name = "act/00000000000000000007/0000000000000007/$projection.skipped";
    for _ in 0..3 {
        let mut left = Commit::new(0);
        left.rows.push((name.to_owned(), Some(r#"{"key":"9","reason":"left by a crash"}"#.to_owned())));
        assert_eq!(sink.commit(left).unwrap(), Committed::Written);
        let model = app.project(amounts(13).0).kept_in(sink.clone()).start().unwrap();
        for _ in 0..500 {
            if sink.rows("act/", 1).unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        model.stop().await.unwrap();
    }
    let acts = acts(&app, 2).await;
    assert_eq!(acts.iter().filter(|(_, data)| data["reason"] == "left by a crash").count(), 1, "{acts:?}");
}
