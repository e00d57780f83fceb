//! One session of appends: from its opening to the failure that ends it.

use std::pin::{Pin, pin};

use crate::bearer::Channel;
use factlog_core::{AppendError, BoxFuture, Error, ErrorKind};
use factlog_proto::v1::event_store_service_client::EventStoreServiceClient;
use factlog_proto::{ANSWER_BYTES_MAX, v1};
use futures_util::stream::poll_fn;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tonic::{Status, Streaming};

use crate::pipeline::Pipeline;
use crate::queue::Item;
use crate::refused::failure_of;
use crate::retry::now;
use crate::waiting::Heard;

/// Messages that wait for the connection to take them: they go out together.
const OUTGOING: usize = 64;

/// Why a session ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The queue is closed and everything is answered.
    Done,
    /// All that is unanswered is to be sent again.
    Broken(Error),
    /// The server will never take it.
    Refused(Error),
}

impl Ended {
    /// What a status means for all that waits. Only a refusal of what was sent is for good.
    fn of(status: &Status) -> Self {
        let error = match failure_of(status) {
            AppendError::Conflict(conflict) => Error::indeterminate(conflict.to_string()),
            AppendError::Failed(error) => error,
        };
        match error.kind() {
            ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::Unauthenticated => Self::Refused(error),
            _ => Self::Broken(error),
        }
    }
}

/// An open session.
struct Open {
    requests: mpsc::Sender<v1::AppendSessionRequest>,
    answers: Streaming<v1::AppendSessionResponse>,
    /// Named in the first message.
    writer: Option<v1::Writer>,
    /// Of the key that it was opened with.
    version: u64,
}

impl Pipeline {
    /// Runs a session until it ends; answers what it can.
    pub(crate) async fn session(&mut self) -> Ended {
        let mut open = match self.open().await {
            Ok(open) => open,
            Err(ended) => return ended,
        };
        let ended = self.converse(&mut open).await;
        self.waiting.session_over();
        ended
    }

    async fn open(&mut self) -> Result<Open, Ended> {
        self.epoch += 1;
        let version = self.bearer.version();
        let (requests, mut outgoing) = mpsc::channel(OUTGOING);
        let mut client = client(self.channel.clone());
        let opening = client.append_session(poll_fn(move |context| outgoing.poll_recv(context)));
        let opened = tokio::select! {
            opened = opening => opened,
            () = until(self.waiting.deadline()) => return Err(Ended::Broken(Error::unavailable("the server does not answer"))),
        };
        let answers = opened.map_err(|status| Ended::of(&status))?.into_inner();
        let writer = Some(v1::Writer { id: self.writer.to_vec(), epoch: self.epoch });
        Ok(Open { requests, answers, writer, version })
    }

    async fn converse(&mut self, open: &mut Open) -> Ended {
        // Set anew when it has rung, not with each append: deadlines only grow, so that it never rings too late.
        let mut alarm = pin!(sleep_until(now()));
        let mut set = false;
        loop {
            if let Some(deadline) = self.waiting.deadline().filter(|_| !set) {
                alarm.as_mut().reset(deadline);
                set = true;
            }
            if self.closed && self.waiting.is_empty() && self.mark.is_none() {
                return Ended::Done;
            }
            // The server knows this session by the key that it began with, which may be good for nothing by now.
            if self.waiting.has_unsent() && self.bearer.version() != open.version {
                return Ended::Broken(Error::unavailable("there is another key to show"));
            }
            // Nothing that was called after a mark is sent before the mark is answered.
            let may_take = !self.closed && self.mark.is_none() && self.waiting.has_room();
            tokio::select! {
                answer = open.answers.message() => match answer {
                    Ok(Some(answer)) => match self.waiting.hear(answer) {
                        Heard::GoOn => self.backoff.reset(),
                        Heard::Later(error) => return Ended::Broken(error),
                    },
                    Ok(None) => return Ended::Broken(Error::unavailable("the server ended the session")),
                    Err(status) => return Ended::of(&status),
                },
                permit = open.requests.reserve(), if self.waiting.has_unsent() => match permit {
                    Ok(permit) => if let Some(mut request) = self.waiting.send() {
                        request.writer = open.writer.take();
                        permit.send(request);
                    },
                    // The call is over; its status says why.
                    Err(_) => break,
                },
                () = marked(&mut self.mark), if self.mark.is_some() => self.mark = None,
                item = self.items.recv(), if may_take => self.take(item),
                () = &mut alarm, if set => {
                    set = false;
                    self.waiting.expire(now(), None);
                }
            }
        }
        self.reason(open).await
    }

    /// The answers that are still there, and why the session ended.
    async fn reason(&mut self, open: &mut Open) -> Ended {
        loop {
            tokio::select! {
                answer = open.answers.message() => match answer {
                    Ok(Some(answer)) => drop(self.waiting.hear(answer)),
                    Ok(None) => return Ended::Broken(Error::unavailable("the server ended the session")),
                    Err(status) => return Ended::of(&status),
                },
                () = until(self.waiting.deadline()) => {
                    return Ended::Broken(Error::unavailable("the connection is lost"));
                }
            }
        }
    }

    /// Takes what left the queue; `None` says that it is closed.
    pub(crate) fn take(&mut self, item: Option<Item>) {
        match item {
            Some(Item::Append(asked)) => self.waiting.push(asked),
            Some(Item::Mark(mark)) => self.mark = Some(self.look(mark)),
            None => self.closed = true,
        }
    }
}

/// A client of the service over this channel.
pub(crate) fn client(channel: Channel) -> EventStoreServiceClient<Channel> {
    EventStoreServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// Ready at a deadline; never without one.
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn marked(mark: &mut Option<BoxFuture<'static, ()>>) {
    match mark {
        Some(mark) => Pin::new(mark).await,
        None => std::future::pending().await,
    }
}
