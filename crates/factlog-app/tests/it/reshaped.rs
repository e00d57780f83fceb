//! Trap 18: a view whose struct changed in a way that its snapshots' bytes do not show.

use factlog::snapshot::{MemorySnapshots, SnapshotKey, SnapshotStore};
use factlog::{App, BoxFuture, Event, EventStoreExt as _, MemoryStore, Result, Snapshots, Tags, View, tags};
use factlog_core::Event as RawEvent;
use pollster::block_on;
use serde::{Deserialize, Serialize};

use crate::traps::caught;

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "money.paid", tags(account = account))]
struct Paid {
    account: u64,
    fee: u64,
}

macro_rules! account {
    ($($field:ident += $of:expr),+) => {
        #[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub(super) struct Account {
            $(#[serde(default, skip_serializing_if = "super::is_zero")] pub(super) $field: u64),+
        }
        impl View for Account {
            type Id = u64;
            type Event = Paid;
            const NAME: &'static str = "account";
            fn tags(account: &u64) -> Result<Tags> {
                tags![account = account]
            }
            fn apply(&mut self, event: &Paid) {
                $(self.$field += $of(event);)+
            }
        }
    };
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

mod before {
    use super::*;
    account!(payments += |_: &Paid| 1);
}

mod after {
    use super::*;
    account!(payments += |_: &Paid| 1, fees += |event: &Paid| event.fee);
}

/// The state of the older program reads back as the newer one's without fees, and is written as the same bytes.
fn an_older_shape_means_a_replay(snapshots: impl SnapshotStore) {
    block_on(async {
        let store = MemoryStore::new();
        for _ in 0..4 {
            let event = RawEvent::new("money.paid".parse().unwrap(), r#"{"account":1,"fee":5}"#)
                .tagged(Tags::new(["account:1"]).unwrap());
            store.append_one(event).await.unwrap();
        }
        let app = App::builder(store).snapshots(Snapshots::every(2, snapshots)).views_in_memory(0).build();
        app.load::<before::Account>(&1).await.unwrap();
        assert_eq!(app.load::<before::Account>(&1).await.unwrap().events_folded, 0, "there is a snapshot");
        let old = serde_json::to_value(before::Account { payments: 4 }).unwrap();
        let silent: after::Account = serde_json::from_value(old.clone()).unwrap();
        assert_eq!(serde_json::to_value(&silent).unwrap(), old, "nothing in the bytes tells");
        let new = app.load::<after::Account>(&1).await.unwrap();
        assert_eq!(new.state, after::Account { payments: 4, fees: 20 }, "a full replay");
    });
}

/// Test (e): a snapshot of the old shape under new code must equal a full replay, even where its bytes would do.
#[test]
fn a_field_that_is_left_out_while_empty_still_means_a_replay() {
    an_older_shape_means_a_replay(MemorySnapshots::default());
}

/// Keeps snapshots by view and id, and does not ask of which shape they are.
#[derive(Debug, Default)]
struct Shapeless(MemorySnapshots);

impl Shapeless {
    fn key(key: &SnapshotKey) -> SnapshotKey {
        SnapshotKey { version: 1, fingerprint: 0, ..key.clone() }
    }
}

impl SnapshotStore for Shapeless {
    fn load(&self, key: &SnapshotKey) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        self.0.load(&Self::key(key))
    }
    fn save(&self, key: &SnapshotKey, bytes: Vec<u8>) -> BoxFuture<'_, Result<()>> {
        self.0.save(&Self::key(key), bytes)
    }
}

/// The twin: snapshots that are found by less than their whole key.
#[test]
fn snapshots_that_are_kept_without_their_shape_are_caught_by_the_same_test() {
    caught("a snapshot without its shape", "a full replay", || {
        an_older_shape_means_a_replay(Shapeless::default());
    });
}
