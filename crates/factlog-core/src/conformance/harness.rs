//! The words scenarios are written in: short ways to make events and queries, and to append, read and follow them.
//!
//! It knows the contract's types and no store; whatever a store answers out of order is a panic with the facts.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;

use super::Subject;
use crate::{
    Append, AppendCondition, AppendError, Appended, Delivery, Error, ErrorKind, Event, EventStore, EventType,
    ExpectedRevision, FailedCondition, Position, Query, QueryItem, Read, ReadOptions, RecordedEvent, Result,
    StartFrom, StreamId, Subscription, Tags, Tracking, TrackingSource,
};

/// Restarts the subject and answers the store as it is then.
pub(super) async fn restarted(subject: &dyn Subject) -> Arc<dyn EventStore> {
    subject.restart().await;
    subject.store()
}

/// Checks the store, restarts it and checks it again, what the first check recorded still in it.
pub(super) async fn around_a_restart(subject: &dyn Subject, mut check: impl FnMut(&dyn EventStore) + Send) {
    check(&*subject.store());
    subject.restart().await;
    check(&*subject.store());
}

/// An event of this type with a new id, and its type as data.
pub(super) fn event(event_type: &str) -> Event {
    Event::new(name(event_type), Bytes::copy_from_slice(event_type.as_bytes()))
}

pub(super) fn in_stream(event_type: &str, id: &str) -> Event {
    event(event_type).in_stream(stream(id))
}

pub(super) fn tagged(event_type: &str, labels: &[&str]) -> Event {
    event(event_type).tagged(tags(labels))
}

/// `count` events of this type, in no stream.
pub(super) fn events(event_type: &str, count: usize) -> Vec<Event> {
    let one = event(event_type);
    (0..count).map(|_| one.clone().with_id(crate::EventId::generate())).collect()
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

/// No event above `after` (0 for none) matches.
pub(super) fn none_match(query: Query, after: u64) -> AppendCondition {
    AppendCondition::none_match(query, Position::new(after))
}

pub(super) fn expect_revision(id: &str, expected: ExpectedRevision) -> AppendCondition {
    AppendCondition::revision(stream(id), expected)
}

pub(super) fn tracking(source: &str, number: u64) -> Tracking {
    Tracking {
        source: TrackingSource::new(source).expect("a scenario's tracking source is valid"),
        position: position(number),
    }
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
    lost(store.append(append).await)
}

/// The conditions that failed.
pub(super) fn lost(answer: Result<Appended, AppendError>) -> Vec<FailedCondition> {
    match answer {
        Err(AppendError::Conflict(conflict)) => conflict.failed,
        other => panic!("an append whose conditions do not hold must be a conflict, not {other:?}"),
    }
}

/// Checks that an append wrote its events itself, as far as an answer can tell.
pub(super) fn assert_new(subject: &dyn Subject, appended: &Appended) {
    assert!(!appended.deduplicated || subject.sends_again(), "{} was recorded before", appended.first);
}

/// Checks that these conditions failed because of this; where appends are sent again, that these failed.
pub(super) fn assert_failed(
    subject: &dyn Subject,
    answer: Result<Appended, AppendError>,
    expected: &[FailedCondition],
) {
    let failed = lost(answer);
    if !subject.sends_again() {
        assert_eq!(failed, expected);
        return;
    }
    let which = |failed: &FailedCondition| match failed {
        FailedCondition::Revision { index, stream, expected, .. } => {
            format!("{index}: {stream} at {expected}")
        }
        FailedCondition::NoneMatch { index, .. } => format!("{index}: a boundary"),
        FailedCondition::Tracking { stale, .. } => format!("{stale:?}"),
    };
    assert!(failed.iter().map(which).eq(expected.iter().map(which)), "{failed:?}, expected {expected:?}");
}

/// Appends what must be refused as `Invalid`, and checks that it left nothing.
pub(super) async fn refused(store: &dyn EventStore, what: &str, append: Append) {
    let before = head(store).await;
    match store.append(append).await {
        Err(AppendError::Failed(error)) => assert_kind(what, &error, ErrorKind::Invalid),
        Err(AppendError::Conflict(conflict)) => panic!("{what} must be Invalid, not a conflict: {conflict}"),
        Ok(appended) => panic!("{what} must be Invalid, but was recorded at {}", appended.first),
    }
    assert_eq!(head(store).await, before, "{what} is refused, so it leaves nothing");
}

/// The error that must come.
pub(super) fn failure<T: Debug>(what: &str, answer: Result<T>, kind: ErrorKind) {
    match answer {
        Err(error) => assert_kind(what, &error, kind),
        Ok(value) => panic!("{what} must fail as {kind:?}, but answered {value:?}"),
    }
}

pub(super) fn assert_kind(what: &str, error: &Error, kind: ErrorKind) {
    assert_eq!(error.kind(), kind, "{what}: {error}");
    assert!(!error.to_string().is_empty(), "{what}: an error says what happened");
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

/// The events of this type, oldest first.
pub(super) async fn of_type(store: &dyn EventStore, event_type: &str) -> Vec<RecordedEvent> {
    read(store, type_query(event_type), ReadOptions::default()).await.events
}

/// The number of the head, 0 for an empty store.
pub(super) async fn head(store: &dyn EventStore) -> u64 {
    let head = store.head().await.expect("the head can be asked for");
    assert_eq!(head.position.is_some(), head.recorded_at.is_some(), "a head has its time");
    Position::number(head.position)
}

/// The positions of events, as numbers.
pub(super) fn positions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position.get()).collect()
}

/// A subscription and what it has promised so far, so that a broken promise shows at the delivery that breaks it.
pub(super) struct Follower {
    subscription: Subscription,
    /// Everything up to here was delivered, does not match, or lies before the start.
    passed: Option<Position>,
    /// Whether the last delivery was `CaughtUp`.
    announced: bool,
}

impl Follower {
    pub(super) fn new(store: &dyn EventStore, query: Query, from: StartFrom) -> Self {
        Self {
            subscription: store.subscribe(query, from),
            passed: match from {
                StartFrom::After(position) => Some(position),
                StartFrom::Beginning | StartFrom::End => None,
            },
            announced: false,
        }
    }

    /// The next delivery.
    pub(super) async fn next(&mut self) -> Delivery {
        let delivery = match self.subscription.next().await {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => panic!("a subscription on an open store failed: {error}"),
            None => panic!("a subscription ended without a reason"),
        };
        let passed = self.passed;
        match &delivery {
            Delivery::Event(event) => {
                let position = event.position;
                assert!(passed < Some(position), "{position} delivered after {passed:?}");
                self.passed = Some(position);
                self.announced = false;
            }
            Delivery::CaughtUp(position) => {
                assert!(passed <= *position, "caught up with {position:?} after {passed:?}");
                assert!(!self.announced || passed < *position, "caught up with {position:?} twice");
                self.passed = *position;
                self.announced = true;
            }
        }
        delivery
    }

    /// The next delivery, which must be an event.
    pub(super) async fn event(&mut self) -> RecordedEvent {
        match self.next().await {
            Delivery::Event(event) => event,
            Delivery::CaughtUp(position) => panic!("caught up with {position:?}, but an event is owed"),
        }
    }

    /// Everything until it has caught up with at least `target`.
    pub(super) async fn up_to(&mut self, target: u64) -> Vec<RecordedEvent> {
        let mut events = Vec::new();
        loop {
            match self.next().await {
                Delivery::Event(event) => events.push(event),
                Delivery::CaughtUp(position) if target <= Position::number(position) => return events,
                Delivery::CaughtUp(_) => {}
            }
        }
    }

    /// The subscription itself.
    pub(super) fn into_inner(self) -> Subscription {
        self.subscription
    }
}
