//! A pause holds from the moment that it is answered, whoever still folds then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factlog::projection::{ApplyError, Commit, Committed, Generation, MemorySink, Rows, TransactionalSink};
use factlog::{App, OnTimeout, Projection, ReadModel, Recorded, Result};
use parking_lot::Mutex;

use crate::SOON;
use crate::bank::{AccountEvent, Balances, app_with, deposited, record};
use crate::generations::head;

type Kept = Arc<MemorySink<u64, u64>>;

/// Longer than the test: nobody takes a slot because of time.
const LEASE: Duration = Duration::from_secs(600);
/// Cannot be digested by who is ill.
const POISON: u64 = 13;

/// Balances of somebody who may be ill, and during whose cure another program pauses.
#[derive(Clone, Default)]
struct Sums {
    ill: Arc<AtomicBool>,
    cured: Arc<AtomicBool>,
    kept: Kept,
}

impl Projection for Sums {
    type Event = AccountEvent;
    type Key = u64;
    type Document = u64;
    const NAME: &'static str = "sums";
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        Balances.keys(recorded)
    }
    fn apply(&self, key: &u64, sum: Option<u64>, recorded: &Recorded<AccountEvent>) -> Option<u64> {
        Balances.apply(key, sum, recorded)
    }
    fn try_apply(
        &self,
        key: &u64,
        sum: Option<u64>,
        recorded: &Recorded<AccountEvent>,
    ) -> std::result::Result<Option<u64>, ApplyError> {
        match &recorded.event {
            AccountEvent::Deposited(event) if event.amount == POISON && self.ill.load(Ordering::SeqCst) => {
                Err("it is ill".into())
            }
            AccountEvent::Deposited(event)
                if event.amount == POISON && !self.cured.swap(true, Ordering::SeqCst) =>
            {
                put(&self.kept, "paused", "");
                Ok(self.apply(key, sum, recorded))
            }
            _ => Ok(self.apply(key, sum, recorded)),
        }
    }
}

/// What other programs leave in the sink.
fn put(kept: &Kept, row: &str, text: &str) {
    let mut commit = Commit::new(0);
    commit.rows.push((row.to_owned(), Some(text.to_owned())));
    assert_eq!(kept.commit(commit).unwrap(), Committed::Written);
}

/// A sink as a program has it that has not come to know of the pause, although it is there.
#[derive(Default)]
struct Unaware {
    kept: Kept,
    aware: AtomicBool,
    /// What came of the commits of documents.
    commits: Mutex<Vec<Committed>>,
    /// Whether who commits a pause stands still until somebody has tried to commit documents after it.
    slow: AtomicBool,
}

impl Unaware {
    /// What came of the commit of documents after so many, if it was tried.
    fn commit_after(&self, known: usize) -> Option<Committed> {
        self.commits.lock().get(known).copied()
    }

    /// What comes of the next commit of documents.
    async fn next(&self) -> Committed {
        let known = self.commits.lock().len();
        until("a commit", || self.commit_after(known).is_some()).await;
        self.commit_after(known).unwrap()
    }
}

impl TransactionalSink<u64, u64> for Unaware {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<u64>> {
        self.kept.document(of, key)
    }
    fn scan(&self, of: Generation, wanted: &dyn Fn(&u64) -> bool) -> Result<Vec<(u64, u64)>> {
        self.kept.scan(of, wanted)
    }
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        let mut rows = self.kept.rows(prefix, limit)?;
        rows.retain(|name, _| name != "paused" || self.aware.load(Ordering::SeqCst));
        Ok(rows)
    }
    fn commit(&self, commit: Commit<u64, u64>) -> Result<Committed> {
        let documents = !commit.documents.is_empty();
        let pauses = commit.rows.iter().any(|(name, text)| name == "paused" && text.is_some());
        let known = self.commits.lock().len();
        let committed = self.kept.commit(commit)?;
        if documents {
            self.commits.lock().push(committed);
        }
        for _ in 0..2_000 {
            if !pauses || !self.slow.load(Ordering::SeqCst) || self.commit_after(known).is_some() {
                return Ok(committed);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("nobody commits");
    }
}

/// A program that holds everything and has come to the head.
async fn holder(app: &App, sink: &Arc<Unaware>) -> ReadModel<Sums> {
    let project = app.project(Sums::default()).kept_in(sink.clone());
    let model = project.shared(1, LEASE).start().unwrap();
    model.at_least(head(app).await, SOON, OnTimeout::Error).await.unwrap();
    model
}

/// Another one, which takes orders and holds nothing.
fn other(app: &App, sink: &Arc<Unaware>) -> ReadModel<Sums> {
    let project = app.project(Sums::default()).kept_in(sink.kept.clone());
    project.shared(1, LEASE).start().unwrap()
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

fn document(sink: &Unaware) -> Option<u64> {
    sink.kept.document(Generation::Serving, &1).unwrap()
}

/// Another program looks for pauses a few times a second; until then its readers would be told of what cannot have happened.
#[tokio::test]
async fn what_a_program_folds_that_does_not_know_of_the_pause_is_refused() {
    let app = app_with([deposited(1, 1)]).await;
    let sink = Arc::new(Unaware::default());
    let holder = holder(&app, &sink).await;
    let other = other(&app, &sink);
    other.operations().pause().await.unwrap();
    let (committed, ()) = tokio::join!(sink.next(), record(&app, [deposited(1, 1)]));
    assert_eq!((committed, document(&sink)), (Committed::Refused, Some(1)));

    sink.aware.store(true, Ordering::SeqCst);
    let free = |text: &String| text.contains(r#""owner":null"#);
    until("what it held", || sink.kept.rows("range/", 9).unwrap().values().all(free)).await;
    other.operations().resume().await.unwrap();
    holder.at_least(head(&app).await, SOON, OnTimeout::Error).await.expect("it goes on");
    assert_eq!(holder.get(&1).await.unwrap(), Some(2));
    for model in [holder, other] {
        model.stop().await.unwrap();
    }
}

/// The answer to an order in the sink is there before the program that wrote it has halted its own workers: what is recorded
/// just then was applied, and an operator who was told that it is paused saw it move.
#[tokio::test]
async fn what_is_recorded_behind_the_answer_is_not_applied_before_the_workers_are_halted() {
    let app = app_with([deposited(1, 1)]).await;
    let sink = Arc::new(Unaware::default());
    let model = holder(&app, &sink).await;
    sink.aware.store(true, Ordering::SeqCst);
    sink.slow.store(true, Ordering::SeqCst);
    put(&sink.kept, "order/1", r#"{"do":"pause"}"#);
    until("an answer", || !sink.kept.rows("answer/1", 1).unwrap().is_empty()).await;
    let (committed, ()) = tokio::join!(sink.next(), record(&app, [deposited(1, 1)]));
    assert_eq!((committed, document(&sink)), (Committed::Refused, Some(1)));

    model.operations().resume().await.unwrap();
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.expect("it goes on");
    assert_eq!(model.get(&1).await.unwrap(), Some(2));
    model.stop().await.unwrap();
}

/// The same of a parked key that is being tried again.
#[tokio::test]
async fn a_retry_during_which_it_is_paused_is_refused() {
    let app = app_with([deposited(1, 1), deposited(1, POISON)]).await;
    let sink = Arc::new(Unaware::default());
    sink.aware.store(true, Ordering::SeqCst);
    let sums = Sums { kept: sink.kept.clone(), ..Sums::default() };
    sums.ill.store(true, Ordering::SeqCst);
    let model = app.project(sums.clone()).kept_in(sink.clone()).start().unwrap();
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    let (committed, ()) = tokio::join!(sink.next(), async { sums.ill.store(false, Ordering::SeqCst) });
    assert_eq!((committed, document(&sink)), (Committed::Refused, Some(1)));

    model.operations().resume().await.unwrap();
    until("the retry", || document(&sink) == Some(1 + POISON)).await;
    model.stop().await.unwrap();
}
