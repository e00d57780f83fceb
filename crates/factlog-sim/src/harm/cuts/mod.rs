//! Cuts: every byte of the last MiB of the log as the place where it ends, in four ways.
//!
//! * Each cut is made on a disk of its own, and the real engine opens it.
//! * What is due there is worked out from `docs/format.md` (`due.rs`), not asked of the engine.
//! * A cut that later frames vouch against is damage with its place; any other leaves the whole groups in front of it,
//!   and the log goes on behind them.

mod due;
mod exam;
mod frames;
mod log;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use due::{Cut, Due, Way};
use exam::Prepared;
use log::Log;

use super::{Broken, Choice, on_all_cores, without_panic};

/// How much of the log's end is cut at every byte.
pub const BYTES: usize = 1 << 20;

/// What came of all cuts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the log that were cut at, of how many groups, in how many files.
    pub log: (usize, usize, usize),
    /// By the way of cutting.
    pub ways: BTreeMap<&'static str, Counts>,
}

/// What came of the cuts of one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub cuts: u64,
    /// Those after which the log ends in front of the cut and goes on there.
    pub went_on: u64,
    /// Those that are damage, which was reported with its place.
    pub damage: u64,
}

/// Where cuts are made: a file, a way, and the bytes.
#[derive(Debug)]
struct Stretch<'a> {
    file: usize,
    way: Way,
    bytes: Range<usize>,
    prepared: Prepared<'a>,
}

/// Makes the cuts that are chosen among all of the last `bytes`. Those that leave zeros come first, as a recycled file is
/// full of them; the other ways are the rest.
///
/// # Errors
/// A promise that breaks.
pub fn run(choice: &Choice, bytes: usize) -> Result<Summary, Broken> {
    let log = Log::new(choice.seed, bytes).map_err(|what| choice.broken("--cuts", "the log", &what))?;
    let stretches = stretches(&log, bytes);
    let mut starts = vec![0];
    for stretch in &stretches {
        starts.push(starts[starts.len() - 1] + stretch.bytes.len() as u64);
    }
    let cut_of = |case: u64| {
        let at = starts.partition_point(|&start| start <= case) - 1;
        let stretch = &stretches[at];
        let offset = stretch.bytes.start + (case - starts[at]) as usize;
        (stretch, Cut { file: stretch.file, at: offset, way: stretch.way })
    };
    let name = |cut: Cut| format!("{}:{}:{}", log.files[cut.file].path(), cut.at, cut.way.name());
    let zeros = starts[stretches.iter().filter(|stretch| stretch.way == Way::Zeros).count()];
    let told = |case| name(cut_of(case).1);
    let mut cases = choice.cases(0..zeros, choice.sample, told);
    cases.extend(choice.cases(zeros..starts[starts.len() - 1], choice.sample * choice.rest, told));
    let done = on_all_cores(&cases, |case| {
        let (stretch, cut) = cut_of(case);
        let due = without_panic(|| stretch.prepared.examine(cut));
        due.map(|due| (cut.way, due)).map_err(|what| choice.broken("--cuts", &name(cut), &what))
    })?;
    let groups = log.files.iter().map(|file| file.frames.len()).sum();
    let mut summary = Summary { log: (bytes, groups, log.files.len()), ..Summary::default() };
    for (way, due) in done {
        summary.add(way, &due);
    }
    Ok(summary)
}

/// The last bytes of the log, each way of cutting and each file for itself.
fn stretches(log: &Log, bytes: usize) -> Vec<Stretch<'_>> {
    let mut stretches = Vec::new();
    for way in Way::ALL {
        let mut left = bytes;
        for file in (0..log.files.len()).rev() {
            let end = log.files[file].end();
            let range = end.saturating_sub(left)..end;
            left -= range.len();
            // The last file has none behind it: a hole there is nothing but zeros.
            let is_last = file + 1 == log.files.len();
            let says_more = !is_last || way != Way::Hole;
            if !range.is_empty() && says_more {
                let prepared = Prepared::new(log, file, way);
                stretches.push(Stretch { file, way, bytes: range, prepared });
            }
        }
    }
    stretches
}

impl Summary {
    fn add(&mut self, way: Way, due: &Due) {
        let counts = self.ways.entry(way.name()).or_default();
        counts.cuts += 1;
        counts.went_on += u64::from(due.hole.is_none());
        counts.damage += u64::from(due.hole.is_some());
    }

    /// How many there were.
    pub fn cuts(&self) -> u64 {
        self.ways.values().map(|counts| counts.cuts).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, groups, files) = self.log;
        write!(
            f,
            "cuts: {} in the last {bytes} bytes of a log of {groups} frames in {files} files",
            self.cuts()
        )?;
        for (way, counts) in &self.ways {
            let Counts { cuts, went_on, damage } = counts;
            write!(f, "\n  {way:8} {cuts:9} cuts, {went_on:9} went on behind the last whole group, ")?;
            write!(f, "{damage:9} reported as damage")?;
        }
        write!(f, "\nno group half there, none lost in front of a cut, nothing served that was cut off")
    }
}
