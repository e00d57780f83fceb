//! Projections: read models kept up to date from the log, each event counted exactly once.
//!
//! * A projection is a pure fold per key; the same code runs live and in a rebuild.
//! * Its documents and its checkpoint are committed together, so a crash repeats nothing and skips nothing.
//! * Readers see only what is committed, and can wait for a position before they read.
//! * Edits and skips of operators count in every generation, also of a read model that is made anew.
//! * A changed projection is built beside the old one and switched to at one exact position, also of side effects.
//! * An event that cannot be applied parks its key; an event that cannot be read stops the projection.

mod acting;
mod acts;
mod advance;
mod ahead;
mod batch;
mod board;
mod commits;
mod debts;
mod deliver;
mod documents;
mod effects;
mod generations;
mod handle;
mod lease;
mod memory;
mod operations;
mod orders;
mod parked;
mod partition;
mod project;
mod prove;
mod reach;
mod refold;
mod remember;
mod route;
mod rows;
mod settings;
mod shared;
mod show;
mod sink;
#[cfg(feature = "sqlite")]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod start;
mod status;
mod supervisor;
mod target;
mod tenure;
mod verify;
mod waits;
mod watch;
mod worker;

use std::fmt::Debug;
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use deliver::{Delivered, Delivery, IdempotentSink};
pub use effects::{Effect, Effects};
pub use handle::ReadModel;
pub use memory::MemorySink;
pub use operations::{Operations, ParkedKey};
pub use partition::{PARTITIONS, partition};
pub use project::{Project, Startable};
/// SQLite as SQL projections use it.
#[cfg(feature = "sqlite")]
pub use rusqlite;
pub use settings::{Switch, Unreadable};
pub use sink::{Commit, Committed, Generation, Rows, SERVING, TransactionalSink};
#[cfg(feature = "sqlite")]
pub use sql::{ProjectSql, SqlModel, SqlProjection, Tables};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteSink;
pub use status::{
    Freshness, GenerationPhase, GenerationStatus, Lag, OnTimeout, ProjectionError, ProjectionState,
    ProjectionStatus,
};

use crate::{EventSet, Recorded};

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
    type Key: Ord + Hash + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What is kept under a key. Kept as JSON where the read model is kept in a file.
    type Document: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Its name; a file keeps several read models apart by it.
    const NAME: &'static str;
    /// Raise it when `keys` or `apply` changes its meaning: it is then built again beside the old one, which is
    /// served until the new one has caught up.
    const VERSION: u32 = 1;
    /// Whether it has side effects: only then is [`effects`](Self::effects) asked. Where they begin is said with
    /// [`effects_after`](Startable::effects_after) when it is first started.
    const EFFECTS: bool = false;

    /// Which documents the event concerns; each once, however often it is named.
    fn keys(&self, event: &Recorded<Self::Event>) -> Vec<Self::Key>;

    /// The document after the event; `None` removes it. Pure: it is run again in a rebuild.
    fn apply(
        &self,
        key: &Self::Key,
        document: Option<Self::Document>,
        event: &Recorded<Self::Event>,
    ) -> Option<Self::Document>;

    /// The same where an event may be impossible to apply. The key is then parked before that event, with those that
    /// follow for the key; other keys go on. It is tried again with growing pauses, and by an operator's act. A panic
    /// in `apply` means the same.
    ///
    /// # Errors
    /// Why the event cannot be applied, in words for an operator.
    fn try_apply(
        &self,
        key: &Self::Key,
        document: Option<Self::Document>,
        event: &Recorded<Self::Event>,
    ) -> Result<Option<Self::Document>, ApplyError> {
        Ok(self.apply(key, document, event))
    }

    /// What is to be done in the world because of the event, after it was applied to `document`; fewer than 1,000.
    /// One generation's side effects are carried out, each under the key (position, index), from where they
    /// [begin](Startable::effects_after); those of a rebuild are not.
    fn effects(
        &self,
        _key: &Self::Key,
        _document: Option<&Self::Document>,
        _event: &Recorded<Self::Event>,
    ) -> Vec<serde_json::Value> {
        Vec::new()
    }
}

/// Why an event could not be applied.
pub type ApplyError = Box<dyn std::error::Error + Send + Sync>;
