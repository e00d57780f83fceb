//! The thread that publishes: reads the log, sends a batch, moves the checkpoint over what was acknowledged, goes on.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::thread;

use factlog_core::{
    Delivery, Error, ErrorKind, EventStore, Position, Query, ReadOptions, RecordedEvent, Result, StreamId,
    Subscription,
};
use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};

use super::{BATCH_MAX, Checkpoints, Outgoing, Publish, Published, Publisher};
use crate::pause::Pauses;

/// What publishing is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PublishingState {
    /// There is more to be sent.
    Sending,
    /// All that was recorded when it last looked is acknowledged; it is woken by commits.
    Live,
    /// The store, the receiver or the place of the checkpoint is unavailable; it tries again by itself.
    Waiting(Error),
    /// It cannot go on, and nothing behind is sent: see the error, then [`Publishing::retry`].
    Failed(Error),
    /// It was told to stop.
    Stopped,
}

/// Publishing as it is now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublishingStatus {
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: PublishingState,
    /// How far it has come: its checkpoint.
    pub published: Option<Published>,
    /// Events that were acknowledged since it was started.
    pub acknowledged: u64,
    /// Events that were sent again, since they or one before them had not been acknowledged.
    pub repeated: u64,
}

/// The handle of something that is published. Cheap to clone; when the last one is dropped the thread ends.
#[derive(Clone, Debug)]
pub struct Publishing {
    status: watch::Receiver<PublishingStatus>,
    orders: mpsc::Sender<Order>,
    store: Weak<dyn EventStore>,
}

#[derive(Debug)]
enum Order {
    Retry,
    Stop(oneshot::Sender<()>),
}

impl Publishing {
    /// How it is.
    pub fn status(&self) -> PublishingStatus {
        self.status.borrow().clone()
    }

    /// How many positions the store's head is ahead of what was acknowledged, whether those events are to be published or
    /// not. Asks the store.
    ///
    /// # Errors
    /// Where the store does not say, or is gone.
    pub async fn lag(&self) -> Result<u64> {
        let status = self.status();
        let Some(store) = self.store.upgrade() else {
            return Err(Error::closed(format!(
                "the store that `{}` publishes is gone; open it again",
                status.name
            )));
        };
        let head = Position::number(store.head().await?.position);
        Ok(head.saturating_sub(Position::number(status.published.map(|published| published.position))))
    }

    /// Waits until the event at this position is acknowledged, or all that is to be published up to there.
    ///
    /// # Errors
    /// What publishing failed at; `Closed` where it was stopped.
    pub async fn at_least(&self, position: Position) -> Result<()> {
        let mut status = self.status.clone();
        let decided = |status: &PublishingStatus| match &status.state {
            PublishingState::Failed(_) | PublishingState::Stopped => true,
            _ => Some(position) <= status.published.map(|published| published.position),
        };
        let status = status.wait_for(decided).await.map_err(|_| gone())?;
        match &status.state {
            _ if Some(position) <= status.published.map(|published| published.position) => Ok(()),
            PublishingState::Failed(error) => Err(error.clone()),
            _ => Err(Error::closed(format!("`{}` was stopped; start it again", status.name))),
        }
    }

    /// Tries again what publishing failed at, from the first event that was not acknowledged.
    ///
    /// # Errors
    /// `Closed` where it was stopped.
    pub async fn retry(&self) -> Result<()> {
        self.orders.send(Order::Retry).await.map_err(|_| gone())
    }

    /// Ends the thread, also in the middle of sending: what was not acknowledged is sent again by the next start.
    /// Stopping twice is fine.
    ///
    /// # Errors
    /// None at present.
    pub async fn stop(&self) -> Result<()> {
        let (done, answer) = oneshot::channel();
        if self.orders.send(Order::Stop(done)).await.is_ok() {
            // A thread that is gone has stopped.
            let _ = answer.await;
        }
        Ok(())
    }
}

fn gone() -> Error {
    Error::closed("publishing was stopped; start it again")
}

pub(super) fn start(
    publish: Publish,
    publisher: Arc<dyn Publisher>,
    checkpoints: Arc<dyn Checkpoints>,
) -> Result<Publishing> {
    let published = checkpoints.load(&publish.name)?;
    let state = PublishingState::Sending;
    let name = publish.name.clone();
    let status = PublishingStatus { name: name.clone(), state, published, acknowledged: 0, repeated: 0 };
    let (status, watched) = watch::channel(status);
    let (orders, received) = mpsc::channel(8);
    let store = Arc::downgrade(&publish.store);
    let runner = Runner { publish, publisher, checkpoints, status, orders: received, published };
    let runtime = Handle::try_current().ok();
    thread::Builder::new()
        .name(format!("publish {name}"))
        .spawn(move || match runtime {
            Some(runtime) => runtime.block_on(runner.run()),
            None => Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime without I/O needs no resources")
                .block_on(runner.run()),
        })
        .map_err(|cause| {
            Error::unavailable(format!("cannot start a thread to publish `{name}`")).because(cause)
        })?;
    Ok(Publishing { status: watched, orders, store })
}

struct Runner {
    publish: Publish,
    publisher: Arc<dyn Publisher>,
    checkpoints: Arc<dyn Checkpoints>,
    status: watch::Sender<PublishingStatus>,
    orders: mpsc::Receiver<Order>,
    published: Option<Published>,
}

impl Runner {
    async fn run(mut self) {
        let mut pauses = Pauses::new();
        loop {
            let before = self.published;
            let order = match self.follow().await {
                Ok(order) => order,
                Err(error) if is_passing(&error) => {
                    if before != self.published {
                        pauses = Pauses::new();
                    }
                    self.tell(PublishingState::Waiting(error));
                    match pauses.wait_for(&mut self.orders) {
                        Poll::Ready(order) => order,
                        Poll::Pending => continue,
                    }
                }
                Err(error) => {
                    self.tell(PublishingState::Failed(error));
                    self.orders.recv().await
                }
            };
            match order {
                Some(Order::Retry) => {}
                Some(Order::Stop(done)) => {
                    self.tell(PublishingState::Stopped);
                    // Whoever is told that it stopped may open the store again at once.
                    drop(self);
                    let _ = done.send(());
                    return;
                }
                None => return self.tell(PublishingState::Stopped),
            }
        }
    }

    /// Publishes until there is an order; `None` when no handle is left.
    async fn follow(&mut self) -> Result<Option<Order>> {
        self.prove().await?;
        let after = self.published.map(|published| published.position);
        let mut deliveries = self.publish.store.subscribe(self.publish.query.clone(), after.into());
        let mut waiting = VecDeque::new();
        loop {
            let live = tokio::select! {
                biased;
                order = self.orders.recv() => return Ok(order),
                live = gather(&mut deliveries, &mut waiting, &self.publish.query) => live?,
            };
            while !waiting.is_empty() {
                if let Some(order) = self.send(&mut waiting).await? {
                    return Ok(order.0);
                }
            }
            self.tell(if live { PublishingState::Live } else { PublishingState::Sending });
        }
    }

    /// Sends what waits, and forgets what was acknowledged. An order ends it at once.
    async fn send(&mut self, waiting: &mut VecDeque<RecordedEvent>) -> Result<Option<Ordered>> {
        let source = &self.publish.source;
        let batch: Vec<_> = waiting.iter().map(|recorded| Outgoing { recorded, source }).collect();
        let answers = tokio::select! {
            biased;
            order = self.orders.recv() => return Ok(Some(Ordered(order))),
            answers = self.publisher.publish(&batch) => answers,
        };
        drop(batch);
        let sent = waiting.len();
        let mut answers = answers.into_iter().take(sent);
        let mut last = None;
        let refused = loop {
            match answers.next() {
                Some(Ok(())) => last = waiting.pop_front(),
                Some(Err(error)) => break Some(error),
                None if waiting.is_empty() => break None,
                None => {
                    break Some(Error::unavailable(
                        "the publisher did not answer for every event it was given",
                    ));
                }
            }
        };
        if let Some(last) = last {
            let to = Published { position: last.position, id: last.event.id };
            self.checkpoints.advance(&self.publish.name, self.published, to)?;
            self.published = Some(to);
        }
        self.status.send_modify(|status| {
            status.published = self.published;
            status.acknowledged += (sent - waiting.len()) as u64;
            status.repeated += waiting.len() as u64;
        });
        match (refused, waiting.front()) {
            (Some(error), Some(first)) if !is_passing(&error) => {
                let (name, at) = (&self.publish.name, first.position);
                let message = format!(
                    "`{name}` stands before the event at position {at}, which its receiver refuses: {error}"
                );
                Err(Error::invalid(message).because(error))
            }
            (Some(error), _) => Err(error),
            (None, _) => Ok(None),
        }
    }

    /// The checkpoint must be of this log: a log restored from an older copy must not go on as if nothing were missing.
    async fn prove(&self) -> Result<()> {
        let Some(Published { position, id }) = self.published else { return Ok(()) };
        let options = ReadOptions::default().after(position.previous()).limit(1);
        let event = self.publish.store.read(Query::All, options).next().await.transpose()?;
        if event.is_some_and(|event| event.position == position && event.event.id == id) {
            return Ok(());
        }
        let name = &self.publish.name;
        Err(Error::invalid(format!(
            "`{name}` stands at position {position}, where this log holds another event or none; open the log it belongs to, or begin again under another name"
        )))
    }

    fn tell(&self, state: PublishingState) {
        self.status.send_modify(|status| status.state = state);
    }
}

/// An order, or that there will be none.
struct Ordered(Option<Order>);

/// Takes what is there, up to a batch, and waits for the first of it; whether that was all there is.
async fn gather(
    deliveries: &mut Subscription,
    waiting: &mut VecDeque<RecordedEvent>,
    query: &Query,
) -> Result<bool> {
    let mut next = deliveries.next().await;
    loop {
        match next {
            Some(Ok(Delivery::Event(event))) => {
                let system = event.event.stream.as_ref().is_some_and(StreamId::is_system);
                if !(system && *query == Query::All) {
                    waiting.push_back(event);
                }
            }
            Some(Ok(Delivery::CaughtUp(_))) => return Ok(true),
            Some(Err(error)) => return Err(error),
            None => return Err(Error::unavailable("the log ended a subscription without a reason")),
        }
        if BATCH_MAX <= waiting.len() {
            return Ok(false);
        }
        match deliveries.next().now_or_never() {
            Some(delivered) => next = delivered,
            None => return Ok(false),
        }
    }
}

/// Whether it is worth trying again without anybody doing anything.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Indeterminate)
}
