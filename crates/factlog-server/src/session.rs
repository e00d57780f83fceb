//! A session: many appends over one stream, begun in the order they arrive, answered as they finish.
//!
//! * An append is begun (first polled, which gives it its place in the store's order) before the next is read.
//! * What is under way has a bound in number and in bytes; beyond it nothing is read, and the caller feels it. Where all
//!   requests together hold too much, an append is refused.
//! * What was begun is finished, also when the caller is gone or the server stops.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use factlog_core::{Append, AppendError, Appended, BoxFuture, Error, Event, EventStore, Result};
use factlog_proto::stopping;
use factlog_proto::v1::append_session_response::Outcome;
use factlog_proto::v1::{AppendSessionRequest, AppendSessionResponse};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};

use crate::answers::refuse;
use crate::fences::{Fences, Pass};
use crate::listen::Held;
use crate::stopped;

/// Appends of one session under way.
pub const SESSION_APPENDS: usize = 1_024;
/// Bytes of the appends of one session under way. One larger append goes alone.
pub const SESSION_BYTES: usize = 64 << 20;
/// Answers that wait for the caller to take them.
pub(crate) const ANSWERS: usize = 64;

/// One call of `AppendSession`.
pub(crate) struct Session {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) fences: Arc<Fences>,
    /// What has come and is not decoded. `None` for a request that came past the listener.
    pub(crate) held: Option<Arc<Held>>,
    pub(crate) answers: mpsc::Sender<Result<AppendSessionResponse, Status>>,
}

/// An append that was begun: its number and its bytes, and then what came of it.
type Begun = BoxFuture<'static, (u64, usize, Result<Appended, AppendError>)>;

/// Why no more is read, and what the caller is told at the end.
enum End {
    Asked,
    Because(Status),
}

impl Session {
    /// Runs the session to its end.
    pub(crate) async fn run(
        self,
        mut requests: Streaming<AppendSessionRequest>,
        stopping_soon: watch::Receiver<bool>,
    ) {
        let mut begun = FuturesUnordered::new();
        let mut bytes = 0;
        let mut pass = None;
        let mut end = None;
        let mut stop = Box::pin(stopped(stopping_soon));
        while end.is_none() || !begun.is_empty() {
            let room = begun.len() < SESSION_APPENDS && bytes < SESSION_BYTES;
            tokio::select! {
                Some((number, size, outcome)) = begun.next(), if !begun.is_empty() => {
                    bytes -= size;
                    self.answer(number, outcome).await;
                }
                () = &mut stop, if end.is_none() => end = Some(End::Because(stopping())),
                request = requests.message(), if end.is_none() && room => match request {
                    Ok(Some(request)) => match self.begin(request, &mut pass) {
                        Ok((size, append)) => {
                            bytes += size;
                            begun.push(append);
                        }
                        Err(status) => end = Some(End::Because(status)),
                    },
                    Ok(None) => end = Some(End::Asked),
                    Err(status) => end = Some(End::Because(status)),
                },
            }
        }
        if let Some(End::Because(status)) = end {
            // A caller that is gone needs no reason.
            let _ = self.answers.send(Err(status)).await;
        }
    }

    async fn answer(&self, number: u64, outcome: Result<Appended, AppendError>) {
        let outcome = Some(match outcome {
            Ok(appended) => Outcome::Appended(appended.into()),
            Err(error) => Outcome::Failure((&error).into()),
        });
        // A caller that is gone asks again with the same ids.
        let _ = self.answers.send(Ok(AppendSessionResponse { number, outcome })).await;
    }

    /// Counts an append until it is answered.
    fn hold(&self, append: Append) -> Result<(usize, Append, Option<Held>)> {
        let size = append.events.iter().map(Event::size).sum();
        let held = self.held.as_ref().map(|came| came.beside());
        held.iter().try_for_each(|held| held.take(size))?;
        Ok((size, append, held))
    }

    /// Begins an append. What is wrong with one is its answer; what is wrong with the session ends it.
    fn begin(
        &self,
        request: AppendSessionRequest,
        pass: &mut Option<Pass>,
    ) -> Result<(usize, Begun), Status> {
        if let Some(writer) = request.writer {
            if pass.is_some() {
                return Err(refuse(Error::invalid(
                    "the writer of a session is named in its first message only",
                )));
            }
            *pass = Some(self.fences.enter(&writer.id, writer.epoch).map_err(refuse)?);
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
        let polled = match pass {
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
