//! The kits for snapshots and read models: they pass what is right, and each way to be wrong has a twin they catch.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use factlog::{Projection, Recorded, Result, Tags, View, given, given_nothing, tags};
use serde::{Deserialize, Serialize};

use crate::bank::{Account, AccountEvent, Balances, ItemAdded, deposited, opened, withdrawn};
use crate::traps::caught;

fn facts() -> Vec<AccountEvent> {
    vec![opened(1), deposited(1, 10), opened(2), withdrawn(1, 4), deposited(2, 3), deposited(1, 1)]
}

#[test]
fn views_that_are_read_back_as_they_were_equal_a_replay() {
    given(facts()).snapshots_equal_replay::<Account>(&1);
    given(facts()).snapshots_equal_replay::<(Account, Option<Account>, Vec<Account>)>(&(
        2,
        Some(1),
        vec![1, 2, 3],
    ));
    given([ItemAdded { cart: 1 }, ItemAdded { cart: 1 }]).snapshots_equal_replay::<crate::bank::Cart>(&1);
}

/// A view of an account's deposits.
macro_rules! wrong_view {
    ($name:ident, $($field:tt)*) => {
        #[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct $name { $($field)* }
        impl View for $name {
            type Id = u64;
            type Event = AccountEvent;
            const NAME: &'static str = stringify!($name);
            fn tags(account: &u64) -> Result<Tags> {
                tags![account = account]
            }
            fn apply(&mut self, event: &AccountEvent) {
                self.fold(event);
            }
        }
    };
}

wrong_view!(Skips, opened: bool, #[serde(skip)] deposits: u64);
impl Skips {
    fn fold(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened(_) => self.opened = true,
            AccountEvent::Deposited(_) => self.deposits += 1,
            AccountEvent::Withdrawn(_) => {}
        }
    }
}

wrong_view!(Unordered, amounts: HashSet<u64>);
impl Unordered {
    fn fold(&mut self, event: &AccountEvent) {
        if let AccountEvent::Deposited(event) = event {
            self.amounts.insert(event.amount);
        }
    }
}

wrong_view!(NotANumber, share: f64);
impl NotANumber {
    fn fold(&mut self, _: &AccountEvent) {
        self.share = f64::NAN;
    }
}

/// Trap 18: what a snapshot cannot keep is found before it is in production.
#[test]
fn views_that_a_snapshot_loses_are_caught() {
    caught("a skipped field", "come to something else than a full replay", || {
        given(facts()).snapshots_equal_replay::<Skips>(&1);
    });
    caught("a set without an order", "is not read back as what was written", || {
        given((1..64).map(|amount| deposited(1, amount))).snapshots_equal_replay::<Unordered>(&1);
    });
    caught("not a number", "is not read back as what was written", || {
        given(facts()).snapshots_equal_replay::<NotANumber>(&1);
    });
    caught("nothing to test", "no given event is in the model", || {
        given(facts()).snapshots_equal_replay::<Account>(&9);
    });
}

#[test]
fn a_read_model_is_tested_without_store_and_runtime() {
    given(facts()).project(Balances).then([(2, 3), (1, 7)]);
    given(facts()).and([deposited(2, 0)]).project(Balances).then([(1, 7)]);
    given([ItemAdded { cart: 1 }]).project(Balances).then_nothing();
    given_nothing().project(Balances).then_nothing();
}

/// What a wrong read model is wrong in.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// It counts what it is asked, not what happened.
    Counts,
    /// It keeps something between two keys.
    Remembers,
    /// It keeps something that is not in the document's serde form.
    Skips,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Document {
    deposits: u64,
    #[serde(skip)]
    last: u64,
}

struct Twin {
    wrong: Wrong,
    last: AtomicU64,
}

impl Projection for Twin {
    type Event = AccountEvent;
    type Key = u64;
    type Document = Document;
    const NAME: &'static str = "twin";
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        Balances.keys(recorded)
    }
    fn apply(
        &self,
        key: &u64,
        document: Option<Document>,
        recorded: &Recorded<AccountEvent>,
    ) -> Option<Document> {
        let mut document = document.unwrap_or_default();
        let AccountEvent::Deposited(event) = &recorded.event else { return Some(document) };
        match self.wrong {
            Wrong::Counts => document.deposits = self.last.fetch_add(1, Ordering::Relaxed) + 1,
            Wrong::Remembers => {
                let before = self.last.swap(*key, Ordering::Relaxed);
                document.deposits += if before == 3 - key { 10 } else { 1 };
                if recorded.position.get() == 6 {
                    self.last.store(0, Ordering::Relaxed);
                }
            }
            Wrong::Skips => {
                document.deposits += event.amount.max(document.last);
                document.last = event.amount;
            }
        }
        Some(document)
    }
}

/// A rebuild, a restart or another worker must not change an answer.
#[test]
fn read_models_that_depend_on_how_they_are_replayed_are_caught() {
    let document = |deposits| Document { deposits, last: 0 };
    let twins = [
        (Wrong::Counts, "replayed twice", [3, 2]),
        (Wrong::Remembers, "a key alone comes to something else", [11, 10]),
        (Wrong::Skips, "stopped after fact 2", [20, 3]),
    ];
    for (wrong, because, [one, two]) in twins {
        caught(&format!("{wrong:?}"), because, || {
            let twin = Twin { wrong, last: AtomicU64::new(0) };
            given(facts()).project(twin).then([(1, document(one)), (2, document(two))]);
        });
    }
    caught("another document", "the read model is something else", || {
        given(facts()).project(Balances).then([(1, 7)]);
    });
}
