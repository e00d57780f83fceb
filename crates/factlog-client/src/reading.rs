//! A read that goes on where it was when its connection breaks.
//!
//! The log never changes below the head, so the rest of a snapshot is the read of what lies between the last event
//! that was delivered and the head that was told first.

use std::time::Duration;

use crate::bearer::Channel;
use factlog_core::{
    Direction, Error, ErrorKind, Position, Query, ReadOptions, ReadStep, RecordedEvent, Result,
};
use factlog_proto::v1;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::batches::Fetched;
use crate::calls::error_of;
use crate::retry::{Backoff, from_now};
use crate::session::client;

/// A read and how much of it is done.
pub(crate) struct Reading {
    pub(crate) channel: Channel,
    /// How long it may go without progress.
    pub(crate) patience: Duration,
    pub(crate) query: Query,
    /// What is left to read.
    pub(crate) options: ReadOptions,
    /// Whether the head was told.
    pub(crate) begun: bool,
}

/// Why one attempt ended.
enum Ended {
    Whole,
    /// Whoever reads has gone.
    Unwanted,
    Failed(Error),
}

impl Reading {
    /// Fetches all of it.
    pub(crate) async fn run(mut self, fetched: Fetched<ReadStep>) {
        let mut backoff = Backoff::default();
        let mut deadline = from_now(self.patience);
        loop {
            let error = match self.attempt(&fetched, &mut deadline, &mut backoff).await {
                Ended::Whole | Ended::Unwanted => return,
                Ended::Failed(error) => error,
            };
            let again = from_now(backoff.pause());
            if error.kind() != ErrorKind::Unavailable || deadline <= again {
                // Whoever reads may be gone.
                let _ = fetched.send(Err(error)).await;
                return;
            }
            sleep_until(again).await;
        }
    }

    async fn attempt(
        &mut self,
        fetched: &Fetched<ReadStep>,
        deadline: &mut Instant,
        backoff: &mut Backoff,
    ) -> Ended {
        let silent = || Ended::Failed(Error::unavailable("the server does not answer"));
        let mut client = client(self.channel.clone());
        let request = v1::ReadRequest::from((self.query.clone(), self.options));
        let Ok(answer) = timeout_at(*deadline, client.read(request)).await else { return silent() };
        let mut messages = match answer {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Ended::Failed(error_of(&status)),
        };
        loop {
            let Ok(message) = timeout_at(*deadline, messages.message()).await else { return silent() };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) if self.begun => return Ended::Whole,
                Ok(None) => {
                    return Ended::Failed(Error::unavailable("the server ended a read before its head"));
                }
                Err(status) => return Ended::Failed(error_of(&status)),
            };
            let steps = match self.steps(message) {
                Ok(steps) => steps,
                Err(error) => return Ended::Failed(error),
            };
            if fetched.send(Ok(steps)).await.is_err() {
                return Ended::Unwanted;
            }
            if self.is_whole() {
                return Ended::Whole;
            }
            backoff.reset();
            *deadline = from_now(self.patience);
        }
    }

    /// What a message brings; and what is left to read after it.
    fn steps(&mut self, message: v1::ReadResponse) -> Result<Vec<ReadStep>> {
        let mut steps = Vec::with_capacity(message.events.len() + 1);
        if !self.begun {
            let head = message
                .snapshot
                .ok_or_else(|| Error::unavailable("the server's first answer to a read has no head"))?;
            let head: Option<Position> = head.try_into()?;
            self.begun = true;
            // In an empty store nothing is left, whatever was asked for.
            match (head, self.options.until) {
                (Some(head), Some(until)) => self.options.until = Some(until.min(head)),
                (Some(_), None) => self.options.until = head,
                (None, _) => self.options.limit = Some(0),
            }
            steps.push(ReadStep::Head(head));
        }
        for event in message.events {
            let event = RecordedEvent::try_from(event)?;
            self.passed(event.position);
            steps.push(ReadStep::Event(event));
        }
        Ok(steps)
    }

    fn passed(&mut self, position: Position) {
        self.options.limit = self.options.limit.map(|limit| limit.saturating_sub(1));
        match (self.options.direction, position.previous()) {
            (Direction::Forwards, _) => self.options.after = Some(position),
            (Direction::Backwards, Some(previous)) => self.options.until = Some(previous),
            (Direction::Backwards, None) => self.options.limit = Some(0),
        }
    }

    fn is_whole(&self) -> bool {
        let nothing_between =
            matches!((self.options.after, self.options.until), (Some(after), Some(until)) if until <= after);
        self.begun && (self.options.limit == Some(0) || nothing_between)
    }
}
