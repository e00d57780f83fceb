//! What people read when something is refused: sentences with the facts. Kinds are checked elsewhere.

use std::error::Error as _;

use bytes::Bytes;
use factlog_core::{
    Append, AppendCondition, AppendError, Event, EventId, EventStore, EventStoreExt, EventType,
    ExpectedRevision, MemoryStore, Position, Query, QueryItem, ReadOptions, Revision, StartFrom, StreamId,
    Tags, Timestamp, Tracking, TrackingSource, limits,
};
use pollster::block_on;

fn event(number: u8) -> Event {
    let name = EventType::new("account.opened").expect("a type");
    Event::new(name, format!("{number}")).with_id(EventId::from_bytes([number; 16]))
}

fn stream(id: &str) -> StreamId {
    StreamId::new(id).expect("a stream")
}

/// A conflict is told to a person who must decide again: each reason with its numbers.
#[test]
fn conflicts_tell_every_reason() {
    let store = MemoryStore::new();
    let tracked = |number| Tracking {
        source: TrackingSource::new("orders").expect("a source"),
        position: Position::new(number).expect("a position"),
    };
    let base = Append::new([event(1).in_stream(stream("account-42"))]).tracking(tracked(7));
    block_on(store.append(base)).expect("unconditional");
    let lost = Append::new([event(2)])
        .when(AppendCondition::none_match(Query::All, None))
        .when(AppendCondition::revision(stream("account-42"), ExpectedRevision::At(Revision::new(3))))
        .when(AppendCondition::revision(stream("account-42"), ExpectedRevision::NoStream))
        .when(AppendCondition::revision(stream("account-43"), ExpectedRevision::Exists))
        .tracking(tracked(6));
    let error = block_on(store.append(lost)).expect_err("a conflict");
    insta::assert_snapshot!("conflict", error.to_string().replace("; ", "\n"));
}

/// A refusal names what was wrong, the bound, and what to do.
#[test]
fn refusals_name_the_bound() {
    let store = MemoryStore::new();
    block_on(store.append_one(event(1))).expect("unconditional");
    let append = |append| match block_on(store.append(append)) {
        Err(AppendError::Failed(error)) => error,
        other => panic!("a refusal, not {other:?}"),
    };
    let large = Bytes::from(vec![0; limits::DATA_BYTES_MAX + 1]);
    let long = Event { data: large.slice(1..), ..event(3) };
    let longer = |number| Event { id: EventId::from_bytes([number; 16]), ..long.clone() };
    let many =
        |count: u32| (0..count).map(|n| event(1).with_id(EventId::from_bytes(u128::from(n).to_be_bytes())));
    let read = |query, options| block_on(store.read(query, options).collect()).expect_err("refused");
    let beyond = StartFrom::After(Position::new(9).expect("a position"));
    let types = vec![event(1).event_type; limits::QUERY_TYPES_MAX + 1];
    let errors = [
        append(Append::new([])),
        append(Append::new([Event { data: large, ..event(2) }])),
        append(Append::new([event(2).with_metadata(vec![0; limits::METADATA_BYTES_MAX + 1])])),
        append(Append::new((10..15).map(longer))),
        append(Append::new(many(100_001))),
        append(Append::new([event(2), event(2)])),
        append(Append::new([Event { data: "other".into(), ..event(1) }])),
        read(Query::AnyOf(vec![]), ReadOptions::default()),
        read(Query::AnyOf(vec![QueryItem::of_types(types)]), ReadOptions::default()),
        read(Query::All, ReadOptions::default().from_revision(Revision::FIRST)),
        block_on(store.subscribe(Query::All, beyond).next()).expect("a reason").expect_err("refused"),
        Tags::new((0..65).map(|n| n.to_string())).expect_err("too many"),
        StreamId::new("s".repeat(513)).expect_err("too long"),
        "0".parse::<Position>().expect_err("no position"),
        "-1".parse::<Revision>().expect_err("no revision"),
        "yesterday".parse::<Timestamp>().expect_err("no time"),
        "1234".parse::<EventId>().expect_err("no id"),
    ];
    let sentences: Vec<_> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("refusals", sentences.join("\n"));
    assert!(errors[16].source().is_some(), "the cause is kept, and not repeated in the sentence");
    block_on(store.close()).expect("closed");
    insta::assert_snapshot!("closed", block_on(store.head()).expect_err("closed").to_string());
}
