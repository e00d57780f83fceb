//! Tests of generations. What is found has to be what [`Query::matches`](factlog_core::Query::matches) says.

mod growth;
mod model;
mod parts;
mod stress;

use std::cell::Cell;

use factlog_core::{Event, EventId, EventType, StreamId, Tags};

thread_local! {
    /// How many times this thread looked at an event's nodes.
    pub(super) static LOOKS: Cell<u64> = const { Cell::new(0) };
}

/// An event; an empty stream is none.
fn event(event_type: &str, stream: &str, tags: &[&str]) -> Event {
    let mut event =
        Event::new(EventType::new(event_type).unwrap(), "").tagged(Tags::new(tags.to_vec()).unwrap());
    event.stream = StreamId::new(stream).ok();
    event
}

fn id(number: u64) -> EventId {
    EventId::from_bytes(u128::from(number).to_be_bytes())
}
