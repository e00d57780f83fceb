//! What the server costs beside the engine inside it, and what it does for many at once.
//!
//! The server is `factlog serve` with its defaults, in a process of its own, which asks for keys; the clients are
//! `factlog-client` in this process, over loopback. Both share the processors, so that processor time of the server alone is
//! told as well.
//!
//! * [`appends`]: 64 clients, one event a request, in turns with 64 callers of the embedded engine, and with the engine behind a
//!   bare [`socket`].
//! * [`reading`]: one reader of the whole log.
//! * [`idle`]: memory of subscriptions that wait.
//! * [`stalled`]: appends while subscribers do not read, in turns with appends while there are none.

mod appends;
mod idle;
mod load;
mod reading;
mod served;
mod socket;
mod stalled;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bench_common::arguments::Arguments;
use bench_common::results::{Results, Row};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// Turns of what is measured in turns.
    rounds: usize,
    /// Events of the log that is read.
    events: u64,
    /// Subscriptions that wait.
    idle: usize,
}

fn main() -> ExitCode {
    // The server's process is this very program, so that what is measured is what was built.
    if std::env::args().nth(1).is_some_and(|word| word == "serve") {
        return factlog_cli::run();
    }
    if let Some(dir) = bare_server() {
        return ended(socket::serve(&dir));
    }
    ended(run())
}

/// The directory of the store, if this process is to be the engine behind a bare socket.
fn bare_server() -> Option<PathBuf> {
    let mut words = std::env::args_os().skip(1);
    (words.next()? == "bare").then_some(words.next()?.into())
}

fn ended(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let (rounds, events, idle) = if arguments.quick { (2, 200_000, 1_000) } else { (5, 1_000_000, 9_900) };
    let scale = Scale { rounds, events: arguments.events.unwrap_or(events), idle };
    let dir = tempfile::Builder::new().prefix("factlog-bench-").tempdir_in(&arguments.dir);
    let dir = dir.with_context(|| format!("no directory can be made in {}", arguments.dir.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut results = Results::default();
    results.fact("rounds", scale.rounds);
    results.fact("an event", "256 bytes of JSON, 2 tags, 1 stream, a type");
    results.fact("the server", "`factlog serve` with its defaults in a process of its own, asking for keys");
    results.fact("the clients", "`factlog-client` over loopback, on the same processors as the server");
    runtime.block_on(async {
        appends::run(&dir.path().join("appends"), scale, &mut results).await?;
        reading::run(&dir.path().join("reading"), scale, &mut results).await?;
        idle::run(&dir.path().join("idle"), scale, &mut results).await?;
        stalled::run(&dir.path().join("stalled"), scale, &mut results).await
    })?;
    results.write(&arguments.out)
}

/// What is going on, for the person who waits.
fn progress(what: &str) {
    eprintln!("bench server: {what}");
}

/// A line of the table before it is compared with anything.
fn row(what: &str, value: f64, unit: &str) -> Row {
    Row {
        what: what.to_owned(),
        value,
        unit: unit.to_owned(),
        limit: String::new(),
        ratio: None,
        target: String::new(),
        met: None,
        note: String::new(),
    }
}
