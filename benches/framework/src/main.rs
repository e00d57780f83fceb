//! What the framework costs beside the engine underneath, measured in the same run and in turns.
//!
//! * [`commands`]: a command on a warm view beside the bare conditional append that it comes to.
//! * [`loans`]: two read models of real data, where it is at hand, beside a scan of them.
//! * [`rebuild`]: a read model in memory, built from the first event, beside a scan of the same log.

mod commands;
mod loans;
mod rebuild;

use anyhow::{Context, Result};
use bench_common::arguments::Arguments;
use bench_common::results::{Results, Row};

fn main() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let dir = tempfile::Builder::new().prefix("factlog-bench-").tempdir_in(&arguments.dir);
    let dir = dir.with_context(|| format!("no directory can be made in {}", arguments.dir.display()))?;
    let rounds = if arguments.quick { 2 } else { 10 };
    let mut results = Results::default();
    results.fact("rounds", rounds);
    if std::env::var("ONLY_REBUILD").is_err() { commands::run(&dir.path().join("commands"), rounds, &mut results)?; }
    rebuild::run(&dir.path().join("rebuild"), arguments.events.unwrap_or(262_200), rounds, &mut results)?;
    loans::run(&dir.path().join("loans"), rounds, &mut results)?;
    results.write(&arguments.out)
}

/// What is going on, for the person who waits.
fn progress(what: &str) {
    eprintln!("bench framework: {what}");
}

/// A line of the table: a figure, the limit it is compared with, and the target for their ratio.
fn row(what: &str, value: f64, unit: &str, limit: String, ratio: f64, target: &str, met: bool) -> Row {
    Row {
        what: what.to_owned(),
        value,
        unit: unit.to_owned(),
        limit,
        ratio: Some(ratio),
        target: target.to_owned(),
        met: Some(met),
        note: String::new(),
    }
}
