//! Batches: deliveries gathered into what becomes one commit of a read model.
//!
//! * The events of one append are in one batch, so that readers see all of them or none.
//! * Its bounds are stated here. It knows neither documents nor files.

use std::future::poll_fn;
use std::mem;
use std::task::Poll;

use factlog_core::{Delivery, Error, Position, RecordedEvent, Result, Subscription, limits};

/// Events after which a batch ends with the append it is in.
const EVENTS_MAX: usize = 2_000;
/// Bytes after which a batch ends with the append it is in.
const BYTES_MAX: usize = 4 << 20;
/// Deliveries after which it lets others look.
const YIELD: u64 = 64;
/// How many times larger they are until it has caught up for the first time.
const BEHIND: usize = 8;

/// Deliveries that become one commit.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<RecordedEvent>,
    bytes: usize,
    /// Whether everything up to `head` has been delivered, and it was the head.
    pub(super) caught_up: bool,
    pub(super) head: Option<Position>,
}

/// A subscription, read one batch at a time.
#[derive(Debug)]
pub(super) struct Batches {
    deliveries: Subscription,
    gathered: Batch,
    /// The event the next batch begins with.
    ahead: Option<RecordedEvent>,
    /// Whether it has yet to catch up for the first time.
    behind: bool,
    polled: u64,
}

impl Batches {
    pub(super) fn new(deliveries: Subscription) -> Self {
        Self { deliveries, gathered: Batch::default(), ahead: None, behind: false, polled: 0 }
    }

    /// The same for one that has far to go: its batches are larger until it has caught up.
    pub(super) fn behind(deliveries: Subscription) -> Self {
        Self { behind: true, ..Self::new(deliveries) }
    }

    /// The next batch: it ends where the log does, or where it is full and an append ends.
    ///
    /// What was gathered when it is dropped in between is there the next time.
    pub(super) async fn next(&mut self, name: &str) -> Result<Batch> {
        if let Some(event) = self.ahead.take() {
            self.gathered.push(event);
        }
        loop {
            self.polled += 1;
            if self.polled.is_multiple_of(YIELD) {
                // Whoever waits may have been told to halt: a store that always has more must not keep that from it.
                yield_now().await;
            }
            match self.deliveries.next().await {
                Some(Ok(Delivery::Event(event))) if self.gathered.ends_before(&event, self.behind) => {
                    self.ahead = Some(event);
                    return Ok(mem::take(&mut self.gathered));
                }
                Some(Ok(Delivery::Event(event))) => self.gathered.push(event),
                Some(Ok(Delivery::CaughtUp(head))) => {
                    self.behind = false;
                    self.gathered.caught_up = true;
                    self.gathered.head = head;
                    return Ok(mem::take(&mut self.gathered));
                }
                Some(Err(error)) => return Err(error),
                None => {
                    let message =
                        format!("the log ended the subscription of read model {name} without a reason");
                    return Err(Error::unavailable(message));
                }
            }
        }
    }
}

impl Batch {
    fn push(&mut self, event: RecordedEvent) {
        self.bytes += event.event.size();
        self.events.push(event);
    }

    /// The events of one append are recorded at one time, so where the time is another, another append begins.
    /// Where many appends share a time, nothing tells them apart, and the bound of one append is the batch's.
    fn ends_before(&self, next: &RecordedEvent, behind: bool) -> bool {
        let Some(last) = self.events.last() else { return false };
        let times = if behind { BEHIND } else { 1 };
        let full = times * EVENTS_MAX <= self.events.len() || times * BYTES_MAX <= self.bytes;
        let overfull =
            limits::APPEND_EVENTS_MAX <= self.events.len() || limits::APPEND_BYTES_MAX <= self.bytes;
        overfull || (full && last.recorded_at != next.recorded_at)
    }
}

/// Not ready the first time it is asked.
async fn yield_now() {
    let mut asked = false;
    poll_fn(|context| {
        if mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use factlog_core::{Event, EventType, Timestamp};
    use futures_util::{FutureExt as _, StreamExt as _, stream};

    fn event(position: u64, time: i64, bytes: usize) -> RecordedEvent {
        let kind = EventType::new("clock.ticked").expect("a type");
        RecordedEvent {
            position: Position::new(position).expect("not zero"),
            recorded_at: Timestamp::from_micros(time),
            revision: None,
            event: Event::new(kind, vec![b'1'; bytes]),
        }
    }

    /// The sizes of all batches, and whether each had caught up.
    fn sizes(events: impl IntoIterator<Item = RecordedEvent>) -> Vec<(usize, bool)> {
        let deliveries: Vec<_> = events.into_iter().map(|event| Ok(Delivery::Event(event))).collect();
        let last = [Ok(Delivery::CaughtUp(None)), Err(Error::closed("the end"))];
        let mut batches = Batches::new(Subscription::new(stream::iter(deliveries.into_iter().chain(last))));
        let mut sizes = Vec::new();
        loop {
            // Not ready at once only where it lets others look.
            match batches.next("ticks").now_or_never() {
                Some(Ok(batch)) => sizes.push((batch.events.len(), batch.caught_up)),
                Some(Err(_)) => return sizes,
                None => {}
            }
        }
    }

    /// Promise 1: a batch that ends within an append shows readers half of it.
    #[test]
    fn a_batch_ends_with_an_append_even_where_that_is_larger_than_the_batch() {
        let appends = [1_500, 5_000, 10, 1_990, 3_u64];
        let mut position = 0;
        let mut events = Vec::new();
        for (time, count) in appends.into_iter().enumerate() {
            for _ in 0..count {
                position += 1;
                events.push(event(position, i64::try_from(time).expect("small"), 1));
            }
        }
        assert_eq!(sizes(events), [(6_500, false), (2_000, false), (3, true)]);
    }

    /// Promise 9: a clock that stands still must not gather the whole log in memory.
    #[test]
    fn a_batch_is_bounded_also_where_the_clock_stands_still() {
        let count = limits::APPEND_EVENTS_MAX as u64;
        assert_eq!(sizes((1..=count + 5).map(|n| event(n, 7, 1))), [(100_000, false), (5, true)]);
        let large = (1..=9).map(|n| event(n, 7, 16 << 20));
        assert_eq!(sizes(large), [(4, false), (4, false), (1, true)]);
        let distinct = (1..=9).map(|n| event(n, n.cast_signed(), 2 << 20));
        assert_eq!(sizes(distinct), [(2, false), (2, false), (2, false), (2, false), (1, true)]);
    }

    /// An order that comes in between must not lose what was gathered so far.
    #[test]
    fn what_was_gathered_survives_a_wait_that_is_given_up() {
        let stalls = stream::iter([Ok(Delivery::Event(event(1, 1, 1)))])
            .chain(stream::once(stall()).filter_map(|()| std::future::ready(None)))
            .chain(stream::iter([Ok(Delivery::Event(event(2, 2, 1))), Ok(Delivery::CaughtUp(None))]));
        let mut batches = Batches::new(Subscription::new(stalls));
        assert!(batches.next("ticks").now_or_never().is_none());
        let batch = batches.next("ticks").now_or_never().expect("at once").expect("a batch");
        assert_eq!(batch.events.len(), 2);
    }

    /// Not ready the first time it is asked.
    async fn stall() {
        let mut asked = false;
        poll_fn(|_| if mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
