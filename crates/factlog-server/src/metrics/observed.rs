//! A store whose appends and subscriptions are counted. It changes no answer.
//!
//! * Every append is counted once: with its answer, or as indeterminate where its caller was gone before there was one.
//! * An append costs it one allocation, two looks at the clock and three atomic additions.
//! * A delivery costs two atomic stores to the subscription's own memory. A lock is taken when one begins and ends.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use factlog_core::{
    Append, AppendError, Appended, BoxFuture, Delivery, EventStore, EventStream, Head, Position, Query,
    ReadOptions, Result, StartFrom, StreamId, Subscription, Timestamp,
};
use futures_util::Stream;
use parking_lot::Mutex;
use tracing::Instrument as _;

use super::{INDETERMINATE, Metrics, Stopwatch, result};

/// See the module.
#[derive(Debug)]
pub(crate) struct Observed {
    store: Arc<dyn EventStore>,
    metrics: Arc<Metrics>,
}

impl Observed {
    pub(crate) fn new(store: Arc<dyn EventStore>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }
}

impl EventStore for Observed {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        let (events, started) = (append.events.len(), Stopwatch::start());
        let mut counted = Counted { metrics: &self.metrics, events, started, result: INDETERMINATE };
        let span = tracing::debug_span!(
            target: "factlog::store",
            "append",
            otel.kind = "client",
            db.system.name = "factlog",
            db.operation.name = "append",
            db.operation.batch.size = i64::try_from(events).unwrap_or(i64::MAX),
            db.collection.name = tracing::field::Empty,
        );
        if !span.is_disabled()
            && let Some(category) = category(&append)
        {
            span.record("db.collection.name", category);
        }
        let appending = self.store.append(append).instrument(span);
        Box::pin(async move {
            let outcome = appending.await;
            counted.answered(&outcome);
            outcome
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        self.store.read(query, options)
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        let position = match from {
            StartFrom::Beginning => 0,
            StartFrom::After(position) => position.get(),
            // Nothing lies between it and the head until something is delivered.
            StartFrom::End => u64::MAX,
        };
        let deliveries = self.store.subscribe(query, from);
        Subscription::new(Followed { deliveries, entry: Followers::enter(&self.metrics.followers, position) })
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        self.store.head()
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        self.store.tracking(source)
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        self.store.position_at(time)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.store.close()
    }
}

/// An append until it is over, and then counted: dropped without an answer, it was given up, and may be written all the same.
struct Counted<'a> {
    metrics: &'a Metrics,
    events: usize,
    started: Stopwatch,
    result: usize,
}

impl Counted<'_> {
    fn answered(&mut self, outcome: &Result<Appended, AppendError>) {
        self.result = result(outcome);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics.appended(self.events, self.started.elapsed(), self.result);
    }
}

/// The category of the streams of an append, if they have one and the same: never a stream's whole name.
fn category(append: &Append) -> Option<&str> {
    let mut categories = append.events.iter().map(|event| event.stream.as_ref().map(StreamId::category));
    let first = categories.next()?;
    categories.all(|other| other == first).then_some(first)?
}

/// The subscriptions that are open.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    open: Mutex<HashMap<u64, Arc<Follower>>>,
    entered: AtomicU64,
}

#[derive(Debug)]
struct Follower {
    /// The last position it was given, or began after.
    position: AtomicU64,
    /// Whether it has asked for more than there is.
    waits: AtomicBool,
}

/// How the subscriptions are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Following {
    pub(crate) open: u64,
    /// Events that the last of them is yet to be given, or to pass over.
    pub(crate) lag: u64,
    /// Those that are this far behind.
    pub(crate) behind: u64,
}

/// Positions between a subscription and the head from which on it counts as behind.
pub(crate) const BEHIND: u64 = 10_000;

impl Followers {
    fn enter(followers: &Arc<Self>, position: u64) -> Entry {
        let number = followers.entered.fetch_add(1, Ordering::Relaxed);
        let follower = Arc::new(Follower { position: position.into(), waits: false.into() });
        followers.open.lock().insert(number, follower.clone());
        Entry { followers: followers.clone(), number, follower }
    }

    /// How they are while this is the head.
    pub(crate) fn following(&self, head: u64) -> Following {
        let open = self.open.lock();
        let mut following = Following { open: open.len() as u64, ..Following::default() };
        for follower in open.values().filter(|follower| !follower.waits.load(Ordering::Relaxed)) {
            let lag = head.saturating_sub(follower.position.load(Ordering::Relaxed));
            following.lag = following.lag.max(lag);
            following.behind += u64::from(BEHIND <= lag);
        }
        following
    }
}

/// One of them, until it is dropped.
struct Entry {
    followers: Arc<Followers>,
    number: u64,
    follower: Arc<Follower>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.followers.open.lock().remove(&self.number);
    }
}

struct Followed {
    deliveries: Subscription,
    entry: Entry,
}

impl Stream for Followed {
    type Item = Result<Delivery>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.deliveries).poll_next(context);
        let follower = &self.entry.follower;
        match &polled {
            Poll::Pending => follower.waits.store(true, Ordering::Relaxed),
            Poll::Ready(Some(Ok(delivery))) => {
                let position = match delivery {
                    Delivery::Event(event) => event.position.get(),
                    Delivery::CaughtUp(head) => Position::number(*head),
                };
                follower.position.store(position, Ordering::Relaxed);
                follower.waits.store(false, Ordering::Relaxed);
            }
            Poll::Ready(Some(Err(_)) | None) => {}
        }
        polled
    }
}
