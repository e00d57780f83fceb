//! Publishing: what was recorded, told to others in order, and never forgotten half-way.
//!
//! * A [`Publisher`] sends batches and answers for each item. The checkpoint is moved over the acknowledged beginning of a
//!   batch only; what follows is sent again, in order, with the same ids. So each event arrives at least once, and a
//!   receiver that knows the ids of what it has taken counts each once.
//! * The checkpoint lies with the reader of the log ([`Checkpoints`]), not in the log: publishing records nothing.
//! * Every checkpoint is written over the one that was read: of two that publish under one name, one is stopped.

mod bus;
mod checkpoints;
mod runner;

use std::fmt::Debug;
use std::sync::Arc;

use factlog_cloudevents::{Source, to_line};
use factlog_core::{BoxFuture, Error, EventStore, EventType, Query, QueryItem, RecordedEvent, Result};

pub use bus::{Bus, BusReader};
#[cfg(feature = "sqlite")]
pub use checkpoints::SqliteCheckpoints;
pub use checkpoints::{Checkpoints, MemoryCheckpoints, Published};
pub use runner::{Publishing, PublishingState, PublishingStatus};

use crate::EventSet;
use crate::view::{event_types, query_of};

/// Events that are sent at once at most.
const BATCH_MAX: usize = 500;

/// Where events go: a broker, a bus, a webhook.
///
/// ```
/// # extern crate factlog_app as factlog;
/// use factlog::publish::{Outgoing, Publisher};
/// use factlog::{BoxFuture, Result};
///
/// /// Prints what happened.
/// #[derive(Debug)]
/// struct Printer;
///
/// impl Publisher for Printer {
///     fn publish<'a>(&'a self, batch: &'a [Outgoing<'a>]) -> BoxFuture<'a, Vec<Result<()>>> {
///         Box::pin(async move {
///             for event in batch {
///                 println!("{}", String::from_utf8_lossy(&event.cloud_event()));
///             }
///             batch.iter().map(|_| Ok(())).collect()
///         })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a publisher",
    label = "no `Publisher` here",
    note = "use `Bus`, or write `impl Publisher for {Self}` with `fn publish`, which answers for each item"
)]
pub trait Publisher: Debug + Send + Sync + 'static {
    /// Sends the events, which are in the order of the log, and answers for each: `Ok` once the receiver is as sure to
    /// keep it as it can promise.
    ///
    /// An item without an answer counts as not sent. An error of kind `Unavailable` or `Indeterminate` is tried again
    /// for ever, with pauses of 50 milliseconds to 5 seconds; any other stops publishing before that event.
    fn publish<'a>(&'a self, batch: &'a [Outgoing<'a>]) -> BoxFuture<'a, Vec<Result<()>>>;
}

/// An event on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// As it was recorded.
    pub recorded: &'a RecordedEvent,
    /// The `source` of the CloudEvent: where the publisher's readers know it from.
    pub source: &'a str,
}

impl Outgoing<'_> {
    /// As a CloudEvent 1.0 in JSON, on one line: `sequence` is the position, in twenty digits that sort as text;
    /// `partitionkey` the stream; `correlationid`, `causationid` and `dataschema` come from the metadata.
    pub fn cloud_event(&self) -> Vec<u8> {
        to_line(self.recorded, Source::Named(self.source))
    }
}

/// What is to be published, being put together: `app.publish("orders").of::<OrderEvent>().to(kafka)`.
///
/// ```
#[doc = include_str!("../docs/counter.txt")]
/// use factlog::publish::{Bus, MemoryCheckpoints};
/// # let app = App::new(MemoryStore::new());
/// let bus = Bus::new(100);
/// let mut reader = bus.subscribe();
/// let publishing = app
///     .publish("counters-out")
///     .of::<Raised>()?
///     .from_source("urn:example:counters")
///     .start(bus, MemoryCheckpoints::default())?;
/// let outcome = app.execute(Raise { counter: 1 }).await?;
/// let event = reader.next().await.expect("the bus is open")?;
/// assert_eq!(Some(event.position), outcome.position);
/// publishing.stop().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is published until it is started"]
pub struct Publish {
    store: Arc<dyn EventStore>,
    name: String,
    source: String,
    query: Query,
}

impl Publish {
    pub(crate) fn new(store: Arc<dyn EventStore>, name: String) -> Self {
        let source = format!("urn:factlog:{name}");
        Self { store, name, source, query: Query::All }
    }

    /// Only the events of this set, under every name they ever had. Said again, those of both. System events, whose
    /// streams begin with `$`, go out only if they are asked for by name.
    ///
    /// # Errors
    /// `Invalid` where a name is out of bounds.
    pub fn of<E: EventSet>(self) -> Result<Self> {
        self.types(event_types::<E>()?)
    }

    /// Only events of these types.
    ///
    /// # Errors
    /// `Invalid` where there is none.
    pub fn types(mut self, types: Vec<EventType>) -> Result<Self> {
        if types.is_empty() {
            return Err(Error::invalid(format!("`{}` is to publish no type of events; name one", self.name)));
        }
        let mut items = match self.query {
            Query::AnyOf(items) => items,
            Query::All => Vec::new(),
        };
        items.push(QueryItem::of_types(types));
        self.query = query_of(items).unwrap_or(Query::All);
        Ok(self)
    }

    /// The `source` of the CloudEvents, a URI; `urn:factlog:<name>` unless said. Receivers tell events apart by source
    /// and id, so it stays the same for ever.
    pub fn from_source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// Starts a thread that publishes from where the checkpoint stands, or from the first event.
    ///
    /// It uses the tokio runtime of the caller if there is one, for publishers and stores that need it.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt` or `Invalid` where the checkpoint cannot be read or the thread not be started.
    pub fn start(self, publisher: impl Publisher, checkpoints: impl Checkpoints) -> Result<Publishing> {
        runner::start(self, Arc::new(publisher), Arc::new(checkpoints))
    }
}
