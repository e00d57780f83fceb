//! Programs that share a read model, none of which holds all of it: builds, switches and waits are for all.

use std::sync::Arc;
use std::time::Duration;

use factlog::projection::{MemorySink, ProjectionState, TransactionalSink as _};
use factlog::{App, OnTimeout, Position, Projection, ReadModel, Recorded};

use crate::SOON;
use crate::bank::{AccountEvent, Balances, Record, app_with, deposited, record};

type Kept = Arc<MemorySink<u64, u64>>;

/// Longer than the test: nobody takes a slot because of time.
const LEASE: Duration = Duration::from_secs(600);

/// Balances of another version.
struct Doubled;

impl Projection for Doubled {
    type Event = AccountEvent;
    type Key = u64;
    type Document = u64;
    const NAME: &'static str = "balances";
    const VERSION: u32 = 2;
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        Balances.keys(recorded)
    }
    fn apply(&self, key: &u64, balance: Option<u64>, recorded: &Recorded<AccountEvent>) -> Option<u64> {
        Balances.apply(key, balance, recorded)
    }
}

async fn head(app: &App) -> Option<Position> {
    app.store().head().await.unwrap().position
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

/// How many ranges of a generation somebody holds.
fn held(sink: &Kept, generation: u64) -> usize {
    let rows = sink.rows(&format!("range/{generation:08}/"), 9).unwrap();
    rows.values().filter(|text| !text.contains(r#""owner":null"#)).count()
}

/// Two programs for so many slots; where there is one, the second has none.
async fn two(app: &App, sink: &Kept, slots: u16) -> [ReadModel<Balances>; 2] {
    let start = || app.project(Balances).kept_in(sink.clone()).shared(slots, LEASE).start().unwrap();
    let first = start();
    until("the first program", || held(sink, 1) == 1).await;
    let second = start();
    until("the second program", || held(sink, 1) == usize::from(slots)).await;
    [first, second]
}

/// Each program sees in the sink what the other's part has reached, and so that the build has all of the log.
#[tokio::test]
async fn a_rebuild_over_programs_of_which_none_holds_all_is_switched_to_and_answered() {
    let (app, sink) = (app_with([]).await, Kept::default());
    let [one, other] = two(&app, &sink, 2).await;
    app.execute(Record((0..100).map(|n| deposited(n, 1)).collect())).await.unwrap();
    for model in [&one, &other] {
        model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
        until("all of it", || matches!(model.status().state, ProjectionState::Live)).await;
    }
    let rebuilt = tokio::time::timeout(SOON, one.rebuild()).await;
    rebuilt.expect("it is answered").expect("it is built");
    assert_eq!(sink.rows("serving", 1).unwrap()["serving"], "2");
    record(&app, [deposited(1, 1), deposited(2, 1)]).await;
    for model in [one, other] {
        model.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
        assert_eq!(model.all().await.unwrap().iter().map(|(_, balance)| balance).sum::<u64>(), 102);
        model.stop().await.unwrap();
    }
}

/// A program beyond the number of slots reads its own writes as well, and is told of the rebuild another does for it.
#[tokio::test]
async fn a_program_that_holds_nothing_reads_its_own_writes_and_is_told_of_its_rebuild() {
    let (app, sink) = (app_with([deposited(1, 1)]).await, Kept::default());
    let [holder, idle] = two(&app, &sink, 1).await;
    for amount in 2..5 {
        record(&app, [deposited(1, 1)]).await;
        idle.at_least(head(&app).await, SOON, OnTimeout::Error).await.expect("it is told by the sink");
        assert_eq!(idle.get(&1).await.unwrap(), Some(amount));
    }
    let rebuilt = tokio::time::timeout(SOON, idle.rebuild()).await;
    rebuilt.expect("it is answered").expect("it is built");
    assert_eq!(sink.rows("serving", 1).unwrap()["serving"], "2");
    for model in [holder, idle] {
        model.stop().await.unwrap();
    }
}

/// Trap 31: what is known of the sink alone is held against the log as well.
#[tokio::test]
async fn a_program_that_holds_nothing_does_not_believe_the_checkpoint_of_another_log() {
    let (app, sink) = (app_with([deposited(1, 1)]).await, Kept::default());
    let [holder, idle] = two(&app, &sink, 1).await;
    idle.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    let other = app_with([deposited(1, 9), deposited(1, 9)]).await;
    let stranger = other.project(Balances).kept_in(sink.clone()).shared(1, LEASE).start().unwrap();
    let answer = stranger.at_least(Position::FIRST, SOON, OnTimeout::Error).await;
    assert!(answer.expect_err("it is of another log").to_string().contains("was not built from this log"));
    for model in [stranger, idle, holder] {
        model.stop().await.unwrap();
    }
}

/// Whoever waits for a build that is gone would wait for ever.
#[tokio::test]
async fn a_rebuild_that_another_program_drops_is_answered() {
    let (app, sink) = (app_with([]).await, Kept::default());
    app.execute(Record((0..100).map(|n| deposited(n, 1)).collect())).await.unwrap();
    let old = app.project(Balances).kept_in(sink.clone()).start().unwrap();
    old.at_least(head(&app).await, SOON, OnTimeout::Error).await.unwrap();
    // So that it is not built in the meantime.
    old.operations().pause().await.unwrap();
    let waits = old.clone();
    let rebuild = tokio::spawn(async move { waits.rebuild().await });
    until("the build", || !sink.rows("generation/00000002", 1).unwrap().is_empty()).await;
    let new = app.project(Doubled).kept_in(sink.clone()).start().unwrap();
    let answer = tokio::time::timeout(SOON, rebuild).await.expect("it is answered").unwrap();
    assert!(answer.expect_err("it is gone").to_string().contains("dropped before it was built"));
    for stopped in [new.stop().await, old.stop().await] {
        stopped.unwrap();
    }
}
