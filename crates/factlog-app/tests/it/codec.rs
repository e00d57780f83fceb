//! Shapes over time: names, versions, upcasts, and what is said when an event cannot be read.

use factlog::{
    App, Event, EventSet, EventStoreExt as _, MemoryStore, Result, StreamId, Tags, Upcast, View, events,
    golden, tags,
};
use factlog::{Context, Decide, Events};
use factlog_core::Event as RawEvent;
use pollster::block_on;
use serde::{Deserialize, Serialize};

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "money.debited", renamed_from("debit"))]
struct MovedV1 {
    account: u64,
    coins: u64,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "money.moved", version = 2, upcast(MovedV1))]
struct MovedV2 {
    account: u64,
    cents: u64,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(
    name = "money.moved",
    version = 3,
    upcast(MovedV2),
    tags(account = account, note),
    stream = "money-{account}"
)]
struct Moved {
    account: u64,
    cents: u64,
    note: Option<String>,
}

impl Upcast<MovedV1> for MovedV2 {
    fn upcast(old: MovedV1) -> Self {
        Self { account: old.account, cents: old.coins * 100 }
    }
}

impl Upcast<MovedV2> for Moved {
    fn upcast(old: MovedV2) -> Self {
        Self { account: old.account, cents: old.cents, note: None }
    }
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "money.counted", tags(account = 0))]
struct Counted(u64);

#[derive(EventSet, Clone, Debug, PartialEq)]
enum MoneyEvent {
    Moved(Moved),
    Counted(Counted),
}

#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Money {
    cents: u64,
    counted: u64,
}

impl View for Money {
    type Id = u64;
    type Event = MoneyEvent;
    const NAME: &'static str = "money";
    fn tags(account: &u64) -> Result<Tags> {
        tags![account = account]
    }
    fn apply(&mut self, event: &MoneyEvent) {
        match event {
            MoneyEvent::Moved(event) => self.cents += event.cents,
            MoneyEvent::Counted(_) => self.counted += 1,
        }
    }
}

struct Move;

impl Decide for Move {
    type Model = Money;
    type Event = MoneyEvent;
    type Error = std::convert::Infallible;
    fn boundary(&self) -> u64 {
        1
    }
    fn decide(&self, _: &Money, _: &Context) -> std::result::Result<Events<MoneyEvent>, Self::Error> {
        let note = Some("rent".to_owned());
        Ok(events![Moved { account: 1, cents: 5, note }, Counted(1)])
    }
}

async fn stored(store: &MemoryStore, name: &str, data: &'static str, metadata: &'static str) {
    let event = RawEvent::new(name.parse().unwrap(), data)
        .tagged(Tags::new(["account:1"]).unwrap())
        .with_metadata(metadata);
    store.append_one(event).await.unwrap();
}

/// Trap 20: a query that asks only for today's name misses yesterday's events, and so does its boundary.
#[test]
fn a_set_asks_for_every_name_its_events_ever_had() {
    let mut names = MoneyEvent::NAMES.to_vec();
    names.dedup();
    assert_eq!(names, ["money.moved", "money.debited", "debit", "money.counted"]);
    assert_eq!(MoneyEvent::SCHEMAS, [("money.moved", 3), ("money.counted", 1)]);
}

/// Trap 19, as a test of a user's: what was stored under any name and version is read as it was when the file was written.
#[test]
fn what_is_on_file_is_read_as_is_said_there() {
    golden("tests/golden/money")
        .example(MovedV1 { account: 1, coins: 3 })
        .example(MovedV2 { account: 1, cents: 350 })
        .example(Moved { account: 1, cents: 350, note: Some("rent".to_owned()) })
        .example(Counted(7))
        .check::<MoneyEvent>();
}

/// Trap 19: every stored version of every name reaches the present shape, through the whole chain.
#[test]
fn events_of_every_version_and_name_are_lifted_to_the_present_one() {
    block_on(async {
        let store = MemoryStore::new();
        stored(&store, "debit", r#"{"account":1,"coins":1}"#, "").await;
        stored(&store, "money.debited", r#"{"account":1,"coins":2}"#, r#"{"schema":1}"#).await;
        stored(&store, "money.moved", r#"{"account":1,"cents":30}"#, r#"{"schema":2,"user":"ada"}"#).await;
        let app = App::new(store);
        app.execute(Move).await.unwrap();
        let money = app.load::<Money>(&1).await.unwrap().state;
        assert_eq!(money, Money { cents: 335, counted: 1 });
        let history = app.history::<Moved>(tags![account = 1].unwrap()).await.unwrap();
        assert_eq!(history.len(), 4);
        assert_eq!(history[3].stream, Some(StreamId::new("money-1").unwrap()));
        assert_eq!(history[3].metadata().get("schema").and_then(|schema| schema.as_u64()), Some(3));
    });
}

#[test]
fn an_optional_field_is_a_tag_only_where_it_is_some() {
    let moved = |note: Option<&str>| Moved { account: 1, cents: 1, note: note.map(str::to_owned) };
    assert_eq!(Event::tags(&moved(None)).unwrap(), Tags::new(["account:1"]).unwrap());
    assert_eq!(Event::tags(&moved(Some("rent"))).unwrap(), Tags::new(["account:1", "note:rent"]).unwrap());
}

/// An event that cannot be read must stop the fold with the facts, never be passed over.
#[test]
fn an_event_that_cannot_be_read_stops_the_fold_and_says_where() {
    let cases = [
        ("a version from the future", "money.moved", r#"{"account":1,"cents":30}"#, r#"{"schema":4}"#),
        ("data of another shape", "money.moved", r#"{"account":"one"}"#, r#"{"schema":3}"#),
        ("older data of another shape", "debit", "{}", ""),
        ("a version that is no number", "money.counted", "1", r#"{"schema":"two"}"#),
        ("metadata that is no object", "money.counted", "1", "plain text"),
    ];
    let mut report = String::new();
    for (what, name, data, metadata) in cases {
        let error = block_on(async {
            let store = MemoryStore::new();
            stored(&store, name, data, metadata).await;
            App::new(store).load::<Money>(&1).await.expect_err(what)
        });
        report.push_str(&format!("{what}:\n  {error}\n"));
    }
    insta::assert_snapshot!(report);
}
