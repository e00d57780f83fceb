//! Events made from shapes: of every kind that structs have, of all variants, and as rarely refused as may be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use factlog::arbitrary::{any_event, any_events};
use factlog::schema::schemars::JsonSchema;
use factlog::{Event, EventSet, Result, Tags, Upcast, View, given, tags};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! part {
    ($($body:tt)*) => {
        #[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[schemars(crate = "factlog::schema::schemars")]
        $($body)*
    };
}

part! {
    struct Address {
        street: String,
        number: std::num::NonZeroU8,
        zip: Option<String>,
    }
}

part! {
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Payment {
        Card { number: [u8; 4] },
        Cash,
    }
}

part! {
    enum Word {
        Short(char),
        Long { text: String },
        None,
    }
}

part! {
    #[serde(untagged)]
    enum Amount {
        Whole(i16),
        Words(String),
    }
}

part! {
    struct Tree {
        leaf: u8,
        branches: Vec<Tree>,
        next: Option<Box<Tree>>,
    }
}

part! {
    #[derive(Event)]
    #[event(name = "everything.happened", tags(id = id))]
    struct Everything {
        id: u64,
        signed: i32,
        fraction: f64,
        coarse: f32,
        flag: bool,
        nothing: (),
        pair: (u8, String),
        set: BTreeSet<u16>,
        map: BTreeMap<String, i8>,
        numbered: HashMap<u32, bool>,
        address: Address,
        payment: Payment,
        word: Word,
        amount: Amount,
        tree: Tree,
        any: Value,
        #[serde(default)]
        more: Vec<Option<Word>>,
        #[serde(flatten)]
        rest: Rest,
    }
}

part! {
    struct Rest {
        renamed: Option<u64>,
    }
}

part! {
    #[derive(Event)]
    #[event(name = "account.opened", tags(account = account))]
    struct OpenedV1 {
        account: u8,
    }
}

part! {
    #[derive(Event)]
    #[event(name = "account.opened", version = 2, upcast(OpenedV1), tags(account = account))]
    struct Opened {
        account: u8,
        limit: u32,
    }
}

impl Upcast<OpenedV1> for Opened {
    fn upcast(old: OpenedV1) -> Self {
        Self { account: old.account, limit: u32::MAX }
    }
}

part! {
    #[derive(Event)]
    #[event(name = "account.closed", tags(account = account))]
    struct Closed {
        account: u8,
    }
}

#[derive(EventSet, Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one event has a field of every kind")]
enum AnyEvent {
    Everything(Everything),
    Opened(Opened),
    Closed(Closed),
}

/// A strategy that refuses much of what it makes is slow, and gives up.
#[test]
fn nothing_of_a_shape_that_serde_writes_is_refused_and_every_variant_is_made() {
    let none_refused = ProptestConfig { max_local_rejects: 0, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(none_refused, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let strategy = any_event::<AnyEvent>();
    let mut made = BTreeMap::<&str, u32>::new();
    let mut count = |what| *made.entry(what).or_default() += 1;
    for _ in 0..600 {
        match strategy.new_tree(&mut runner).unwrap().current() {
            AnyEvent::Opened(_) => count("opened"),
            AnyEvent::Closed(_) => count("closed"),
            AnyEvent::Everything(event) => {
                count(match event.payment {
                    Payment::Card { .. } => "card",
                    Payment::Cash => "cash",
                });
                count(match event.word {
                    Word::Short(_) => "short",
                    Word::Long { .. } => "long",
                    Word::None => "none",
                });
                count(match event.amount {
                    Amount::Whole(_) => "whole",
                    Amount::Words(_) => "words",
                });
                count(if event.tree.branches.is_empty() { "leaf" } else { "branches" });
                count(if event.more.is_empty() { "no more" } else { "more" });
                count(if event.numbered.is_empty() { "no numbers" } else { "numbers" });
                count(if event.id < 4 { "small" } else { "large" });
            }
        }
    }
    assert_eq!(made.len(), 17, "{made:?}");
    assert!(made.values().all(|times| 10 < *times), "{made:?}");
}

/// How many accounts are open.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Account {
    opened: u32,
    closed: u32,
}

impl View for Account {
    type Id = u8;
    type Event = AnyEvent;
    const NAME: &'static str = "account";
    fn tags(account: &u8) -> Result<Tags> {
        tags![account = account]
    }
    fn apply(&mut self, event: &AnyEvent) {
        match event {
            AnyEvent::Opened(_) => self.opened += 1,
            AnyEvent::Closed(_) => self.closed += 1,
            AnyEvent::Everything(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What is made can be recorded and read back, and events meet on the same ids.
    #[test]
    fn any_events_are_recorded_and_read_back_as_they_are(events in any_events::<AnyEvent>(1..12)) {
        for event in &events {
            let encoded = event.encode().unwrap();
            let stored = factlog::Stored { event_type: encoded.name, version: encoded.version, data: &encoded.data };
            prop_assert_eq!(&AnyEvent::decode(&stored).unwrap(), event);
        }
        let account = events.iter().find_map(|event| match event {
            AnyEvent::Opened(event) => Some(event.account),
            AnyEvent::Closed(event) => Some(event.account),
            AnyEvent::Everything(_) => None,
        });
        if let Some(account) = account {
            given(events).snapshots_equal_replay::<Account>(&account);
        }
    }
}
