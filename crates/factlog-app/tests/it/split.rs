//! One stored event read as none, one or many: by every reader the same, asked for under its old names.

use factlog::{
    App, Event, EventSet, EventStore as _, EventStoreExt as _, MemoryStore, OnTimeout, Position, Projection,
    Recorded, Result, Revision, Split, StreamId, Tags, UnknownTypes, Upcast, View, events, given, tags,
};
use factlog::{Context, Decide, Events};
use factlog_core::{AppendCondition, Event as RawEvent};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use crate::SOON;
use crate::wrapped::Wrapped;

/// A transfer as it was recorded once, under two names and in two versions, for both accounts.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "move", tags(account = from, account = to))]
struct MovedV1 {
    from: u64,
    to: u64,
    coins: u64,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "money.moved", version = 2, upcast(MovedV1), tags(account = from, account = to))]
struct Moved {
    from: u64,
    to: u64,
    cents: u64,
}

impl Upcast<MovedV1> for Moved {
    fn upcast(old: MovedV1) -> Self {
        Self { from: old.from, to: old.to, cents: old.coins * 100 }
    }
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "money.sent", tags(account = account), split_from(Movements))]
struct Sent {
    account: u64,
    cents: u64,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "money.received", tags(account = account), split_from(Movements))]
struct Received {
    account: u64,
    cents: u64,
}

#[derive(EventSet, Clone, Debug, PartialEq)]
enum MoneyEvent {
    Received(Received),
    Sent(Sent),
}

struct Movements;

impl Split for Movements {
    type Old = Moved;
    type Into = MoneyEvent;
    fn split(Moved { from, to, cents }: Moved) -> Vec<MoneyEvent> {
        match cents {
            0 => Vec::new(),
            _ => vec![Sent { account: from, cents }.into(), Received { account: to, cents }.into()],
        }
    }
}

#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Balance(i64);

impl View for Balance {
    type Id = u64;
    type Event = MoneyEvent;
    const NAME: &'static str = "balance";
    fn tags(account: &u64) -> Result<Tags> {
        tags![account = account]
    }
    fn apply(&mut self, event: &MoneyEvent) {
        let signed = |cents: u64| i64::try_from(cents).expect("a small number");
        match event {
            MoneyEvent::Sent(event) => self.0 -= signed(event.cents),
            MoneyEvent::Received(event) => self.0 += signed(event.cents),
        }
    }
}

struct Send {
    account: u64,
}

impl Decide for Send {
    type Model = Balance;
    type Event = Sent;
    type Error = std::convert::Infallible;
    fn boundary(&self) -> u64 {
        self.account
    }
    fn decide(&self, balance: &Balance, _: &Context) -> std::result::Result<Events<Sent>, Self::Error> {
        Ok(events![Sent { account: self.account, cents: balance.0.unsigned_abs() }])
    }
}

/// Everything that was received, by account, in the order of the facts.
struct Log;

impl Projection for Log {
    type Event = MoneyEvent;
    type Key = u64;
    type Document = Vec<(u64, u32, String)>;
    const NAME: &'static str = "log";
    fn keys(&self, event: &Recorded<MoneyEvent>) -> Vec<u64> {
        match &event.event {
            MoneyEvent::Sent(event) => vec![event.account],
            MoneyEvent::Received(event) => vec![event.account],
        }
    }
    fn apply(
        &self,
        _: &u64,
        log: Option<Self::Document>,
        event: &Recorded<MoneyEvent>,
    ) -> Option<Self::Document> {
        let mut log = log.unwrap_or_default();
        log.push((event.position.get(), event.index, format!("{:?}", event.event)));
        Some(log)
    }
}

async fn store() -> MemoryStore {
    let store = MemoryStore::new();
    for (name, data, metadata) in [
        ("move", r#"{"from":1,"to":2,"coins":3}"#, ""),
        ("money.moved", r#"{"from":2,"to":1,"cents":0}"#, r#"{"schema":2}"#),
        ("money.moved", r#"{"from":2,"to":1,"cents":50}"#, r#"{"schema":2}"#),
    ] {
        let event = RawEvent::new(name.parse().unwrap(), data)
            .tagged(Tags::new(["account:1", "account:2"]).unwrap())
            .in_stream(StreamId::new("moves-1").unwrap())
            .with_metadata(metadata);
        store.append_one(event).await.unwrap();
    }
    store
}

/// Trap 20: also a set of one of the new events asks for the names of what it was split from.
#[test]
fn whoever_asks_for_a_fact_asks_for_what_it_was_split_from() {
    assert_eq!(<Sent as EventSet>::NAMES, ["money.sent", "money.moved", "move"]);
    assert_eq!(<Sent as Event>::NAMES, ["money.sent"]);
    let mut names = MoneyEvent::NAMES.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, ["money.moved", "money.received", "money.sent", "move"]);
    assert_eq!(MoneyEvent::SCHEMAS, [("money.received", 1), ("money.sent", 1)]);
}

/// Views, histories and read models must not differ in what was once stored in another shape.
#[test]
fn every_reader_sees_the_same_facts_with_the_place_of_what_is_stored() {
    block_on(async {
        let app = App::new(store().await);
        let one = app.load::<Balance>(&1).await.unwrap();
        let two = app.load::<Balance>(&2).await.unwrap();
        assert_eq!(
            (one.state, two.state),
            (Balance(-250), Balance(250)),
            "each account has its own facts only"
        );
        assert_eq!((one.events_folded, one.events_unknown), (3, 0));

        let history = app.history::<MoneyEvent>(Tags::NONE).await.unwrap();
        let places: Vec<(u64, u32)> = history.iter().map(|fact| (fact.position.get(), fact.index)).collect();
        assert_eq!(places, [(1, 0), (1, 1), (3, 0), (3, 1)], "in the order of the split, not of the set");
        assert_eq!(history[0].event, Sent { account: 1, cents: 300 }.into());
        assert_eq!(history[1].revision, Some(Revision::new(0)));
        assert_eq!((history[0].id, history[0].revision), (history[1].id, history[1].revision));
        let received = app.history::<Received>(tags![account = 1].unwrap()).await.unwrap();
        assert_eq!(
            received.iter().map(|fact| fact.index).collect::<Vec<_>>(),
            [1],
            "the index is the split's"
        );

        let log = app.project(Log).in_memory().start().unwrap();
        let deadline = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        deadline.block_on(log.at_least(Position::new(3), SOON, OnTimeout::Error)).unwrap();
        let first = log.get(&1).await.unwrap().unwrap();
        assert_eq!(first[0], (1, 0, "Sent(Sent { account: 1, cents: 300 })".to_owned()));
        assert_eq!(first[1], (3, 1, "Received(Received { account: 1, cents: 50 })".to_owned()));
        log.stop().await.unwrap();
    });
}

/// An older program beside this one still records moves: a decision made without one of them must lose the race.
#[test]
fn the_condition_of_a_decision_names_what_is_split() {
    block_on(async {
        let store = Wrapped::default();
        App::new(store.clone()).execute(Send { account: 1 }).await.unwrap();
        let appends = store.appends.lock();
        let [AppendCondition::NoneMatch { query, after: None }] = appends[0].conditions.as_slice() else {
            panic!("{:?}", appends[0].conditions);
        };
        let old = |tag: &str| {
            let tags = Tags::new([tag]).unwrap();
            RawEvent::new("move".parse().unwrap(), "{}").tagged(tags)
        };
        assert!(query.matches(&old("account:1")) && !query.matches(&old("account:2")), "{query:?}");
    });
}

/// Given facts pass through the same split: a test of a command may begin with what was recorded years ago.
#[test]
fn the_kit_splits_what_is_given() {
    let moved = Moved { from: 1, to: 2, cents: 7 };
    given([moved.clone()]).when(Send { account: 1 }).then([Sent { account: 1, cents: 7 }]);
    assert_eq!(given([moved]).view::<Balance>(&2), Balance(7));
}

/// An event that lives on: its older version also told what is an event of its own now.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "order.made", tags(order = order))]
struct PlacedV1 {
    order: u64,
    card: String,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "order.placed", version = 2, upcast(PlacedV1), tags(order = order))]
struct Placed {
    order: u64,
}

impl Upcast<PlacedV1> for Placed {
    fn upcast(old: PlacedV1) -> Self {
        Self { order: old.order }
    }
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "payment.requested", tags(order = order), split_from(Payments))]
struct Requested {
    order: u64,
    card: String,
}

#[derive(EventSet, Clone, Debug, PartialEq)]
enum OrderEvent {
    Placed(Placed),
    Requested(Requested),
}

struct Payments;

impl Split for Payments {
    type Old = PlacedV1;
    type Into = OrderEvent;
    fn split(PlacedV1 { order, card }: PlacedV1) -> Vec<OrderEvent> {
        vec![Placed { order }.into(), Requested { order, card }.into()]
    }
}

async fn orders(placed: &[(&str, &'static str, &'static str)]) -> App {
    let store = MemoryStore::new();
    for (name, data, metadata) in placed {
        let event = RawEvent::new(name.parse().unwrap(), *data)
            .tagged(Tags::new(["order:1"]).unwrap())
            .with_metadata(*metadata);
        store.append_one(event).await.unwrap();
    }
    App::new(store)
}

#[test]
fn an_event_that_lives_on_is_itself_once_and_its_older_version_is_also_split() {
    block_on(async {
        let app = orders(&[
            ("order.made", r#"{"order":1,"card":"x"}"#, ""),
            ("order.placed", r#"{"order":1}"#, r#"{"schema":2}"#),
        ])
        .await;
        let all = app.history::<OrderEvent>(Tags::NONE).await.unwrap();
        let all: Vec<OrderEvent> = all.into_iter().map(|fact| fact.event).collect();
        let requested = Requested { order: 1, card: "x".to_owned() };
        assert_eq!(all, [Placed { order: 1 }.into(), requested.clone().into(), Placed { order: 1 }.into()]);
        let requests = app.history::<Requested>(tags![order = 1].unwrap()).await.unwrap();
        assert_eq!(requests.len(), 1);
        assert_eq!((requests[0].event.clone(), requests[0].index), (requested, 1));
    });
}

/// A version from the future may hold facts of the set: it stops the fold, whatever it would be split into.
#[test]
fn a_version_from_the_future_is_not_taken_for_nothing() {
    block_on(async {
        for (what, data, metadata, facts) in [
            ("a version before the last, split", r#"{"order":1,"card":"x"}"#, "", Some(1)),
            ("the last version under an older name", r#"{"order":1}"#, r#"{"schema":2}"#, Some(0)),
            ("a version from the future", r#"{"order":1}"#, r#"{"schema":3}"#, None),
            ("data of another shape", "{}", "", None),
        ] {
            let app = orders(&[("order.made", data, metadata)]).await;
            let history = app.history::<Requested>(Tags::NONE).await;
            assert_eq!(history.ok().map(|history| history.len()), facts, "{what}");
        }
        let app = App::new(MemoryStore::new());
        let event = RawEvent::new("money.moved".parse().unwrap(), "{}").with_metadata(r#"{"schema":3}"#);
        app.store().append(factlog_core::Append::new(vec![event])).await.unwrap();
        let error = app.history::<Sent>(Tags::NONE).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot read money.moved version 3 at position 1: this program knows versions up to 2; a newer program wrote it, deploy that one here"
        );
    });
}

#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Lenient(u64);
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Strict(u64);

macro_rules! aggregate {
    ($view:ident, $name:literal, $unknown:ident) => {
        impl View for $view {
            type Id = u64;
            type Event = Received;
            const NAME: &'static str = $name;
            const UNKNOWN: UnknownTypes = UnknownTypes::$unknown;
            fn tags(_: &u64) -> Result<Tags> {
                tags![]
            }
            fn stream(id: &u64) -> Result<Option<StreamId>> {
                StreamId::new(format!("moves-{id}")).map(Some)
            }
            fn apply(&mut self, event: &Received) {
                self.0 += event.cents;
            }
        }
    };
}

aggregate!(Lenient, "lenient", Skip);
aggregate!(Strict, "strict", Stop);

/// Trap 40: a type nobody knows is passed over with a count, or stops with its name, as the view says.
#[test]
fn an_unknown_type_in_an_aggregates_stream_is_counted_or_stops_by_choice() {
    block_on(async {
        let store = store().await;
        let strange =
            RawEvent::new("audit.noted".parse().unwrap(), "{}").in_stream(StreamId::new("moves-1").unwrap());
        store.append_one(strange).await.unwrap();
        let app = App::new(store);
        let lenient = app.load::<Lenient>(&1).await.unwrap();
        assert_eq!((lenient.state, lenient.events_folded, lenient.events_unknown), (Lenient(350), 4, 1));
        let refused = app.load::<Strict>(&1).await.unwrap_err().to_string();
        assert!(
            refused
                .starts_with("cannot read audit.noted version 1 at position 4: the type is not in the set"),
            "{refused}"
        );
    });
}
