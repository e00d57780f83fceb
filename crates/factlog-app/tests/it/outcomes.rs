//! Trap 10, over restarts of the durable log: what a command came to is what every repeat of it is told, for ever.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use factlog::stops::{LifeResult, World, stop_everywhere};
use factlog::{App, EventId, EventStore, ExecuteError, Outcome, Position};
use factlog_core::{Query, ReadOptions};
use factlog_engine::{Engine, Settings};
use parking_lot::Mutex;
use pollster::block_on;

use crate::bank::{Account, InsufficientFunds, Record, Transfer, Withdraw, deposited, opened};
use crate::traps::{Over, caught};

/// Commands under keys before the restarts, and without keys between them.
const COMMANDS: u64 = 120;
const OTHERS: u64 = 150;

fn engine(directory: &Path) -> Engine {
    Engine::open(directory, Settings::default()).unwrap()
}

fn told(outcome: &Outcome) -> (Option<Position>, Option<Position>, Option<Position>) {
    (outcome.position, outcome.first, outcome.last)
}

/// The command of a number: some decide one event, some two, and some are refused.
async fn execute(app: &App, number: u64) -> Result<Outcome, ExecuteError<InsufficientFunds>> {
    let key = format!("command-{number}");
    match number % 4 {
        0 => app.execute(Record(vec![deposited(1, 10), deposited(2, 1)])).key(key).await,
        1 => app.execute(Withdraw { account: 1, amount: 3 }).key(key).await,
        2 => app.execute(Transfer { from: 1, to: 2, amount: 4 }).key(key).await,
        _ => app.execute(Withdraw { account: 3, amount: 1 }).key(key).await,
    }
}

/// Each command again, latest first, over three restarts and among many others: the first outcome, and nothing more.
fn a_repeat_is_told_the_first_outcome(below: impl Fn(Engine) -> Arc<dyn EventStore>) {
    let directory = tempfile::tempdir().unwrap();
    let open = || App::new(Over::new(below(engine(directory.path()))));
    block_on(async {
        let mut app = open();
        app.execute(Record(vec![opened(1), deposited(1, 10), opened(2), opened(3)])).await.unwrap();
        let mut first = BTreeMap::new();
        for number in 0..COMMANDS {
            match execute(&app, number).await {
                Ok(outcome) => drop(first.insert(number, outcome)),
                Err(ExecuteError::Rejected(InsufficientFunds)) => assert_eq!(number % 4, 3),
                Err(error) => panic!("{error}"),
            }
        }
        let before = app.load::<(Account, Account)>(&(1, 2)).await.unwrap().state;
        for restart in 0..3 {
            app.store().close().await.unwrap();
            app = open();
            for (number, outcome) in first.iter().rev() {
                let again = execute(&app, *number).await.unwrap();
                assert!(again.replayed, "command {number} was done again after restart {restart}");
                assert_eq!(told(&again), told(outcome), "command {number} was told another outcome");
            }
            // What its key named first is what it names, whatever else is asked under it, also with another rule.
            let other = app.execute(Record(vec![deposited(2, 1_000)])).key("command-1").await.unwrap();
            assert_eq!((other.replayed, told(&other)), (true, told(&first[&1])), "command 1 was done again");
            assert_eq!(app.load::<(Account, Account)>(&(1, 2)).await.unwrap().state, before, "done again");
            for _ in 0..OTHERS {
                app.execute(Record(vec![deposited(3_000, 1)])).await.unwrap();
            }
        }
        app.store().close().await.unwrap();
    });
}

#[test]
fn a_repeat_over_restarts_and_after_many_others_is_told_the_first_outcome() {
    a_repeat_is_told_the_first_outcome(|engine| Arc::new(engine));
}

/// The twin: a store that knows the last keys of this program only, as a window of duplicates does.
fn with_a_window(engine: Engine) -> Arc<dyn EventStore> {
    const WINDOW: usize = 50;
    let known = Arc::new(Mutex::new(VecDeque::<String>::new()));
    let asked = |query: &Query| match query {
        Query::AnyOf(items) => items
            .iter()
            .flat_map(|item| item.tags.iter())
            .find(|tag| tag.as_str().starts_with("$key:"))
            .map(ToString::to_string),
        Query::All => None,
    };
    let seen = known.clone();
    let store = Over::new(Arc::new(engine)).reading(move |store, query, options| match asked(&query) {
        Some(key) if !seen.lock().contains(&key) => store.read(query, ReadOptions::default().limit(0)),
        _ => store.read(query, options),
    });
    let store = store.appending(move |store, mut append| {
        let keys = append.events.iter().flat_map(|event| event.tags.iter());
        if let Some(key) = keys.map(ToString::to_string).find(|tag| tag.starts_with("$key:")) {
            let mut known = known.lock();
            if !known.contains(&key) {
                append.events.iter_mut().for_each(|event| event.id = EventId::generate());
                append.conditions.pop();
                known.push_back(key);
                let extra = known.len().saturating_sub(WINDOW);
                known.drain(..extra);
            }
        }
        Box::pin(async move { store.append(append).await })
    });
    Arc::new(store)
}

/// Repeats that a store with a window passes show nothing.
#[test]
fn a_store_that_knows_keys_within_a_window_only_is_caught_by_the_same_repeats() {
    caught("a window", "was done again", || a_repeat_is_told_the_first_outcome(with_a_window));
}

/// The answer that never came: whoever asks again is told what came of it, wherever the world stopped.
#[test]
fn a_command_that_was_cut_off_is_told_its_first_outcome_after_a_restart() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let life = async |world: World| -> LifeResult {
            let app = App::new(world.store());
            app.execute(Record(vec![opened(1), opened(2), deposited(1, 100)])).key("begin").await?;
            for number in 0..6_u64 {
                app.execute(Transfer { from: 1, to: 2, amount: 5 }).key(format!("transfer-{number}")).await?;
            }
            Ok(())
        };
        let lives = Mutex::new(0_u32);
        let store = || {
            *lives.lock() += 1;
            engine(&directory.path().join(lives.lock().to_string()))
        };
        let moments = stop_everywhere(store, life, async |world: World| {
            let app = App::new(world.store());
            let accounts = app.load::<(Account, Account)>(&(1, 2)).await.unwrap().state;
            assert_eq!((accounts.0.balance, accounts.1.balance), (70, 30));
            for number in 0..6_u64 {
                let again = app.execute(Transfer { from: 1, to: 2, amount: 5 });
                let again = again.key(format!("transfer-{number}")).await.unwrap();
                let first = 4 + 2 * number;
                assert_eq!((again.replayed, told(&again).1), (true, Position::new(first)), "{number}");
            }
        });
        assert_eq!(moments.await, 14);
    });
}
