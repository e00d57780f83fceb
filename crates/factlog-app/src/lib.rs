//! The framework: a bounded context as events, folds, decisions and read models over any event store.
//!
//! * [`Event`] and [`EventSet`] are the facts as your own types; [`Upcast`] lifts old shapes, [`Split`] tears old facts
//!   apart, and with the feature `schema` a committed `events.lock` guards all of it: `schema`.
//! * A [`View`] folds facts into what a decision needs; [`Decide`] is a command and its rule, pure.
//! * [`App::execute`] reads, decides, appends under the boundary derived from the views, and tries again after a
//!   lost race. [`App::load`] answers "what is so", also as of the past.
//! * A [`Projection`] keeps a read model up to date, in memory or in SQLite, with read-your-writes.
//! * [`App::publish`] tells others what was recorded, in order, until they acknowledge it.
//! * A [`ProcessManager`] turns events into commands over days: timers, compensation, nothing twice.
//! * [`given`] tests all of it without a runtime or a store.
//!
//! # What it is not
//!
//! It knows no concrete store and needs no async runtime to execute and load; only waiting for a projection with a
//! timeout needs tokio. It never reads the clock inside a fold or a decision.
//!
//! # Guarantees and limits
//!
//! `Ok` from a command means what the store's `Ok` means. A decision holds exactly for the facts it was made on:
//! whatever would have changed them makes it decide again, a bounded number of times. Under an idempotency key a
//! command happens once, for ever. A read model's checkpoint is committed with its effect: each event counts once.
//!
//! # Example
//!
//! ```
//! # extern crate factlog_app as factlog;
//! use factlog::{App, Context, Decide, Event, Events, MemoryStore, Result, Tags, View, events, given, tags};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
//! #[event(name = "counter.raised", tags(counter = counter))]
//! struct Raised { counter: u64 }
//!
//! #[derive(Default, Clone, Serialize, Deserialize)]
//! struct Counter(u64);
//! impl View for Counter {
//!     type Id = u64;
//!     type Event = Raised;
//!     const NAME: &'static str = "counter";
//!     fn tags(counter: &u64) -> Result<Tags> { tags![counter = counter] }
//!     fn apply(&mut self, _: &Raised) { self.0 += 1; }
//! }
//!
//! struct Raise { counter: u64 }
//! impl Decide for Raise {
//!     type Model = Counter;
//!     type Event = Raised;
//!     type Error = std::convert::Infallible;
//!     fn boundary(&self) -> u64 { self.counter }
//!     fn decide(&self, _: &Counter, _: &Context) -> std::result::Result<Events<Raised>, Self::Error> {
//!         Ok(events![Raised { counter: self.counter }])
//!     }
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
//! given([Raised { counter: 1 }]).when(Raise { counter: 1 }).then([Raised { counter: 1 }]);
//!
//! let app = App::new(MemoryStore::new());
//! app.execute(Raise { counter: 1 }).await?;
//! assert_eq!(app.load::<Counter>(&1).await?.state.0, 1);
//! # Ok(()) }) }
//! ```

mod app;
mod cache;
mod closure;
mod codec;
mod contention;
mod decide;
mod event;
mod execute;
mod fold;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod key;
mod kit;
mod lanes;
mod lineage;
mod load;
mod metadata;
mod model;
mod names;
mod outcome;
mod pause;
mod policy;
pub mod process;
pub mod projection;
pub mod publish;
#[cfg(feature = "schema")]
pub mod schema;
mod slot;
pub mod snapshot;
mod spans;
mod split;
#[cfg(feature = "sqlite")]
mod sqlite;
mod view;

pub use app::{App, AppBuilder, IdSource};
pub use closure::Rule;
pub use codec::{CodecError, Recorded};
pub use contention::BoundaryCounts;
pub use decide::{Context, Decide, Events};
pub use event::{Encoded, Event, EventSet, Stored, Upcast};
pub use execute::Execute;
pub use factlog_core::{
    BoxFuture, Clock, Error, ErrorKind, EventId, EventStore, EventStoreExt, MemoryStore, Position, Result,
    Revision, StreamId, SystemClock, Tag, Tags, Timestamp,
};
pub use factlog_derive::{Event, EventSet};
#[cfg(feature = "proptest")]
pub use kit::arbitrary;
pub use kit::{
    Given, GivenProcess, Golden, ManualClock, Projected, When, given, given_nothing, given_process, golden,
    sees_every_event, stops,
};
pub use load::{AsOf, History, Load, LoadError, Loaded};
pub use metadata::Metadata;
pub use model::Model;
pub use outcome::{ExecuteError, Outcome};
pub use policy::LoadPolicy;
pub use process::ProcessManager;
pub use projection::{OnTimeout, Projection, ReadModel};
pub use snapshot::{SnapshotPolicy, Snapshots};
pub use split::{Fact, Split};
pub use view::{UnknownTypes, View};

/// What the derives write against. Not for people: it may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::codec::decode_json;
    pub use crate::event::encode;
    pub use crate::lineage::{Lineage, Members, One};
    pub use crate::names::{among, concat, contains, disjoint, total, unknown_type};
    pub use crate::split::split;
    pub use crate::{CodecError, Encoded, Fact, Stored};
}
