//! The checkers against histories that are right by construction, and against their broken twins.
//!
//! * [`generate`] makes histories with the reference store as the truth, [`twins`] breaks them one promise at a time.
//! * [`agree`] holds the linear checkers against the search for an order.
//! * [`cases`], [`cases_of_windows`] and [`cases_of_subscriptions`] are the histories by hand in which the instant matters.

mod agree;
mod cases;
mod cases_of_subscriptions;
mod cases_of_windows;
mod generate;
mod index;
mod questions;
mod twins;
mod twins_of_answers;
mod twins_of_log;
mod twins_of_reads;
mod twins_of_times;

use factlog_core::{
    Append, Event, EventId, EventType, Position, Query, QueryItem, RecordedEvent, Revision, StreamId, Tags,
    Tracking, TrackingSource,
};

use super::{At, Property, Violation, check};
use crate::history::{History, Operation, Outcome, What};

const TYPES: [&str; 3] = ["a", "b", "c"];
const TAGS: [&str; 3] = ["x:1", "x:2", "y"];
const STREAMS: [&str; 3] = ["s-1", "s-2", "t-1"];

fn position(number: u64) -> Position {
    Position::new(number).expect("positions begin at 1")
}

fn stream(name: &str) -> StreamId {
    StreamId::new(name).expect("a stream id")
}

fn tags(names: &[&str]) -> Tags {
    Tags::new(names.iter().copied()).expect("tags")
}

fn event_type(name: &str) -> EventType {
    EventType::new(name).expect("an event type")
}

fn tagged(name: &str) -> Query {
    Query::AnyOf(vec![QueryItem::tagged(tags(&[name]))])
}

fn tracking(source: &str, number: u64) -> Tracking {
    Tracking { source: TrackingSource::new(source).expect("a source"), position: position(number) }
}

fn id(number: u64) -> EventId {
    EventId::from_bytes(u128::from(number).to_be_bytes())
}

fn event(number: u64, name: &str) -> Event {
    Event::new(event_type(name), format!("{number}")).with_id(id(number))
}

/// Gives the events of a log their places and revisions again, after some were taken out or put in.
fn renumber(log: &mut [RecordedEvent]) {
    let mut streams = std::collections::HashMap::new();
    for (at, recorded) in log.iter_mut().enumerate() {
        recorded.position = position(at as u64 + 1);
        recorded.revision = recorded.event.stream.as_ref().map(|stream| {
            let next = streams.entry(stream.clone()).or_insert(0);
            *next += 1;
            Revision::new(*next - 1)
        });
    }
}

fn broken(history: &History) -> Vec<Property> {
    let mut broken: Vec<Property> = check(history).iter().map(|violation| violation.property).collect();
    broken.dedup();
    broken
}

fn told(violations: &[Violation]) -> String {
    violations.iter().map(|violation| format!("{violation}\n")).collect()
}

fn append_of(operation: &Operation) -> Option<(&Append, &Outcome)> {
    match &operation.what {
        What::Append { append, outcome } => Some((append, outcome)),
        What::Read { .. }
        | What::Deliveries { .. }
        | What::CaughtUp { .. }
        | What::Tracking { .. }
        | What::PositionAt { .. }
        | What::Head { .. } => None,
    }
}
