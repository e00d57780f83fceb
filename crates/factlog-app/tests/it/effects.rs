//! Side effects: where they begin, who hands them out and for how long, and what is said when they fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use factlog::projection::{Effect, Effects, MemorySink, TransactionalSink as _};
use factlog::{App, Clock as _, Error, ErrorKind, ManualClock, MemoryStore, OnTimeout, Result};

use crate::SOON;
use crate::bank::{Record, app_with, deposited, record};
use crate::letters::{Letters, Sent};

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

/// Trap 16: a file that was moved away, or memory after a restart, must not send every letter again in silence.
#[tokio::test]
async fn a_read_model_of_which_nothing_is_kept_sends_nothing_before_it_is_said_where_to_begin() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("l.sqlite");
    let (app, sent) = (app_with((0..5).map(|n| deposited(n, 1))).await, Sent::default());
    let file = || app.project(Letters::<1>).sqlite(&path).effects(sent.clone());
    let memory = app.project(Letters::<1>).in_memory().effects(sent.clone()).effects_after(None);
    for (refused, word) in [(file().start(), "effects_after"), (memory.start(), "keep it in a file")] {
        let error = refused.expect_err("it is unknown what was sent");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(word), "{error}");
    }
    let caught_up = async |model: &factlog::ReadModel<Letters<1>>| {
        let head = app.store().head().await.unwrap().position;
        model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
    };
    let head = app.store().head().await.unwrap().position;
    let model = file().effects_after(head).start().unwrap();
    caught_up(&model).await;
    record(&app, [deposited(1, 1)]).await;
    sent.complete(vec![6]).await;
    assert_eq!(model.get(&1).await.unwrap(), Some(2), "the past is in the documents");
    model.stop().await.unwrap();
    // Once it is there, nothing is to be said, and what is said changes nothing.
    for again in [file(), file().effects_after(None)] {
        let model = again.start().unwrap();
        caught_up(&model).await;
        model.stop().await.unwrap();
    }
    sent.complete(vec![6]).await;
}

/// Each letter takes two seconds. It is noted when the lease had ended before one was begun.
struct Slow {
    clock: Arc<ManualClock>,
    kept: Kept,
    late: Arc<AtomicU32>,
    sent: Sent,
}

impl Effects for Slow {
    fn carry_out(&self, effect: &Effect) -> Result<()> {
        let lease = self.kept.rows("dispatch", 1)?;
        let lease: serde_json::Value = serde_json::from_str(&lease["dispatch"]).unwrap();
        if lease["until"].as_i64().unwrap() < self.clock.now().as_micros() {
            self.late.fetch_add(1, Ordering::SeqCst);
        }
        self.clock.advance(Duration::from_secs(2));
        self.sent.carry_out(effect)
    }
}

/// Trap 28: another program would hand out the same letters at the same time.
#[tokio::test]
async fn whoever_hands_out_many_letters_slowly_keeps_its_lease() {
    let (clock, kept, sent) = (Arc::new(ManualClock::default()), Kept::default(), Sent::default());
    let late = Arc::new(AtomicU32::new(0));
    let app = App::builder(MemoryStore::new()).clock(clock.clone()).build();
    app.execute(Record((0..10).map(|n| deposited(n, 1)).collect())).await.unwrap();
    let slow = Slow { clock, kept: kept.clone(), late: late.clone(), sent: sent.clone() };
    let model = app.project(Letters::<1>).kept_in(kept).effects(slow).effects_after(None).start().unwrap();
    sent.complete((1..=10).collect()).await;
    assert_eq!(late.load(Ordering::SeqCst), 0, "begun without a lease");
    model.stop().await.unwrap();
}

/// It carries out nothing.
struct OutOfPaper;

impl Effects for OutOfPaper {
    fn carry_out(&self, _: &Effect) -> Result<()> {
        Err(Error::unavailable("out of paper"))
    }
}

/// "Running but not sending": a state that looks healthy is worse than a failure.
#[tokio::test]
async fn letters_that_cannot_be_sent_are_counted_and_the_status_says_why() {
    let (app, kept) = (app_with((0..3).map(|n| deposited(n, 1))).await, Kept::default());
    let start = || app.project(Letters::<1>).kept_in(kept.clone()).effects_after(None);
    let model = start().effects(OutOfPaper).start().unwrap();
    let problem = || model.status().effects_problem.is_some_and(|problem| problem.contains("out of paper"));
    until("the problem", problem).await;
    until("the count", || model.status().effects_owed == 3).await;
    model.stop().await.unwrap();
    let sent = Sent::default();
    let model = start().effects(sent.clone()).start().unwrap();
    sent.complete(vec![1, 2, 3]).await;
    until("health", || model.status().effects_owed == 0 && model.status().effects_problem.is_none()).await;
    model.stop().await.unwrap();
}
