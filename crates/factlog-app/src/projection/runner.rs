//! The thread behind a read model: follows the log, folds batches, commits each with its checkpoint.
//!
//! * One batch is one commit; its bound is in `batch`, and so is the memory's.
//! * The checkpoint also passes events that do not concern the projection, in memory at once and in the file when
//!   the next batch is written or enough have passed.
//! * An event that cannot be read stops it; an unavailable store only makes it wait. A rebuild that cannot go on is
//!   given up, and what readers see is followed again.
//! * It waits without timers: it works on whatever runtime the caller has, and on none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use factlog_core::{
    Error, ErrorKind, EventId, EventStore, Position, Query, ReadOptions, RecordedEvent, Result,
};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};

use super::batch::{Batch, Batches};
use super::handle::Order;
use super::sink::{Changes, Checkpoint, Sink};
use super::{Projection, ProjectionError, ProjectionState, ProjectionStatus, ReadModel};
use crate::Recorded;
use crate::model::Mark;
use crate::view::{event_types, query_of};

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
    let (status, watched) = watch::channel(ProjectionStatus::first::<P>(&resumed));
    let (orders, received) = mpsc::channel(ORDERS_MAX);
    let model = ReadModel { sink: sink.clone(), status: watched, orders, store: Arc::downgrade(&store) };
    let runner = Runner {
        store,
        query,
        projection,
        sink,
        status,
        orders: received,
        written: Progress {
            reached: resumed.checkpoint,
            committed: resumed.checkpoint.position,
            proven: false,
        },
        rebuild: None,
    };
    let runtime = Handle::try_current().ok();
    thread::Builder::new()
        .name(format!("projection {}", P::NAME))
        .spawn(move || runner.block(runtime))
        .map_err(|cause| {
            Error::unavailable(format!("cannot start a thread for read model {}", P::NAME)).because(cause)
        })?;
    Ok(model)
}

struct Runner<P: Projection> {
    store: Arc<dyn EventStore>,
    query: Query,
    projection: P,
    sink: Arc<dyn Sink<P>>,
    status: watch::Sender<ProjectionStatus>,
    orders: mpsc::Receiver<Order>,
    /// How far the set that is being written has come: the one readers see, or the one a rebuild builds.
    written: Progress,
    rebuild: Option<Rebuild>,
}

/// How far a set of documents has come.
#[derive(Clone, Copy)]
struct Progress {
    reached: Checkpoint,
    /// The position last committed to the sink.
    committed: Option<Position>,
    /// Whether the log is known to be the one the documents came from.
    proven: bool,
}

/// A rebuild in progress.
struct Rebuild {
    waiting: Vec<Answer>,
    /// Where the set that readers see stands meanwhile.
    visible: Progress,
}

type Answer = oneshot::Sender<Result<(), ProjectionError>>;

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
            let before = self.written.reached;
            let order = match self.follow().await {
                Ok(order) => order,
                Err(ProjectionError::Store(error)) if error.kind() == ErrorKind::Unavailable => {
                    pause = if before == self.written.reached { pause } else { PAUSES.0 };
                    self.publish(|status| status.state = ProjectionState::Waiting(error));
                    let Poll::Ready(order) = self.order_within(pause) else {
                        pause = (pause * 2).min(PAUSES.1);
                        continue;
                    };
                    order
                }
                Err(error) if self.rebuild.is_some() => {
                    self.give_up_rebuild(&error);
                    continue;
                }
                Err(error) => {
                    self.publish(|status| status.fail(error));
                    self.orders.recv().await
                }
            };
            match order {
                Some(Order::Rebuild(done)) => self.begin_rebuild(done),
                Some(Order::Stop(done)) => {
                    self.stop();
                    // Whoever is told that it stopped may open the store again at once.
                    drop(self);
                    // A caller that no longer waits needs no answer.
                    let _ = done.send(());
                    return;
                }
                None => return self.stop(),
            }
        }
    }

    /// The next order, `None` when no handle is left; not ready if there is none after the pause or a little earlier.
    ///
    /// It parks this thread, which is ours: the timers of the caller's runtime may be off, idle or gone.
    fn order_within(&mut self, pause: Duration) -> Poll<Option<Order>> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        if let Poll::Ready(order) = self.orders.poll_recv(&mut context) {
            return Poll::Ready(order);
        }
        thread::park_timeout(pause);
        self.orders.poll_recv(&mut context)
    }

    /// Applies batches until there is an order; `None` when no handle is left.
    async fn follow(&mut self) -> Result<Option<Order>, ProjectionError> {
        if !self.written.proven {
            tokio::select! {
                biased;
                order = self.orders.recv() => return Ok(order),
                proved = prove::<P>(&*self.store, self.written.reached) => proved?,
            }
            self.written.proven = true;
        }
        let rebuilding = self.rebuild.is_some();
        self.publish(|status| match rebuilding {
            true => status.state = ProjectionState::Rebuilding,
            false => status.begin(),
        });
        let deliveries = self.store.subscribe(self.query.clone(), self.written.reached.position.into());
        let mut batches = Batches::new(deliveries);
        loop {
            match self.wake(&mut batches).await? {
                Woken::Order(order) => return Ok(order),
                Woken::Batch(batch) => self.apply(&batch)?,
            }
        }
    }

    /// The next batch or order, whichever is first.
    async fn wake(&mut self, batches: &mut Batches) -> Result<Woken> {
        tokio::select! {
            biased;
            order = self.orders.recv() => Ok(Woken::Order(order)),
            batch = batches.next(P::NAME) => Ok(Woken::Batch(batch?)),
        }
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), ProjectionError> {
        let count = batch.events.len() as u64;
        let mut checkpoint = self.written.reached;
        if let Some(last) = batch.events.last() {
            checkpoint.position = Some(last.position);
            checkpoint.last = Some(Mark { position: last.position, id: last.event.id });
        }
        checkpoint.position = checkpoint.position.max(batch.head);
        let silent = Position::number(checkpoint.position) - Position::number(self.written.committed);
        if 0 < count || SILENT_POSITIONS_MAX <= silent {
            self.sink.commit(self.fold(&batch.events)?, checkpoint)?;
            self.written.committed = checkpoint.position;
        }
        self.written.reached = checkpoint;
        self.publish(|status| status.events += count);
        if batch.caught_up && self.rebuild.is_some() {
            self.sink.finish_rebuild()?;
        }
        let rebuilt = self.rebuild.take_if(|_| batch.caught_up);
        if self.rebuild.is_none() {
            self.publish(|status| status.advance(checkpoint.position, batch.caught_up));
        }
        for done in rebuilt.into_iter().flat_map(|rebuild| rebuild.waiting) {
            // A caller that no longer waits needs no answer.
            let _ = done.send(Ok(()));
        }
        Ok(())
    }

    /// The documents the events come to.
    fn fold(&self, events: &[RecordedEvent]) -> Result<Changes<P>, ProjectionError> {
        let mut documents: BTreeMap<P::Key, Option<P::Document>> = BTreeMap::new();
        for raw in events {
            for event in Recorded::<P::Event>::facts(raw)? {
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
        }
        Ok(documents.into_iter().collect())
    }

    /// Begins a rebuild; one that is asked for during another is that one.
    fn begin_rebuild(&mut self, done: Answer) {
        if let Some(rebuild) = &mut self.rebuild {
            rebuild.waiting.push(done);
            return;
        }
        match self.sink.begin_rebuild() {
            Ok(()) => {
                self.rebuild = Some(Rebuild { waiting: vec![done], visible: self.written });
                self.written = Progress { reached: Checkpoint::default(), committed: None, proven: true };
            }
            Err(error) => {
                let _ = done.send(Err(error.into()));
            }
        }
    }

    /// Goes back to the set that readers see.
    fn give_up_rebuild(&mut self, error: &ProjectionError) {
        let Some(rebuild) = self.rebuild.take() else { return };
        self.sink.give_up_rebuild();
        self.written = rebuild.visible;
        for done in rebuild.waiting {
            let _ = done.send(Err(error.clone()));
        }
    }

    fn stop(&mut self) {
        // Only progress past events that do not concern the projection is written here: losing it loses nothing.
        if self.rebuild.is_none() && self.written.committed < self.written.reached.position {
            let _ = self.sink.commit(Vec::new(), self.written.reached);
        }
        self.publish(|status| status.state = ProjectionState::Stopped);
    }

    fn publish(&self, change: impl FnOnce(&mut ProjectionStatus)) {
        self.status.send_modify(change);
    }
}

/// Holds a checkpoint against the log: a read model of another log, or of one that was restored from an older copy,
/// must not go on as if it were this one's.
async fn prove<P: Projection>(store: &dyn EventStore, reached: Checkpoint) -> Result<()> {
    let head = store.head().await?.position;
    let same = reached.position <= head
        && match reached.last {
            None => true,
            Some(last) => id_at(store, last.position).await? == Some(last.id),
        };
    if same {
        return Ok(());
    }
    let (name, at, head) = (P::NAME, Position::number(reached.position), Position::number(head));
    Err(Error::invalid(format!(
        "read model {name} at position {at} was not built from this log, whose head is {head}; open the log it belongs to, or rebuild it"
    )))
}

async fn id_at(store: &dyn EventStore, position: Position) -> Result<Option<EventId>> {
    let options = ReadOptions::default().after(position.previous()).limit(1);
    let event = store.read(Query::All, options).next().await.transpose()?;
    Ok(event.filter(|event| event.position == position).map(|event| event.event.id))
}

/// Ends the pause of the thread that parks.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
