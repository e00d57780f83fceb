//! A store over another one that does one thing in a way of its own: a racer's, or a wrong one.

use std::fmt;
use std::sync::Arc;

use factlog::{EventStore, Position, Result, Timestamp};
use factlog_core::{
    Append, AppendError, Appended, BoxFuture, EventStream, Head, Query, ReadOptions, StartFrom, Subscription,
};

type Reading = dyn Fn(&Arc<dyn EventStore>, Query, ReadOptions) -> EventStream + Send + Sync;
type Appending =
    dyn Fn(Arc<dyn EventStore>, Append) -> BoxFuture<'static, Result<Appended, AppendError>> + Send + Sync;

/// A store that reads and appends as it is told, and else is the one below.
#[derive(Clone)]
pub(crate) struct Over {
    below: Arc<dyn EventStore>,
    reading: Arc<Reading>,
    appending: Arc<Appending>,
}

impl Over {
    /// As the store below.
    pub(crate) fn new(below: Arc<dyn EventStore>) -> Self {
        Self {
            below,
            reading: Arc::new(|below, query, options| below.read(query, options)),
            appending: Arc::new(|below, append| Box::pin(async move { below.append(append).await })),
        }
    }

    pub(crate) fn reading(
        mut self,
        reading: impl Fn(&Arc<dyn EventStore>, Query, ReadOptions) -> EventStream + Send + Sync + 'static,
    ) -> Self {
        self.reading = Arc::new(reading);
        self
    }

    pub(crate) fn appending(
        mut self,
        appending: impl Fn(Arc<dyn EventStore>, Append) -> BoxFuture<'static, Result<Appended, AppendError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.appending = Arc::new(appending);
        self
    }
}

impl fmt::Debug for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Over").field(&self.below).finish()
    }
}

impl EventStore for Over {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        (self.appending)(self.below.clone(), append)
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        (self.reading)(&self.below, query, options)
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        self.below.subscribe(query, from)
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        self.below.head()
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        let (below, source) = (self.below.clone(), source.to_owned());
        Box::pin(async move { below.tracking(&source).await })
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        self.below.position_at(time)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.below.close()
    }
}
