//! The verdict on shapes against real structs: what serde really reads, all against all.

use factlog::schema::{Catalog, Lock, Verdict, compare, schemars::JsonSchema};
use factlog::{Event, EventSet, Split, Upcast};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A shape, its lock, data that it may have stored, and whether it reads what another stored.
struct Case {
    name: &'static str,
    lock: Lock,
    stored: Vec<Value>,
    reads: fn(&Value) -> bool,
}

/// Whether it is read, and what is kept of it is what was stored.
fn reads<T: Serialize + DeserializeOwned>(value: &Value) -> bool {
    let Ok(read) = serde_json::from_value::<T>(value.clone()) else { return false };
    keeps(value, &serde_json::to_value(&read).unwrap())
}

/// Members may come or go; numbers may not be rounded, nor anything else change.
fn keeps(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            before.iter().all(|(name, member)| after.get(name).is_none_or(|now| keeps(member, now)))
        }
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(before, after)| keeps(before, after))
        }
        (Value::Number(before), Value::Number(after)) => match (before.as_i128(), after.as_i128()) {
            (Some(before), Some(after)) => before == after,
            (Some(before), None) => after.as_f64().is_some_and(|after| after as i128 == before),
            _ => before.as_f64() == after.as_f64(),
        },
        (before, after) => before == after,
    }
}

/// Structs in a module of their own, each an event of the same name.
macro_rules! shapes {
    ($($name:ident { $($body:tt)* } [$($stored:expr),+ $(,)?])+) => {
        $(mod $name {
            use super::*;
            $($body)*
            pub(super) fn case() -> Case {
                Case {
                    name: stringify!($name),
                    lock: Catalog::new().with::<It>().lock().unwrap(),
                    stored: vec![$($stored),+],
                    reads: reads::<It>,
                }
            }
        })+
        fn cases() -> Vec<Case> {
            vec![$($name::case()),+]
        }
    };
}

macro_rules! event {
    ($($body:tt)*) => {
        part! { #[derive(Event)] #[event(name = "it.happened")] pub(super) struct It $($body)* }
    };
}

macro_rules! part {
    ($($body:tt)*) => {
        #[derive(JsonSchema, Serialize, Deserialize)]
        #[schemars(crate = "factlog::schema::schemars")]
        $($body)*
    };
}

shapes! {
    nothing { event! { {} } } [json!({})]
    unit { event! { ; } } [json!(null)]
    small { event! { { a: u8 } } } [json!({ "a": 255 })]
    large { event! { { a: u64 } } } [json!({ "a": u64::MAX })]
    signed { event! { { a: i32 } } } [json!({ "a": -1 }), json!({ "a": i32::MAX })]
    fraction { event! { { a: f64 } } } [json!({ "a": 0.1 })]
    coarse { event! { { a: f32 } } } [json!({ "a": 0.5f32 }), json!({ "a": 0.1f32 })]
    text { event! { { a: String } } } [json!({ "a": "" }), json!({ "a": "x" })]
    letter { event! { { a: char } } } [json!({ "a": "x" })]
    optional { event! { { a: Option<u8> } } } [json!({}), json!({ "a": null }), json!({ "a": 255 })]
    lenient { event! { { #[serde(default)] a: u8 } } } [json!({}), json!({ "a": 255 })]
    other { event! { { b: u8 } } } [json!({ "b": 255 })]
    two { event! { { a: u8, #[serde(default, skip_serializing_if = "String::is_empty")] b: String } } }
        [json!({ "a": 255 }), json!({ "a": 255, "b": "x" })]
    closed { part! { #[derive(Event)] #[event(name = "it.happened")] #[serde(deny_unknown_fields)] pub(super) struct It { a: u8 } } } [json!({ "a": 255 })]
    list { event! { { a: Vec<u8> } } } [json!({ "a": [] }), json!({ "a": [255] }), json!({ "a": [1, 2, 3] }), json!({ "a": [255, 255] })]
    pair { event! { { a: (u8, u8) } } } [json!({ "a": [255, 255] })]
    mixed { event! { { a: (u8, String) } } } [json!({ "a": [255, "x"] })]
    set { event! { { a: BTreeSet<u8> } } } [json!({ "a": [] }), json!({ "a": [1, 255] })]
    map { event! { { a: BTreeMap<String, u8> } } } [json!({ "a": {} }), json!({ "a": { "x": 255 } })]
    numbered { event! { { a: BTreeMap<u32, u8> } } } [json!({ "a": {} }), json!({ "a": { "7": 255 } })]
    words {
        part! { #[serde(rename_all = "lowercase")] pub(super) enum Kind { Card, Cash } }
        event! { { a: Kind } }
    } [json!({ "a": "card" }), json!({ "a": "cash" })]
    more_words {
        part! { #[serde(rename_all = "lowercase")] pub(super) enum Kind {
            /// With a word about each.
            Card,
            /// Here too.
            Cash,
            /// And here.
            Iban,
        } }
        event! { { a: Kind } }
    } [json!({ "a": "card" }), json!({ "a": "iban" })]
    maybe_words {
        part! { #[serde(rename_all = "lowercase")] pub(super) enum Kind { Card, Cash } }
        event! { { a: Option<Kind> } }
    } [json!({ "a": "card" }), json!({ "a": null }), json!({})]
    outside {
        part! { pub(super) enum Paid { Card { number: String }, Cash, Iban(String) } }
        event! { { a: Paid } }
    } [json!({ "a": { "Card": { "number": "1" } } }), json!({ "a": "Cash" }), json!({ "a": { "Iban": "x" } })]
    outside_less {
        part! { pub(super) enum Paid { Card { number: String }, Cash } }
        event! { { a: Paid } }
    } [json!({ "a": { "Card": { "number": "1" } } }), json!({ "a": "Cash" })]
    inside {
        part! { #[serde(tag = "kind")] pub(super) enum Paid { Card { number: String }, Cash } }
        event! { { a: Paid } }
    } [json!({ "a": { "kind": "Card", "number": "1" } }), json!({ "a": { "kind": "Cash" } })]
    inside_more {
        part! { #[serde(tag = "kind")] pub(super) enum Paid { Card { number: String, #[serde(default)] year: u16 }, Cash, None } }
        event! { { a: Paid } }
    } [json!({ "a": { "kind": "Card", "number": "1" } }), json!({ "a": { "kind": "None" } })]
    untagged {
        part! { #[serde(untagged)] pub(super) enum Amount { Whole(u8), Words(String) } }
        event! { { a: Amount } }
    } [json!({ "a": 255 }), json!({ "a": "x" })]
    nested {
        part! { pub(super) struct Tree { leaf: u8, branches: Vec<Tree> } }
        event! { { a: Tree } }
    } [json!({ "a": { "leaf": 255, "branches": [{ "leaf": 255, "branches": [] }] } })]
    nested_wider {
        part! { pub(super) struct Tree { leaf: u16, branches: Vec<Tree>, #[serde(default)] name: Option<String> } }
        event! { { a: Tree } }
    } [json!({ "a": { "leaf": 65535, "branches": [{ "leaf": 1, "branches": [], "name": "x" }] } })]
    flat {
        part! { pub(super) struct Inner { b: String } }
        event! { { a: u8, #[serde(flatten)] inner: Inner } }
    } [json!({ "a": 255, "b": "x" })]
    rest { event! { { a: u8, #[serde(flatten)] rest: BTreeMap<String, Value> } } }
        [json!({ "a": 255 }), json!({ "a": 255, "b": [] })]
    anything { event! { { a: Value } } } [json!({ "a": null }), json!({ "a": { "b": 0.5 } }), json!({ "a": 1 }), json!({ "a": "x" })]
    aliased { event! { { #[serde(rename = "b")] a: u8 } } } [json!({ "b": 255 })]
}

/// Would fail if the verdict promised what serde does not keep, or refused what it does.
#[test]
fn the_verdict_is_what_serde_does_for_every_pair_of_shapes() {
    let cases = cases();
    let (mut backward, mut wrong) = (0, String::new());
    for old in &cases {
        assert!(old.stored.iter().all(old.reads), "{} does not read what it stores", old.name);
        for new in &cases {
            let change = compare(&old.lock, &new.lock);
            let promised = change.verdict().is_backward();
            let kept = old.stored.iter().all(new.reads);
            backward += u32::from(promised);
            // What a map holds besides a struct's fields is the user's data: the verdict does not let it go, serde does.
            let known = old.name == "rest";
            if promised != kept && (promised || !known) {
                wrong.push_str(&format!(
                    "{} read as {}: promised {promised}, kept {kept}: {:?}\n",
                    old.name, new.name, change.events[0].backward
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(100 < backward, "{backward} of {} promised", cases.len().pow(2));
}

#[derive(Event, JsonSchema, Serialize, Deserialize)]
#[schemars(crate = "factlog::schema::schemars")]
#[event(name = "debit", renamed_from("d"))]
struct V1 {
    coins: u64,
}

#[derive(Event, JsonSchema, Serialize, Deserialize)]
#[schemars(crate = "factlog::schema::schemars")]
#[event(name = "money.debited", version = 2, upcast(V1))]
struct V2 {
    cents: u64,
}

#[derive(Event, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[schemars(crate = "factlog::schema::schemars")]
#[event(name = "money.withdrawn", version = 3, upcast(V2))]
struct V3 {
    cents: i64,
    #[serde(default)]
    note: Option<String>,
}

impl Upcast<V1> for V2 {
    fn upcast(old: V1) -> Self {
        Self { cents: old.coins * 100 }
    }
}

impl Upcast<V2> for V3 {
    fn upcast(old: V2) -> Self {
        Self { cents: i64::try_from(old.cents).expect("a small number"), note: None }
    }
}

#[derive(Event, JsonSchema, Serialize, Deserialize)]
#[schemars(crate = "factlog::schema::schemars")]
#[event(name = "account.touched")]
struct Touched(bool);

#[derive(Event, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[schemars(crate = "factlog::schema::schemars")]
#[event(name = "account.opened", split_from(Touches))]
struct Opened;

#[derive(Event, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[schemars(crate = "factlog::schema::schemars")]
#[event(name = "account.closed", split_from(Touches))]
struct Closed;

#[derive(EventSet, Clone, Debug, PartialEq)]
enum AccountEvent {
    Opened(Opened),
    Withdrawn(V3),
    Closed(Closed),
}

struct Touches;

impl Split for Touches {
    type Old = Touched;
    type Into = AccountEvent;
    fn split(old: Touched) -> Vec<AccountEvent> {
        if old.0 { vec![Opened.into()] } else { vec![Closed.into()] }
    }
}

/// Traps 19, 20 and 21: the file names every version, every former name, and what is split; no variant is forgotten.
#[test]
fn the_lock_has_the_whole_ladder() {
    let lock = Catalog::new().with::<AccountEvent>().with::<Opened>().lock().unwrap();
    let told: Vec<String> = lock
        .events()
        .map(|event| {
            let versions: Vec<&u32> = event.shapes.keys().collect();
            format!("{} {versions:?} from {:?} into {:?}", event.name, event.former_names, event.split_into)
        })
        .collect();
    assert_eq!(
        told,
        [
            "account.closed [1] from {} into {}",
            "account.opened [1] from {} into {}",
            r#"account.touched [1] from {} into {"account.closed", "account.opened"}"#,
            r#"money.withdrawn [1, 2, 3] from {"d", "debit", "money.debited"} into {}"#,
        ]
    );
    let withdrawn = lock.get("money.withdrawn").unwrap();
    let present = &withdrawn.shapes[&3];
    assert_eq!(present.reads["required"], json!(["cents"]));
    assert_eq!(present.writes["required"], json!(["cents", "note"]));
    assert_eq!(Lock::parse(&lock.to_text()).unwrap(), lock);
}

/// The steps of a real ladder, each deployed after the other: nothing that is stored is ever lost.
#[test]
fn each_step_of_a_ladder_is_backward_and_a_step_back_is_not() {
    let steps = [
        Catalog::new().with::<V1>().lock().unwrap(),
        Catalog::new().with::<V2>().lock().unwrap(),
        Catalog::new().with::<V3>().lock().unwrap(),
    ];
    for (older, old) in steps.iter().enumerate() {
        for (newer, new) in steps.iter().enumerate() {
            let verdict = compare(old, new).verdict();
            assert_eq!(verdict.is_backward(), older <= newer, "{older} to {newer}: {verdict}");
            assert_eq!(verdict == Verdict::Full, older == newer, "{older} to {newer}: {verdict}");
        }
    }
}
