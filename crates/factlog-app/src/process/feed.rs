//! The feed: what a process hears, in the log's order, a bounded piece at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use factlog_core::{Delivery, Error, EventStore, Position, Query, RecordedEvent, Result, Subscription};
use futures_util::FutureExt as _;

/// Events that are fetched ahead at most.
const EVENTS_MAX: usize = 256;
/// Bytes after which no more are fetched ahead.
const BYTES_MAX: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Feed {
    store: Arc<dyn EventStore>,
    query: Query,
    subscription: Option<Subscription>,
    pub(super) pending: VecDeque<RecordedEvent>,
    bytes: usize,
    /// Everything up to here that concerns the process was delivered.
    pub(super) reached: Option<Position>,
}

impl Feed {
    pub(super) fn new(store: Arc<dyn EventStore>, query: Query, after: Option<Position>) -> Self {
        Self { store, query, subscription: None, pending: VecDeque::new(), bytes: 0, reached: after }
    }

    /// Waits for a delivery, and takes along what is there already. Dropping it loses nothing.
    pub(super) async fn next(&mut self, process: &str) -> Result<()> {
        let subscription = match &mut self.subscription {
            Some(subscription) => subscription,
            none => none.insert(self.store.subscribe(self.query.clone(), self.reached.into())),
        };
        let mut delivery = subscription.next().await;
        loop {
            match delivery {
                Some(Ok(Delivery::Event(event))) => {
                    self.reached = Some(event.position);
                    self.bytes += event.event.size();
                    self.pending.push_back(event);
                }
                Some(Ok(Delivery::CaughtUp(head))) => self.reached = self.reached.max(head),
                Some(Err(error)) => {
                    self.subscription = None;
                    return Err(error);
                }
                None => {
                    self.subscription = None;
                    return Err(Error::unavailable(format!(
                        "the log ended the subscription of process {process} without a reason"
                    )));
                }
            }
            if is_full(self.pending.len(), self.bytes) {
                return Ok(());
            }
            let Some(next) = subscription.next().now_or_never() else { return Ok(()) };
            delivery = next;
        }
    }

    pub(super) fn is_full(&self) -> bool {
        is_full(self.pending.len(), self.bytes)
    }

    /// The first so many are handled.
    pub(super) fn handled(&mut self, count: usize) {
        for event in self.pending.drain(..count) {
            self.bytes -= event.event.size();
        }
    }
}

fn is_full(events: usize, bytes: usize) -> bool {
    EVENTS_MAX <= events || BYTES_MAX <= bytes
}
