//! Reading ahead: a worker that is far behind has another thread read the log for it, up to the head of that moment.
//!
//! * Batches come in order, the same as from a subscription; two are held in memory at most, beyond the one that is
//!   folded and the one that is gathered.
//! * A read by types goes through an index, which costs more for each event than reading on. Where the first events show
//!   that most concern the projection, all are read and the others left out.

use std::collections::HashSet;
use std::future::ready;
use std::sync::Arc;

use factlog_core::{
    Delivery, Error, EventStore, EventType, Position, Query, ReadOptions, RecordedEvent, Result, Subscription,
};
use futures_util::{StreamExt as _, stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::batch::{Batch, Batches};
use super::supervisor::Running;
use super::waits::{Halt, Waited};

/// Positions behind the head from which on it is worth a thread.
const FAR: u64 = 20_000;
/// Events by which it is decided how to read.
const PROBE: u64 = 4_096;
/// One event in so many must concern the projection for all to be read.
const DENSE: u64 = 3;
/// Batches that wait for the worker.
const WAITING_MAX: usize = 2;

/// What is to be read.
#[derive(Clone, Debug)]
pub(super) struct Far {
    pub(super) name: &'static str,
    pub(super) query: Query,
    pub(super) types: Arc<HashSet<EventType>>,
    pub(super) after: Option<Position>,
    pub(super) head: Option<Position>,
}

impl Far {
    pub(super) fn is_far(&self) -> bool {
        FAR < Position::number(self.head).saturating_sub(Position::number(self.after))
    }
}

/// A thread that reads; it ends with its handle.
pub(super) struct Ahead {
    batches: mpsc::Receiver<Result<Batch>>,
    thread: Option<Running>,
}

impl Ahead {
    pub(super) fn start(store: Arc<dyn EventStore>, far: Far) -> Result<Self> {
        let (sender, batches) = mpsc::channel(WAITING_MAX);
        let name = format!("projection {} reads", far.name);
        let thread = Running::start(&name, Handle::try_current().ok(), move |halt| {
            read(&*store, &far, &halt, &sender);
        })?;
        Ok(Self { batches, thread: Some(thread) })
    }

    /// The next batch; the last one has caught up with the head it was started for.
    pub(super) async fn next(&mut self, name: &str) -> Result<Batch> {
        let ended =
            || Err(Error::unavailable(format!("the thread that reads for read model {name} is gone")));
        self.batches.recv().await.unwrap_or_else(ended)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.batches.close();
        if let Some(thread) = self.thread.take() {
            thread.end();
        }
    }
}

fn read(store: &dyn EventStore, far: &Far, halt: &Halt, sender: &mpsc::Sender<Result<Batch>>) {
    let dense = match halt.wait(dense(store, far), None) {
        Waited::Ready(dense) => dense,
        Waited::Halted | Waited::Tick => return,
    };
    let deliveries = dense.map(|dense| deliveries(store, far, dense));
    let mut batches = Batches::behind(deliveries.unwrap_or_else(Subscription::failed));
    loop {
        let Waited::Ready(batch) = halt.wait(batches.next(far.name), None) else { return };
        let last = batch.as_ref().map_or(true, |batch| batch.caught_up);
        let Waited::Ready(Ok(())) = halt.wait(sender.send(batch), None) else { return };
        if last {
            return;
        }
    }
}

/// Whether most events concern the projection, by the first of them.
async fn dense(store: &dyn EventStore, far: &Far) -> Result<bool> {
    let options = ReadOptions::default().after(far.after).limit(PROBE);
    let mut events = store.read(Query::All, options);
    let (mut all, mut wanted) = (0, 0);
    while let Some(event) = events.next().await.transpose()? {
        all += 1;
        wanted += u64::from(far.types.contains(&event.event.event_type));
    }
    Ok(all <= DENSE * wanted)
}

/// The events that concern the projection, and then that it has caught up.
fn deliveries(store: &dyn EventStore, far: &Far, dense: bool) -> Subscription {
    let query = if dense { Query::All } else { far.query.clone() };
    let options = ReadOptions::default().after(far.after).until(far.head);
    let types = far.types.clone();
    let wanted = move |event: &Result<RecordedEvent>| {
        ready(event.as_ref().map_or(true, |event| types.contains(&event.event.event_type)))
    };
    let end = stream::iter([Ok(Delivery::CaughtUp(far.head))]);
    Subscription::new(
        store.read(query, options).filter(wanted).map(|event| event.map(Delivery::Event)).chain(end),
    )
}
