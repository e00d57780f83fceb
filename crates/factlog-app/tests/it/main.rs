//! What the framework promises, over the reference store; `crates/factlog` holds the same over the embedded engine.

#![expect(clippy::unwrap_used, reason = "a test's panic is its report, also from a helper")]

extern crate factlog_app as factlog;

mod ahead;
mod amends;
#[cfg(feature = "proptest")]
mod arbitrary;
mod bank;
mod catching_up;
mod codec;
mod compile_errors;
mod debts;
mod delivered;
mod effects;
mod execute;
mod facts;
mod floats;
mod forgotten_tags;
mod generations;
mod hardship;
mod keys;
mod kit;
mod kits;
#[cfg(feature = "schema")]
mod ladder;
mod leases;
mod letters;
mod load;
mod macros;
mod orders;
mod outcomes;
mod owners;
mod parking;
mod pausing;
mod policies;
mod process;
mod projection_stops;
mod projections;
mod publishing;
mod reshaped;
mod sharing;
mod snapshots;
mod split;
mod sql;
mod succession;
mod switching;
mod traps;
mod workers;
mod wrapped;

/// How long a test waits for what takes a moment; reaching it is a failure.
const SOON: std::time::Duration = std::time::Duration::from_secs(60);
