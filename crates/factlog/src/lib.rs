//! Event sourcing and CQRS in one system: what a program depends on.
//!
//! The framework is at the root: events, views, decisions, read models, the test kit. [`core`] holds the vocabulary and
//! the contract of stores, [`engine`] the embedded, durable log, and with the feature of
//! that name `service` makes a service of an app. This crate adds nothing of its own.

pub use factlog_app::*;
pub use factlog_core as core;
pub use factlog_engine as engine;
pub use factlog_engine::Engine;
#[cfg(feature = "service")]
pub use factlog_service as service;

/// The README's program compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// So does that of the guide to services.
#[cfg(all(doctest, feature = "service"))]
#[doc = include_str!("../../../docs/services-over-http.md")]
struct Services;
