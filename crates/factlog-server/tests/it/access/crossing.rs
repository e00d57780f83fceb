//! Two principals in one store: 100,000 random requests, and nothing crosses over.
//!
//! Ada's grants go by tag, Bob's by stream. Every event has its owner in its data; an answer that has another's, by whatever way
//! it was asked for, is a crossing. The requests are of every kind there is, over one connection each.

use std::sync::Arc;

use factlog_client::RemoteStore;
use factlog_core::{
    Administration as _, Append, AppendCondition, Delivery, Event, EventStore as _, EventStoreExt as _,
    EventType, ExpectedRevision, Position, Query, QueryItem, ReadOptions, RecordedEvent, StartFrom,
    StreamFilter, StreamId, Tags,
};
use fastrand::Rng;

use super::Kept;

/// Requests of both together.
const REQUESTS: u32 = 100_000;
const SEEDS: u64 = 4;
const STREAMS: [&str; 6] = ["bob-1", "bob-2", "ada-1", "shared-1", "$process-x", "$server-access"];
const TAGS: [&str; 5] = ["tenant:ada", "tenant:bob", "order:1", "order:2", "plain"];
const TYPES: [&str; 3] = ["placed", "paid", "bob.only"];

fn some<T: Copy>(random: &mut Rng, of: &[T]) -> T {
    of[random.usize(..of.len())]
}

fn tags(random: &mut Rng, most: usize) -> Tags {
    let count = random.usize(..=most);
    Tags::new((0..count).map(|_| some(random, &TAGS))).expect("tags")
}

fn event(random: &mut Rng, by: &str) -> Event {
    let event_type = EventType::new(some(random, &TYPES)).expect("a type");
    let event = Event::new(event_type, format!("\"of-{by}\"")).tagged(tags(random, 3));
    match random.bool() {
        true => event.in_stream(StreamId::new(some(random, &STREAMS)).expect("a stream")),
        false => event,
    }
}

fn query(random: &mut Rng) -> Query {
    if random.u8(..8) == 0 {
        return Query::All;
    }
    let mut item = || QueryItem {
        stream: match random.u8(..4) {
            0 => Some(StreamFilter::Id(StreamId::new(some(random, &STREAMS)).expect("a stream"))),
            1 => Some(StreamFilter::Category(
                some(random, &["bob", "ada", "$server", "shared"]).parse().expect("one"),
            )),
            _ => None,
        },
        tags: tags(random, 1),
        types: match random.bool() {
            true => vec![EventType::new(some(random, &TYPES)).expect("a type")],
            false => Vec::new(),
        },
    };
    let items: Vec<_> = (0..2).map(|_| item()).collect();
    Query::any_of(items).expect("a query")
}

/// Whether an event is one that its reader may see, by rules written down here once more and apart from the server's.
fn is_own(reader: &str, event: &RecordedEvent) -> bool {
    let stream = event.event.stream.as_ref().map_or("", |stream| stream.as_str());
    match reader {
        "ada" => {
            event.event.tags.iter().any(|tag| tag.as_str() == "tenant:ada") && !stream.starts_with("$server-")
        }
        _ => stream.starts_with("bob-"),
    }
}

/// Whether an event is one that its writer may append.
fn may_write(writer: &str, event: &Event) -> bool {
    let stream = event.stream.as_ref().map_or("", |stream| stream.as_str());
    let has = |tag: &str| event.tags.iter().any(|other| other.as_str() == tag);
    match writer {
        "ada" => has("tenant:ada") && !has("tenant:bob") && !stream.starts_with('$'),
        _ => stream.starts_with("bob-"),
    }
}

async fn ask(random: &mut Rng, who: &str, store: &RemoteStore) {
    let head = store.head().await.expect("the head").position.map_or(0, Position::get);
    let after = Position::new(head.saturating_sub(random.u64(..60)));
    match random.u8(..10) {
        0..4 => {
            let events: Vec<_> = (0..random.usize(1..3)).map(|_| event(random, who)).collect();
            let may = events.iter().all(|event| may_write(who, event));
            let outcome = store.append(Append::new(events.clone())).await;
            assert_eq!(outcome.is_ok(), may, "{who}: {events:?}: {outcome:?}");
        }
        4..8 => {
            let mut options = ReadOptions::default().after(after).limit(random.u64(..40));
            if random.bool() {
                options = options.backwards();
            }
            let query = query(random);
            let read = store.read(query.clone(), options).collect().await.expect("read");
            let crossing =
                read.events.iter().find(|event| !is_own(who, event) || !query.matches(&event.event));
            assert!(crossing.is_none(), "{who}: {query:?}: {crossing:?}");
        }
        8 => {
            let query = query(random);
            let mut following =
                store.subscribe(query.clone(), after.map_or(StartFrom::Beginning, StartFrom::After));
            while let Some(delivery) = following.next().await {
                match delivery.expect("it is open") {
                    Delivery::Event(event) => assert!(is_own(who, &event), "{who}: {query:?}: {event:?}"),
                    Delivery::CaughtUp(_) => break,
                }
            }
        }
        _ => others(random, who, store).await,
    }
}

/// What tells of events without showing them.
async fn others(random: &mut Rng, who: &str, store: &RemoteStore) {
    let stream = StreamId::new(some(random, &STREAMS)).expect("a stream");
    let of_bob = |stream: &StreamId| who == "bob" && stream.as_str().starts_with("bob-");
    match random.u8(..5) {
        0 => {
            for info in store.streams("", None, 100).await.expect("a list") {
                assert!(of_bob(&info.stream), "{who}: {info:?}");
            }
        }
        1 => {
            let info = store.stream(stream.clone()).await.expect("an answer");
            assert!(info.is_none() || of_bob(&stream), "{who}: {info:?}");
        }
        2 => {
            let types = store.types().await.expect("a list");
            assert!(types.is_empty(), "{who}: {types:?}");
            assert!(store.stats().await.is_err(), "{who} sees the numbers");
        }
        3 => {
            let own = if who == "ada" {
                Event::tagged(event(random, who), Tags::new(["tenant:ada"]).expect("one"))
            } else {
                event(random, who)
            };
            let expected = AppendCondition::revision(stream.clone(), ExpectedRevision::NoStream);
            let append = Append::new([own.clone()]).when(expected);
            if let Err(factlog_core::AppendError::Conflict(conflict)) = store.append(append).await {
                let knows = of_bob(&stream) || own.stream.as_ref() == Some(&stream);
                assert!(knows, "{who} learns of {stream}: {conflict}");
            }
        }
        _ => {
            let position = store.tracking("bob-source").await.expect("an answer");
            assert_eq!(position, None, "{who}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_crosses_from_one_principal_to_another() {
    let kept = Kept::start().await;
    let ada = Arc::new(kept.client("ada", &["read,append tag:tenant:ada"]).await);
    let bob = Arc::new(kept.client("bob", &["read,append stream:bob-"]).await);
    let mut random = Rng::with_seed(7);
    for _ in 0..100 {
        let mut event = event(&mut random, "nobody");
        event.stream = event.stream.filter(|stream| !stream.as_str().starts_with("$server-"));
        kept.store.append_one(event).await.expect("append");
    }
    let mut asking = Vec::new();
    for seed in 0..SEEDS {
        for (who, store) in [("ada", ada.clone()), ("bob", bob.clone())] {
            asking.push(tokio::spawn(async move {
                let mut random = Rng::with_seed(seed);
                for _ in 0..REQUESTS / (2 * SEEDS as u32) {
                    ask(&mut random, who, &store).await;
                }
            }));
        }
    }
    for asking in asking {
        asking.await.expect("no crossing");
    }
    let audit = StreamId::new("$server-audit").expect("a stream");
    kept.served.stop().await;
    assert!(
        !kept.store.read_stream(audit).await.expect("read").events.is_empty(),
        "denials are not recorded"
    );
}
