//! The real program, run as people run it.

#![expect(clippy::unwrap_used, reason = "a test's panic is its report, also in what tests share")]

mod balance_at;
mod commands;
mod demo;
mod harness;
mod import;
mod real_statements;
mod serve;
