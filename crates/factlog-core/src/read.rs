//! Reads: a stream of events that ends at the head it started with, and the options of one.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::{Error, Position, Query, QueryItem, RecordedEvent, Result, Revision, StreamFilter};

/// Which part of a log to read, and which way.
///
/// ```
/// use factlog_core::{Direction, ReadOptions};
/// let newest = ReadOptions::default().backwards().limit(10);
/// assert_eq!(newest.direction, Direction::Backwards);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Only events above this position; `None` for no lower bound.
    pub after: Option<Position>,
    /// Only events up to and including this position; `None` for the head.
    pub until: Option<Position>,
    /// Only events of at least this revision; the query must name one stream and nothing else that lies outside it.
    pub from_revision: Option<Revision>,
    /// The order of delivery.
    pub direction: Direction,
    /// At most this many events; `None` for all.
    pub limit: Option<u64>,
}

/// The order in which a read delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Oldest first.
    #[default]
    Forwards,
    /// Newest first.
    Backwards,
}

impl ReadOptions {
    /// Only events above `position`.
    #[must_use]
    pub fn after(mut self, position: impl Into<Option<Position>>) -> Self {
        self.after = position.into();
        self
    }

    /// Only events up to and including `position`.
    #[must_use]
    pub fn until(mut self, position: impl Into<Option<Position>>) -> Self {
        self.until = position.into();
        self
    }

    /// Only events of at least this revision of the one stream read.
    #[must_use]
    pub fn from_revision(mut self, revision: Revision) -> Self {
        self.from_revision = Some(revision);
        self
    }

    /// Newest first.
    #[must_use]
    pub fn backwards(mut self) -> Self {
        self.direction = Direction::Backwards;
        self
    }

    /// At most `count` events.
    #[must_use]
    pub fn limit(mut self, count: u64) -> Self {
        self.limit = Some(count);
        self
    }

    /// Checks the options against the query; stores call it on every read.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid): `from_revision` without one stream that every item names.
    pub fn validate(&self, query: &Query) -> Result<()> {
        query.validate()?;
        if self.from_revision.is_none() {
            return Ok(());
        }
        let one_stream = match query {
            Query::All => false,
            Query::AnyOf(items) => match &items[0].stream {
                Some(StreamFilter::Id(stream)) => items.iter().all(|item: &QueryItem| {
                    matches!(&item.stream, Some(StreamFilter::Id(other)) if other == stream)
                }),
                _ => false,
            },
        };
        if one_stream {
            return Ok(());
        }
        Err(Error::invalid(
            "from_revision counts within one stream; name that stream in every item of the query",
        ))
    }
}

/// What a store's read yields: first the head of its snapshot, then the events.
#[derive(Clone, Debug)]
pub enum ReadStep {
    /// The last position the snapshot holds, whatever the query; always the first step, once.
    Head(Option<Position>),
    /// The next matching event.
    Event(RecordedEvent),
}

/// The events of one read, from one snapshot: it ends at the head it started with.
///
/// A [`Stream`] of `Result<RecordedEvent>`; after an error it ends.
pub struct EventStream {
    head: Known,
    steps: Pin<Box<dyn Stream<Item = Result<ReadStep>> + Send>>,
}

/// What this end knows of the snapshot.
#[derive(Clone, Copy, Debug)]
enum Known {
    Nothing,
    Head(Option<Position>),
}

/// All that a read returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The events, in the order asked for.
    pub events: Vec<RecordedEvent>,
    /// The head of the snapshot they come from: the one right value for `after` in a condition.
    pub head: Option<Position>,
}

impl EventStream {
    /// Wraps a store's steps. The first must be [`ReadStep::Head`].
    pub fn new(steps: impl Stream<Item = Result<ReadStep>> + Send + 'static) -> Self {
        Self { head: Known::Nothing, steps: Box::pin(steps) }
    }

    /// A stream that only says why there is none.
    pub fn failed(error: Error) -> Self {
        Self::new(Once(Some(error)))
    }

    /// The head of the snapshot this read is from; `None` for an empty store.
    ///
    /// # Errors
    /// Whatever kept the store from reading.
    pub async fn head(&mut self) -> Result<Option<Position>> {
        poll_fn(|cx| self.poll_head(cx)).await
    }

    /// The next event, or `None` at the end.
    pub async fn next(&mut self) -> Option<Result<RecordedEvent>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// All remaining events, in memory. Bound it with [`ReadOptions::limit`] where the log may be large.
    ///
    /// # Errors
    /// The first error of the stream.
    pub async fn collect(mut self) -> Result<Read> {
        let head = self.head().await?;
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event?);
        }
        Ok(Read { events, head })
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Position>>> {
        if let Known::Head(head) = self.head {
            return Poll::Ready(Ok(head));
        }
        match self.steps.as_mut().poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(ReadStep::Head(head)))) => {
                self.head = Known::Head(head);
                Poll::Ready(Ok(head))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(error)),
            Poll::Ready(Some(Ok(ReadStep::Event(_))) | None) => {
                Poll::Ready(Err(Error::unavailable("the store answered a read without its head; read again")))
            }
        }
    }
}

impl Stream for EventStream {
    type Item = Result<RecordedEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if matches!(self.head, Known::Nothing) {
            match self.poll_head(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => {
                    self.head = Known::Head(None);
                    self.steps = Box::pin(Once(None));
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Ok(_)) => {}
            }
        }
        loop {
            return match self.steps.as_mut().poll_next(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Ok(ReadStep::Event(event)))) => Poll::Ready(Some(Ok(event))),
                Poll::Ready(Some(Ok(ReadStep::Head(_)))) => continue,
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => Poll::Ready(None),
            };
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("head", &self.head).finish_non_exhaustive()
    }
}

/// An error, once, or nothing.
struct Once(Option<Error>);

impl Stream for Once {
    type Item = Result<ReadStep>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
