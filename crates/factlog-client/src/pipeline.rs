//! The task that does appends in the order of calls, over one session after another.

use crate::bearer::{Bearer, Channel};
use factlog_core::{BoxFuture, EventId};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use crate::calls;
use crate::queue::{Item, Mark};
use crate::retry::{Backoff, from_now, now};
use crate::session::Ended;
use crate::waiting::Waiting;

/// What the task knows.
pub(crate) struct Pipeline {
    pub(crate) channel: Channel,
    pub(crate) bearer: Bearer,
    pub(crate) items: mpsc::UnboundedReceiver<Item>,
    pub(crate) waiting: Waiting,
    /// A question for the head that everything called later waits for.
    pub(crate) mark: Option<BoxFuture<'static, ()>>,
    /// Nothing more comes.
    pub(crate) closed: bool,
    /// Who appends, over all sessions, and the number of the last session.
    pub(crate) writer: [u8; 16],
    pub(crate) epoch: u64,
    pub(crate) backoff: Backoff,
}

impl Pipeline {
    pub(crate) fn new(channel: Channel, bearer: Bearer, items: mpsc::UnboundedReceiver<Item>) -> Self {
        Self {
            channel,
            bearer,
            items,
            waiting: Waiting::new(),
            mark: None,
            closed: false,
            writer: *EventId::generate().as_bytes(),
            epoch: 0,
            backoff: Backoff::default(),
        }
    }

    /// Runs until the queue is closed and everything is answered; then says so.
    pub(crate) async fn run(mut self, finished: watch::Sender<bool>) {
        loop {
            if let Some(mark) = self.mark.take_if(|_| self.waiting.is_empty()) {
                mark.await;
            } else if !self.waiting.is_empty() {
                match self.session().await {
                    Ended::Done => break,
                    Ended::Broken(error) => {
                        let pause = from_now(self.backoff.pause());
                        sleep_until(pause.min(self.waiting.deadline().unwrap_or(pause))).await;
                        self.waiting.expire(now(), Some(&error));
                    }
                    Ended::Refused(error) => self.waiting.refuse(&error),
                }
            } else if self.closed {
                break;
            } else {
                let item = self.items.recv().await;
                self.take(item);
            }
        }
        // Nobody may wait for it.
        let _ = finished.send(true);
    }

    /// Asks for the head and hands it to who waits.
    pub(crate) fn look(&self, mark: Mark) -> BoxFuture<'static, ()> {
        let channel = self.channel.clone();
        Box::pin(async move {
            let head = calls::head(channel, mark.deadline).await;
            // Who asked may be gone.
            let _ = mark.answer.send(head.map(|head| head.position));
        })
    }
}
