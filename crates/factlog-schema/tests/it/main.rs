//! What a lock holds, what a verdict says, and that it agrees with how serde reads.

#![expect(clippy::unwrap_used, reason = "a test's panic is its report, also from a helper")]

mod lock;
mod model;
mod verdicts;
mod words;
