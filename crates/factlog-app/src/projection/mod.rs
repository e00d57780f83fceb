//! Projections: read models kept up to date from the log, each event counted exactly once.
//!
//! * A projection is a pure fold per key; the same code runs live and in a rebuild.
//! * Its documents and its checkpoint are committed together, so a crash repeats nothing and skips nothing.
//! * Readers see only what is committed, and can wait for a position before they read.

mod batch;
mod handle;
mod memory;
mod runner;
mod sink;
#[cfg(feature = "sqlite")]
mod sqlite;
mod status;

use std::fmt::Debug;
use std::sync::Arc;

use factlog_core::{EventStore, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use handle::ReadModel;
pub use status::{Freshness, OnTimeout, ProjectionError, ProjectionState, ProjectionStatus};

use crate::{EventSet, Recorded};
use memory::MemorySink;
use sink::Sink;

/// A read model: documents by key, each the fold of the events that concern it.
///
/// ```
/// # extern crate factlog_app as factlog;
/// # use factlog::{events, App, Context, Decide, Event, Events, MemoryStore, OnTimeout, Projection, Recorded};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
/// # #[event(name = "seat.taken", tags(room = room))]
/// # struct Taken { room: u64 }
/// # struct Take { room: u64 }
/// # impl Decide for Take {
/// #     type Model = ();
/// #     type Event = Taken;
/// #     type Error = std::convert::Infallible;
/// #     fn boundary(&self) {}
/// #     fn decide(&self, (): &(), _: &Context) -> Result<Events<Taken>, Self::Error> { Ok(events![Taken { room: self.room }]) }
/// # }
/// /// How many seats are taken in each room.
/// struct SeatsTaken;
///
/// impl Projection for SeatsTaken {
///     type Event = Taken;
///     type Key = u64;
///     type Document = u64;
///     const NAME: &'static str = "seats-taken";
///     fn keys(&self, event: &Recorded<Taken>) -> Vec<u64> {
///         vec![event.event.room]
///     }
///     fn apply(&self, _room: &u64, seats: Option<u64>, _: &Recorded<Taken>) -> Option<u64> {
///         Some(seats.unwrap_or(0) + 1)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let app = App::new(MemoryStore::new());
/// let seats = app.project(SeatsTaken).in_memory().start()?;
/// let outcome = app.execute(Take { room: 7 }).await?;
/// seats.at_least(outcome.position, std::time::Duration::from_secs(5), OnTimeout::Error).await?;
/// assert_eq!(seats.get(&7).await?, Some(1));
/// seats.stop().await?;
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    label = "no `Projection` here",
    note = "write `impl Projection for {Self}` with its events, its key, its document, `fn keys` and `fn apply`"
)]
pub trait Projection: Send + Sync + 'static {
    /// The types it folds.
    type Event: EventSet;
    /// What a document is found by. Kept as JSON where the read model is kept in a file.
    type Key: Ord + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What is kept under a key. Kept as JSON where the read model is kept in a file.
    type Document: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Its name; a file keeps several read models apart by it.
    const NAME: &'static str;
    /// Raise it when `keys` or `apply` changes its meaning: the read model is then built again from the first event.
    const VERSION: u32 = 1;

    /// Which documents the event concerns; each once, however often it is named.
    fn keys(&self, event: &Recorded<Self::Event>) -> Vec<Self::Key>;

    /// The document after the event; `None` removes it. Pure: it is run again in a rebuild.
    fn apply(
        &self,
        key: &Self::Key,
        document: Option<Self::Document>,
        event: &Recorded<Self::Event>,
    ) -> Option<Self::Document>;
}

/// A read model that has yet to be told where it is kept.
#[must_use = "nothing runs until it is started"]
pub struct Project<P> {
    store: Arc<dyn EventStore>,
    projection: P,
}

impl<P: Projection> Project<P> {
    pub(crate) fn new(store: Arc<dyn EventStore>, projection: P) -> Self {
        Self { store, projection }
    }

    /// Kept in memory, all of it: built again from the first event whenever it is started.
    pub fn in_memory(self) -> Startable<P> {
        Startable { sink: Ok(Arc::new(MemorySink::default())), project: self }
    }

    /// Kept in an SQLite file, documents and checkpoint in one transaction. Several projections may share a file;
    /// one process at a time may run the same one.
    ///
    /// A person may look at the documents with SQL: table `factlog_documents`, keys and documents as JSON.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(self, path: impl AsRef<std::path::Path>) -> Startable<P> {
        let sink = sqlite::SqliteSink::open::<P>(path.as_ref());
        Startable { sink: sink.map(|sink| Arc::new(sink) as Arc<dyn Sink<P>>), project: self }
    }
}

/// A read model that knows where it is kept.
#[must_use = "nothing runs until it is started"]
pub struct Startable<P> {
    project: Project<P>,
    sink: Result<Arc<dyn Sink<P>>>,
}

impl<P: Projection> Startable<P> {
    /// Starts a thread that follows the log, and answers with the handle to read, wait and stop.
    ///
    /// It uses the tokio runtime of the caller if there is one, for stores that need it. What goes wrong later is
    /// in [`ReadModel::status`] and in every answer.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt` or `Invalid` where the file cannot be opened or the thread not be started.
    pub fn start(self) -> Result<ReadModel<P>> {
        runner::start(self.project.store, self.project.projection, self.sink?)
    }
}

impl<P: Projection> Debug for Project<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Project").field("name", &P::NAME).finish_non_exhaustive()
    }
}

impl<P: Projection> Debug for Startable<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Startable").field("name", &P::NAME).finish_non_exhaustive()
    }
}
