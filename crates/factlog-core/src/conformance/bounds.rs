//! Promise 9: every bound is exact. What is within passes; what is beyond is `Invalid` and leaves nothing.

use bytes::Bytes;

use super::Subject;
use super::drive::{block_on, start};
use super::harness::{
    append, around_a_restart, assert_kind, event, events, expect_revision, failure, head, name, none_match,
    read, record, refused, restarted, tracking, type_query,
};
use crate::{
    Append, ErrorKind, Event, EventStore, ExpectedRevision, Position, Query, QueryItem, ReadOptions,
    StartFrom, limits,
};

/// Data of 16 MiB and metadata of 64 KiB pass and come back whole; one byte more is `Invalid`.
///
/// Without it a large event would be accepted and then be unreadable, or take the process down.
pub async fn data_and_metadata_are_bounded(subject: &dyn Subject) {
    let bytes = |count: usize| Bytes::from((0..count).map(|n| (n / 7 % 251) as u8).collect::<Vec<_>>());
    let with_data = |count| Event { data: bytes(count), ..event("data") };
    let with_metadata = |count| event("metadata").with_metadata(bytes(count));
    let store = subject.store();
    let largest = [with_metadata(limits::METADATA_BYTES_MAX), with_data(limits::DATA_BYTES_MAX)];
    record(&*store, largest.clone()).await;
    let store = restarted(subject).await;
    let found = read(&*store, Query::All, ReadOptions::default()).await.events;
    // Not assert_eq: nobody wants to read 16 MiB twice.
    assert!(found.iter().map(|found| &found.event).eq(&largest), "what passes comes back whole");

    let beyond = with_data(limits::DATA_BYTES_MAX + 1);
    refused(&*store, "data of 16 MiB and a byte", Append::new([event("a"), beyond])).await;
    let beyond = with_metadata(limits::METADATA_BYTES_MAX + 1);
    refused(&*store, "metadata of 64 KiB and a byte", Append::new([beyond, event("a")])).await;
}

/// An append of 100,000 events passes; one more, none at all, or the same id twice is `Invalid`.
///
/// Without it one caller's import would stall everybody, or half of it be found after a crash.
pub async fn events_of_one_append_are_bounded(subject: &dyn Subject) {
    let store = subject.store();
    let most = limits::APPEND_EVENTS_MAX;
    let mut too_many = events("e", most + 1);
    refused(&*store, "100,001 events", Append::new(too_many.clone())).await;
    too_many.truncate(most);
    let appended = record(&*store, too_many).await;
    assert_eq!((appended.first.get(), appended.last.get()), (1, most as u64));

    around_a_restart(subject, |store| {
        assert_eq!(block_on(head(store)), most as u64);
        let newest = ReadOptions::default().backwards().limit(3);
        assert_eq!(block_on(read(store, type_query("e"), newest)).events.len(), 3);
        block_on(refused(store, "an append without events", Append::new([])));
        let twice = event("a");
        let twice = Append::new([twice.clone(), event("b"), Event { data: Bytes::new(), ..twice }]);
        block_on(refused(store, "an event id twice", twice));
    })
    .await;
}

/// An append of exactly 64 MiB passes; a byte more is `Invalid`.
///
/// Without it the memory a store needs would be whatever a caller sends.
pub async fn bytes_of_one_append_are_bounded(subject: &dyn Subject) {
    let store = subject.store();
    let block = Bytes::from(vec![b'.'; limits::DATA_BYTES_MAX]);
    let sized = |size: usize| {
        let empty = Event { data: Bytes::new(), ..event("e") };
        Event { data: block.slice(..size - empty.size()), ..empty }
    };
    let quarter = limits::APPEND_BYTES_MAX / 4;
    let full = || vec![sized(quarter), sized(quarter), sized(quarter), sized(quarter)];
    let mut byte_more = full();
    byte_more[3] = byte_more[3].clone().with_metadata("+");
    refused(&*store, "64 MiB and a byte", Append::new(byte_more)).await;
    record(&*store, full()).await;

    let store = restarted(subject).await;
    let found = read(&*store, Query::All, ReadOptions::default()).await.events;
    let sizes: Vec<_> = found.iter().map(|found| found.event.size()).collect();
    assert_eq!(sizes, [quarter; 4], "the largest append comes back whole");
}

/// A thousand conditions, items and types pass; one more is `Invalid`, in a condition, a read and a subscription.
///
/// Without it one question could keep the store busy for as long as the caller likes.
pub async fn queries_and_conditions_are_bounded(subject: &dyn Subject) {
    let store = subject.store();
    record(&*store, [event("type.0")]).await;
    let types = |count: usize| (0..count).map(|n| name(&format!("type.{n}"))).collect::<Vec<_>>();
    let of_types = |count| Query::AnyOf(vec![QueryItem::of_types(types(count))]);
    let of_items =
        |count| Query::AnyOf(types(count).into_iter().map(|one| QueryItem::of_types([one])).collect());
    let (types_max, items_max) = (limits::QUERY_TYPES_MAX, limits::QUERY_ITEMS_MAX);
    for query in [of_types(types_max), of_items(items_max)] {
        let found = read(&*store, query.clone(), ReadOptions::default()).await.events;
        assert_eq!(found.len(), 1, "the largest query is answered");
        append(&*store, Append::new([event("other")]).when(none_match(query, 1))).await;
    }
    let conditions = |count: usize| {
        let condition = || expect_revision("nobody-1", ExpectedRevision::NoStream);
        (0..count).fold(Append::new([event("other")]), |append, _| append.when(condition()))
    };
    append(&*store, conditions(limits::CONDITIONS_MAX)).await;

    around_a_restart(subject, |store| {
        for query in [of_types(types_max + 1), of_items(items_max + 1), Query::AnyOf(vec![])] {
            let read = block_on(store.read(query.clone(), ReadOptions::default()).collect());
            failure("a read beyond a bound", read, ErrorKind::Invalid);
            match block_on(store.subscribe(query.clone(), StartFrom::Beginning).next()) {
                Some(Err(error)) => assert_kind("a subscription beyond a bound", &error, ErrorKind::Invalid),
                other => panic!("a subscription beyond a bound must be Invalid, not {other:?}"),
            }
            let condition = Append::new([event("other")]).when(none_match(query, 0));
            block_on(refused(store, "a condition beyond a bound", condition));
        }
        block_on(refused(store, "1,001 conditions", conditions(limits::CONDITIONS_MAX + 1)));
        // Each is within its own bound: one item, and as many types as an item may have.
        let times = limits::CONDITION_TERMS_MAX / (types_max + 1) + 1;
        let heavy = |append: Append, _| append.when(none_match(of_types(types_max), 1));
        let append = (0..times).fold(Append::new([event("other")]), heavy);
        block_on(refused(store, "conditions with more names than are allowed together", append));
    })
    .await;
}

/// A store tracks 65,536 sources; one more is `Invalid`, while those that are known go on growing.
///
/// Without it a caller that makes up a source per message would fill the store's memory, and no later one could
/// be told why.
pub async fn tracking_sources_are_bounded(subject: &dyn Subject) {
    let store = subject.store();
    let most = limits::TRACKING_SOURCES_MAX as u64;
    let step = |source: u64, at| {
        let events = [event("step")];
        Append::new(events).tracking(tracking(&format!("source-{source}"), at))
    };
    // Many at once: a store that writes to disk would take minutes one after the other.
    let all_at_once = |store: &dyn EventStore, steps: Vec<Append>| {
        let started: Vec<_> = steps.into_iter().map(|step| start(store.append(step))).collect();
        for started in started {
            block_on(started.finish()).expect("within the bound");
        }
    };
    let last = most - 1;
    for first in (0..last).step_by(2_048) {
        all_at_once(&*store, (first..last.min(first + 2_048)).map(|source| step(source, 1)).collect());
    }
    all_at_once(&*store, (0..50).map(|source| step(source, 2)).chain([step(last, 1)]).collect());

    around_a_restart(subject, |store| {
        block_on(refused(store, "one more tracking source", step(most, 1)));
        let next = Position::number(block_on(store.tracking("source-7")).expect("tracking")) + 1;
        block_on(append(store, step(7, next)));
        let newest = block_on(store.tracking(&format!("source-{last}"))).expect("tracking");
        assert_eq!(newest, Some(Position::FIRST), "the last within the bound");
    })
    .await;
}
