//! What is committed at the very moment of a switch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factlog::projection::{Commit, Committed, Generation, MemorySink, Rows, Switch, TransactionalSink};
use factlog::{OnTimeout, Result};
use serde_json::Value;

use crate::SOON;
use crate::bank::{app_with, deposited, record};
use crate::generations::head;
use crate::letters::{Letters, Sent, deposits};

/// Lets the generation that is switched to commit between the switch's look at its side effects and its commit.
#[derive(Default)]
struct Between {
    sink: MemorySink<u64, u64>,
    armed: AtomicBool,
    looked: AtomicBool,
    go: AtomicBool,
}

/// Waits for what takes a moment; reaching the end is a failure of the test, not of what it tests.
fn until(reached: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if reached() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it did not come to it");
}

impl Between {
    fn built_to(&self) -> u64 {
        let ranges = self.sink.rows("range/00000002/", 10).unwrap();
        let position = |text: &String| serde_json::from_str::<Value>(text).unwrap()["position"].as_u64();
        ranges.values().filter_map(position).min().unwrap_or(0)
    }
}

impl TransactionalSink<u64, u64> for Between {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<u64>> {
        self.sink.document(of, key)
    }
    fn scan(&self, of: Generation, wanted: &dyn Fn(&u64) -> bool) -> Result<Vec<(u64, u64)>> {
        self.sink.scan(of, wanted)
    }
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        let found = self.sink.rows(prefix, limit)?;
        if prefix.starts_with("held/") && self.armed.swap(false, Ordering::SeqCst) {
            self.looked.store(true, Ordering::SeqCst);
            until(|| self.go.load(Ordering::SeqCst));
        }
        Ok(found)
    }
    fn commit(&self, commit: Commit<u64, u64>) -> Result<Committed> {
        self.sink.commit(commit)
    }
}

/// Trap 16: a side effect that is held back just then would be released by nobody, and lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_side_effect_that_is_committed_during_the_switch_is_not_lost() {
    let app = app_with((0..10).map(|n| deposited(n % 3, 1))).await;
    let (sent, sink) = (Sent::default(), Arc::new(Between::default()));
    let project = app.project(Letters::<1>).kept_in(sink.clone()).effects(sent.clone());
    let blue = project.effects_after(None).start().unwrap();
    blue.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    sent.complete(deposits(&app).await).await;
    blue.stop().await.unwrap();
    let project = app.project(Letters::<2>).kept_in(sink.clone()).effects(sent.clone());
    let green = project.switch(Switch::ByHand).start().unwrap();
    until(|| sink.built_to() == 10);

    sink.armed.store(true, Ordering::SeqCst);
    let (writer, meanwhile) = (app.clone(), sink.clone());
    let between = tokio::spawn(async move {
        until(|| meanwhile.looked.load(Ordering::SeqCst));
        record(&writer, [deposited(1, 1)]).await;
        until(|| meanwhile.built_to() == 11);
        meanwhile.go.store(true, Ordering::SeqCst);
    });
    green.operations().switch().await.unwrap();
    between.await.unwrap();
    green.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    sent.complete(deposits(&app).await).await;
    green.stop().await.unwrap();
}
