//! Event sourcing and CQRS in one system: what a program depends on.
//!
//! The framework is at the root: events, views, decisions, read models, the test kit. [`core`] holds the vocabulary and
//! the contract of stores, [`engine`] the embedded, durable log. This crate adds nothing of its own.

#[cfg(feature = "schema")]
pub use factlog_app::schema;
pub use factlog_app::{
    App, AppBuilder, AsOf, Clock, CodecError, Context, Decide, Encoded, Error, ErrorKind, Event, EventId,
    EventSet, EventStore, EventStoreExt, Events, Execute, ExecuteError, Fact, Given, History, IdSource, Load,
    LoadError, Loaded, MemoryStore, Metadata, Model, OnTimeout, Outcome, Position, Projection, ReadModel,
    Recorded, Result, Revision, Snapshots, Split, Stored, StreamId, SystemClock, Tag, Tags, Timestamp,
    UnknownTypes, Upcast, View, When, events, given, given_nothing, projection, snapshot, tags,
};
pub use factlog_core as core;
pub use factlog_engine as engine;
pub use factlog_engine::Engine;

/// What the derives write against. Not for people: it may change at any time.
#[doc(hidden)]
pub use factlog_app::__private;

/// The README's program compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
