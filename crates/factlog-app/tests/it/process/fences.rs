//! Traps 28 and 29: two runners of one process, and one that comes back from a long sleep.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use factlog::process::{ProcessError, ProcessState};
use factlog::{App, EventStoreExt, ManualClock, MemoryStore};
use pollster::block_on;

use super::meddler::Meddler;
use super::shop::{DEADLINE, Do, Fulfil, order};
use crate::traps::caught;

const ORDERS: u64 = 20;

/// Two runners at once: one goes on, and nothing is recorded twice.
fn one_of_two_runners_is_fenced(lax: bool) {
    block_on(async {
        let clock = Arc::new(ManualClock::default());
        let store = Meddler::new(MemoryStore::with_clock(clock.clone()));
        let app = App::builder(store.clone()).clock(clock).build();
        let first = app.process(Fulfil).start().await.unwrap();
        let second = app.process(Fulfil).start().await.unwrap();
        store.lax.store(lax, Ordering::Relaxed);
        for order in 0..ORDERS {
            app.execute(Do::Place { order }).await.unwrap();
        }
        let (one, other) = (first.idle().await, second.idle().await);
        let fenced =
            [&one, &other].iter().filter(|end| matches!(end, Err(ProcessError::Fenced { .. }))).count();
        let states = [first.status().state, second.status().state];
        assert_eq!(fenced, 1, "{one:?} {other:?}");
        assert_eq!(states.iter().filter(|state| matches!(state, ProcessState::Live)).count(), 1);
        for number in 0..ORDERS {
            let of = async |kind| records(&store.store, number, kind).await;
            let found = (of("$process.reacted").await, of("$process.command-done").await);
            assert_eq!(found, (2, 1), "order {number}");
            assert_eq!(order(&app, number).await.reserved, 1);
        }
        let _ = (first.stop().await, second.stop().await);
    });
}

#[test]
fn a_second_runner_of_a_process_is_fenced_and_nothing_is_recorded_twice() {
    one_of_two_runners_is_fenced(false);
}

/// The twin: a store that does not keep its conditions lets both go on.
#[test]
fn a_store_that_fences_nobody_is_caught_by_the_same_test() {
    assert!(catch_unwind(AssertUnwindSafe(|| one_of_two_runners_is_fenced(true))).is_err());
}

/// How many records of a kind an instance has.
async fn records(store: &MemoryStore, instance: u64, kind: &str) -> usize {
    let stream = format!("$process-fulfil:{instance}").parse().unwrap();
    let records = store.read_stream(stream).await.unwrap().events;
    records.iter().filter(|event| event.event.event_type.as_str() == kind).count()
}

/// Stopped in the middle of firing a timer, overtaken, woken: what it was about to write is refused.
fn what_a_sleeper_was_about_to_write_is_refused(lax: bool) {
    block_on(async {
        let clock = Arc::new(ManualClock::default());
        let store = Meddler::new(MemoryStore::with_clock(clock.clone()));
        let sleeper = App::builder(store.clone()).clock(clock.clone()).build();
        let other = App::builder(store.store.clone()).clock(clock.clone()).build();
        other.execute(Do::Place { order: 1 }).await.unwrap();
        let asleep = sleeper.process(Fulfil).start().await.unwrap();
        asleep.idle().await.unwrap();
        store.asleep.send_replace(true);
        clock.advance(DEADLINE);
        other.process(Fulfil).run_until_idle().await.unwrap();
        let head = other.store().head().await.unwrap().position;
        store.lax.store(lax, Ordering::Relaxed);
        store.asleep.send_replace(false);
        let _ = asleep.look().await;
        let found = order(&other, 1).await;
        assert_eq!((found.reminded, found.failed, found.released), (1, 1, 1), "it wrote");
        assert_eq!(other.store().head().await.unwrap().position, head, "it wrote {:?}", asleep.status());
        let _ = asleep.stop().await;
    });
}

/// Test (h): the holder that was paused writes nothing over what its successor wrote.
#[test]
fn a_runner_that_is_overtaken_in_its_sleep_writes_nothing_when_it_wakes() {
    what_a_sleeper_was_about_to_write_is_refused(false);
}

/// The twin: a store that does not keep its conditions lets the sleeper write.
#[test]
fn a_store_that_lets_a_sleeper_write_is_caught_by_the_same_test() {
    caught("a store without conditions", "it wrote", || what_a_sleeper_was_about_to_write_is_refused(true));
}

/// A runner that fell behind does not handle again what another one has handled, although it goes further than that one.
#[test]
fn a_runner_that_fell_behind_is_fenced_also_where_it_has_newer_inputs_to_handle() {
    block_on(async {
        let clock = Arc::new(ManualClock::default());
        let store = Meddler::new(MemoryStore::with_clock(clock.clone()));
        let sleeper = App::builder(store.clone()).clock(clock.clone()).build();
        let other = App::builder(store.store.clone()).clock(clock.clone()).build();
        store.asleep.send_replace(true);
        let behind = sleeper.process(Fulfil).start().await.unwrap();
        other.execute(Do::Place { order: 1 }).await.unwrap();
        other.process(Fulfil).run_until_idle().await.unwrap();
        other.execute(Do::Place { order: 2 }).await.unwrap();
        store.asleep.send_replace(false);
        let fenced = behind.idle().await;
        assert!(matches!(fenced, Err(ProcessError::Fenced { .. })), "{fenced:?}");
        assert_eq!(records(&store.store, 1, "$process.reacted").await, 2);
        assert_eq!(records(&store.store, 2, "$process.reacted").await, 0);
        let _ = behind.stop().await;
    });
}
