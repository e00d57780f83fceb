//! A generation that is built is far behind for long: nobody is told otherwise, and readers' documents do not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use factlog::projection::{Commit, Committed, Generation, MemorySink, Rows, Switch, TransactionalSink};
use factlog::{App, OnTimeout, Position, Result};

use crate::SOON;
use crate::bank::{Balances, Record, app_with, deposited, record};

/// A sink in which the second generation gets no documents while it is closed.
#[derive(Default)]
struct Gated {
    sink: MemorySink<u64, u64>,
    closed: AtomicBool,
    reached: AtomicBool,
    /// Where it is closed to it as well, unless 0.
    closed_at: AtomicU64,
}

impl TransactionalSink<u64, u64> for Gated {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<u64>> {
        while of == Generation::Number(2) && self.closed.load(Ordering::SeqCst) {
            self.reached.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(2));
        }
        let closed_at = || match self.closed_at.load(Ordering::SeqCst) {
            0 => false,
            at => at <= self.position(2).map_or(0, Position::get),
        };
        while of == Generation::Number(2) && closed_at() {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.sink.document(of, key)
    }
    fn scan(&self, of: Generation, wanted: &dyn Fn(&u64) -> bool) -> Result<Vec<(u64, u64)>> {
        self.sink.scan(of, wanted)
    }
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.sink.rows(prefix, limit)
    }
    fn commit(&self, commit: Commit<u64, u64>) -> Result<Committed> {
        self.sink.commit(commit)
    }
}

impl Gated {
    fn position(&self, generation: u64) -> Option<Position> {
        let rows = self.rows(&format!("range/{generation:08}/"), 1).unwrap();
        let row: serde_json::Value = serde_json::from_str(rows.values().next().unwrap()).unwrap();
        row["position"].as_u64().and_then(Position::new)
    }

    async fn until_reached(&self) {
        until("the build", || self.reached.swap(false, Ordering::SeqCst)).await;
    }
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

/// The reference store hands out events one by one, slowly.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many deposits, 2,500 in an append.
async fn deposits(app: &App, count: u64) -> Option<Position> {
    for _ in 0..count / 2_500 {
        app.execute(Record((0..2_500).map(|n| deposited(n % 50, 1)).collect())).await.unwrap();
    }
    app.store().head().await.unwrap().position
}

/// Trap 15: whoever compares before the switch would compare a build that lacks what was recorded while it read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_is_not_said_to_be_built_while_it_lacks_what_was_recorded_meanwhile() {
    let (app, sink) = (app_with([]).await, Arc::new(Gated::default()));
    let model = app.project(Balances).kept_in(sink.clone()).switch(Switch::ByHand).start().unwrap();
    // So many that it reads ahead, up to the head of that moment.
    let first = deposits(&app, 22_500).await;
    model.at_least(first, PATIENCE, OnTimeout::Error).await.unwrap();
    sink.closed.store(true, Ordering::SeqCst);
    let rebuilt = model.clone();
    let rebuild = tokio::spawn(async move { rebuilt.rebuild().await });
    sink.until_reached().await;
    let head = deposits(&app, 2_500).await;
    model.at_least(head, PATIENCE, OnTimeout::Error).await.expect("what readers see goes on");
    sink.closed_at.store(first.map_or(0, Position::get), Ordering::SeqCst);
    sink.closed.store(false, Ordering::SeqCst);
    until("what it read ahead", || first <= sink.position(2)).await;
    // It may stand there now, with nothing of what was recorded since.
    for _ in 0..20 {
        model.operations().retry(&1_u64).await.expect_err("it is not parked");
        assert!(!rebuild.is_finished() || head <= sink.position(2), "said to be built");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sink.closed_at.store(0, Ordering::SeqCst);
    rebuild.await.unwrap().unwrap();
    assert!(head <= sink.position(2), "{head:?} {:?}", sink.position(2));
    model.stop().await.unwrap();
}

/// One stand-still after another, as long as the build takes, is a read model that stands still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_readers_see_does_not_stand_still_for_a_build_that_is_far_behind() {
    let (app, sink) = (app_with([deposited(1, 1)]).await, Arc::new(Gated::default()));
    let model = app.project(Balances).kept_in(sink.clone()).switch(Switch::ByHand).start().unwrap();
    model.rebuild().await.unwrap();
    sink.closed.store(true, Ordering::SeqCst);
    let head = deposits(&app, 12_500).await;
    sink.until_reached().await;
    model.at_least(head, PATIENCE, OnTimeout::Error).await.unwrap();
    model.operations().switch().await.unwrap();
    for _ in 0..5 {
        model.operations().retry(&1_u64).await.expect_err("it is not parked");
        assert!(sink.rows("hold/", 9).unwrap().is_empty(), "nobody stands still");
    }
    sink.closed.store(false, Ordering::SeqCst);
    until("the switch", || sink.rows("serving", 1).unwrap()["serving"] == "2").await;
    assert!(head <= sink.position(2));
    model.stop().await.unwrap();
}

/// A clock that was set back makes the end of a moment lie far away.
#[tokio::test]
async fn a_read_model_stands_still_for_a_moment_at_most_whatever_its_row_says() {
    let (app, sink) = (app_with([deposited(1, 1)]).await, Arc::new(Gated::default()));
    let model = app.project(Balances).kept_in(sink.clone()).start().unwrap();
    model.at_least(Position::FIRST, SOON, OnTimeout::Error).await.unwrap();
    let mut hold = Commit::new(0);
    hold.rows.push(("hold/00000001".to_owned(), Some("9000000000000000".to_owned())));
    assert_eq!(sink.commit(hold).unwrap(), Committed::Written);
    record(&app, [deposited(1, 1)]).await;
    model.at_least(Position::new(2), SOON, OnTimeout::Error).await.expect("it goes on");
    model.stop().await.unwrap();
}
