//! What the framework promises, over the reference store; `crates/factlog` holds the same over the embedded engine.

#![expect(clippy::unwrap_used, reason = "a test's panic is its report, also from a helper")]

extern crate factlog_app as factlog;

mod bank;
mod codec;
mod compile_errors;
mod execute;
mod keys;
mod kit;
mod load;
mod projections;
mod snapshots;
mod wrapped;
