//! The framework over the embedded engine, through the facade alone: what a program gets that adds `factlog` and serde.

#![expect(clippy::unwrap_used, reason = "a test's panic is its report, also from a helper")]

mod bank;
mod contention;
mod embedded;
mod kills;
mod loans;
