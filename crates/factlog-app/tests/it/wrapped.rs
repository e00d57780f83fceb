//! A store around the reference store that a test can look into and make fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use factlog::{Error, EventStore, MemoryStore, Position, Result, Timestamp};
use factlog_core::{
    Append, AppendError, Appended, BoxFuture, EventStream, Head, Query, ReadOptions, StartFrom, Subscription,
};
use parking_lot::Mutex;

/// It remembers what was appended, is unavailable for the first subscriptions, and can be made worse.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrapped {
    store: MemoryStore,
    failures: Arc<AtomicU32>,
    pub(crate) appends: Arc<Mutex<Vec<Append>>>,
    /// Whether the first event of the log can no longer be read.
    pub(crate) damaged: Arc<AtomicBool>,
    /// Whether the question for the head is never answered.
    pub(crate) silent: Arc<AtomicBool>,
}

impl Wrapped {
    pub(crate) fn failing(subscriptions: u32) -> Self {
        Self { failures: Arc::new(AtomicU32::new(subscriptions)), ..Self::default() }
    }
}

impl EventStore for Wrapped {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        self.appends.lock().push(append.clone());
        self.store.append(append)
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        self.store.read(query, options)
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        if self.damaged.load(Ordering::Relaxed) && from == StartFrom::Beginning {
            return Subscription::failed(Error::corrupt("the event at position 1 is damaged"));
        }
        let left = self.failures.load(Ordering::Relaxed);
        if left == 0 {
            return self.store.subscribe(query, from);
        }
        self.failures.store(left - 1, Ordering::Relaxed);
        Subscription::failed(Error::unavailable("the store is asleep"))
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        if self.silent.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
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
