//! What a task fetches, a batch at a time, as the stream its user polls. It needs no runtime to be polled.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use factlog_core::Result;
use futures_core::Stream;
use tokio::sync::mpsc;

/// Batches that are fetched ahead, besides the one that is being delivered and the one that waits: so many that whoever is woken for one
/// finds the next there too.
const AHEAD: usize = 4;

/// Where a task puts what it fetches. A failure is the last thing it puts there.
pub(crate) type Fetched<T> = mpsc::Sender<Result<Vec<T>>>;

/// The items of batches, one after the other.
pub(crate) struct Batches<T> {
    batches: mpsc::Receiver<Result<Vec<T>>>,
    batch: std::vec::IntoIter<T>,
}

impl<T> Batches<T> {
    pub(crate) fn new() -> (Fetched<T>, Self) {
        let (sender, batches) = mpsc::channel(AHEAD);
        (sender, Self { batches, batch: Vec::new().into_iter() })
    }
}

impl<T: Unpin> Stream for Batches<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.batch.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(self.batches.poll_recv(context)) {
                Some(Ok(batch)) => self.batch = batch.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}
