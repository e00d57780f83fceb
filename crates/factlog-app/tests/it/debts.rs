//! Debts: whoever takes over from whom, and back, every side effect is carried out once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factlog::projection::{Commit, Committed, Generation, MemorySink, Rows, TransactionalSink};
use factlog::{App, OnTimeout, ReadModel, Result};
use futures_util::FutureExt as _;

use crate::SOON;
use crate::bank::{app_with, deposited, record};
use crate::letters::{Letters, POISON, Sent, deposits};

type Kept = Arc<MemorySink<u64, u64>>;

async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come");
}

/// A version runs until it has the whole log, and all it owes is carried out.
async fn run<const VERSION: u32>(app: &App, kept: &Kept, sent: &Sent) -> ReadModel<Letters<VERSION>> {
    let model = app
        .project(Letters::<VERSION>)
        .kept_in(kept.clone())
        .effects(sent.clone())
        .effects_after(None)
        .start()
        .unwrap();
    let head = app.store().head().await.unwrap().position;
    model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
    until("the last letter", || kept.rows("outbox/", 1).unwrap().is_empty()).await;
    model
}

async fn run_and_stop<const VERSION: u32>(app: &App, kept: &Kept, sent: &Sent) {
    run::<VERSION>(app, kept, sent).await.stop().await.unwrap();
}

/// Trap 16: back to a generation that stands still, because its code is gone, and then on to a third one. What the second
/// has sent is above the checkpoint of the first.
#[tokio::test]
async fn what_was_sent_before_going_back_is_not_sent_again_by_the_fix() {
    let (app, kept, sent) =
        (app_with((0..5).map(|n| deposited(n, 1))).await, Kept::default(), Sent::default());
    run_and_stop::<1>(&app, &kept, &sent).await;
    record(&app, (0..3).map(|n| deposited(n, 1))).await;
    let green = run::<2>(&app, &kept, &sent).await;
    green.operations().back().await.unwrap();
    green.stop().await.unwrap();
    record(&app, [deposited(1, 1)]).await;
    run_and_stop::<3>(&app, &kept, &sent).await;
    sent.complete(deposits(&app).await).await;
}

/// Trap 16: a key that only the generation in the middle has parked was done with before.
#[tokio::test]
async fn what_only_the_one_in_the_middle_has_parked_is_not_sent_again() {
    let amounts = [1, POISON, 1];
    let app = app_with(amounts.map(|amount| deposited(1, amount))).await;
    let (kept, sent) = (Kept::default(), Sent::default());
    run_and_stop::<1>(&app, &kept, &sent).await;
    run_and_stop::<2>(&app, &kept, &sent).await;
    assert_eq!(kept.rows("waiting/", 9).unwrap().len(), 2, "the one in the middle has parked it");
    run_and_stop::<3>(&app, &kept, &sent).await;
    sent.complete(deposits(&app).await).await;
}

/// Trap 16: what the second had parked is owed by the first after going back, which never comes so far, and so by the third.
#[tokio::test]
async fn what_was_parked_when_going_back_is_sent_by_the_fix() {
    let (app, kept, sent) = (app_with([deposited(1, 1)]).await, Kept::default(), Sent::default());
    run_and_stop::<1>(&app, &kept, &sent).await;
    record(&app, [deposited(1, POISON), deposited(2, 1)]).await;
    let green = run::<2>(&app, &kept, &sent).await;
    green.operations().back().await.unwrap();
    green.stop().await.unwrap();
    assert_eq!(*sent.0.lock(), [1, 3]);
    run_and_stop::<3>(&app, &kept, &sent).await;
    sent.complete(deposits(&app).await).await;
}

/// Trap 31: a log that was restored from an older copy goes on at positions that the read model had before.
#[tokio::test]
async fn after_a_rebuild_on_a_restored_log_letters_go_out_from_its_own_end_on() {
    let (kept, sent) = (Kept::default(), Sent::default());
    run_and_stop::<1>(&app_with((0..5).map(|n| deposited(n, 1))).await, &kept, &sent).await;
    sent.0.lock().clear();
    let app = app_with((0..2).map(|n| deposited(n, 1))).await;
    let model = app.project(Letters::<1>).kept_in(kept.clone()).effects(sent.clone()).start().unwrap();
    let head = app.store().head().await.unwrap().position;
    model.at_least(head, SOON, OnTimeout::Error).await.expect_err("it is of another log");
    model.rebuild().await.unwrap();
    record(&app, (0..4).map(|n| deposited(n, 1))).await;
    sent.complete(vec![3, 4, 5, 6]).await;
    model.stop().await.unwrap();
}

/// A sink in which the generation that is to be served commits once more, while a switch reads what it holds back.
struct Between {
    kept: Kept,
    /// A broken twin: the switch does not expect that generation to stand where it did.
    unfenced: bool,
    reading: AtomicBool,
    read: AtomicBool,
}

impl TransactionalSink<u64, u64> for Between {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<u64>> {
        self.kept.document(of, key)
    }
    fn scan(&self, of: Generation, wanted: &dyn Fn(&u64) -> bool) -> Result<Vec<(u64, u64)>> {
        self.kept.scan(of, wanted)
    }
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        let rows = self.kept.rows(prefix, limit)?;
        if prefix.starts_with("held/00000002/") && !self.read.load(Ordering::SeqCst) {
            self.reading.store(true, Ordering::SeqCst);
            while self.kept.rows(prefix, limit)? == rows {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.read.store(true, Ordering::SeqCst);
        }
        Ok(rows)
    }
    fn commit(&self, mut commit: Commit<u64, u64>) -> Result<Committed> {
        if self.unfenced && commit.rows.iter().any(|(name, _)| name == "serving") {
            commit.expected.retain(|(name, _)| !name.starts_with("range/00000002/"));
        }
        self.kept.commit(commit)
    }
}

/// A switch meets a commit of the generation that takes over; the one that is left stands still.
async fn switch_meets_a_commit(unfenced: bool) {
    let (app, kept, sent) = (app_with([deposited(1, 1)]).await, Kept::default(), Sent::default());
    run_and_stop::<1>(&app, &kept, &sent).await;
    let (reading, read) = (AtomicBool::new(false), AtomicBool::new(false));
    let between = Arc::new(Between { kept: kept.clone(), unfenced, reading, read });
    let green = app.project(Letters::<2>).kept_in(between.clone()).effects(sent.clone()).start().unwrap();
    until("a switch", || between.reading.load(Ordering::SeqCst)).await;
    record(&app, [deposited(2, 1)]).await;
    let head = app.store().head().await.unwrap().position;
    green.at_least(head, SOON, OnTimeout::Error).await.unwrap();
    assert!(between.read.load(Ordering::SeqCst));
    green.stop().await.unwrap();
    run_and_stop::<2>(&app, &kept, &sent).await;
    sent.complete(deposits(&app).await).await;
}

/// Trap 16: what is held back while a switch is made goes out as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_is_held_back_during_a_switch_is_sent() {
    switch_meets_a_commit(false).await;
}

/// The test above finds what it is there to find.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_does_not_expect_the_next_generation_to_stand_is_found() {
    let twin = AssertUnwindSafe(switch_meets_a_commit(true)).catch_unwind().await;
    assert!(twin.is_err(), "a letter was lost and not found");
}
