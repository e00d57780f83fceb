//! Subscriptions: the same events as a read, and then those to come.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::{Error, Position, RecordedEvent, Result};

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StartFrom {
    /// With the first event of the store.
    Beginning,
    /// With the first event above this position: a checkpoint.
    After(Position),
    /// With the first event committed after the call.
    End,
}

impl StartFrom {
    /// The position everything delivered lies above, given the head at the time of the call.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a checkpoint above the head: it is another store's, or
    /// this one was restored from an older copy. Going on would skip events.
    pub fn exclusive_bound(self, head: Option<Position>) -> Result<Option<Position>> {
        match self {
            Self::Beginning => Ok(None),
            Self::End => Ok(head),
            Self::After(position) if Some(position) <= head => Ok(Some(position)),
            Self::After(position) => {
                let head = Position::number(head);
                Err(Error::invalid(format!(
                    "cannot start after position {position}: the head is {head}; the checkpoint belongs to another store"
                )))
            }
        }
    }
}

impl From<Option<Position>> for StartFrom {
    fn from(checkpoint: Option<Position>) -> Self {
        checkpoint.map_or(Self::Beginning, Self::After)
    }
}

/// What a subscription delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The next matching event: each once, in order.
    Event(RecordedEvent),
    /// Every matching event up to and including this position has been delivered, and it was the head.
    ///
    /// It comes when the subscription has first caught up (even on an empty store, with `None`) and again
    /// each time it has delivered what later commits brought, also when they brought nothing that matches,
    /// so that a checkpoint can pass the events a filter leaves out.
    CaughtUp(Option<Position>),
}

/// The matching events from where it starts, and then for ever as they commit.
///
/// A [`Stream`] of `Result<Delivery>`. It never ends by itself: it ends after an error, which says why.
/// A slow consumer only reads later; it holds up nobody and loses nothing. Dropping it ends it.
pub struct Subscription {
    deliveries: Pin<Box<dyn Stream<Item = Result<Delivery>> + Send>>,
}

impl Subscription {
    /// Wraps a store's deliveries.
    pub fn new(deliveries: impl Stream<Item = Result<Delivery>> + Send + 'static) -> Self {
        Self { deliveries: Box::pin(deliveries) }
    }

    /// A subscription that only says why there is none.
    pub fn failed(error: Error) -> Self {
        Self::new(Failed(Some(error)))
    }

    /// The next delivery; `None` only after an error was delivered.
    pub async fn next(&mut self) -> Option<Result<Delivery>> {
        poll_fn(|cx| self.deliveries.as_mut().poll_next(cx)).await
    }

    /// The next event, passing over [`Delivery::CaughtUp`].
    pub async fn next_event(&mut self) -> Option<Result<RecordedEvent>> {
        loop {
            match self.next().await? {
                Ok(Delivery::Event(event)) => return Some(Ok(event)),
                Ok(Delivery::CaughtUp(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Result<Delivery>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.deliveries.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

/// An error, once.
struct Failed(Option<Error>);

impl Stream for Failed {
    type Item = Result<Delivery>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
