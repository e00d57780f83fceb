//! Snapshots never change an answer, whatever becomes of them.

use factlog::snapshot::{SnapshotKey, SnapshotStore, SqliteSnapshots};
use factlog::{App, AsOf, MemoryStore, Position, Result, Snapshots, Tags, View, tags};
use factlog_core::BoxFuture;
use parking_lot::Mutex;
use pollster::block_on;
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

use crate::bank::{Account, AccountEvent, AddItem, Cart, Withdraw, deposited, opened, record};

/// A snapshot store whose bytes a test can look at and spoil.
#[derive(Clone, Debug, Default)]
struct Open(Arc<Mutex<HashMap<SnapshotKey, Vec<u8>>>>);

impl SnapshotStore for Open {
    fn load(&self, key: &SnapshotKey) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(ready(Ok(self.0.lock().get(key).cloned())))
    }
    fn save(&self, key: &SnapshotKey, bytes: Vec<u8>) -> BoxFuture<'_, Result<()>> {
        self.0.lock().insert(key.clone(), bytes);
        Box::pin(ready(Ok(())))
    }
}

fn app_on(store: &MemoryStore, every: u64, snapshots: &Open) -> App {
    let snapshots = Snapshots::every(every, snapshots.clone());
    App::builder(store.clone()).snapshots(snapshots).views_in_memory(0).build()
}

async fn balance(app: &App) -> (u64, u64) {
    let loaded = app.load::<Account>(&1).await.unwrap();
    (loaded.state.balance, loaded.events_folded)
}

/// Without a bound on the tail, a long-lived account is read from its first event for every command.
#[test]
fn a_load_after_a_snapshot_folds_only_the_tail() {
    block_on(async {
        let (store, snapshots) = (MemoryStore::new(), Open::default());
        let app = app_on(&store, 10, &snapshots);
        record(&app, (0..25).map(|_| deposited(1, 1))).await;
        assert_eq!(balance(&app).await, (25, 25));
        assert_eq!(balance(&app).await, (25, 0));
        record(&app, [deposited(1, 1), deposited(2, 50)]).await;
        assert_eq!(balance(&app).await, (26, 1));
        app.execute(Withdraw { account: 1, amount: 26 }).await.unwrap();
        assert_eq!(balance(&app).await, (0, 2));
    });
}

/// A snapshot from the future of the question would show what was not yet so.
#[test]
fn a_question_about_the_past_passes_over_a_newer_snapshot() {
    block_on(async {
        let (store, snapshots) = (MemoryStore::new(), Open::default());
        let app = app_on(&store, 1, &snapshots);
        record(&app, (0..9).map(|_| deposited(1, 1))).await;
        assert_eq!(balance(&app).await.0, 9);
        let at = AsOf::Position(Position::new(4).unwrap());
        assert_eq!(app.load::<Account>(&1).at(at).await.unwrap().state.balance, 4);
    });
}

/// Every single damaged byte is noticed, replayed and healed.
#[test]
fn a_damaged_snapshot_is_replayed_and_rewritten() {
    block_on(async {
        let (store, snapshots) = (MemoryStore::new(), Open::default());
        let app = app_on(&store, 3, &snapshots);
        record(&app, (0..5).map(|_| deposited(1, 1))).await;
        assert_eq!(balance(&app).await, (5, 5));
        let whole = snapshots.0.lock().clone();
        let length = whole.values().next().unwrap().len();
        for at in 0..length {
            snapshots.0.lock().values_mut().for_each(|bytes| bytes[at] ^= 0x10);
            assert_eq!(balance(&app).await, (5, 5), "byte {at} damaged: a replay");
            assert_eq!(*snapshots.0.lock(), whole, "byte {at} damaged: healed");
        }
        snapshots.0.lock().values_mut().for_each(|bytes| bytes.truncate(7));
        assert_eq!(balance(&app).await, (5, 5));
        assert_eq!(app.snapshot_counts().discarded, length as u64 + 1);
    });
}

/// A log that was restored from an older copy, or another log altogether, with the snapshots of the first.
#[test]
fn a_snapshot_of_another_log_is_replayed_and_rewritten() {
    block_on(async {
        let snapshots = Open::default();
        let first = app_on(&MemoryStore::new(), 2, &snapshots);
        record(&first, (0..6).map(|_| deposited(1, 100))).await;
        assert_eq!(balance(&first).await.0, 600);
        for events in [0, 3, 6, 9] {
            let other = app_on(&MemoryStore::new(), 2, &snapshots);
            record(&other, (0..events).map(|_| deposited(1, 1))).await;
            assert_eq!(balance(&other).await.0, events);
            assert_eq!(balance(&first).await.0, 600);
        }
    });
}

#[test]
fn an_aggregates_revision_survives_in_its_snapshot() {
    block_on(async {
        let (store, snapshots) = (MemoryStore::new(), Open::default());
        let app = app_on(&store, 1, &snapshots);
        for _ in 0..3 {
            app.execute(AddItem { cart: 1 }).await.unwrap();
        }
        let cart = app.load::<Cart>(&1).await.unwrap();
        assert_eq!((cart.state.items, cart.revision.map(|r| r.get()), cart.events_folded), (3, Some(2), 1));
        assert!(app.execute(AddItem { cart: 1 }).await.is_err());
    });
}

/// The account as a later program has it: a nested struct has a new field, which serde fills in silently.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Account2 {
    open: bool,
    balance: u64,
    movements: u64,
    #[serde(default)]
    largest: u64,
}

impl View for Account2 {
    type Id = u64;
    type Event = AccountEvent;
    const NAME: &'static str = "account";
    fn tags(account: &u64) -> Result<Tags> {
        tags![account = account]
    }
    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened(_) => self.open = true,
            AccountEvent::Deposited(event) => {
                self.balance += event.amount;
                self.largest = self.largest.max(event.amount);
            }
            AccountEvent::Withdrawn(event) => self.balance -= event.amount,
        }
        self.movements += 1;
    }
}

/// Trap 18: a snapshot of the old shape under new code must equal a full replay, even where serde would accept it.
#[test]
fn a_snapshot_of_an_older_shape_is_replayed_even_where_serde_would_fill_the_gap() {
    block_on(async {
        let (store, snapshots) = (MemoryStore::new(), Open::default());
        let app = app_on(&store, 2, &snapshots);
        record(&app, [opened(1), deposited(1, 7), deposited(1, 2)]).await;
        assert_eq!(balance(&app).await.0, 9);
        let newer = app.load::<Account2>(&1).await.unwrap();
        assert_eq!((newer.state.largest, newer.events_folded), (7, 3));
        assert_eq!(balance(&app).await, (9, 0), "and back: each shape has snapshots of its own");
    });
}

#[test]
fn snapshots_in_sqlite_outlive_the_process_and_a_spoilt_file_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshots.sqlite");
    block_on(async {
        let store = MemoryStore::new();
        let app = || App::builder(store.clone()).snapshots(Snapshots::sqlite(&path, 2).unwrap()).build();
        record(&app(), (0..5).map(|_| deposited(1, 1))).await;
        assert_eq!(balance(&app()).await, (5, 5));
        assert_eq!(balance(&app()).await, (5, 0));
    });
    for file in std::fs::read_dir(directory.path()).unwrap() {
        std::fs::write(file.unwrap().path(), "this is no database, whatever it was before").unwrap();
    }
    let error = SqliteSnapshots::open(&path).expect_err("no database");
    assert!(error.to_string().ends_with("it can be rebuilt from the log, so move it away"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Snapshot + tail = full replay, wherever snapshots were taken and whichever views share the log.
    #[test]
    fn a_snapshot_and_its_tail_equal_a_full_replay(
        steps in vec((0..3_u64, 1..20_u64, any::<bool>()), 1..40),
        every in 1..6_u64,
    ) {
        block_on(async {
            let store = MemoryStore::new();
            let cached = app_on(&store, every, &Open::default());
            let plain = App::new(store.clone());
            for (account, amount, look) in steps {
                record(&plain, [deposited(account, amount)]).await;
                if look {
                    let ids = (account, 1);
                    let fast = cached.load::<(Account, Account)>(&ids).await.unwrap();
                    let slow = plain.load::<(Account, Account)>(&ids).await.unwrap();
                    assert_eq!((fast.state, fast.position), (slow.state, slow.position));
                }
            }
        });
    }
}
