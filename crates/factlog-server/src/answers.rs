//! A stream of answers: a store's items in batches of bounded size, until the server stops.
//!
//! * A batch is what is at hand, and nothing is held back: when the source has to wait, what there is goes out.
//! * The source is asked only when the caller takes a batch: HTTP/2 flow control is the back-pressure.
//! * A batch with an event that is larger than two batches waits for room, of which all callers together have so much.
//! * It ends with the source's end, with its error, or with the reason that the server stops.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use factlog_core::{AppendError, BoxFuture, Error, Result};
use factlog_proto::{BATCH_BYTES, ITEM_BYTES, status_of, stopping};
use futures_util::Stream;
use tokio::sync::watch;
use tonic::{Response, Status};

use crate::large::Large;
use crate::stopped;

/// A stream of messages, as tonic takes it.
pub(crate) type Messages<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

/// A failure as its status.
pub(crate) fn refuse(error: Error) -> Status {
    status_of(&AppendError::Failed(error))
}

/// How items become messages.
pub(crate) struct Batching<T, F> {
    /// The bytes of an item, besides its frame.
    pub(crate) size: fn(&T) -> usize,
    /// Makes a message of a batch.
    pub(crate) message: F,
    /// Whether a first message is sent even if there is no item for it.
    pub(crate) announce: bool,
}

/// The messages of a source.
pub(crate) fn answers<T, M, F>(
    source: impl Stream<Item = Result<T>> + Send + 'static,
    batching: Batching<T, F>,
    large: Option<Large>,
    stopping: watch::Receiver<bool>,
) -> Response<Messages<M>>
where
    T: Send + Unpin + 'static,
    M: Send + 'static,
    F: FnMut(Vec<T>) -> M + Send + Unpin + 'static,
{
    let held = large.as_ref().map(Large::held);
    let messages = Answers {
        source: Some(Box::pin(source)),
        batching,
        stopped: Box::pin(stopped(stopping)),
        failed: None,
        large,
        waiting: None,
    };
    let mut response: Response<Messages<M>> = Response::new(Box::pin(messages));
    if let Some(held) = held {
        // It gives back what was taken for it as it is sent.
        response.extensions_mut().insert(held);
    }
    response
}

struct Answers<T, F> {
    /// `None` after its end.
    source: Option<Pin<Box<dyn Stream<Item = Result<T>> + Send>>>,
    batching: Batching<T, F>,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    failed: Option<Status>,
    /// How a large batch waits; `None` where none has to.
    large: Option<Large>,
    /// A batch that waits for room.
    waiting: Option<(Vec<T>, BoxFuture<'static, Result<()>>)>,
}

impl<T, F> Answers<T, F> {
    /// The next batch, when there is room for it; an empty one where the caller may not have it any more.
    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<Vec<T>> {
        let (batch, mut room) = match self.waiting.take() {
            Some(waiting) => waiting,
            None => {
                let (batch, bytes) = ready!(self.gather(context));
                match self.large.as_ref().and_then(|large| large.room(bytes)) {
                    Some(room) => (batch, room),
                    None => return Poll::Ready(batch),
                }
            }
        };
        match room.as_mut().poll(context) {
            Poll::Ready(Ok(())) => Poll::Ready(batch),
            Poll::Ready(Err(error)) => {
                (self.source, self.failed) = (None, Some(refuse(error)));
                Poll::Ready(Vec::new())
            }
            Poll::Pending => {
                self.waiting = Some((batch, room));
                Poll::Pending
            }
        }
    }

    /// What the source has at hand and its bytes, up to the size of a batch, unless it has nothing and has to wait.
    fn gather(&mut self, context: &mut Context<'_>) -> Poll<(Vec<T>, usize)> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(source) = self.source.as_mut().filter(|_| bytes < BATCH_BYTES) {
            match source.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(item))) => {
                    bytes += ITEM_BYTES + (self.batching.size)(&item);
                    batch.push(item);
                }
                Poll::Ready(end) => {
                    self.failed = end.and_then(Result::err).map(refuse);
                    self.source = None;
                }
                Poll::Pending if batch.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready((batch, bytes))
    }
}

impl<T, M, F> Stream for Answers<T, F>
where
    T: Unpin,
    F: FnMut(Vec<T>) -> M + Unpin,
{
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let open = self.source.is_some() || self.waiting.is_some();
        if open && self.stopped.as_mut().poll(context).is_ready() {
            (self.source, self.waiting) = (None, None);
            self.failed = Some(stopping());
        }
        if self.source.is_none() && self.waiting.is_none() {
            return Poll::Ready(self.failed.take().map(Err));
        }
        let batch = self.poll_batch(context);
        let announce = std::mem::take(&mut self.batching.announce);
        match batch {
            Poll::Ready(batch) if announce || !batch.is_empty() => {
                Poll::Ready(Some(Ok((self.batching.message)(batch))))
            }
            Poll::Ready(_) => Poll::Ready(self.failed.take().map(Err)),
            Poll::Pending if announce => Poll::Ready(Some(Ok((self.batching.message)(Vec::new())))),
            Poll::Pending => Poll::Pending,
        }
    }
}
