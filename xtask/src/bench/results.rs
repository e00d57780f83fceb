//! What a benchmark found out, as it writes it. The writer's half is `benches/common/src/results.rs`: who changes one
//! changes both.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Results {
    /// Name and value, in reading order.
    pub(super) facts: Vec<(String, String)>,
    /// Of the engine.
    pub(super) rows: Vec<Row>,
    /// Of the comparison, work by work.
    pub(super) cells: Vec<Cell>,
    /// Of the benchmark of scale.
    pub(super) series: Vec<Series>,
    /// What could not be measured, and why.
    pub(super) absent: Vec<(String, String)>,
}

/// A figure of the engine beside the limit of the machine and the target of the design.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) value: f64,
    pub(super) unit: String,
    pub(super) limit: String,
    pub(super) ratio: Option<f64>,
    pub(super) target: String,
    pub(super) met: Option<bool>,
    pub(super) note: String,
}

/// What one store did of one work.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cell {
    pub(super) work: String,
    pub(super) store: String,
    /// Events a second of each round.
    pub(super) rounds: Vec<f64>,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
    pub(super) cpu_micros_per_event: f64,
    pub(super) disk_bytes_per_event: Option<f64>,
}

/// One figure of the engine at several sizes of the log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Series {
    pub(super) what: String,
    pub(super) unit: String,
    /// Events and the figure there, from small to large.
    pub(super) points: Vec<(u64, f64)>,
    pub(super) target: String,
    pub(super) met: Option<bool>,
    pub(super) note: String,
    pub(super) outlook: Option<Outlook>,
}

/// What nobody measured.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outlook {
    pub(super) events: u64,
    /// How many times the figure before, for ten times the events.
    pub(super) steps: Vec<f64>,
    pub(super) model: String,
    /// How far the model is from the point it misses most, as a part of it.
    pub(super) off: f64,
    pub(super) expected: f64,
    pub(super) worst: f64,
}

impl Results {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .context("the results are not as `xtask/src/bench/results.rs` expects them")
    }
}
