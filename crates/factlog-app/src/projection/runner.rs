//! The thread behind a read model: follows the log, folds batches, commits each with its checkpoint.
//!
//! * One batch is one commit; its bound is stated here, so is memory.
//! * The checkpoint also passes events that do not concern the projection, in memory at once and in the file when
//!   the next batch is written or enough have passed.
//! * An event that cannot be read stops it; an unavailable store only makes it wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use factlog_core::{
    Delivery, Error, ErrorKind, EventStore, Position, Query, ReadOptions, RecordedEvent, Result, Subscription,
};
use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};

use super::handle::Order;
use super::sink::{Changes, Checkpoint, Sink};
use super::{Projection, ProjectionError, ProjectionState, ProjectionStatus, ReadModel};
use crate::Recorded;
use crate::model::Mark;
use crate::view::{event_types, query_of};

/// Events folded into one commit at most.
const BATCH_EVENTS_MAX: usize = 2_000;
/// Bytes of event data folded into one commit at most, a last event not counted.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Positions without an event that concerns the projection after which the checkpoint is written all the same.
const SILENT_POSITIONS_MAX: u64 = 10_000;
/// Orders that wait for the thread at most; the next caller waits.
const ORDERS_MAX: usize = 8;
/// The first and the longest pause while the store is unavailable.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

pub(super) fn start<P: Projection>(
    store: Arc<dyn EventStore>,
    projection: P,
    sink: Arc<dyn Sink<P>>,
) -> Result<ReadModel<P>> {
    let resumed = sink.resume()?;
    let types = event_types::<P::Event>()?;
    let query = query_of(vec![factlog_core::QueryItem::of_types(types)]).expect("one item is a query");
    let (status, watched) = watch::channel(ProjectionStatus {
        name: P::NAME,
        version: P::VERSION,
        state: ProjectionState::CatchingUp,
        applied: resumed.checkpoint.position,
        events: 0,
        rebuilt_because: resumed.rebuilt_because,
    });
    let (orders, received) = mpsc::channel(ORDERS_MAX);
    let runner = Runner {
        store,
        query,
        projection,
        sink: sink.clone(),
        status,
        orders: received,
        reached: resumed.checkpoint,
        written: resumed.checkpoint.position,
        proven: false,
        rebuild: None,
    };
    let runtime = Handle::try_current().ok();
    thread::Builder::new()
        .name(format!("projection {}", P::NAME))
        .spawn(move || runner.block(runtime))
        .map_err(|cause| {
            Error::unavailable(format!("cannot start a thread for read model {}", P::NAME)).because(cause)
        })?;
    Ok(ReadModel { sink, status: watched, orders })
}

struct Runner<P: Projection> {
    store: Arc<dyn EventStore>,
    query: Query,
    projection: P,
    sink: Arc<dyn Sink<P>>,
    status: watch::Sender<ProjectionStatus>,
    orders: mpsc::Receiver<Order>,
    /// How far the set that is being written has come.
    reached: Checkpoint,
    /// The position last committed to the sink.
    written: Option<Position>,
    /// Whether the log is known to be the one the documents came from.
    proven: bool,
    /// Who waits for the rebuild in progress.
    rebuild: Option<oneshot::Sender<Result<(), ProjectionError>>>,
}

/// Deliveries that become one commit.
#[derive(Default)]
struct Batch {
    events: Vec<RecordedEvent>,
    bytes: usize,
    /// Whether everything up to `head` has been delivered, and it was the head.
    caught_up: bool,
    head: Option<Position>,
}

/// What woke the thread.
enum Woken {
    Batch(Batch),
    Order(Option<Order>),
}

impl<P: Projection> Runner<P> {
    fn block(self, runtime: Option<Handle>) {
        match runtime {
            Some(runtime) => runtime.block_on(self.run()),
            None => Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime without I/O needs no resources")
                .block_on(self.run()),
        }
    }

    async fn run(mut self) {
        let mut pause = PAUSES.0;
        loop {
            let before = self.reached;
            let order = match self.follow().await {
                Ok(order) => order,
                Err(ProjectionError::Store(error)) if error.kind() == ErrorKind::Unavailable => {
                    pause = if before == self.reached { pause } else { PAUSES.0 };
                    self.publish(|status| status.state = ProjectionState::Waiting(error));
                    match tokio::time::timeout(pause, self.orders.recv()).await {
                        Ok(order) => order,
                        Err(_) => {
                            pause = (pause * 2).min(PAUSES.1);
                            continue;
                        }
                    }
                }
                Err(error) => {
                    self.fail(error);
                    self.orders.recv().await
                }
            };
            match order {
                Some(Order::Rebuild(done)) => self.begin_rebuild(done),
                Some(Order::Stop(done)) => {
                    self.stop();
                    // A caller that no longer waits needs no answer.
                    let _ = done.send(());
                    return;
                }
                None => return self.stop(),
            }
        }
    }

    /// Applies batches until there is an order; `None` when no handle is left.
    async fn follow(&mut self) -> Result<Option<Order>, ProjectionError> {
        self.prove().await?;
        let state =
            if self.rebuild.is_some() { ProjectionState::Rebuilding } else { ProjectionState::CatchingUp };
        self.publish(|status| status.state = state);
        let mut deliveries = self.store.subscribe(self.query.clone(), self.reached.position.into());
        loop {
            match self.wake(&mut deliveries).await? {
                Woken::Order(order) => return Ok(order),
                Woken::Batch(batch) => self.apply(&batch)?,
            }
        }
    }

    /// The next batch or order, whichever is first.
    async fn wake(&mut self, deliveries: &mut Subscription) -> Result<Woken, ProjectionError> {
        let mut next = tokio::select! {
            biased;
            order = self.orders.recv() => return Ok(Woken::Order(order)),
            delivery = deliveries.next() => Some(delivery),
        };
        let mut batch = Batch::default();
        while let Some(delivery) = next {
            match delivery {
                Some(Ok(Delivery::Event(event))) => {
                    batch.bytes += event.event.data.len();
                    batch.events.push(event);
                }
                Some(Ok(Delivery::CaughtUp(head))) => {
                    batch.caught_up = true;
                    batch.head = head;
                }
                Some(Err(error)) => return Err(error.into()),
                None => {
                    let message =
                        format!("the log ended the subscription of read model {} without a reason", P::NAME);
                    return Err(Error::unavailable(message).into());
                }
            }
            let full = BATCH_EVENTS_MAX <= batch.events.len() || BATCH_BYTES_MAX <= batch.bytes;
            if full || batch.caught_up {
                break;
            }
            next = deliveries.next().now_or_never();
        }
        Ok(Woken::Batch(batch))
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), ProjectionError> {
        let count = batch.events.len() as u64;
        let mut checkpoint = self.reached;
        if let Some(last) = batch.events.last() {
            checkpoint.position = Some(last.position);
            checkpoint.last = Some(Mark { position: last.position, id: last.event.id });
        }
        checkpoint.position = checkpoint.position.max(batch.head);
        let silent = Position::number(checkpoint.position) - Position::number(self.written);
        if 0 < count || SILENT_POSITIONS_MAX <= silent {
            let changes = self.fold(&batch.events)?;
            self.commit(changes, checkpoint)?;
        }
        self.reached = checkpoint;
        if batch.caught_up && self.rebuild.is_some() {
            self.sink.finish_rebuild()?;
        }
        let rebuilt = self.rebuild.take_if(|_| batch.caught_up);
        let rebuilding = self.rebuild.is_some();
        self.publish(|status| {
            status.events += count;
            if !rebuilding {
                status.applied = checkpoint.position;
            }
            if batch.caught_up {
                status.state = ProjectionState::Live;
            }
        });
        if let Some(done) = rebuilt {
            // A caller that no longer waits needs no answer.
            let _ = done.send(Ok(()));
        }
        Ok(())
    }

    /// The documents the events come to.
    fn fold(&self, events: &[RecordedEvent]) -> Result<Changes<P>, ProjectionError> {
        let mut documents: BTreeMap<P::Key, Option<P::Document>> = BTreeMap::new();
        for raw in events {
            let event = Recorded::<P::Event>::decode(raw)?;
            let mut keys = self.projection.keys(&event);
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let before = match documents.remove(&key) {
                    Some(document) => document,
                    None => self.sink.document(&key)?,
                };
                let after = self.projection.apply(&key, before, &event);
                documents.insert(key, after);
            }
        }
        Ok(documents.into_iter().collect())
    }

    fn commit(&mut self, changes: Changes<P>, checkpoint: Checkpoint) -> Result<(), ProjectionError> {
        self.sink.commit(changes, checkpoint)?;
        self.written = checkpoint.position;
        Ok(())
    }

    /// Holds the checkpoint against the log once: a read model of another log, or of one that was restored from an
    /// older copy, must not go on as if it were this one's.
    async fn prove(&mut self) -> Result<(), ProjectionError> {
        if self.proven {
            return Ok(());
        }
        let head = self.store.head().await?.position;
        let same = head >= self.reached.position
            && match self.reached.last {
                None => true,
                Some(last) => self.id_at(last.position).await? == Some(last.id),
            };
        if !same {
            let (name, at) = (P::NAME, Position::number(self.reached.position));
            let head = Position::number(head);
            return Err(Error::invalid(format!(
                "read model {name} at position {at} was not built from this log, whose head is {head}; open the log it belongs to, or rebuild it"
            ))
            .into());
        }
        self.proven = true;
        Ok(())
    }

    async fn id_at(&self, position: Position) -> Result<Option<factlog_core::EventId>> {
        let options = ReadOptions::default().after(position.previous()).limit(1);
        let mut events = self.store.read(Query::All, options);
        let event = events.next().await.transpose()?;
        Ok(event.filter(|event| event.position == position).map(|event| event.event.id))
    }

    fn begin_rebuild(&mut self, done: oneshot::Sender<Result<(), ProjectionError>>) {
        if let Some(earlier) = self.rebuild.take() {
            let _ = earlier.send(Err(Error::unavailable("another rebuild took its place").into()));
        }
        match self.sink.begin_rebuild() {
            Ok(()) => {
                self.rebuild = Some(done);
                self.reached = Checkpoint::default();
                self.written = None;
                self.proven = true;
            }
            Err(error) => {
                let _ = done.send(Err(error.into()));
            }
        }
    }

    fn fail(&mut self, error: ProjectionError) {
        if let Some(done) = self.rebuild.take() {
            let _ = done.send(Err(error.clone()));
        }
        self.publish(|status| status.state = ProjectionState::Failed(error));
    }

    fn stop(&mut self) {
        // Only progress past events that do not concern the projection is written here: losing it loses nothing.
        if self.rebuild.is_none() && self.written < self.reached.position {
            let _ = self.sink.commit(Vec::new(), self.reached);
        }
        self.publish(|status| status.state = ProjectionState::Stopped);
    }

    fn publish(&self, change: impl FnOnce(&mut ProjectionStatus)) {
        self.status.send_modify(change);
    }
}
