//! The reference store: the contract in as few lines as it takes, over a `Vec` and a lock.
//!
//! * Every operation is one critical section, so atomicity and snapshots are plain to see.
//! * Conditions and reads are scans with [`Query::matches`]: slow and obviously right.
//! * Nothing survives the process. `Ok` promises visibility, not durability.

mod admin;
mod follow;
mod log;

use std::fmt;
use std::sync::Arc;

use event_listener::Event as Wake;
use parking_lot::RwLock;

use crate::{
    Append, AppendError, Appended, BoxFuture, Clock, EventStore, EventStream, Head, Position, Query,
    ReadOptions, Result, StartFrom, Subscription, SystemClock, Timestamp,
};
use follow::{Follow, Steps};
use log::Log;

/// An event store in memory: for tests, and as the meaning of the contract.
///
/// ```
/// use factlog_core::{EventStore, MemoryStore};
/// # fn main() -> factlog_core::Result<()> { pollster::block_on(async {
/// let store = MemoryStore::new();
/// assert_eq!(store.head().await?.position, None);
/// # Ok(()) }) }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

struct Shared {
    log: RwLock<Log>,
    committed: Wake,
}

impl MemoryStore {
    /// An empty store on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store on this clock.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { log: RwLock::default(), committed: Wake::new() }), clock }
    }

    fn inspect<T: Send + 'static>(&self, look: impl FnOnce(&Log) -> T) -> BoxFuture<'_, Result<T>> {
        let log = self.shared.log.read();
        let answer = log.open().map(|()| look(&log));
        Box::pin(std::future::ready(answer))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("head", &self.shared.log.read().head()).finish_non_exhaustive()
    }
}

impl EventStore for MemoryStore {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            append.validate()?;
            let appended = self.shared.log.write().append(append, &*self.clock)?;
            self.shared.committed.notify(usize::MAX);
            Ok(appended)
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        let log = self.shared.log.read();
        match log.open().and_then(|()| options.validate(&query)) {
            Err(error) => EventStream::failed(error),
            Ok(()) => EventStream::new(Steps::new(log.head(), log.select(&query, &options))),
        }
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        let log = self.shared.log.read();
        if let Err(error) = log.open().and_then(|()| query.validate()) {
            return Subscription::failed(error);
        }
        let after = match from.exclusive_bound(log.head()) {
            Ok(after) => after,
            Err(error) => return Subscription::failed(error),
        };
        Subscription::new(Follow::new(self.shared.clone(), query, after))
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        self.inspect(Log::head_with_time)
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        self.inspect(|log| log.tracking.get(source).copied())
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        self.inspect(
            |log| Position::new(log.events.partition_point(|event| event.recorded_at <= time) as u64),
        )
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.shared.log.write().closed = true;
        self.shared.committed.notify(usize::MAX);
        Box::pin(std::future::ready(Ok(())))
    }
}
