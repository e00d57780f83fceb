//! A ledger as a team would write it on factlog: every movement is a fact, every balance a fold over facts.
//!
//! [`domain`] is the bank itself: pure, and testable without a store. Around it: reading statement files, booking
//! them, read models in SQLite, and the command line, which is all that [`run`] runs.
//!
//! It is an example, not a product: one currency, no users, no interest calculation of its own.

mod cli;
pub mod domain;
mod import;
mod ledger;
mod read_models;
mod statements;

pub use cli::run;
