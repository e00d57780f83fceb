//! Results as data: what a benchmark writes for `cargo xtask bench`, which makes tables and charts of it.
//!
//! The reader's half is `xtask/src/bench/results.rs`. Whoever changes one changes both.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// Everything a run found out.
#[derive(Debug, Default, Serialize)]
pub struct Results {
    /// What was run with which settings, as name and value, in reading order.
    pub facts: Vec<(String, String)>,
    /// One line each of the benchmark of the engine.
    pub rows: Vec<Row>,
    /// One line each of the comparison.
    pub cells: Vec<Cell>,
    /// One line each of the benchmark of scale.
    pub series: Vec<Series>,
    /// What could not be measured, and why.
    pub absent: Vec<(String, String)>,
}

/// A figure of the engine beside the limit of the machine.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// The limit it is compared with, likewise; empty where there is none.
    pub limit: String,
    /// Figure to limit.
    pub ratio: Option<f64>,
    /// The target of the design; empty where there is none.
    pub target: String,
    /// Whether it was met; `None` where it cannot be told from this run.
    pub met: Option<bool>,
    /// What else must be known to read it.
    pub note: String,
}

/// What one store did of one work.
#[derive(Debug, Serialize)]
pub struct Cell {
    /// The work.
    pub work: String,
    /// The store.
    pub store: String,
    /// Events a second of each round.
    pub rounds: Vec<f64>,
    /// Microseconds of half of the appends, or of the whole scan.
    pub p50_micros: f64,
    /// Microseconds of 99 of 100 appends.
    pub p99_micros: f64,
    /// Processor time per event in microseconds, of the client and of the server where there is one.
    pub cpu_micros_per_event: f64,
    /// Bytes on disk per event when the work was done; `None` where it was not measured.
    pub disk_bytes_per_event: Option<f64>,
}

/// One figure of the engine at several sizes of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// What was measured.
    pub what: String,
    /// The unit of the figures.
    pub unit: String,
    /// Events in the log and the figure there, from small to large.
    pub points: Vec<(u64, f64)>,
    /// The target of the design; empty where there is none.
    pub target: String,
    /// Whether it was met; `None` where it cannot be told from this run.
    pub met: Option<bool>,
    /// What else must be known to read it.
    pub note: String,
    /// What the growth so far would come to; `None` where nobody should say.
    pub outlook: Option<Outlook>,
}

/// Figures that nobody measured: what a log of another size would show if the growth went on.
#[derive(Clone, Debug, Serialize)]
pub struct Outlook {
    /// That size.
    pub events: u64,
    /// How many times the figure before each figure is, for ten times the events.
    pub steps: Vec<f64>,
    /// The model that lies nearest to the points, in words.
    pub model: String,
    /// How far it is from the point it misses most, as a part of that point.
    pub off: f64,
    /// What the model says.
    pub expected: f64,
    /// What it would be if every further tenfold were as bad as the worst one measured.
    pub worst: f64,
}

impl Results {
    /// One more fact about the run.
    pub fn fact(&mut self, name: &str, value: impl ToString) {
        self.facts.push((name.to_owned(), value.to_string()));
    }

    /// Writes them for the reader.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("the results could not be written as JSON")?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}
