//! The main street end to end: commands, keys, snapshots and read models over the durable log, over reopening.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use factlog::engine::Settings;
use factlog::{App, AsOf, Engine, ExecuteError, OnTimeout, Outcome, Position, Snapshots};

use crate::bank::{Balance, Balances, Deposit, InsufficientFunds, Withdraw};

const SOON: Duration = Duration::from_secs(30);

fn open(directory: &Path) -> App {
    let store = Engine::open(directory.join("log"), Settings::default()).unwrap();
    let snapshots = Snapshots::sqlite(directory.join("snapshots.sqlite"), 3).unwrap();
    App::builder(store).snapshots(snapshots).build()
}

/// Trap 5 on the durable log: sixteen racers, ten wins, a hundred times.
#[test]
fn sixteen_threads_that_withdraw_ten_from_a_hundred_win_exactly_ten_times() {
    let directory = tempfile::tempdir().unwrap();
    let app = App::new(Engine::open(directory.path(), Settings::default()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for account in 0..100 {
        runtime.block_on(app.execute(Deposit { account, amount: 100 }).into_future()).unwrap();
        let (winners, start) = (AtomicU32::new(0), Barrier::new(16));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    start.wait();
                    match runtime.block_on(app.execute(Withdraw { account, amount: 10 }).into_future()) {
                        Ok(_) => drop(winners.fetch_add(1, Ordering::Relaxed)),
                        Err(ExecuteError::Rejected(InsufficientFunds)) => {}
                        Err(error) => panic!("{error}"),
                    }
                });
            }
        });
        assert_eq!(winners.into_inner(), 10);
    }
    runtime.block_on(async {
        for account in 0..100 {
            assert_eq!(app.load::<Balance>(&account).await.unwrap().state, Balance(0));
        }
    });
}

/// Twins under one key that decide different content meet "same id, other content" in the durable log.
#[test]
fn racing_twins_under_one_key_happen_once_and_all_get_the_first_outcome() {
    let directory = tempfile::tempdir().unwrap();
    let app = App::new(Engine::open(directory.path(), Settings::default()).unwrap());
    for account in 0..50 {
        let start = Barrier::new(8);
        let twin = |amount: u64| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            start.wait();
            let command = app.execute(Deposit { account, amount }).key(format!("twin-{account}"));
            runtime.block_on(command.into_future()).unwrap()
        };
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let twin = &twin;
            let twins: Vec<_> = (0..8).map(|n| scope.spawn(move || twin(n / 2 + 1))).collect();
            twins.into_iter().map(|twin| twin.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| !outcome.replayed).count(), 1);
        assert!(outcomes.iter().all(|outcome| outcome.position == outcomes[0].position));
        assert_eq!(outcomes[0].position.map(Position::get), Some(account + 1));
    }
}

/// Everything that promises to survive a restart, over one that closes the store in between.
#[tokio::test]
async fn keys_snapshots_the_past_and_read_models_survive_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let read_model = directory.path().join("read.sqlite");
    let mut first = None;
    for round in 0..5_u64 {
        let app = open(directory.path());
        let balances = app.project(Balances).sqlite(&read_model).start().unwrap();
        let once = app.execute(Deposit { account: 1, amount: 1000 }).key("salary").await.unwrap();
        let first = *first.get_or_insert(once);
        assert_eq!((once.first, once.last, once.replayed), (first.first, first.last, 0 < round));

        let outcome = app.execute(Withdraw { account: 1, amount: 100 }).await.unwrap();
        balances.at_least(outcome.position, SOON, OnTimeout::Error).await.unwrap();
        let left = 1000 - 100 * (round + 1);
        assert_eq!(balances.get(&1).await.unwrap(), Some(left));
        assert_eq!(app.load::<Balance>(&1).await.unwrap().state, Balance(left));
        let past = AsOf::Position(Position::FIRST);
        assert_eq!(app.load::<Balance>(&1).at(past).await.unwrap().state, Balance(1000));

        balances.stop().await.unwrap();
        app.store().close().await.unwrap();
    }
}

/// Rebuilt = live on the durable log, while commands go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_model_rebuilt_under_load_equals_the_live_one() {
    let directory = tempfile::tempdir().unwrap();
    let app = open(directory.path());
    let live = app.project(Balances).in_memory().start().unwrap();
    let file = app.project(Balances).sqlite(directory.path().join("read.sqlite")).start().unwrap();
    let load = async {
        for n in 0..200 {
            app.execute(Deposit { account: n % 7, amount: n + 1 }).await.unwrap();
        }
    };
    let (rebuilt, ()) = tokio::join!(file.rebuild(), load);
    rebuilt.unwrap();
    let head = app.store().head().await.unwrap().position;
    for model in [&live, &file] {
        model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
    }
    assert_eq!(file.all().await.unwrap(), live.all().await.unwrap());
    file.rebuild().await.unwrap();
    assert_eq!(file.all().await.unwrap(), live.all().await.unwrap());
}
