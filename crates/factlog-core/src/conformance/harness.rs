//! The words scenarios are written in: short ways to make events and queries, and to append and read them.
//!
//! It knows the contract's types and no store; whatever a store answers out of order is a panic with the facts.

use std::sync::Arc;

use bytes::Bytes;

use super::Subject;
use crate::{
    Append, AppendCondition, AppendError, Appended, Event, EventStore, EventType, ExpectedRevision,
    FailedCondition, Position, Query, QueryItem, Read, ReadOptions, RecordedEvent, StreamId, Tags,
};

/// Restarts the subject and answers the store as it is then.
pub(super) async fn restarted(subject: &dyn Subject) -> Arc<dyn EventStore> {
    subject.restart().await;
    subject.store()
}

/// An event of this type with a new id, and its type as data.
pub(super) fn event(event_type: &str) -> Event {
    let data = Bytes::copy_from_slice(event_type.as_bytes());
    Event::new(name(event_type), data)
}

pub(super) fn in_stream(event_type: &str, id: &str) -> Event {
    event(event_type).in_stream(stream(id))
}

pub(super) fn tagged(event_type: &str, labels: &[&str]) -> Event {
    event(event_type).tagged(tags(labels))
}

/// `count` events of this type, in no stream.
pub(super) fn events(event_type: &str, count: usize) -> Vec<Event> {
    (0..count).map(|_| event(event_type)).collect()
}

pub(super) fn name(text: &str) -> EventType {
    EventType::new(text).expect("a scenario's event type is valid")
}

pub(super) fn stream(id: &str) -> StreamId {
    StreamId::new(id).expect("a scenario's stream id is valid")
}

pub(super) fn tags(labels: &[&str]) -> Tags {
    Tags::new(labels.iter().copied()).expect("a scenario's tags are valid")
}

pub(super) fn position(number: u64) -> Position {
    Position::new(number).expect("a scenario's position is 1 or more")
}

pub(super) fn type_query(event_type: &str) -> Query {
    Query::AnyOf(vec![QueryItem::of_types([name(event_type)])])
}

pub(super) fn tag_query(labels: &[&str]) -> Query {
    Query::AnyOf(vec![QueryItem::tagged(tags(labels))])
}

pub(super) fn none_match(query: Query, after: u64) -> AppendCondition {
    AppendCondition::none_match(query, Position::new(after))
}

pub(super) fn expect_revision(id: &str, expected: ExpectedRevision) -> AppendCondition {
    AppendCondition::revision(stream(id), expected)
}

/// Appends what must go through.
pub(super) async fn append(store: &dyn EventStore, append: Append) -> Appended {
    match store.append(append).await {
        Ok(appended) => appended,
        Err(error) => panic!("an append that must go through was refused: {error}"),
    }
}

/// Appends these events unconditionally.
pub(super) async fn record(store: &dyn EventStore, events: impl IntoIterator<Item = Event>) -> Appended {
    append(store, Append::new(events)).await
}

/// Appends what must lose, and answers the conditions that failed.
pub(super) async fn conflict(store: &dyn EventStore, append: Append) -> Vec<FailedCondition> {
    match store.append(append).await {
        Err(AppendError::Conflict(conflict)) => conflict.failed,
        other => panic!("an append whose conditions do not hold must be a conflict, not {other:?}"),
    }
}

/// Reads what must be readable.
pub(super) async fn read(store: &dyn EventStore, query: Query, options: ReadOptions) -> Read {
    match store.read(query, options).collect().await {
        Ok(read) => read,
        Err(error) => panic!("a read that must go through failed: {error}"),
    }
}

/// Every event of the store, oldest first.
pub(super) async fn everything(store: &dyn EventStore) -> Vec<RecordedEvent> {
    read(store, Query::All, ReadOptions::default()).await.events
}

/// The number of the head, 0 for an empty store.
pub(super) async fn head(store: &dyn EventStore) -> u64 {
    Position::number(store.head().await.expect("the head can be asked for").position)
}

/// The positions of events, as numbers.
pub(super) fn positions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position.get()).collect()
}
