//! Edits and skips: whoever folded with an event as it was before is refused, in every generation.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factlog::projection::{ApplyError, Commit, Committed, Generation, MemorySink, Rows, TransactionalSink};
use factlog::{App, OnTimeout, Position, Projection, ReadModel, Recorded, Result};
use futures_util::FutureExt as _;

use crate::SOON;
use crate::bank::{AccountEvent, app_with, deposited};

/// The sum of each account, which cannot digest 13, and of all, which can.
struct Sums;

const ALL: u64 = 1_000;

impl Projection for Sums {
    type Event = AccountEvent;
    type Key = u64;
    type Document = u64;
    const NAME: &'static str = "sums";
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        match &recorded.event {
            AccountEvent::Deposited(event) => vec![event.account, ALL],
            AccountEvent::Opened(_) | AccountEvent::Withdrawn(_) => Vec::new(),
        }
    }
    fn apply(&self, _: &u64, sum: Option<u64>, recorded: &Recorded<AccountEvent>) -> Option<u64> {
        match &recorded.event {
            AccountEvent::Deposited(event) => Some(sum.unwrap_or(0) + event.amount),
            AccountEvent::Opened(_) | AccountEvent::Withdrawn(_) => sum,
        }
    }
    fn try_apply(
        &self,
        key: &u64,
        sum: Option<u64>,
        recorded: &Recorded<AccountEvent>,
    ) -> std::result::Result<Option<u64>, ApplyError> {
        match &recorded.event {
            AccountEvent::Deposited(event) if event.amount == 13 && *key != ALL => Err("unlucky".into()),
            _ => Ok(self.apply(key, sum, recorded)),
        }
    }
}

type Kept = Arc<MemorySink<u64, u64>>;

/// A sink that lets a commit of the generation that is built wait until it is told.
struct Waits {
    kept: Kept,
    /// A broken twin: what was folded before an edit is committed behind it.
    unfenced: bool,
    waits: AtomicBool,
    goes_on: AtomicBool,
}

impl TransactionalSink<u64, u64> for Waits {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<u64>> {
        self.kept.document(of, key)
    }
    fn scan(&self, of: Generation, wanted: &dyn Fn(&u64) -> bool) -> Result<Vec<(u64, u64)>> {
        self.kept.scan(of, wanted)
    }
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.kept.rows(prefix, limit)
    }
    fn commit(&self, mut commit: Commit<u64, u64>) -> Result<Committed> {
        if commit.generation == 2 && !commit.documents.is_empty() {
            if self.unfenced {
                commit.expected.retain(|(name, _)| name != "amended");
            }
            self.waits.store(true, Ordering::SeqCst);
            while !self.goes_on.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.kept.commit(commit)
    }
}

async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come");
}

async fn act(model: &ReadModel<Sums>, skip: bool) {
    match skip {
        true => model.operations().skip(&1_u64, "unlucky").await.unwrap(),
        false => {
            model.operations().edit(Position::FIRST, r#"{"account":1,"amount":12}"#).await.unwrap();
        }
    }
}

/// An event is amended while the generation that is built has folded it and not committed yet.
async fn amended_during_a_build(skip: bool, unfenced: bool) {
    let app: App = app_with([deposited(1, 13), deposited(1, 1)]).await;
    let (waits, goes_on) = (AtomicBool::new(false), AtomicBool::new(false));
    let sink = Arc::new(Waits { kept: Kept::default(), unfenced, waits, goes_on });
    let model = app.project(Sums).kept_in(sink.clone()).start().unwrap();
    model.at_least(Position::new(2), SOON, OnTimeout::Error).await.unwrap();
    assert_eq!(model.get(&ALL).await.unwrap(), Some(14));
    let rebuilt = model.clone();
    let rebuild = tokio::spawn(async move { rebuilt.rebuild().await });
    until("a commit of the build", || sink.waits.load(Ordering::SeqCst)).await;
    act(&model, skip).await;
    sink.goes_on.store(true, Ordering::SeqCst);
    rebuild.await.unwrap().unwrap();
    let expected = if skip { (Some(1), Some(14)) } else { (Some(13), Some(13)) };
    let seen = (model.get(&1).await.unwrap(), model.get(&ALL).await.unwrap());
    model.stop().await.unwrap();
    assert_eq!(seen, expected);
}

/// Trap 25: an act of an operator counts in every generation, also in the one that is just being built.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_folded_before_an_edit_or_a_skip_is_folded_again() {
    for skip in [false, true] {
        amended_during_a_build(skip, false).await;
    }
}

/// The test above finds what it is there to find.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_do_not_expect_the_edits_they_know_are_found() {
    for skip in [false, true] {
        let twin = AssertUnwindSafe(amended_during_a_build(skip, true)).catch_unwind().await;
        assert!(twin.is_err(), "an old fold was committed and not found");
    }
}

/// Trap 40: a file that was lost, or memory, must not bring back what an operator mended.
#[tokio::test]
async fn a_read_model_that_is_made_anew_remembers_edits_and_skips() {
    let app = app_with([deposited(1, 13), deposited(1, 1), deposited(2, 13)]).await;
    let start = || app.project(Sums).in_memory().start().unwrap();
    let seen = async |model: &ReadModel<Sums>| {
        let head = app.store().head().await.unwrap().position;
        model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
        let mut all = model.all().await.unwrap();
        all.retain(|(key, _)| *key != ALL);
        (all, model.status().parked)
    };
    let model = start();
    assert_eq!(seen(&model).await, (Vec::new(), 2));
    act(&model, false).await;
    model.operations().skip(&2_u64, "unlucky").await.unwrap();
    until("the end of all parking", || model.status().parked == 0).await;
    let stream = factlog::StreamId::new("$parked-sums").unwrap();
    for _ in 0..500 {
        let events =
            factlog::EventStoreExt::read_stream(&**app.store(), stream.clone()).await.unwrap().events;
        let mended = |kind: &str| kind == "$projection.edited" || kind == "$projection.skipped";
        if 2 <= events.iter().filter(|event| mended(event.event.event_type.as_str())).count() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    model.stop().await.unwrap();
    let anew = start();
    assert_eq!(seen(&anew).await, (vec![(1, 13)], 0));
    assert_eq!(anew.get(&ALL).await.unwrap(), Some(26), "it was read with the new data");
    anew.stop().await.unwrap();
}
