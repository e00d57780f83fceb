//! The figures of a benchmark, with everything a reader needs to judge them.

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::Place;
use super::probe::{self, RawSync};
use crate::failure::{Failure, Outcome};
use crate::numbers::{grouped, tenth};
use crate::output::answer;

/// Figures in the order they were added.
pub(super) struct Report {
    figures: Map<String, Value>,
    lines: Vec<(String, String)>,
}

/// Measures the disk as it is now, once more after what was `measured`.
pub(super) fn raw(place: &Place, measured: &mut Vec<RawSync>) -> Outcome {
    std::fs::create_dir_all(place.shown())
        .and_then(|()| probe::measure(&place.probe(), measured.first()))
        .map(|raw| measured.push(raw))
        .map_err(|error| Failure::io(format!("measure the disk under {}", place.shown().display()), &error))
}

impl Report {
    pub(super) fn new(benchmark: &str) -> Self {
        let mut report = Self { figures: Map::new(), lines: Vec::new() };
        report.put("benchmark", json!(benchmark));
        report.put("version", json!(env!("CARGO_PKG_VERSION")));
        report
    }

    /// A figure for programs.
    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.figures.insert(name.to_owned(), value);
    }

    /// A line for people.
    pub(super) fn line(&mut self, label: &str, text: String) {
        self.lines.push((label.to_owned(), text));
    }

    /// The usual percentiles, in microseconds.
    pub(super) fn latency(&mut self, label: &str, latency: &Histogram<u64>) {
        let quantiles = [("p50_us", 0.5), ("p90_us", 0.9), ("p99_us", 0.99), ("p999_us", 0.999)];
        for (name, quantile) in quantiles {
            self.put(name, json!(latency.value_at_quantile(quantile)));
        }
        self.put("max_us", json!(latency.max()));
        let [p50, p99, p999] =
            [0.5, 0.99, 0.999].map(|quantile| grouped(latency.value_at_quantile(quantile)));
        let max = grouped(latency.max());
        self.line(label, format!("p50 {p50} µs, p99 {p99} µs, p99.9 {p999} µs, max {max} µs"));
    }

    /// The machine, and what its disk did: before, after, and perhaps in between.
    pub(super) fn machine(&mut self, place: &Place, measured: &[RawSync]) -> RawSync {
        let all = RawSync::sum(measured);
        let growing: Vec<f64> = measured.iter().map(|one| tenth(one.growing.per_second())).collect();
        self.put("raw_sync_per_second", json!(tenth(all.growing.per_second())));
        self.put("raw_sync_before", json!(growing.first()));
        self.put("raw_sync_after", json!(growing.last()));
        self.put("raw_sync_measured", json!(growing));
        self.put("raw_overwrite_sync_per_second", json!(tenth(all.overwriting.per_second())));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        self.put("machine", json!({ "cores": cores, "os": os, "arch": arch }));
        self.put("directory", json!(place.shown().display().to_string()));
        self.put("temporary", json!(place.is_temporary()));
        let lowest = growing.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = growing.iter().copied().fold(0.0, f64::max);
        let [over_all, overwriting] =
            [all.growing, all.overwriting].map(|syncs| grouped(syncs.per_second() as u64));
        self.line(
            "raw sync",
            format!(
                "{over_all} a second appending 4 KiB + fdatasync ({} to {}, measured {} times)",
                grouped(lowest as u64),
                grouped(highest as u64),
                growing.len()
            ),
        );
        self.line("", format!("{overwriting} a second writing over zeros"));
        self.line("machine", format!("{cores} cores, {os} {arch}, {}", place.shown().display()));
        all
    }

    pub(super) fn answer(self, json: bool) -> Outcome {
        let lines = self.lines.iter().map(|(label, text)| format!("{label:<12}{text}"));
        let text = lines.collect::<Vec<_>>().join("\n");
        answer(json, || Value::Object(self.figures), || text)
    }
}
