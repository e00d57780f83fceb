//! The embedded engine against the limits of the machine it runs on, measured in the same run.
//!
//! It uses the public API of the engine only, and knows nothing of tables and charts: it writes its results as JSON
//! for `cargo xtask bench engine`. Reading order: [`appends`], [`sealing`], [`log`] with [`space`], [`sizes`],
//! [`opening`] and [`lookups`].

mod appends;
mod load;
mod log;
mod lookups;
mod opening;
mod sealing;
mod sizes;
mod space;

use anyhow::{Context, Result, bail};
use bench_common::arguments::Arguments;
use bench_common::number::shown;
use bench_common::results::{Results, Row};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// Events of the large log; a tenth of it is filled too.
    events: u64,
    /// Events of a larger one, which is then the one that is measured.
    larger: Option<u64>,
    /// Turns of everything that is measured in turns.
    rounds: usize,
}

impl Scale {
    /// Events of all logs that are opened, from small to large.
    fn sizes(&self) -> Vec<u64> {
        [self.events / 10, self.events].into_iter().chain(self.larger).collect()
    }

    fn largest(&self) -> u64 {
        self.larger.unwrap_or(self.events)
    }
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [child, rest @ ..] = words.as_slice()
        && child.starts_with("child-")
    {
        return opening::run_child(child, rest);
    }
    run(&Arguments::parse(words)?)
}

fn run(arguments: &Arguments) -> Result<()> {
    let (events, rounds) = if arguments.quick { (100_000, 2) } else { (1_000_000, 10) };
    let scale = Scale { events: arguments.events.unwrap_or(events), larger: arguments.large, rounds };
    if scale.events < 100_000 {
        bail!("--events {} is too few: nothing would be sealed yet; give 100,000 or more", scale.events);
    }
    if scale.larger.is_some_and(|larger| larger <= scale.events) {
        bail!("--large must be more than {}, the events of the large log", scale.events);
    }
    let dir = tempfile::Builder::new().prefix("factlog-bench-").tempdir_in(&arguments.dir);
    let dir = dir.with_context(|| format!("no directory can be made in {}", arguments.dir.display()))?;
    let mut results = Results::default();
    results.fact("events of the large log", shown(scale.largest() as f64));
    results.fact("rounds", scale.rounds);
    results.fact("an event", "256 bytes of JSON, 2 tags, 1 stream, a type");
    appends::run(&dir.path().join("appends"), scale, &mut results)?;
    sealing::run(dir.path(), scale, &mut results)?;
    log::run(&dir.path().join("log"), scale, &mut results)?;
    results.write(&arguments.out)
}

/// What is going on, for the person who waits.
fn progress(what: &str) {
    eprintln!("bench engine: {what}");
}

/// A line of the table before its numbers are compared.
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
