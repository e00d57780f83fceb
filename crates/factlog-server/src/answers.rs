//! A stream of answers: a store's items in batches of bounded size, until the server stops.
//!
//! * A batch is what is at hand, and nothing is held back: when the source has to wait, what there is goes out.
//! * The source is asked only when the caller takes a batch: HTTP/2 flow control is the back-pressure.
//! * It ends with the source's end, with its error, or with the reason that the server stops.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use factlog_core::{AppendError, Error, Result};
use factlog_proto::{BATCH_BYTES, ITEM_BYTES, status_of, stopping};
use futures_util::Stream;
use tokio::sync::watch;
use tonic::Status;

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
    stopping: watch::Receiver<bool>,
) -> Messages<M>
where
    T: Send + 'static,
    M: Send + 'static,
    F: FnMut(Vec<T>) -> M + Send + Unpin + 'static,
{
    Box::pin(Answers {
        source: Some(Box::pin(source)),
        batching,
        stopped: Box::pin(stopped(stopping)),
        failed: None,
    })
}

struct Answers<T, F> {
    /// `None` after its end.
    source: Option<Pin<Box<dyn Stream<Item = Result<T>> + Send>>>,
    batching: Batching<T, F>,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    failed: Option<Status>,
}

impl<T, F> Answers<T, F> {
    /// What the source has at hand, up to the size of a batch; `None` where it has to wait and has nothing.
    fn batch(&mut self, context: &mut Context<'_>) -> Option<Vec<T>> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES {
            let source = self.source.as_mut()?;
            match source.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(item))) => {
                    bytes += ITEM_BYTES + (self.batching.size)(&item);
                    batch.push(item);
                }
                Poll::Ready(Some(Err(error))) => {
                    self.failed = Some(refuse(error));
                    self.source = None;
                    return Some(batch);
                }
                Poll::Ready(None) => {
                    self.source = None;
                    return Some(batch);
                }
                Poll::Pending => return (!batch.is_empty()).then_some(batch),
            }
        }
        Some(batch)
    }
}

impl<T, M, F> Stream for Answers<T, F>
where
    F: FnMut(Vec<T>) -> M + Unpin,
{
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.source.is_some() && self.stopped.as_mut().poll(context).is_ready() {
            self.source = None;
            self.failed = Some(stopping());
        }
        if self.source.is_none() {
            return Poll::Ready(self.failed.take().map(Err));
        }
        let batch = self.batch(context);
        let announce = std::mem::take(&mut self.batching.announce);
        match batch {
            Some(batch) if announce || !batch.is_empty() => {
                Poll::Ready(Some(Ok((self.batching.message)(batch))))
            }
            Some(_) => Poll::Ready(self.failed.take().map(Err)),
            None if announce => Poll::Ready(Some(Ok((self.batching.message)(Vec::new())))),
            None => Poll::Pending,
        }
    }
}
