//! Traps 11 and 12 at every single moment: a world that stops between any two effects of a read model.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use factlog::projection::{Commit, Committed, Generation, MemorySink, Rows, TransactionalSink};
use factlog::stops::{LifeResult, World, stop_everywhere};
use factlog::{App, EventStore as _, MemoryStore, OnTimeout, Position, Result};

use crate::SOON;
use crate::bank::{AccountEvent, Balances, Record, deposited, opened};
use crate::traps::caught;

type Kept = Arc<MemorySink<u64, u64>>;

/// A sink that commits documents and rows one after the other: the twin.
struct InTwoSteps<S>(S);

impl<S: TransactionalSink<u64, u64>> TransactionalSink<u64, u64> for InTwoSteps<S> {
    fn document(&self, of: Generation, key: &u64) -> Result<Option<u64>> {
        self.0.document(of, key)
    }
    fn scan(&self, of: Generation, wanted: &dyn Fn(&u64) -> bool) -> Result<Vec<(u64, u64)>> {
        self.0.scan(of, wanted)
    }
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.0.rows(prefix, limit)
    }
    fn commit(&self, commit: Commit<u64, u64>) -> Result<Committed> {
        if !commit.documents.is_empty() {
            let mut documents = Commit::new(commit.generation);
            documents.documents = commit.documents.clone();
            documents.expected = commit.expected.clone();
            if self.0.commit(documents)? == Committed::Refused {
                return Ok(Committed::Refused);
            }
        }
        self.0.commit(commit)
    }
}

/// What is recorded in each of the life's three days.
fn day(day: u64) -> Vec<AccountEvent> {
    (0..4).map(|n| if day == 0 { opened(n) } else { deposited(n % 3, 10 * day + n) }).collect()
}

/// Records a day's events, and lets the read model catch up; each day it is started and stopped.
async fn life<S>(world: World, sink: impl Fn(&World) -> S) -> LifeResult
where
    S: TransactionalSink<u64, u64>,
{
    let app = App::new(world.store());
    for number in 0..3 {
        let recorded = app.execute(Record(day(number))).key(format!("day {number}")).await?;
        let model = app.project(Balances).kept_in(sink(&world)).start()?;
        model.at_least(recorded.position, SOON, OnTimeout::Error).await?;
        model.stop().await?;
    }
    Ok(())
}

/// Wherever the world stops, the read model comes to what a fresh fold comes to.
async fn the_read_model_equals_a_fresh_fold(in_two_steps: bool) -> u64 {
    let sink = RefCell::new(Kept::default());
    let store = || {
        *sink.borrow_mut() = Kept::default();
        MemoryStore::new()
    };
    let of = |world: &World| -> Arc<dyn TransactionalSink<u64, u64>> {
        match in_two_steps {
            true => Arc::new(InTwoSteps(world.sink(sink.borrow().clone()))),
            false => Arc::new(world.sink(sink.borrow().clone())),
        }
    };
    let life = async |world: World| life(world, of).await;
    let check = async |world: World| {
        let app = App::new(world.store());
        let head = app.store().head().await.unwrap().position;
        assert_eq!(head, Position::new(12));
        let fresh = app.project(Balances).in_memory().start().unwrap();
        fresh.at_least(head, SOON, OnTimeout::Error).await.unwrap();
        let kept = sink.borrow().scan(Generation::Serving, &|_| true).unwrap();
        let (kept, fresh): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (kept.into_iter().collect(), fresh.all().await.unwrap().into_iter().collect());
        assert_eq!(kept, fresh, "the read model");
    };
    stop_everywhere(store, life, check).await
}

#[test]
fn a_read_model_that_stops_between_any_two_effects_equals_a_fresh_fold() {
    let moments = runtime().block_on(the_read_model_equals_a_fresh_fold(false));
    assert!(20 <= moments, "{moments} moments are too few to be all");
}

/// A harness that a wrong sink passes shows nothing.
#[test]
fn a_sink_that_commits_documents_and_checkpoint_one_after_the_other_is_caught_by_the_same_test() {
    caught("a sink in two steps", "the read model", || {
        // Threads of a life may take turns otherwise than in the life before, so that a moment is missed.
        for _ in 0..5 {
            runtime().block_on(the_read_model_equals_a_fresh_fold(true));
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}
