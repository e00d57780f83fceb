//! Reads and subscriptions of the reference store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use event_listener::EventListener;
use futures_core::Stream;

use super::Shared;
use crate::{Delivery, Position, Query, ReadOptions, ReadStep, RecordedEvent, Result};

/// A read: the head of the snapshot, then its events.
pub(super) struct Steps {
    head: Option<ReadStep>,
    events: std::vec::IntoIter<RecordedEvent>,
}

impl Steps {
    pub(super) fn new(head: Option<Position>, events: Vec<RecordedEvent>) -> Self {
        Self { head: Some(ReadStep::Head(head)), events: events.into_iter() }
    }
}

impl Stream for Steps {
    type Item = Result<ReadStep>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let step = self.head.take().or_else(|| self.events.next().map(ReadStep::Event));
        Poll::Ready(step.map(Ok))
    }
}

/// A subscription: reads to the head, says so, waits for the next commit, reads on.
pub(super) struct Follow {
    shared: Arc<Shared>,
    query: Query,
    /// Everything up to here was delivered or did not match.
    after: Option<Position>,
    /// Whether catching up with `after` was announced.
    announced: bool,
    wait: Option<EventListener>,
    ended: bool,
}

impl Follow {
    pub(super) fn new(shared: Arc<Shared>, query: Query, after: Option<Position>) -> Self {
        Self { shared, query, after, announced: false, wait: None, ended: false }
    }

    /// The next delivery if there is one now.
    fn next_now(&mut self) -> Option<Result<Delivery>> {
        let log = self.shared.log.read();
        if let Err(error) = log.open() {
            self.ended = true;
            return Some(Err(error));
        }
        let options = ReadOptions::default().after(self.after).limit(1);
        if let Some(event) = log.select(&self.query, &options).pop() {
            self.after = Some(event.position);
            self.announced = false;
            return Some(Ok(Delivery::Event(event)));
        }
        let head = log.head();
        if self.announced && head <= self.after {
            return None;
        }
        self.after = self.after.max(head);
        self.announced = true;
        Some(Ok(Delivery::CaughtUp(head)))
    }
}

impl Stream for Follow {
    type Item = Result<Delivery>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            if let Some(delivery) = self.next_now() {
                self.wait = None;
                return Poll::Ready(Some(delivery));
            }
            match &mut self.wait {
                None => self.wait = Some(self.shared.committed.listen()),
                Some(wait) => match Pin::new(wait).poll(cx) {
                    Poll::Ready(()) => self.wait = None,
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}
