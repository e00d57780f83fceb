//! Streams of events for a caller: what may not be read is left out, and the stream ends with the credential.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use factlog_core::access::Grants;
use factlog_core::{BoxFuture, Delivery, Error, Event, EventStream, ReadStep, RecordedEvent, Result};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::watch;

use super::caller::Caller;
use super::facts::State;
use super::places::Place;

/// After so many items the credential is looked at again, and others have their turn.
const ITEMS_AT_A_TIME: u32 = 256;

/// What a source's items are, to whoever filters them.
pub(super) trait Item {
    fn event(&self) -> Option<&Event>;
}

impl Item for RecordedEvent {
    fn event(&self) -> Option<&Event> {
        Some(&self.event)
    }
}

impl Item for Delivery {
    fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(&event.event),
            Self::CaughtUp(_) => None,
        }
    }
}

/// A source for a caller.
pub(super) struct Lasting<S> {
    /// `None` after the end.
    source: Option<S>,
    grants: Arc<Grants>,
    /// Whether every item must be looked at.
    filter: bool,
    changed: BoxFuture<'static, Error>,
    /// Whether anything has changed for anybody, told at little cost.
    news: Option<watch::Receiver<Arc<State>>>,
    /// How many events may still go out.
    limit: Option<u64>,
    since_looked: u32,
    /// Given back with it.
    place: Option<Place>,
}

impl<S> Lasting<S> {
    pub(super) fn new(source: S, caller: &Caller, grants: Arc<Grants>, filter: bool) -> Self {
        let changed = Box::pin(caller.clone().changed(grants.clone()));
        Self {
            source: Some(source),
            grants,
            filter,
            changed,
            news: caller.news(),
            limit: None,
            since_looked: ITEMS_AT_A_TIME,
            place: None,
        }
    }

    /// The same, ending after so many events.
    pub(super) fn limit(mut self, limit: Option<u64>) -> Self {
        self.limit = limit;
        self
    }

    /// The same, with the place that it takes.
    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Whether it goes to the caller.
    fn passes<T: Item>(&self, item: &T) -> bool {
        !self.filter || item.event().is_none_or(|event| self.grants.may_read(event))
    }
}

impl<T: Item, S: Stream<Item = Result<T>> + Unpin> Stream for Lasting<S> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        for _ in 0..ITEMS_AT_A_TIME {
            if this.limit == Some(0) {
                this.source = None;
            }
            let Some(source) = this.source.as_mut() else { return Poll::Ready(None) };
            if let Some(news) = this.news.as_mut()
                && news.has_changed().unwrap_or(true)
            {
                news.mark_unchanged();
                this.since_looked = ITEMS_AT_A_TIME;
            }
            let item = match this.since_looked < ITEMS_AT_A_TIME {
                true => Pin::new(source).poll_next(context),
                false => Poll::Pending,
            };
            let Poll::Ready(item) = item else {
                let looked = std::mem::take(&mut this.since_looked);
                if let Poll::Ready(error) = this.changed.as_mut().poll(context) {
                    this.source = None;
                    return Poll::Ready(Some(Err(error)));
                }
                if ITEMS_AT_A_TIME <= looked {
                    continue;
                }
                return Poll::Pending;
            };
            let Some(Ok(item)) = item else {
                this.source = None;
                return Poll::Ready(item);
            };
            this.since_looked += 1;
            if this.passes(&item) {
                if item.event().is_some() {
                    this.limit = this.limit.map(|limit| limit - 1);
                }
                return Poll::Ready(Some(Ok(item)));
            }
        }
        // Whoever may read next to nothing of a long log must not hold up the others.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A read for a caller.
pub(super) fn read(
    mut events: EventStream,
    last: impl FnOnce(EventStream) -> Lasting<EventStream> + Send + 'static,
) -> EventStream {
    let begun = async move {
        let head = events.head().await?;
        let head = stream::once(ready(Ok(ReadStep::Head(head))));
        Ok::<_, Error>(head.chain(last(events).map_ok(ReadStep::Event)))
    };
    EventStream::new(stream::once(begun).try_flatten())
}
