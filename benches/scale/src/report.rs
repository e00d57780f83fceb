//! What was measured at one size, put down line by line, beside the targets of the design.
//!
//! A target that names a size is met only by a log of that size; one that is missed by a smaller log is missed.

use bench_common::footprint::{self, Place};
use bench_common::number::shown;
use bench_common::results::Series;

use crate::board::Board;
use crate::conditions::Conditions;
use crate::fill::Filled;
use crate::growth::Worse::{Less, More};
use crate::lookups::{Cold, Warm};
use crate::opening::Openings;
use crate::reading::ReadBack;

pub(crate) const MIB: f64 = (1 << 20) as f64;
/// The target of memory, besides the page cache.
pub(crate) const MEMORY_MIB: f64 = 256.0;
/// Events at which the targets of memory and opening are promised, and at which those of look-ups are.
const PROMISED: u64 = 100_000_000;
const LOOKUPS_PROMISED: u64 = 10_000_000;

impl Board {
    pub(crate) fn filled(&mut self, events: u64, filled: &Filled) {
        let line = self.grows(Less, "appending, from the size before", "events/s", events, filled.rate);
        line.note = format!("{} µs of processor time an event, making it included", shown(filled.cpu_micros));
        let line = self.grows(Less, "appending, the last tenth", "events/s", events, filled.last_rate);
        line.note = format!("one thread makes {} a second without appending", shown(filled.making));
        let line = self.put("appending 1,000 events, p99", "µs", events, filled.large[1]);
        line.note = format!("p50 {}, longest {}", shown(filled.large[0]), shown(filled.large[2]));
        let line = self.put("appending one event meanwhile, p99", "µs", events, filled.single[1]);
        let singles = shown(filled.last_singles as f64);
        line.note = format!(
            "p50 {}, longest {}; {singles} of them",
            shown(filled.single[0]),
            shown(filled.single[2])
        );
        let line = self.put("memory while appending, highest", "MiB", events, filled.private as f64 / MIB);
        memory(line, events, filled.private, filled.resident);
        let settled = filled.settled;
        let line = self.put("work left after the last append", "s", events, settled.seconds);
        let rest = if settled.at_rest { "then at rest" } else { "NOT AT REST YET" };
        line.note = format!("{} s of processor time, {rest}", shown(settled.cpu_seconds));
        self.put("closing after that", "s", events, filled.close_seconds);
    }

    /// `within` is whether it was done within the target of memory as a hard limit.
    pub(crate) fn read_back(&mut self, events: u64, read: &ReadBack, within: bool) {
        let line = self.grows(Less, "reading everything back, one thread", "events/s", events, read.rate);
        line.note = "a checksum of each event included; equal to what was written".to_owned();
        let line = self.put("memory while reading back, highest", "MiB", events, read.private as f64 / MIB);
        memory(line, events, read.private, read.resident);
        let what = "look-ups, appends and reading back under a hard limit of 256 MiB";
        let line = self.put(what, "1 = done", events, if within { 1.0 } else { 0.0 });
        line.target = "done at 100 M".to_owned();
        judge(line, within, PROMISED <= events);
        line.note = "RLIMIT_DATA, which counts memory that is reserved and not touched as well".to_owned();
    }

    /// `total` is the number of events in the log, those of the measurements included.
    pub(crate) fn places(&mut self, (events, total): (u64, u64), read: &ReadBack, places: &[Place]) {
        let raw = read.raw_bytes as f64 / total as f64;
        let each = |name| footprint::bytes_in(places, name) as f64 / total as f64;
        self.put("bytes of an event: content and id", "bytes", events, raw);
        let line = self.grows(More, "bytes in `segments/` an event", "bytes", events, each("segments"));
        line.target = "≤ 0.5 of the bytes sealed, for 256 bytes of JSON: see `bench engine`".to_owned();
        line.note = format!("{} of content and id", shown(each("segments") / raw));
        let line = self.grows(More, "bytes in `index/` an event", "bytes", events, each("index"));
        line.target = "≤ 25".to_owned();
        if 0.0 < each("index") {
            judge(line, each("index") <= 25.0, true);
        }
        let index = footprint::bytes_in(places, "index") as f64;
        self.grows(More, "bytes in `index/`", "MiB", events, index / MIB);
        for place in places {
            let name = match place.name.as_str() {
                "" => "files beside them".to_owned(),
                name => format!("files in `{name}/`"),
            };
            let files = place.files as f64;
            // The write-ahead files are recycled: how many there are says nothing of a larger log.
            let line = match place.name.as_str() {
                "segments" | "index" => self.grows(More, &name, "files", events, files),
                _ => self.put(&name, "files", events, files),
            };
            line.note = format!("{} MiB", shown(place.bytes as f64 / MIB));
        }
    }

    pub(crate) fn openings(&mut self, events: u64, openings: &Openings) {
        for (name, seconds) in &openings.ways {
            let line = self.grows(More, name, "s", events, *seconds);
            line.target = "≤ 1 s at 10 M and 100 M".to_owned();
            judge(line, *seconds <= 1.0, PROMISED <= events);
        }
        for (what, memory) in
            [("memory when open", openings.open), ("memory after 1,000 look-ups", openings.used)]
        {
            let line = self.grows(More, what, "MiB", events, memory.private as f64 / MIB);
            line.note = format!(
                "the highest of all openings; resident at most {} MiB",
                shown(memory.peak as f64 / MIB)
            );
        }
    }

    pub(crate) fn warm(&mut self, events: u64, lookups: &[Warm]) {
        for one in lookups {
            let how = if one.another { "every one another" } else { "the same 40" };
            let name = format!("{}, warm, {how}, p50", one.kind.name());
            let line = self.grows(More, &name, "µs", events, one.micros[0]);
            line.target = "≤ 20 µs among 10 M".to_owned();
            judge(line, one.micros[0] <= 20.0, LOOKUPS_PROMISED <= events);
            line.note = format!("p99 {}, longest {}", shown(one.micros[1]), shown(one.micros[2]));
        }
    }

    pub(crate) fn cold(&mut self, events: u64, lookups: &[Cold]) {
        for one in lookups {
            let name = format!("{}, cold", one.kind.name());
            let line = self.grows(More, &name, "read calls", events, one.read_calls);
            line.target = "≤ 3 among 10 M".to_owned();
            judge(line, one.read_calls <= 3.0, LOOKUPS_PROMISED <= events);
            line.note = format!(
                "p50 {} µs, p99 {} µs, {} KiB from the disk each",
                shown(one.micros[0]),
                shown(one.micros[1]),
                shown(one.disk_bytes / 1024.0)
            );
        }
    }

    pub(crate) fn conditions(&mut self, events: u64, conditions: &Conditions) {
        for kind in &conditions.kinds {
            let line = self.grows(More, &format!("{}, p50", kind.name), "µs", events, kind.micros[0]);
            line.note = format!(
                "p99 {}, longest {}; {} of them",
                shown(kind.micros[1]),
                shown(kind.micros[2]),
                kind.appends
            );
        }
    }
}

fn memory(line: &mut Series, events: u64, private: u64, resident: u64) {
    line.target = "≤ 256 MiB at 100 M".to_owned();
    judge(line, private as f64 <= MEMORY_MIB * MIB, PROMISED <= events);
    line.note = format!("RssAnon and RssShmem, sampled; VmHWM {} MiB", shown(resident as f64 / MIB));
}

/// Kept at a size that is meant: met. Not kept at any size, this one or a smaller one: missed. Kept by less: nobody knows.
fn judge(line: &mut Series, kept: bool, large_enough: bool) {
    line.met = match (line.met, kept) {
        (Some(false), _) | (_, false) => Some(false),
        (before, true) => {
            if large_enough {
                Some(true)
            } else {
                before
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if a target missed on the way were met in the end, or met by a log that is too small to tell.
    #[test]
    fn a_target_is_met_by_the_size_it_names_and_missed_by_any() {
        let met = |turns: &[(bool, bool)]| {
            let mut board = Board::default();
            for (kept, large_enough) in turns {
                judge(board.put("figure", "s", 1, 1.0), *kept, *large_enough);
            }
            board.series()[0].met
        };
        assert_eq!(met(&[(true, false), (true, false)]), None);
        assert_eq!(met(&[(true, false), (true, true)]), Some(true));
        assert_eq!(met(&[(false, false), (true, true)]), Some(false));
        assert_eq!(met(&[(true, true), (false, true)]), Some(false));
    }
}
