//! What all benchmarks use: the events they write, the limits of the machine, clocks, latencies, results as data.
//!
//! It knows no store. Everything measured here is measured by calls that any program can make.

pub mod arguments;
pub mod child;
pub mod clock;
pub mod facts;
pub mod footprint;
pub mod latency;
pub mod memory;
#[path = "../../../xtask/src/bench/number.rs"]
pub mod number;
pub mod raw;
pub mod results;
