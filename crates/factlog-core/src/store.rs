//! The contract of a store: a small trait for those who implement one, a rich one for those who use one.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::{
    Append, AppendError, Appended, Event, EventStream, EventType, Position, Query, Read, ReadOptions,
    RecordedEvent, Result, Revision, StartFrom, StreamId, Subscription, Timestamp,
};

/// A boxed future, as the object-safe traits return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An event store. The promises every implementation keeps are checked by the `conformance` module.
///
/// * **Atomic**: the events of one append become visible together or not at all, next to each other.
/// * **Durable before `Ok`**, to the degree the store's documentation names.
/// * **Dense, commit-ordered positions**: nothing becomes visible below a position already seen.
/// * **Exact conditions**: `NoneMatch` fails if and only if a matching event exists above `after`.
/// * **Idempotent for ever**: repeating an append returns the original positions, whatever its conditions say now.
/// * **Contiguous delivery**: a subscription misses nothing and repeats nothing.
///
/// Futures may do their I/O on the polling thread where the store is embedded.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event store",
    note = "use a store such as `MemoryStore` or the embedded engine, usually behind `Arc<dyn EventStore>`"
)]
pub trait EventStore: Debug + Send + Sync + 'static {
    /// Writes events atomically if all conditions hold.
    ///
    /// The append takes its place in the order of calls as soon as the future is first polled. Dropping the
    /// future afterwards may take it back or not: repeat the append with the same ids to know.
    ///
    /// `Ok` promises that the events are committed. Repeating an append whose events (same ids, same content,
    /// same order) were recorded together returns where they are, with `deduplicated` set.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] with all failed conditions; `Invalid`, `Unavailable` (nothing was written),
    /// `Indeterminate` (repeat with the same ids), `Closed`.
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>>;

    /// Reads matching events from one snapshot; ends at the head it started with.
    ///
    /// # Errors
    /// The stream's first item is the error: `Invalid` for a query or options out of bounds, `Corrupt` where
    /// stored bytes are damaged, `Closed`.
    fn read(&self, query: Query, options: ReadOptions) -> EventStream;

    /// Follows matching events: those recorded, then those to come. Never ends by itself.
    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription;

    /// The last committed position and its time.
    fn head(&self) -> BoxFuture<'_, Result<Head>>;

    /// How far the consumer of this upstream log has come, as recorded with its appends.
    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>>;

    /// The last position recorded at or before `time`; `None` if nothing was recorded by then.
    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>>;

    /// Finishes what is accepted and releases the store. Afterwards everything answers `Closed` and
    /// subscriptions end with that reason. Closing twice is fine.
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}

/// A shared store is a store, so that whoever takes one takes `Arc<dyn EventStore>` too.
impl<S: EventStore + ?Sized> EventStore for Arc<S> {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        (**self).append(append)
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        (**self).read(query, options)
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        (**self).subscribe(query, from)
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        (**self).head()
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        (**self).tracking(source)
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        (**self).position_at(time)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        (**self).close()
    }
}

/// The last committed position of a store and when it was recorded; both `None` while it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last committed position.
    pub position: Option<Position>,
    /// When that event was recorded.
    pub recorded_at: Option<Timestamp>,
}

/// What can be said in terms of [`EventStore`], for every store.
pub trait EventStoreExt: EventStore {
    /// Appends one event unconditionally.
    fn append_one(&self, event: Event) -> BoxFuture<'_, Result<Appended, AppendError>> {
        self.append(Append::new([event]))
    }

    /// All events of one stream, oldest first, in memory.
    fn read_stream(&self, stream: StreamId) -> BoxFuture<'_, Result<Read>> {
        Box::pin(self.read(Query::stream(stream), ReadOptions::default()).collect())
    }

    /// The revision of a stream's last event, or `None` if it has none.
    fn last_revision(&self, stream: StreamId) -> BoxFuture<'_, Result<Option<Revision>>> {
        Box::pin(async move {
            let options = ReadOptions::default().backwards().limit(1);
            let read = self.read(Query::stream(stream), options).collect().await?;
            Ok(read.events.first().and_then(|event| event.revision))
        })
    }

    /// Folds matching events into a value without holding them in memory; returns it with the snapshot's head.
    fn fold<S, F>(
        &self,
        query: Query,
        options: ReadOptions,
        initial: S,
        mut apply: F,
    ) -> impl Future<Output = Result<(S, Option<Position>)>> + Send
    where
        S: Send,
        F: FnMut(S, RecordedEvent) -> S + Send,
    {
        let mut events = self.read(query, options);
        async move {
            let head = events.head().await?;
            let mut state = initial;
            while let Some(event) = events.next().await {
                state = apply(state, event?);
            }
            Ok((state, head))
        }
    }
}

impl<S: EventStore + ?Sized> EventStoreExt for S {}

/// Looking after a store. A store implements it where it can.
pub trait Administration: EventStore {
    /// Streams whose id begins with `prefix`, by id, above `after`, at most `limit` of them.
    fn streams(
        &self,
        prefix: &str,
        after: Option<StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>>>;

    /// One stream, or `None` if it has no event.
    fn stream(&self, stream: StreamId) -> BoxFuture<'_, Result<Option<StreamInfo>>>;

    /// Every event type recorded, by name.
    fn types(&self) -> BoxFuture<'_, Result<Vec<TypeInfo>>>;

    /// The store in numbers.
    fn stats(&self) -> BoxFuture<'_, Result<Stats>>;
}

/// What is known of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// The stream.
    pub stream: StreamId,
    /// How many events it has.
    pub events: u64,
    /// The revision of its last event.
    pub last_revision: Revision,
    /// The position of its first event.
    pub first_position: Position,
    /// The position of its last event.
    pub last_position: Position,
}

/// What is known of one event type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// The type.
    pub event_type: EventType,
    /// How many events of it are recorded.
    pub events: u64,
}

/// What a server tells of one projection that runs beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectionInfo {
    /// Its name.
    pub name: String,
    /// What it is doing, in a word or two, such as `live`.
    pub state: String,
    /// Whether it does what it should and is not too far behind.
    pub well: bool,
    /// Every event up to here is in it; `None` before the first.
    pub applied: Option<Position>,
    /// When that last moved, or was seen to be the head; `None` where it is not known.
    pub advanced_at: Option<Timestamp>,
    /// Positions between that and the head.
    pub lag_events: u64,
    /// How long the first event that is not in it has been recorded, in whole microseconds.
    pub lag: Duration,
    /// Keys that stand still because one of their events failed.
    pub parked: u64,
    /// Why it does not do what it should, if so.
    pub problem: Option<String>,
}

/// A store in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events recorded.
    pub events: u64,
    /// Streams with at least one event.
    pub streams: u64,
    /// Different event types.
    pub types: u64,
    /// Different tags.
    pub tags: u64,
    /// The last committed position and its time.
    pub head: Head,
    /// Bytes of files the store holds; 0 in memory.
    pub bytes_on_disk: u64,
    /// Which store it is, for one that is told from others by more than its place.
    pub store: Option<Uuid>,
}
