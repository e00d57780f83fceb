//! Read models: exactly once, over restarts and rebuilds; waiting; failing loudly.

use std::path::Path;
use std::time::Duration;

use factlog::projection::{ProjectionError, ProjectionState};
use factlog::{
    App, ErrorKind, Event, EventStoreExt as _, MemoryStore, OnTimeout, Position, Projection, ReadModel,
    Recorded,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::SOON;
use crate::bank::{AccountEvent, AddItem, Balances, Record, app_with, deposited, opened, record};
use crate::wrapped::Wrapped;

async fn caught_up<P: Projection>(app: &App, model: &ReadModel<P>) {
    let head = app.store().head().await.unwrap().position;
    model.at_least(head, SOON, OnTimeout::Error).await.expect("it catches up");
}

/// Trap 14: an answer before the write is applied is somebody's lost deposit.
#[tokio::test]
async fn a_reader_that_waits_for_its_own_write_sees_it() {
    let directory = tempfile::tempdir().unwrap();
    let app = app_with([opened(1)]).await;
    let memory = app.project(Balances).in_memory().start().unwrap();
    let file = app.project(Balances).sqlite(directory.path().join("b.sqlite")).start().unwrap();
    for total in 1..=100 {
        let outcome = app.execute(Record(vec![deposited(1, 1)])).await.unwrap();
        for model in [&memory, &file] {
            let freshness = model.at_least(outcome.position, SOON, OnTimeout::Error).await.unwrap();
            assert!(!freshness.stale && outcome.position <= freshness.applied);
            assert_eq!(model.get(&1).await.unwrap(), Some(total));
        }
    }
}

#[tokio::test]
async fn a_wait_that_is_over_is_an_error_or_a_stale_answer_as_the_caller_chose() {
    let app = app_with([opened(1)]).await;
    let model = app.project(Balances).in_memory().start().unwrap();
    caught_up(&app, &model).await;
    let (never, moment) = (Position::new(99), Duration::from_millis(20));
    let error = model.at_least(never, moment, OnTimeout::Error).await.expect_err("it never comes");
    assert_eq!(
        error.to_string(),
        "read model balances is at position 1, not yet at 99, after 20ms; wait longer, or accept a stale answer"
    );
    let freshness = model.at_least(never, moment, OnTimeout::Stale).await.unwrap();
    assert_eq!((freshness.applied.map(Position::get), freshness.stale), (Some(1), true));
}

/// Trap 13: a read model that few events concern must not stand still at the last of them.
#[tokio::test]
async fn the_checkpoint_passes_events_that_do_not_concern_it_and_so_does_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let app = app_with([opened(1)]).await;
    for cart in 0..5 {
        app.execute(AddItem { cart }).await.unwrap();
    }
    let start = || app.project(Balances).sqlite(directory.path().join("b.sqlite")).start().unwrap();
    let model = start();
    caught_up(&app, &model).await;
    assert_eq!(model.checkpoint().map(Position::get), Some(6));
    model.stop().await.unwrap();
    assert_eq!(start().checkpoint().map(Position::get), Some(6), "known before anything is read");
}

/// Traps 11 and 12: whenever it is stopped and started, each event counts once.
#[tokio::test]
async fn a_read_model_in_a_file_counts_each_event_once_over_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let app = app_with([]).await;
    for round in 1..=10_u64 {
        let model = app.project(Balances).sqlite(directory.path().join("b.sqlite")).start().unwrap();
        record(&app, (0..100).map(|n| deposited(n % 7, 1))).await;
        if round % 2 == 0 {
            caught_up(&app, &model).await;
        }
        model.stop().await.unwrap();
        assert!(matches!(model.get(&1).await, Err(ProjectionError::Stopped("balances"))));
        model.stop().await.expect("stopping twice is fine");
    }
    let model = app.project(Balances).sqlite(directory.path().join("b.sqlite")).start().unwrap();
    caught_up(&app, &model).await;
    let total: u64 = model.all().await.unwrap().iter().map(|(_, balance)| balance).sum();
    assert_eq!(total, 1000);
    let odd: Vec<u64> = model.scan(|key| key % 2 == 1).await.unwrap().iter().map(|(key, _)| *key).collect();
    assert_eq!(odd, [1, 3, 5]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Rebuilt = live, in memory and in a file, for any history and wherever the rebuild comes.
    #[test]
    fn a_rebuilt_read_model_equals_the_live_one(facts in vec((0..5_u64, 0..9_u64), 0..60), cut in 0..60_usize) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let facts: Vec<AccountEvent> = facts.iter().map(|(account, amount)| deposited(*account, *amount)).collect();
            let (before, after) = facts.split_at(cut.min(facts.len()));
            let app = app_with(before.to_vec()).await;
            let live = app.project(Balances).in_memory().start().unwrap();
            let file = app.project(Balances).sqlite(directory.path().join("b.sqlite")).start().unwrap();
            caught_up(&app, &file).await;
            let (rebuilt, ()) = tokio::join!(file.rebuild(), record(&app, after.to_vec()));
            rebuilt.unwrap();
            for model in [&live, &file] {
                caught_up(&app, model).await;
            }
            let kept = live.all().await.unwrap();
            assert_eq!(file.all().await.unwrap(), kept);
            live.rebuild().await.unwrap();
            assert_eq!(live.all().await.unwrap(), kept);
        });
    }
}

/// Trap 15: readers must not see a half-built read model while it is rebuilt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_a_whole_read_model_all_through_a_rebuild() {
    let directory = tempfile::tempdir().unwrap();
    let app = App::new(MemoryStore::new());
    app.execute(Record((0..9_000).map(|n| deposited(n % 10, 1)).collect())).await.unwrap();
    for model in [
        app.project(Balances).sqlite(directory.path().join("b.sqlite")).start().unwrap(),
        app.project(Balances).in_memory().start().unwrap(),
    ] {
        caught_up(&app, &model).await;
        let reader = model.clone();
        let mut rebuild = tokio::spawn(async move { model.rebuild().await });
        let mut looks = 0;
        while !rebuild.is_finished() {
            let all = reader.all().await.unwrap();
            assert!(all.len() == 10 && all.iter().all(|(_, balance)| *balance == 900), "{all:?}");
            looks += 1;
            tokio::task::yield_now().await;
        }
        (&mut rebuild).await.unwrap().unwrap();
        assert!(0 < looks);
    }
}

/// The same name with another meaning.
struct Balances2;

impl Projection for Balances2 {
    type Event = AccountEvent;
    type Key = u64;
    type Document = String;
    const NAME: &'static str = "balances";
    const VERSION: u32 = 2;
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        Balances.keys(recorded)
    }
    fn apply(&self, _: &u64, seen: Option<String>, _: &Recorded<AccountEvent>) -> Option<String> {
        Some(seen.unwrap_or_default() + "x")
    }
}

#[tokio::test]
async fn a_new_version_begins_again_and_says_why_and_its_neighbours_in_the_file_are_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("b.sqlite");
    let app = app_with([deposited(1, 5), deposited(1, 6)]).await;
    let first = app.project(Balances).sqlite(&path).start().unwrap();
    let neighbour = app.project(Notes).sqlite(&path).start().unwrap();
    caught_up(&app, &first).await;
    caught_up(&app, &neighbour).await;
    assert_eq!(first.status().rebuilt_because, None);
    first.stop().await.unwrap();
    let second = app.project(Balances2).sqlite(&path).start().unwrap();
    caught_up(&app, &second).await;
    assert_eq!(
        second.status().rebuilt_because.as_deref(),
        Some("it was built by version 1 of the projection, this is version 2")
    );
    assert_eq!(second.all().await.unwrap(), [(1, "xx".to_owned())]);
    assert_eq!(neighbour.all().await.unwrap(), []);
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "note.written")]
struct Noted {
    text: String,
}

/// Notes by text; it panics over one of them.
struct Notes;

impl Projection for Notes {
    type Event = Noted;
    type Key = String;
    type Document = u64;
    const NAME: &'static str = "notes";
    fn keys(&self, recorded: &Recorded<Noted>) -> Vec<String> {
        assert!(recorded.event.text != "boom", "a mistake in the projection");
        vec![recorded.event.text.clone()]
    }
    fn apply(&self, _: &String, count: Option<u64>, _: &Recorded<Noted>) -> Option<u64> {
        Some(count.unwrap_or(0) + 1)
    }
}

async fn note(store: &MemoryStore, data: &'static str) {
    let event = factlog_core::Event::new("note.written".parse().unwrap(), data);
    store.append_one(event).await.unwrap();
}

/// Trap 40: an event that cannot be read must not be skipped in silence, nor the reader be left with old answers.
#[tokio::test]
async fn an_event_that_cannot_be_read_stops_the_read_model_and_every_answer_says_so() {
    let store = MemoryStore::new();
    let app = App::new(store.clone());
    note(&store, r#"{"text":"a"}"#).await;
    note(&store, r#"{"txet":"b"}"#).await;
    let model = app.project(Notes).in_memory().start().unwrap();
    let waited = model.at_least(Position::new(2), SOON, OnTimeout::Stale).await;
    let ProjectionError::Codec(error) = waited.expect_err("it cannot be read") else {
        panic!("another failure")
    };
    assert_eq!(error.position().map(Position::get), Some(2));
    assert!(matches!(model.get(&"a".to_owned()).await, Err(ProjectionError::Codec(_))));
    assert!(matches!(model.status().state, ProjectionState::Failed(_)));
    assert!(model.rebuild().await.is_err(), "a rebuild meets the same event");
    model.stop().await.expect("it can still be stopped");
}

/// A thread that dies unseen looks like a read model that is merely slow.
#[tokio::test]
async fn a_panic_where_keys_are_asked_for_is_said_in_every_answer() {
    let store = MemoryStore::new();
    let app = App::new(store.clone());
    let model = app.project(Notes).in_memory().start().unwrap();
    note(&store, r#"{"text":"boom"}"#).await;
    let waited = model.at_least(Position::FIRST, SOON, OnTimeout::Stale).await;
    assert!(matches!(waited, Err(ProjectionError::Panicked("notes"))), "{waited:?}");
    assert!(matches!(model.get(&"a".to_owned()).await, Err(ProjectionError::Panicked("notes"))));
    assert!(matches!(model.status().state, ProjectionState::Failed(ProjectionError::Panicked(_))));
}

async fn built(path: &Path, amounts: &[u64]) -> App {
    let app = app_with(amounts.iter().map(|amount| deposited(1, *amount))).await;
    let model = app.project(Balances).sqlite(path).start().unwrap();
    caught_up(&app, &model).await;
    model.stop().await.unwrap();
    app
}

/// Trap 31: a checkpoint of another log, shorter, longer or as long, would skip or mix events.
#[tokio::test]
async fn a_file_of_another_log_is_refused_until_it_is_rebuilt() {
    for other in [&[][..], &[7][..], &[7, 7][..], &[7, 7, 7][..]] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("b.sqlite");
        built(&path, &[1, 2]).await;
        let app = app_with(other.iter().map(|amount| deposited(1, *amount))).await;
        let model = app.project(Balances).sqlite(&path).start().unwrap();
        let error = model.at_least(Position::new(9), SOON, OnTimeout::Stale).await.expect_err("another log");
        let ProjectionError::Store(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("was not built from this log"), "{error}");
        model.rebuild().await.unwrap();
        let total = Some(7 * other.len() as u64).filter(|total| 0 < *total);
        assert_eq!(model.get(&1).await.unwrap(), total);
    }
}

#[tokio::test]
async fn a_closed_store_is_said_and_not_waited_for() {
    let app = app_with([opened(1)]).await;
    let model = app.project(Balances).in_memory().start().unwrap();
    caught_up(&app, &model).await;
    app.store().close().await.unwrap();
    let error = model.at_least(Position::new(2), SOON, OnTimeout::Stale).await.expect_err("closed");
    let ProjectionError::Store(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), ErrorKind::Closed);
}

/// A read model that gives up over a store that is away for a moment has to be restarted by hand.
#[tokio::test]
async fn a_read_model_waits_for_an_unavailable_store_and_goes_on() {
    let app = App::new(Wrapped::failing(3));
    record(&app, [deposited(1, 5)]).await;
    let model = app.project(Balances).in_memory().start().unwrap();
    caught_up(&app, &model).await;
    assert_eq!(model.get(&1).await.unwrap(), Some(5));
    assert!(matches!(model.status().state, ProjectionState::Live));
}

/// Trap 28: the same read model started twice must not count twice, and the one that loses must say so.
#[tokio::test]
async fn a_read_model_started_twice_on_one_file_counts_once_and_one_of_them_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("b.sqlite");
    let app = app_with([]).await;
    let models = [(); 2].map(|()| app.project(Balances).sqlite(&path).start().unwrap());
    record(&app, (0..200).map(|_| deposited(1, 1))).await;
    let head = app.store().head().await.unwrap().position;
    let refused = |model: &ReadModel<Balances>| match model.status().state {
        ProjectionState::Failed(ProjectionError::Store(error)) => {
            assert!(error.to_string().contains("run it in one process"), "{error}");
            true
        }
        _ => false,
    };
    for _ in 0..SOON.as_millis() / 5 {
        if models.iter().any(refused) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(models.iter().filter(|model| refused(model)).count(), 1, "{models:?}");
    let other = models.iter().find(|model| !refused(model)).expect("one of two");
    other.at_least(head, SOON, OnTimeout::Error).await.unwrap();
    assert_eq!(other.get(&1).await.unwrap(), Some(200));
}
