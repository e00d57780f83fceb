//! The words of event sourcing and the contract that every factlog store keeps.
//!
//! An **event store** keeps immutable facts ([`Event`]) in one total order and hands them back
//! ([`RecordedEvent`]) by position, stream, type and tag. This crate defines the vocabulary, the
//! [`EventStore`] trait with its promises, the readable reference implementation [`MemoryStore`],
//! and (feature `conformance`) one named function per promise that every store must pass.
//!
//! # What it is not
//!
//! It knows no disk, no socket, no serialisation format and no runtime. Event data is opaque bytes.
//! Durable storage lives in `factlog-engine`, commands and read models in `factlog-app`.
//!
//! # Guarantees and limits
//!
//! `Ok` from [`EventStore::append`] means the events are committed as the store's own documentation
//! says: durable for the embedded log, in memory only for [`MemoryStore`]. All bounds are in
//! [`limits`]; beyond one there is a clear [`ErrorKind::Invalid`], never a crash.
//!
//! # Example
//!
//! ```
//! use factlog_core::{Append, Event, EventStore, EventStoreExt, EventType, MemoryStore, Query, ReadOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
//! let store = MemoryStore::new();
//! let opened = Event::new(EventType::new("account.opened")?, r#"{"owner":"Ada"}"#);
//! let appended = store.append(Append::new([opened])).await?;
//!
//! let read = store.read(Query::All, ReadOptions::default()).collect().await?;
//! assert_eq!(read.events.len(), 1);
//! assert_eq!(read.head, Some(appended.last));
//! # Ok(()) }) }
//! ```

pub mod access;
mod append;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod event;
pub mod limits;
mod memory;
mod names;
mod position;
mod query;
mod read;
mod store;
mod subscribe;
mod time;

pub use append::{
    Append, AppendCondition, Appended, Conflict, ExpectedRevision, FailedCondition, StreamRevision, Tracking,
};
pub use error::{AppendError, Error, ErrorKind, Result};
pub use event::{ContentType, Event, EventId, RecordedEvent};
pub use memory::MemoryStore;
pub use names::{Category, EventType, StreamId, Tag, Tags, TrackingSource};
pub use position::{Position, Revision};
pub use query::{Query, QueryItem, StreamFilter};
pub use read::{Direction, EventStream, Read, ReadOptions, ReadStep};
pub use store::{
    Administration, BoxFuture, EventStore, EventStoreExt, Head, ProjectionInfo, Stats, StreamInfo, TypeInfo,
};
pub use subscribe::{Delivery, StartFrom, Subscription};
pub use time::{Clock, SystemClock, Timestamp};
