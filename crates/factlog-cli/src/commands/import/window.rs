//! Appends in flight: many at once, begun in order, settled in order, bounded in number and bytes.
//!
//! Each append is polled once as it is pushed, which gives it its place in the log; then only the oldest is
//! waited for. When its group is durable its neighbours are too, so that a window costs one wake-up per
//! group and not one per event.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use factlog_core::{Append, AppendError, Appended, BoxFuture, Event, EventStore};

/// Appends in flight at most.
const WINDOW_EVENTS: usize = 4_096;
/// Bytes in flight at most, though one event always may be.
const WINDOW_BYTES: usize = 8 << 20;

type Settled = Result<Appended, AppendError>;

/// The appends of one import that have begun and not ended.
pub(super) struct Window<'a> {
    store: &'a dyn EventStore,
    flights: VecDeque<Flight<'a>>,
    bytes: usize,
}

struct Flight<'a> {
    line: u64,
    byte: u64,
    bytes: usize,
    state: State<'a>,
}

enum State<'a> {
    Pending(BoxFuture<'a, Settled>),
    Done(Settled),
}

impl<'a> Window<'a> {
    pub(super) fn new(store: &'a dyn EventStore) -> Self {
        Self { store, flights: VecDeque::new(), bytes: 0 }
    }

    /// Whether one must be settled before the next is pushed.
    pub(super) fn is_full(&self) -> bool {
        WINDOW_EVENTS <= self.flights.len() || WINDOW_BYTES <= self.bytes
    }

    pub(super) fn holds_any(&self) -> bool {
        !self.flights.is_empty()
    }

    /// Begins the append of an event: from now on it is before all that are pushed later.
    pub(super) fn push(&mut self, line: u64, byte: u64, event: Event) {
        let bytes = event.size();
        let mut pending = self.store.append(Append::new([event]));
        let state = match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(settled) => State::Done(settled),
            Poll::Pending => State::Pending(pending),
        };
        self.bytes += bytes;
        self.flights.push_back(Flight { line, byte, bytes, state });
    }

    /// Waits for the oldest: its line, that line's first byte, and what came of it.
    pub(super) fn settle(&mut self) -> Option<(u64, u64, Settled)> {
        let Flight { line, byte, bytes, state } = self.flights.pop_front()?;
        self.bytes -= bytes;
        let settled = match state {
            State::Pending(pending) => pollster::block_on(pending),
            State::Done(settled) => settled,
        };
        Some((line, byte, settled))
    }
}

#[cfg(test)]
mod tests {
    use factlog_core::{EventStoreExt, EventType, MemoryStore, Query, ReadOptions, StreamId};

    use super::*;

    /// Would fail if an append took its place when it is awaited rather than when it is pushed.
    #[test]
    fn events_stand_in_the_order_in_which_they_were_pushed() {
        let store = MemoryStore::new();
        let mut window = Window::new(&store);
        let stream = StreamId::new("s").unwrap();
        for n in 0..100_u64 {
            let event = Event::new(EventType::new("t").unwrap(), n.to_string()).in_stream(stream.clone());
            window.push(n, n * 10, event);
        }
        let settled: Vec<u64> = std::iter::from_fn(|| window.settle()).map(|(line, ..)| line).collect();
        assert_eq!(settled, (0..100).collect::<Vec<_>>());
        let read = pollster::block_on(store.read(Query::All, ReadOptions::default()).collect()).unwrap();
        let data: Vec<String> =
            read.events.iter().map(|event| String::from_utf8_lossy(&event.event.data).into()).collect();
        assert_eq!(data, (0..100).map(|n: u64| n.to_string()).collect::<Vec<_>>());
        assert_eq!(
            pollster::block_on(store.last_revision(stream)).unwrap().map(|revision| revision.get()),
            Some(99)
        );
    }

    #[test]
    fn a_window_is_full_by_number_and_by_bytes_and_never_refuses_its_first() {
        let store = MemoryStore::new();
        let mut window = Window::new(&store);
        assert!(!window.is_full());
        window.push(1, 0, Event::new(EventType::new("t").unwrap(), vec![b'1'; WINDOW_BYTES]));
        assert!(window.is_full());
        assert!(window.settle().is_some());
        assert!(!window.is_full() && !window.holds_any());
    }
}
