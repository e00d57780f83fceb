//! Several workers of one read model: each has its own part, and none speaks for another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use factlog::projection::{
    Commit, Committed, Generation, MemorySink, PARTITIONS, ProjectionState, Rows, TransactionalSink,
    partition,
};
use factlog::{App, Error, OnTimeout, Result};

use crate::SOON;
use crate::bank::{Balances, app_with, deposited, record};

/// The first accounts of the first and the second of two workers.
pub(crate) fn one_of_each() -> (u64, u64) {
    let of = |half: bool| (0..).find(|key: &u64| (partition(key).unwrap() < PARTITIONS / 2) == half).unwrap();
    (of(true), of(false))
}

async fn head(app: &App) -> Option<factlog::Position> {
    app.store().head().await.unwrap().position
}

/// One document of it is damaged; it counts who asked for that.
struct Damaged {
    sink: MemorySink<u64, u64>,
    account: u64,
    asked: Arc<AtomicU64>,
}

impl TransactionalSink<u64, u64> for Damaged {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<u64>> {
        if *key == self.account {
            self.asked.fetch_add(1, Ordering::SeqCst);
            return Err(Error::corrupt("a document is damaged"));
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

/// A worker that goes on must not hide one that has failed, nor have it started again with every batch of its own.
#[tokio::test]
async fn a_worker_that_failed_is_seen_and_stays_down_although_another_goes_on() {
    let (mine, other) = one_of_each();
    let app = app_with([deposited(mine, 1), deposited(other, 1)]).await;
    let asked = Arc::new(AtomicU64::new(0));
    let sink = Arc::new(Damaged { sink: MemorySink::default(), account: mine, asked: asked.clone() });
    let model = app.project(Balances).kept_in(sink.clone()).workers(2).start().unwrap();
    model.at_least(head(&app).await, SOON, OnTimeout::Error).await.expect_err("one of them fails");
    for amount in 1..=20 {
        record(&app, [deposited(other, 1)]).await;
        let followed = async || {
            while sink.sink.document(Generation::Serving, &other).unwrap() != Some(1 + amount) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(SOON, followed()).await.expect("the other goes on");
        // Two rounds of whoever starts workers.
        for _ in 0..2 {
            model.operations().retry(&mine).await.expect_err("it is not parked");
        }
        assert!(matches!(model.status().state, ProjectionState::Failed(_)), "{:?}", model.status());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it was started once");
}
