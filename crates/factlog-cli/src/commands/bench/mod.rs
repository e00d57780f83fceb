//! `factlog bench`: what this machine does, beside what its disk could do, measured in the same run.
//!
//! Benchmarks write to the directory that `--data` names on the command line, or to a temporary one. The
//! environment variable is not enough: facts cannot be taken back out of a store.

mod append;
mod load;
mod probe;
mod read;
mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use tempfile::TempDir;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::interrupt;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog bench append
  factlog bench append --writers 64 --events 200000 --json
  factlog bench append --batch 100 --size 1024 --data /mnt/disk/bench.db
  factlog bench read --events 1000000";

/// Measure appends or reads
///
/// Works in a temporary directory (TMPDIR), or in the one --data names; FACTLOG_DATA is not used here.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Durable appends: writers that each wait for one append before the next
    #[command(before_help = EXAMPLES)]
    Append(AppendLoad),
    /// Reads: the whole log forwards and backwards, and stream by stream, from warm files
    ///
    /// A store that holds events is read as it is; an empty one is filled with --events first.
    #[command(before_help = EXAMPLES)]
    Read(ReadLoad),
}

/// What is appended.
#[derive(Args, Clone, Debug)]
pub(crate) struct AppendLoad {
    /// Events in all [default: 4,000 appends of each writer, 20,000 at least; fewer where they take over 15 s or 1 GiB]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
    /// Writers at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    writers: u64,
    /// Events per append
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    batch: u64,
    /// Bytes of data per event
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(2..=16_777_216))]
    size: u64,
    /// Tags per event
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=64))]
    tags: u64,
}

/// What is read.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReadLoad {
    /// Events to fill an empty store with
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Writers at once while filling
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    writers: u64,
    /// Events per append while filling
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    batch: u64,
    /// Bytes of data per event
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(2..=16_777_216))]
    size: u64,
    /// Tags per event
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=64))]
    tags: u64,
}

pub(super) fn run(bench: &Bench, context: &Context) -> Outcome {
    let place = Place::new(context)?;
    match bench {
        Bench::Append(load) => append::run(&load.appending(), load.longest(), &place, context.json),
        Bench::Read(load) => read::run(&load.filling(), &place, context.json),
    }
}

/// A load with nothing left open.
#[derive(Clone, Debug)]
struct Load {
    events: u64,
    writers: u64,
    batch: u64,
    size: u64,
    tags: u64,
}

impl AppendLoad {
    fn appending(&self) -> Load {
        let Self { writers, batch, size, tags, .. } = *self;
        let events = self.events.unwrap_or_else(|| default_events(writers, batch, size));
        Load { events, writers, batch, size, tags }
    }

    /// How long is long enough, where nobody said how many events there must be.
    fn longest(&self) -> Option<Duration> {
        self.events.is_none().then_some(Duration::from_secs(15))
    }
}

/// Enough that writers keep each other company for a while, and that a file or two is filled and left.
fn default_events(writers: u64, batch: u64, size: u64) -> u64 {
    let appends = writers.saturating_mul(4_000).clamp(20_000, 400_000);
    let most = ((1 << 30) / size).clamp(1, 2_000_000);
    appends.saturating_mul(batch).min(most)
}

impl ReadLoad {
    fn filling(&self) -> Load {
        let Self { events, writers, batch, size, tags } = *self;
        Load { events, writers, batch, size, tags }
    }
}

/// Where a benchmark works.
struct Place {
    store: PathBuf,
    temporary: Option<TempDir>,
}

impl Place {
    fn new(context: &Context) -> Outcome<Self> {
        if let Some(directory) = context.named_directory() {
            let place = Self { store: directory.to_owned(), temporary: None };
            interrupt::remove_when_interrupted(&place.probe());
            return Ok(place);
        }
        let temporary = tempfile::Builder::new().prefix("factlog-bench-").tempdir();
        let temporary = temporary.map_err(|error| Failure::io("create a temporary directory", &error))?;
        interrupt::remove_when_interrupted(temporary.path());
        Ok(Self { store: temporary.path().join("store"), temporary: Some(temporary) })
    }

    /// Where the raw disk is measured: in the same directory, and so on the same disk.
    fn probe(&self) -> PathBuf {
        self.store.join(".bench-probe")
    }

    fn shown(&self) -> &Path {
        &self.store
    }

    fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if many writers were measured for the blink of an eye, or large events filled the disk.
    #[test]
    fn a_load_that_nobody_named_is_long_enough_and_not_too_large() {
        assert_eq!(default_events(1, 1, 256), 20_000);
        assert_eq!(default_events(64, 1, 256), 256_000);
        assert_eq!(default_events(100_000, 1, 256), 400_000);
        assert_eq!(default_events(1, 100, 256), 2_000_000);
        assert_eq!(default_events(1, 1, 16 << 20), 64);
    }
}
