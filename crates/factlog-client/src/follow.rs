//! A subscription that resumes when its connection breaks: after the last delivery, without gap or repeat.

use std::sync::Arc;

use factlog_core::{Delivery, Error, ErrorKind, Position, Query, Result, StartFrom};
use factlog_proto::v1;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::Streaming;

use crate::batches::Fetched;
use crate::calls::error_of;
use crate::queue::closed;
use crate::remote::Shared;
use crate::retry::{Backoff, from_now, now};
use crate::session::client;

/// A subscription and how far it has come.
pub(crate) struct Following {
    pub(crate) shared: Arc<Shared>,
    pub(crate) query: Query,
    /// The last position that was delivered or caught up with.
    pub(crate) checkpoint: Option<Position>,
    /// The number of the last `CaughtUp` that was delivered, 0 in an empty store, if nothing was delivered after it.
    pub(crate) caught_up: Option<u64>,
}

/// Why one attempt ended.
enum Ended {
    /// Whoever follows has gone.
    Unwanted,
    Failed(Error),
}

impl Following {
    /// Follows until it fails for good, or the client is closed.
    pub(crate) async fn run(mut self, fetched: Fetched<Delivery>) {
        let mut open = self.shared.closed();
        let why = tokio::select! {
            // Only `true` ends it: the sender lives in what `self` holds.
            _ = open.wait_for(|closed| *closed) => Some(closed()),
            why = self.follow(&fetched) => why,
        };
        if let Some(why) = why {
            // Whoever follows may be gone.
            let _ = fetched.send(Err(why)).await;
        }
    }

    async fn follow(&mut self, fetched: &Fetched<Delivery>) -> Option<Error> {
        let mut backoff = Backoff::default();
        let mut deadline = from_now(self.shared.target.resume);
        loop {
            let version = self.shared.bearer.version();
            let error = match self.attempt(fetched, &mut deadline, &mut backoff).await {
                Ended::Unwanted => return None,
                Ended::Failed(error) => error,
            };
            // A key that has ended is no reason to end where another has taken its place.
            let renewed =
                error.kind() == ErrorKind::Unauthenticated && self.shared.bearer.version() != version;
            if (error.kind() != ErrorKind::Unavailable && !renewed)
                || deadline <= now()
                || fetched.is_closed()
            {
                return Some(error);
            }
            sleep_until(deadline.min(from_now(backoff.pause()))).await;
            self.shared.count_resumed();
        }
    }

    async fn attempt(
        &mut self,
        fetched: &Fetched<Delivery>,
        deadline: &mut Instant,
        backoff: &mut Backoff,
    ) -> Ended {
        let mut messages = match self.open(*deadline).await {
            Ok(messages) => messages,
            Err(error) => return Ended::Failed(error),
        };
        loop {
            // It may be silent for as long as nothing is appended; pings find out whether the server is there.
            let message = tokio::select! {
                message = messages.message() => message,
                () = fetched.closed() => return Ended::Unwanted,
            };
            let deliveries = match message {
                Ok(Some(message)) => self.deliveries(message),
                Ok(None) => Err(Error::unavailable("the server ended a subscription without a reason")),
                Err(status) => Err(error_of(&status)),
            };
            // Counted from the last sign of life: the time in between may have been long.
            *deadline = from_now(self.shared.target.resume);
            match deliveries {
                Ok(deliveries) => {
                    backoff.reset();
                    if !deliveries.is_empty() && fetched.send(Ok(deliveries)).await.is_err() {
                        return Ended::Unwanted;
                    }
                }
                Err(error) => return Ended::Failed(error),
            }
        }
    }

    async fn open(&self, deadline: Instant) -> Result<Streaming<v1::SubscribeResponse>> {
        let mut client = client(self.shared.channel.clone());
        let request = v1::SubscribeRequest::from((self.query.clone(), StartFrom::from(self.checkpoint)));
        let patience = deadline.min(from_now(self.shared.target.deadline));
        let answer = timeout_at(patience, client.subscribe(request)).await;
        let answer = answer.map_err(|_| Error::unavailable("the server does not answer"))?;
        Ok(answer.map_err(|status| error_of(&status))?.into_inner())
    }

    /// What a message brings, without the mark that was delivered before the connection broke.
    fn deliveries(&mut self, message: v1::SubscribeResponse) -> Result<Vec<Delivery>> {
        let mut deliveries = Vec::with_capacity(message.deliveries.len());
        for delivery in message.deliveries {
            let delivery = Delivery::try_from(delivery)?;
            match &delivery {
                Delivery::Event(event) => {
                    self.checkpoint = Some(event.position);
                    self.caught_up = None;
                }
                Delivery::CaughtUp(head) if self.caught_up == Some(Position::number(*head)) => continue,
                Delivery::CaughtUp(head) => {
                    self.checkpoint = self.checkpoint.max(*head);
                    self.caught_up = Some(Position::number(*head));
                }
            }
            deliveries.push(delivery);
        }
        Ok(deliveries)
    }
}
