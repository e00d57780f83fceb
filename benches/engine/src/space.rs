//! What an event takes on disk once its store is closed, by the kind of file.
//!
//! Files are told apart by their directory, and how many events they hold by their names (`docs/format.md`), so that
//! what still waits in the write-ahead files is not counted as sealed.

use std::path::Path;

use anyhow::{Context, Result};
use bench_common::footprint::{self, Place};
use bench_common::number::shown;
use bench_common::results::Results;

use crate::log::Given;
use crate::row;

const MIB: f64 = (1 << 20) as f64;

/// Events in files whose number is known, and the bytes of those files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    events: u64,
    bytes: u64,
}

pub(crate) fn run(dir: &Path, events: u64, given: Given, results: &mut Results) -> Result<()> {
    let each = |bytes: u64| bytes as f64 / events as f64;
    let places = footprint::places(dir)?;
    let all = places.iter().map(|place| place.bytes).sum();
    let mut line = row("space of an event on disk, closed", each(all), "bytes");
    line.limit =
        format!("{} bytes of data, {} with names and id", shown(each(given.data)), shown(each(given.whole)));
    line.ratio = Some(all as f64 / given.whole as f64);
    line.note = listed(&places);
    results.rows.push(line);

    let held = sealed(&names(&dir.join("segments"))?);
    let mut line = row("space of an event in segments", held.map_or(0.0, Held::each), "bytes");
    line.limit = format!("{} bytes of content and id", shown(each(given.whole)));
    line.target = "≤ 0.5 of the raw bytes sealed".to_owned();
    match held {
        Some(held) => {
            let ratio = held.each() / each(given.whole);
            line.ratio = Some(ratio);
            line.met = Some(ratio <= 0.5);
            line.note = format!("of the {} events in all segments but the last", shown(held.events as f64));
        }
        None => line.note = "fewer than two segments: not known how many events they hold".to_owned(),
    }
    results.rows.push(line);

    let held = indexed(&names(&dir.join("index"))?);
    let mut line = row("space of an event in the index", held.map_or(0.0, Held::each), "bytes");
    line.target = "≤ 25 bytes".to_owned();
    line.met = held.map(|held| held.each() <= 25.0);
    line.note = held.map_or_else(
        || "there are no files of an index".to_owned(),
        |held| format!("of the {} events that are indexed on disk", shown(held.events as f64)),
    );
    results.rows.push(line);
    Ok(())
}

impl Held {
    fn each(self) -> f64 {
        self.bytes as f64 / self.events as f64
    }
}

fn listed(places: &[Place]) -> String {
    let all = places.iter().map(|place| {
        let name = if place.name.is_empty() { "beside them" } else { &place.name };
        format!("{name} {} MiB in {} files", shown(place.bytes as f64 / MIB), place.files)
    });
    all.collect::<Vec<_>>().join(", ")
}

/// Names without what follows the dot, and bytes, of the files of a directory; none if there is no such directory.
fn names(dir: &Path) -> Result<Vec<(String, u64)>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let stem = name.split_once('.').map_or(name.as_str(), |(stem, _)| stem);
        names.push((stem.to_owned(), entry.metadata()?.len()));
    }
    Ok(names)
}

/// What all segments but the last hold: a segment is named by its first position, and ends where the next begins.
fn sealed(names: &[(String, u64)]) -> Option<Held> {
    let mut segments: Vec<(u64, u64)> =
        names.iter().filter_map(|(name, bytes)| Some((name.parse().ok()?, *bytes))).collect();
    segments.sort_unstable();
    let ((first, _), (last, _)) = (*segments.first()?, segments.pop()?);
    let bytes = segments.iter().map(|(_, bytes)| bytes).sum();
    (first < last).then_some(Held { events: last - first, bytes })
}

/// What the runs of the index hold: a run is named by its level, its first and its last position.
fn indexed(names: &[(String, u64)]) -> Option<Held> {
    let last = names.iter().filter_map(|(name, _)| name.rsplit('-').next()?.parse::<u64>().ok()).max()?;
    let bytes = names.iter().map(|(_, bytes)| bytes).sum();
    (0 < last).then_some(Held { events: last, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[(&str, u64)]) -> Vec<(String, u64)> {
        names.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect()
    }

    /// Would fail if the events of the last segment, whose number no name tells, were divided by, or its bytes counted.
    #[test]
    fn the_last_segment_says_only_where_the_one_before_it_ends() {
        let three = files(&[("00000000000000000101", 900), ("00000000000000000001", 700), ("201", 9)]);
        assert_eq!(sealed(&three), Some(Held { events: 200, bytes: 1_600 }));
        assert_eq!(sealed(&files(&[("00000000000000000001", 700)])), None);
        assert_eq!(sealed(&[]), None);
    }

    /// Would fail if a run of a higher level were counted once more for the runs it replaced.
    #[test]
    fn runs_hold_the_events_up_to_the_last_that_one_of_them_names() {
        let runs = files(&[("1-00000000000000000001-00000000000000000800", 80), ("0-801-900", 10)]);
        assert_eq!(indexed(&runs), Some(Held { events: 900, bytes: 90 }));
        assert_eq!(indexed(&[]), None);
    }
}
