//! Opening and memory at several sizes of a log, and what they say of sizes that were not measured: little.
//!
//! A target that names a size is met only by a log of that size. Where a straight line is drawn to a larger one, it is
//! called one, and decides nothing.

use std::path::Path;

use anyhow::Result;
use bench_common::footprint;
use bench_common::number::{median, shown};
use bench_common::raw;
use bench_common::results::Results;

use crate::{opening, progress, row};

const MIB: f64 = (1 << 20) as f64;
/// Sizes at which the design promises something.
const PROMISED: [u64; 2] = [10_000_000, 100_000_000];

/// What opening a log of some size took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    events: u64,
    /// Seconds.
    clean: f64,
    killed: f64,
    /// Private memory when it is open.
    private: f64,
}

/// Opens a log some times, in processes of their own; `smaller` is what that took of smaller logs.
pub(crate) fn measure(dir: &Path, events: u64, smaller: &[Point], results: &mut Results) -> Result<Point> {
    const TIMES: usize = 3;
    progress(&format!("opening {} events", shown(events as f64)));
    let clean: Vec<_> = (0..TIMES).map(|_| opening::open(dir)).collect::<Result<_>>()?;
    let mut killed = Vec::new();
    for _ in 0..TIMES {
        opening::kill(dir)?;
        killed.push(opening::open(dir)?);
    }
    let seconds =
        |opened: &[opening::Opened]| median(&opened.iter().map(|one| one.seconds).collect::<Vec<_>>());
    let segments = dir.join("segments");
    let reading = footprint::used_bytes(&segments)? as f64 / raw::sequential_read(&segments)?;
    let one = clean[0];
    let private = one.after.private as f64;
    let point = Point { events, clean: seconds(&clean), killed: seconds(&killed), private };
    for (how, of) in [
        ("after a clean close", (|point: &Point| point.clean) as fn(&Point) -> f64),
        ("after SIGKILL", |point: &Point| point.killed),
    ] {
        let what = format!("opening {} events {how}", shown(events as f64));
        let mut line = row(&what, of(&point), "s");
        // A small log may have no segment yet.
        if reading.is_finite() {
            line.limit = format!("{} s to read its segments", shown(reading));
            line.ratio = Some(of(&point) / reading);
        }
        line.target = "≤ 1 s at 10 M and 100 M".to_owned();
        line.met = verdict(of(&point) <= 1.0, events);
        line.note = straight(smaller, &point, of, &PROMISED, "s");
        results.rows.push(line);
    }
    let what = format!("memory with {} events open", shown(events as f64));
    let mut line = row(&what, private / MIB, "MiB private");
    line.limit = format!("{} MiB before opening", shown(one.before.private as f64 / MIB));
    let [opened, scanned] = [one.after.peak, one.scanned.peak].map(|bytes| shown(bytes as f64 / MIB));
    line.note = format!("resident at most {opened} MiB while opening, {scanned} MiB after a scan");
    line.target = "≤ 256 MiB at 100 M".to_owned();
    line.met = verdict(one.scanned.peak as f64 <= 256.0 * MIB, events);
    let outlook = straight(smaller, &point, |point| point.private / MIB, &PROMISED[1..], "MiB");
    if !outlook.is_empty() {
        line.note.push_str(&format!("; {outlook}"));
    }
    results.rows.push(line);
    Ok(point)
}

/// Kept at the largest size that is promised: met. Not kept at any size: missed. Kept by less: nobody knows.
fn verdict(kept: bool, events: u64) -> Option<bool> {
    match (kept, PROMISED[1] <= events) {
        (true, false) => None,
        (kept, _) => Some(kept),
    }
}

/// In words, where a straight line through the two largest sizes comes to at those of some sizes that are larger still.
fn straight(smaller: &[Point], largest: &Point, of: fn(&Point) -> f64, sizes: &[u64], unit: &str) -> String {
    let Some(before) = smaller.last() else { return String::new() };
    let beyond = sizes.iter().filter(|events| largest.events < **events);
    let said = beyond.map(|events| {
        let value = on_line(before, largest, of, *events);
        format!("{} {unit} at {} M", shown(value), events / 1_000_000)
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() {
        return String::new();
    }
    let from = shown(before.events as f64);
    format!(
        "not measured: {}, if it grew in a straight line from {from} on; see `bench scale`",
        said.join(" and ")
    )
}

/// The value at some number of events on the line through two points; not below that of the larger one.
fn on_line(small: &Point, large: &Point, of: fn(&Point) -> f64, events: u64) -> f64 {
    let slope = (of(large) - of(small)) / (large.events - small.events) as f64;
    of(large) + slope.max(0.0) * (events - large.events) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(events: u64, clean: f64) -> Point {
        Point { events, clean, killed: 0.0, private: 0.0 }
    }

    /// Would fail if what opening costs whatever the size were counted for every event.
    #[test]
    fn a_line_through_two_points_keeps_what_does_not_grow() {
        let value = on_line(&point(100, 1.1), &point(1_000, 2.0), |point| point.clean, 10_000);
        assert!((value - 11.0).abs() < 1e-9, "{value}");
    }

    /// Would fail if a line were drawn to a size that was measured, or passed for a measurement.
    #[test]
    fn a_line_is_drawn_to_larger_sizes_only_and_called_one() {
        let of: fn(&Point) -> f64 = |point| point.clean;
        let (small, large) = (point(1_000_000, 0.5), point(10_000_000, 0.5));
        let text = straight(&[point(100_000, 0.1), small], &large, of, &PROMISED, "s");
        assert_eq!(
            text,
            "not measured: 0.500 s at 100 M, if it grew in a straight line from 1,000,000 on; see `bench scale`"
        );
        assert!(straight(&[], &large, of, &PROMISED, "s").is_empty());
    }

    /// Would fail if a small log could meet a target of a large one, or be excused for missing it already.
    #[test]
    fn only_the_size_that_is_promised_can_meet_the_target() {
        assert_eq!([verdict(true, 1_000_000), verdict(false, 1_000_000)], [None, Some(false)]);
        assert_eq!([verdict(true, 100_000_000), verdict(false, 100_000_000)], [Some(true), Some(false)]);
    }
}
