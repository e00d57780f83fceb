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

impl Results {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .context("the results are not as `xtask/src/bench/results.rs` expects them")
    }
}
