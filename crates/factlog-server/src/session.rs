//! A session: many appends over one stream, begun in the order they arrive, answered as they finish.
//!
//! * An append is begun (first polled, which gives it its place in the store's order) before the next is read.
//! * What is under way has a bound in number and in bytes; beyond it nothing is read, and the caller feels it. Where all
//!   requests together hold too much, an append is refused.
//! * What was begun is finished, also when the caller is gone or the server stops.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use factlog_core::{Append, AppendError, Appended, BoxFuture, Error, Event, EventStore, Result};
use factlog_proto::stopping;
use factlog_proto::v1::append_session_response::Outcome;
use factlog_proto::v1::{AppendSessionRequest, AppendSessionResponse};
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::{Status, Streaming};

use crate::answers::refuse;
use crate::fences::{Fences, Pass};
use crate::listen::Held;
use crate::stopped;

/// Appends of one session under way.
pub const SESSION_APPENDS: usize = 1_024;
/// Bytes of the appends of one session under way. One larger append goes alone.
pub const SESSION_BYTES: usize = 64 << 20;

/// One call of `AppendSession`: the stream of its answers, which reads and begins what comes as it is polled.
pub(crate) struct Session {
    store: Arc<dyn EventStore>,
    fences: Arc<Fences>,
    /// What has come and is not decoded. `None` for a request that came past the listener.
    held: Option<Arc<Held>>,
    requests: Streaming<AppendSessionRequest>,
    begun: FuturesUnordered<Begun>,
    /// Of what is begun.
    bytes: usize,
    /// Of the writer that the first message names.
    pass: Option<Pass>,
    stopped: BoxFuture<'static, ()>,
    /// Why no more is read.
    end: Option<End>,
}

/// An append that was begun: its number and its bytes, and then what came of it.
type Begun = BoxFuture<'static, (u64, usize, Result<Appended, AppendError>)>;

/// Why no more is read, and what the caller is told at the end.
enum End {
    Asked,
    Because(Status),
    Told,
}

impl Session {
    pub(crate) fn new(
        store: Arc<dyn EventStore>,
        fences: Arc<Fences>,
        held: Option<Arc<Held>>,
        requests: Streaming<AppendSessionRequest>,
        stopping_soon: watch::Receiver<bool>,
    ) -> Self {
        let (begun, stopped) = (FuturesUnordered::new(), Box::pin(stopped(stopping_soon)));
        Self { store, fences, held, requests, begun, bytes: 0, pass: None, stopped, end: None }
    }

    /// Reads on while there is room, until there is something to wait for or nothing more is read.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let room = self.begun.len() < SESSION_APPENDS && self.bytes < SESSION_BYTES;
        if self.end.is_some() || !room {
            return Poll::Pending;
        }
        match ready!(self.requests.poll_next_unpin(context)) {
            Some(Ok(request)) => match self.begin(request) {
                Ok((size, append)) => {
                    self.bytes += size;
                    self.begun.push(append);
                }
                Err(status) => self.end = Some(End::Because(status)),
            },
            Some(Err(status)) => self.end = Some(End::Because(status)),
            None => self.end = Some(End::Asked),
        }
        Poll::Ready(())
    }

    /// Counts an append until it is answered.
    fn hold(&self, append: Append) -> Result<(usize, Append, Option<Held>)> {
        let size = append.events.iter().map(Event::size).sum();
        let held = self.held.as_ref().map(|came| came.beside());
        held.iter().try_for_each(|held| held.take(size))?;
        Ok((size, append, held))
    }

    /// Begins an append. What is wrong with one is its answer; what is wrong with the session ends it.
    fn begin(&mut self, request: AppendSessionRequest) -> Result<(usize, Begun), Status> {
        if let Some(writer) = request.writer {
            if self.pass.is_some() {
                return Err(refuse(Error::invalid(
                    "the writer of a session is named in its first message only",
                )));
            }
            self.pass = Some(self.fences.enter(&writer.id, writer.epoch).map_err(refuse)?);
        }
        // What it came as is decoded now.
        self.held.iter().for_each(|came| came.give_back());
        let number = request.number;
        let append = request
            .append
            .ok_or_else(|| Error::invalid("the append of a message is missing; give one"))
            .and_then(Append::try_from)
            .and_then(|append| self.hold(append));
        let (size, append, held) = match append {
            Ok(append) => append,
            Err(error) => {
                let refused = Err(AppendError::Failed(error));
                return Ok((0, Box::pin(std::future::ready((number, 0, refused)))));
            }
        };
        let store = self.store.clone();
        let mut begun: Begun = Box::pin(async move {
            let outcome = store.append(append).await;
            drop(held);
            (number, size, outcome)
        });
        let mut first_poll = || begun.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let polled = match &self.pass {
            Some(pass) => pass.begin(first_poll).map_err(refuse)?,
            None => first_poll(),
        };
        // Whoever is not ready is polled again, with a waker, as soon as it is among the others.
        let begun = match polled {
            Poll::Ready(outcome) => Box::pin(std::future::ready(outcome)) as Pin<Box<_>>,
            Poll::Pending => begun,
        };
        Ok((size, begun))
    }
}

impl Stream for Session {
    type Item = Result<AppendSessionResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.end.is_none() && self.stopped.as_mut().poll(context).is_ready() {
            self.end = Some(End::Because(stopping()));
        }
        loop {
            // What is finished goes out before more is read.
            if let Poll::Ready(Some((number, size, outcome))) = self.begun.poll_next_unpin(context) {
                self.bytes -= size;
                return Poll::Ready(Some(Ok(answer(number, outcome))));
            }
            if self.poll_read(context).is_ready() {
                continue;
            }
            if self.end.is_none() || !self.begun.is_empty() {
                return Poll::Pending;
            }
            let why = match self.end.replace(End::Told) {
                Some(End::Because(status)) => Some(Err(status)),
                _ => None,
            };
            return Poll::Ready(why);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut begun = std::mem::take(&mut self.begun);
        // Without a runtime there is nobody who could finish anything.
        if let (false, Ok(runtime)) = (begun.is_empty(), Handle::try_current()) {
            runtime.spawn(async move { while begun.next().await.is_some() {} });
        }
    }
}

fn answer(number: u64, outcome: Result<Appended, AppendError>) -> AppendSessionResponse {
    let outcome = Some(match outcome {
        Ok(appended) => Outcome::Appended(appended.into()),
        Err(error) => Outcome::Failure((&error).into()),
    });
    AppendSessionResponse { number, outcome }
}
