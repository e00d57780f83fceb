//! Idempotency keys: once, for ever, over restarts and races.

use std::sync::atomic::{AtomicU32, Ordering};

use factlog::{App, ErrorKind, ExecuteError, MemoryStore};
use pollster::block_on;

use crate::bank::{Account, InsufficientFunds, Record, Transfer, Withdraw, app_with, deposited, opened};
use crate::wrapped::Wrapped;

/// Trap 10: a repeat after the process restarted, and after the rule would now say no, is still the first outcome.
#[test]
fn a_repeat_under_the_same_key_answers_the_first_outcome_over_a_restart() {
    block_on(async {
        let store = MemoryStore::new();
        let app = App::new(store.clone());
        app.execute(Record(vec![opened(1), deposited(1, 10), opened(2)])).await.unwrap();
        let transfer = Transfer { from: 1, to: 2, amount: 10 };
        let first = app.execute(transfer.clone()).key("t-1").await.unwrap();
        assert!(!first.replayed);
        drop(app);

        let restarted = App::new(store);
        let again = restarted.execute(transfer.clone()).key("t-1").await.unwrap();
        assert!(again.replayed);
        assert_eq!((again.first, again.last, again.position), (first.first, first.last, first.position));
        let other = restarted.execute(transfer).key("t-2").await;
        assert!(
            matches!(other, Err(ExecuteError::Rejected(InsufficientFunds))),
            "another key is another command"
        );
        assert_eq!(restarted.load::<Account>(&2).await.unwrap().state.balance, 10);
    });
}

/// Twins that race under one key must not both happen, whoever is faster and whatever the loser decides.
#[test]
fn racing_twins_under_one_key_happen_once_and_all_get_the_first_outcome() {
    for _ in 0..100 {
        let app = block_on(app_with([opened(1), deposited(1, 15)]));
        let done = AtomicU32::new(0);
        let positions: Vec<_> = std::thread::scope(|scope| {
            let twins: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let command = Withdraw { account: 1, amount: 10 };
                        let outcome =
                            block_on(app.execute(command).key("w").into_future()).expect("the first outcome");
                        done.fetch_add(u32::from(!outcome.replayed), Ordering::Relaxed);
                        outcome.position
                    })
                })
                .collect();
            twins.into_iter().map(|twin| twin.join().expect("no panic")).collect()
        });
        assert_eq!(done.into_inner(), 1);
        assert!(positions.iter().all(|position| *position == positions[0]));
        assert_eq!(block_on(app.load::<Account>(&1).into_future()).unwrap().state.balance, 5);
    }
}

/// Twins that decide different content under one key meet "same id, other content" in the store.
#[test]
fn a_twin_with_other_content_gets_the_first_outcome_and_not_an_error() {
    for _ in 0..50 {
        let app = App::new(MemoryStore::new());
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let twins: Vec<_> = (1..=8)
                .map(|amount| {
                    let app = &app;
                    scope.spawn(move || {
                        let command = Record((0..amount).map(|n| deposited(n, amount)).collect());
                        block_on(app.execute(command).key("d").into_future()).expect("the first outcome")
                    })
                })
                .collect();
            twins.into_iter().map(|twin| twin.join().expect("no panic")).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| !outcome.replayed).count(), 1);
        assert!(outcomes.iter().all(|outcome| outcome.last == outcomes[0].last));
        assert_eq!(block_on(app.store().head()).unwrap().position, outcomes[0].last);
    }
}

#[test]
fn the_longest_key_fits_and_a_longer_or_empty_one_is_refused_before_anything_happens() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        let command = || Record(vec![opened(1)]);
        app.execute(command()).key("k".repeat(250)).await.unwrap();
        for key in [String::new(), "k".repeat(251)] {
            let error = app.execute(command()).key(key).await.expect_err("refused");
            let ExecuteError::Store(error) = error else { panic!("{error}") };
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    });
}

/// A rejection is not an outcome that lasts: the same key may succeed later.
#[test]
fn a_rejected_command_may_be_repeated_under_its_key() {
    block_on(async {
        let app = app_with([opened(1)]).await;
        let command = Withdraw { account: 1, amount: 10 };
        assert!(app.execute(command.clone()).key("w").await.is_err());
        app.execute(Record(vec![deposited(1, 10)])).await.unwrap();
        assert!(!app.execute(command).key("w").await.unwrap().replayed);
    });
}

/// The stored form for ever: a change of any of it would make an old key, or an old event, mean something else.
#[test]
fn what_is_stored_under_a_key_never_changes() {
    block_on(async {
        let store = Wrapped::default();
        let app = App::new(store.clone());
        let command = Record(vec![deposited(1, 10), opened(2)]);
        app.execute(command).key("salary-7").correlation("c").metadata("user", "ada").await.unwrap();
        let mut stored = String::new();
        for event in &store.appends.lock()[0].events {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let tags: Vec<&str> = event.tags.iter().map(|tag| tag.as_str()).collect();
            let (id, kind) = (event.id, &event.event_type);
            let (data, metadata) = (text(&event.data), text(&event.metadata));
            stored.push_str(&format!("{id} {kind} {tags:?}\n  {data}\n  {metadata}\n"));
        }
        insta::assert_snapshot!(stored);
    });
}
