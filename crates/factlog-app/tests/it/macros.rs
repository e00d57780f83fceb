//! Events that a `macro_rules!` of the user's writes: what the derives say must not depend on where a token comes from.

use factlog::{Event, EventSet, Split, Tag, Upcast};
use serde::{Deserialize, Serialize};

/// Everything that a derive takes from the user, as arguments.
macro_rules! context {
    (
        set $set:ident { $($variant:ident($of:ty)),+ }
        $(event $event:ident = $name:literal $(($($attribute:tt)+))? { $($field:ident: $type:ty),* })+
    ) => {
        $(
            #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
            #[event(name = $name $(, $($attribute)+)?)]
            struct $event { $($field: $type),* }
        )+

        #[derive(EventSet, Clone, Debug, PartialEq)]
        enum $set { $($variant($of)),+ }
    };
}

context! {
    set MoneyEvent { Moved(Moved), Counted(Counted) }
    event MovedV1 = "money.moved" { account: u64 }
    event Moved = "money.moved" (
        version = 2, upcast(MovedV1), tags(account = account, note), stream = "account-{account}"
    ) { account: u64, note: Option<String> }
    event Summed = "money.summed" { account: u64 }
    event Counted = "money.counted" (split_from(Sums), tags(account)) { account: u64 }
}

/// And a type that is an argument by itself.
macro_rules! set {
    ($set:ident, $($variant:ident => $of:ident),+) => {
        #[derive(EventSet, Clone, Debug, PartialEq)]
        enum $set { $($variant($of)),+ }
    };
}

set!(OnlyMoved, Moved => Moved);

impl Upcast<MovedV1> for Moved {
    fn upcast(MovedV1 { account }: MovedV1) -> Self {
        Self { account, note: None }
    }
}

struct Sums;
impl Split for Sums {
    type Old = Summed;
    type Into = MoneyEvent;
    fn split(Summed { account }: Summed) -> Vec<MoneyEvent> {
        vec![Counted { account }.into()]
    }
}

#[test]
fn a_derive_within_a_macro_means_the_same() {
    let moved = Moved { account: 7, note: Some("rent".to_owned()) };
    let encoded = MoneyEvent::from(moved.clone()).encode().unwrap();
    let tags: Vec<&str> = encoded.tags.iter().map(Tag::as_str).collect();
    assert_eq!((tags, encoded.version), (vec!["account:7", "note:rent"], 2));
    assert_eq!(encoded.stream.unwrap().as_str(), "account-7");
    let old = factlog::Stored { event_type: "money.moved", version: 1, data: br#"{"account":7}"# };
    assert_eq!(OnlyMoved::decode(&old).unwrap(), OnlyMoved::Moved(Moved { note: None, ..moved }));
    assert_eq!(MoneyEvent::NAMES, ["money.moved", "money.moved", "money.counted", "money.summed"]);
}
