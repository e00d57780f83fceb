//! A program that was succeeded by another leaves the read model to it.

use std::sync::Arc;

use factlog::projection::{MemorySink, ProjectionState, Switch, TransactionalSink as _};
use factlog::{App, OnTimeout, ReadModel};

use crate::SOON;
use crate::bank::{Balances, app_with, deposited, record};

async fn head(app: &App) -> Option<factlog::Position> {
    app.store().head().await.unwrap().position
}

async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{what} did not come");
}

/// Without `shared`, who starts last takes over. The other must not undo that because it cannot go on with its build.
#[tokio::test]
async fn a_superseded_program_neither_drops_what_its_successor_builds_nor_takes_the_read_model_back() {
    let sink = Arc::new(MemorySink::<u64, u64>::default());
    let app = app_with([deposited(1, 1)]).await;
    let start = || app.project(Balances).kept_in(sink.clone()).switch(Switch::ByHand).start().unwrap();
    let old = start();
    old.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    old.rebuild().await.unwrap();
    let new = start();
    let failed = |model: &ReadModel<Balances>| matches!(model.status().state, ProjectionState::Failed(_));
    until("the end of the old program", || failed(&old)).await;
    // Whatever the old one would do, it does it in its rounds, of which there is one before each of these.
    for _ in 0..5 {
        old.operations().retry(&1_u64).await.expect_err("it is not parked");
    }
    assert_eq!(sink.rows("generation/", 9).unwrap().len(), 2, "the build is there");
    new.operations().switch().await.unwrap();
    record(&app, [deposited(1, 1)]).await;
    new.at_least(head(&app).await, SOON, OnTimeout::Error).await.expect("it goes on");
    assert_eq!(sink.rows("serving", 1).unwrap()["serving"], "2");
    assert!(failed(&old) && !failed(&new), "{:?} {:?}", old.status(), new.status());
    let error = old.at_least(head(&app).await, SOON, OnTimeout::Error).await.expect_err("it stands still");
    assert!(error.to_string().contains("was written by somebody else"), "{error}");
    for model in [new, old] {
        model.stop().await.unwrap();
    }
}
