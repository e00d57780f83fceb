//! Whether a peer takes what was made for it: pages, and messages of streams that are larger than usual.
//!
//! Each answer that holds memory is looked at now and then: one of which nothing was taken since the last look ends its
//! connection. Small messages of a stream may wait for ever: they are bounded for each call, and cost the others nothing.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::held::Rooms;

/// The clock of a connection's large answers.
pub(super) struct Taking {
    rooms: Arc<Rooms>,
    time: Duration,
    /// Runs to the next look while there are some.
    clock: Option<Pin<Box<Sleep>>>,
    /// What was seen at the last one: pieces that were taken, by answer.
    seen: HashMap<u64, usize>,
}

impl Taking {
    pub(super) fn new(rooms: Arc<Rooms>, time: Duration) -> Self {
        Self { rooms, time, clock: None, seen: HashMap::new() }
    }

    /// Whether one is held for too long: `time` at the least, twice that at the most.
    pub(super) fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            if !self.rooms.answering() {
                self.clock = None;
                return false;
            }
            let clock = self.clock.get_or_insert_with(|| {
                self.seen.clear();
                Box::pin(sleep(self.time))
            });
            if clock.as_mut().poll(context).is_pending() {
                return false;
            }
            let seen = std::mem::replace(&mut self.seen, self.rooms.unread());
            if self.seen.iter().any(|(number, moves)| seen.get(number) == Some(moves)) {
                return true;
            }
            self.clock = Some(Box::pin(sleep(self.time)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use axum::http::Extensions;
    use prometheus_client::metrics::gauge::Gauge;
    use tokio::time::advance;

    use super::super::held::{Held, Room};
    use super::*;

    /// Would fail if a peer that reads slowly were cut, if one that holds memory and reads nothing of it never were, or if
    /// it could go on by reading something else.
    #[tokio::test(start_paused = true)]
    async fn an_answer_of_which_nothing_is_taken_is_found() {
        const TIME: Duration = Duration::from_secs(30);
        let room = || Room::new(1_000, Gauge::default());
        let rooms = Rooms::new(1_000, room(), room());
        let mut taking = Taking::new(rooms.clone(), TIME);
        let mut over = || taking.is_over(&mut Context::from_waker(Waker::noop()));
        let mut extensions = Extensions::new();
        extensions.insert(Arc::new(Held::nothing(&rooms)));
        let answer = || Held::of_answer(&extensions).expect("there is a request");
        assert!(!over());
        advance(2 * TIME).await;
        assert!(!over(), "it holds nothing");
        let slow = answer();
        slow.take(10).expect("there is room");
        for _ in 0..5 {
            assert!(!over(), "it takes a piece now and then");
            advance(TIME).await;
            slow.moved();
        }
        let stuck = answer();
        stuck.take(10).expect("there is room");
        assert!(!over(), "it has had no time");
        advance(TIME).await;
        slow.moved();
        assert!(over());
        drop(stuck);
        slow.moved();
        assert!(!over(), "it is gone");
        slow.give_back();
        advance(2 * TIME).await;
        assert!(!over(), "it has taken all");
    }
}
