//! Read models when things go wrong around them: runtimes, rebuilds, other logs, silent stores.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use factlog::projection::{ProjectionError, ProjectionState};
use factlog::{App, ErrorKind, MemoryStore, OnTimeout, Position, Projection, ReadModel};
use pollster::block_on;

use crate::SOON;
use crate::bank::{AddItem, Balances, Record, app_with, deposited, record};
use crate::wrapped::Wrapped;

/// Waits without any runtime.
fn reaches<P: Projection>(model: &ReadModel<P>, position: u64) {
    let pause = Duration::from_millis(5);
    for _ in 0..SOON.as_millis() / pause.as_millis() {
        if Position::new(position) <= model.checkpoint() {
            return;
        }
        std::thread::sleep(pause);
    }
    panic!("not at position {position}: {:?}", model.status());
}

/// A pause on the caller's timers ends the thread where the runtime has none, and never ends where nobody drives them.
#[test]
fn a_read_model_outwaits_an_unavailable_store_whatever_becomes_of_the_callers_runtime() {
    let runtime = || tokio::runtime::Builder::new_current_thread();
    for (timers, kept) in [(false, true), (true, true), (true, false)] {
        let runtime = if timers { runtime().enable_time().build() } else { runtime().build() }.unwrap();
        let app = App::new(Wrapped::failing(2));
        let model = runtime.block_on(async {
            record(&app, [deposited(1, 5)]).await;
            app.project(Balances).in_memory().start().unwrap()
        });
        let runtime = kept.then_some(runtime);
        reaches(&model, 1);
        assert_eq!(block_on(model.get(&1)).unwrap(), Some(5));
        drop(runtime);
    }
}

/// What is applied needs no wait, so it needs no runtime either.
#[test]
fn a_wait_for_what_is_there_already_needs_no_runtime() {
    let app = block_on(app_with([deposited(1, 5)]));
    let model = app.project(Balances).in_memory().start().unwrap();
    reaches(&model, 1);
    let freshness = block_on(model.at_least(Position::FIRST, SOON, OnTimeout::Error)).unwrap();
    assert_eq!((freshness.applied, freshness.stale), (Some(Position::FIRST), false));
    assert!(!block_on(model.at_least(None, SOON, OnTimeout::Error)).unwrap().stale);
}

/// A rebuild that meets damage must not take away the read model that was there, nor stop it from following.
#[tokio::test]
async fn a_rebuild_that_fails_leaves_the_read_model_as_it_was_and_following() {
    let directory = tempfile::tempdir().unwrap();
    let store = Wrapped::default();
    let app = App::new(store.clone());
    record(&app, [deposited(1, 5)]).await;
    let head = async || app.store().head().await.unwrap().position;
    let path = directory.path().join("b.sqlite");
    for projected in [app.project(Balances).in_memory(), app.project(Balances).sqlite(path)] {
        let model = projected.start().unwrap();
        model.at_least(head().await, SOON, OnTimeout::Error).await.unwrap();
        let before = model.get(&1).await.unwrap().unwrap();
        store.damaged.store(true, Ordering::Relaxed);
        let error = model.rebuild().await.expect_err("the log is damaged");
        assert_eq!(error.store_error().map(|error| error.kind()), Some(ErrorKind::Corrupt));
        record(&app, [deposited(1, 1)]).await;
        model.at_least(head().await, SOON, OnTimeout::Error).await.expect("it follows as before");
        assert_eq!(model.get(&1).await.unwrap(), Some(before + 1));
        store.damaged.store(false, Ordering::Relaxed);
        model.rebuild().await.unwrap();
        assert_eq!(model.get(&1).await.unwrap(), Some(before + 1));
    }
}

/// Two operators who rebuild at once: the second must not make the first fail.
#[tokio::test]
async fn rebuilds_asked_for_together_are_one_and_both_succeed() {
    let app = app_with((0..50).map(|n| deposited(n, 1))).await;
    let model = app.project(Balances).in_memory().start().unwrap();
    let (first, second) = tokio::join!(model.rebuild(), model.rebuild());
    first.unwrap();
    second.unwrap();
}

async fn file_of_another_log(path: &std::path::Path) {
    let other = app_with([deposited(1, 1), deposited(1, 1)]).await;
    let model = other.project(Balances).sqlite(path).start().unwrap();
    model.at_least(Position::new(2), SOON, OnTimeout::Error).await.unwrap();
    model.stop().await.unwrap();
}

/// Trap 31: "applied up to 2" is about the log the file came from; believing it for this one is somebody's lost write.
#[tokio::test]
async fn a_wait_is_not_over_before_the_file_is_known_to_be_of_this_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("b.sqlite");
    file_of_another_log(&path).await;
    let store = Wrapped::default();
    let app = App::new(store.clone());
    record(&app, [deposited(1, 7), deposited(1, 7)]).await;
    store.silent.store(true, Ordering::Relaxed);
    let model = app.project(Balances).sqlite(&path).start().unwrap();
    let moment = Duration::from_millis(50);
    let waited = model.at_least(Position::FIRST, moment, OnTimeout::Error).await;
    assert!(matches!(waited, Err(ProjectionError::Behind { .. })), "{waited:?}");
    assert!(model.at_least(Position::FIRST, moment, OnTimeout::Stale).await.unwrap().stale);
    let stopped = tokio::time::timeout(SOON, model.stop()).await;
    stopped.expect("a store that does not answer holds up no stop").unwrap();
}

/// A read model known to be of another log must not be shown while the right one is built.
#[tokio::test]
async fn documents_of_another_log_are_not_shown_during_the_rebuild_that_replaces_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("b.sqlite");
    file_of_another_log(&path).await;
    let store = Wrapped::failing(4);
    let app = App::new(store);
    record(&app, [deposited(1, 7)]).await;
    let model = app.project(Balances).sqlite(&path).start().unwrap();
    model.at_least(Position::FIRST, SOON, OnTimeout::Error).await.expect_err("another log");
    let reader = model.clone();
    let rebuild = tokio::spawn(async move { model.rebuild().await });
    while !rebuild.is_finished() {
        match reader.get(&1).await {
            Err(ProjectionError::Store(error)) => assert_eq!(error.kind(), ErrorKind::Invalid),
            answer => assert_eq!(answer.unwrap(), Some(7)),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    rebuild.await.unwrap().unwrap();
    assert_eq!(reader.get(&1).await.unwrap(), Some(7));
}

/// A thread that still holds the store after `stop` makes the next program find it locked.
#[tokio::test]
async fn a_stopped_read_model_holds_the_store_no_more() {
    for _ in 0..200 {
        let app = App::new(MemoryStore::new());
        let model = app.project(Balances).in_memory().start().unwrap();
        let store = Arc::downgrade(app.store());
        drop(app);
        model.stop().await.unwrap();
        assert!(store.upgrade().is_none(), "released before `stop` answers");
        let error = model.lag().await.expect_err("the store is gone");
        assert_eq!(error.store_error().map(|error| error.kind()), Some(ErrorKind::Closed));
    }
}

/// Promise 1: the events of one append become visible together, in a read model that catches up, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_never_see_half_of_an_append() {
    const EACH: u64 = 250;
    let app = App::new(MemoryStore::new());
    for _ in 0..4 {
        app.execute(Record((0..10 * EACH).map(|n| deposited(n % 10, 1)).collect())).await.unwrap();
    }
    let head = app.store().head().await.unwrap().position;
    let model = app.project(Balances).in_memory().start().unwrap();
    loop {
        let arrived = head <= model.checkpoint();
        let all = model.all().await.unwrap();
        assert!(all.iter().all(|(_, balance)| balance % EACH == 0), "half of an append: {all:?}");
        if arrived {
            break;
        }
    }
}

/// Lag that only the read model itself knows stands still together with it.
#[tokio::test]
async fn lag_is_measured_against_the_stores_head_also_where_the_read_model_has_failed() {
    let store = MemoryStore::new();
    let app = App::new(store.clone());
    let model = app.project(Balances).in_memory().start().unwrap();
    record(&app, [deposited(1, 5)]).await;
    model.at_least(Position::FIRST, SOON, OnTimeout::Error).await.unwrap();
    assert_eq!(model.lag().await.unwrap(), 0);
    let broken = factlog_core::Event::new("account.deposited".parse().unwrap(), "not json");
    factlog::EventStoreExt::append_one(&store, broken).await.unwrap();
    model.at_least(Position::new(2), SOON, OnTimeout::Error).await.expect_err("it cannot be read");
    assert_eq!(model.lag().await.unwrap(), 1);
    app.execute(AddItem { cart: 1 }).await.unwrap();
    assert_eq!(model.lag().await.unwrap(), 2);
    assert!(matches!(model.status().state, ProjectionState::Failed(_)));
}
