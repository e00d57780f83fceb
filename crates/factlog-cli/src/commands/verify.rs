//! `factlog verify`: every byte of the store, or a sample of it, is read and checked; damage is reported with its place.

use clap::Args;
use factlog_core::Position;
use factlog_engine::{Damage, Extent, Report};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Kind, Outcome};
use crate::numbers::{self, counted};
use crate::output::answer;
use crate::progress::Progress;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog verify --data bank.db
  factlog verify --data bank.db --json || echo \"exit code $?\"
  factlog verify --data bank.db --sample 1 --seed 42
  factlog verify --data bank.db --mend";

/// Damaged places that people are shown.
const PLACES_SHOWN: usize = 20;

/// Check every stored byte; exit code 7 where events are lost, 9 where only files are damaged that can be mended
///
/// Without --mend the store is not changed, and it may be damaged; nobody else may have it open. All checksums are looked at, and
/// whether the index says what the log says.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Read only this share of each segment's blocks, with their place in the index: above 0, up to 100
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    sample: Option<f64>,
    /// Which blocks a sample reads: another seed, others
    #[arg(long, value_name = "N", default_value_t = 0, requires = "sample")]
    seed: u64,
    /// Remove index files that are damaged, so that the next opening builds them again; exit code 0 if no event is lost
    #[arg(long)]
    mend: bool,
}

impl Arguments {
    fn extent(&self) -> Extent {
        self.sample.map_or(Extent::Full, |percent| Extent::Sample { percent, seed: self.seed })
    }
}

/// A share such as `1`, `0.5` or `2.5%`.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>();
    match number {
        Ok(percent) if 0.0 < percent && percent <= 100.0 => Ok(percent),
        _ => Err("it must be a number above 0, and at most 100".to_owned()),
    }
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let directory = context.existing_directory()?;
    let mut progress: Option<Progress> = None;
    let report = factlog_engine::verify(directory, arguments.extent(), &mut |step| {
        let progress = progress.get_or_insert_with(|| Progress::start("verifying", Some(step.bytes_total)));
        progress.at(step.bytes_done, || numbers::bytes(step.bytes_done));
    });
    if let Some(progress) = progress {
        progress.finish();
    }
    let doing = format!("verify the store in {}", directory.display());
    let report = report.map_err(|error| Failure::store(doing, &error))?;
    let removed =
        match arguments.mend && report.damage.is_empty() {
            true => Some(factlog_engine::mend(directory, &report).map_err(|error| {
                Failure::store(format!("mend the store in {}", directory.display()), &error)
            })?),
            false => None,
        };
    answer(context.json, || document(arguments, &report, removed), || text(arguments, &report, removed))?;
    if removed.is_some() { Ok(()) } else { outcome(&report) }
}

/// Damage ends with 7, what can be mended with 9: somebody should know of either, and only the first one hurries.
fn outcome(report: &Report) -> Outcome {
    let places = |places: &[Damage]| counted(places.len() as u64, "place");
    if !report.damage.is_empty() {
        let what = format!("the store is damaged in {}", places(&report.damage));
        return Err(Failure::new(Kind::Damage, what)
            .because("stored bytes are not what was written")
            .advise(
                "keep the directory as it is, and restore the positions named from an export or a copy",
            ));
    }
    if !report.mendable.is_empty() {
        let what = format!("{} of the store can be mended", places(&report.mendable));
        return Err(Failure::new(Kind::Mendable, what)
            .because("a crash came before they were written, or the disk lost them; no event is concerned")
            .advise(
                "run `factlog verify --mend`, open the store for writing, and verify it again; where it comes back, \
                 replace the disk",
            ));
    }
    Ok(())
}

fn document(arguments: &Arguments, report: &Report, removed: Option<u64>) -> Value {
    json!({
        "clean": report.is_clean(),
        "events": report.events,
        "head": report.head.map(Position::get),
        "segments": report.segments,
        "index_runs": report.runs,
        "bytes": report.bytes,
        "sample_percent": arguments.sample,
        "seed": arguments.sample.map(|_| arguments.seed),
        "damage": report.damage.iter().map(place).collect::<Vec<_>>(),
        "mendable": report.mendable.iter().map(place).collect::<Vec<_>>(),
        "index_files_removed": removed,
    })
}

fn place(damage: &Damage) -> Value {
    json!({
        "file": damage.file,
        "offset": damage.offset,
        "first": damage.first.map(Position::get),
        "last": damage.last.map(Position::get),
        "what": damage.what,
    })
}

fn text(arguments: &Arguments, report: &Report, removed: Option<u64>) -> String {
    let (events, segments) = (counted(report.events, "event"), counted(report.segments, "segment"));
    let extent = match arguments.sample {
        Some(percent) => format!(" as a sample of {percent} %"),
        None => String::new(),
    };
    let runs = counted(report.runs, "index run");
    let checked = format!("{events}, {segments}, {runs}, {} read{extent}", numbers::bytes(report.bytes));
    let verdict = match (report.damage.is_empty(), report.mendable.is_empty()) {
        (true, true) => "clean",
        (true, false) => "no event is lost",
        (false, _) => "damaged",
    };
    let mut text = format!("{verdict}: {checked}");
    text.push_str(&places("damaged", &report.damage));
    text.push_str(&places("the next opening mends", &report.mendable));
    if let Some(removed) = removed.filter(|removed| 0 < *removed) {
        text.push_str(&format!("\nremoved: {}", counted(removed, "index file")));
    }
    text
}

/// A heading and a line for each place, as many as people read.
fn places(heading: &str, places: &[Damage]) -> String {
    if places.is_empty() {
        return String::new();
    }
    let lines: String = places.iter().take(PLACES_SHOWN).map(|damage| format!("\n  {damage}")).collect();
    let more = match places.len().saturating_sub(PLACES_SHOWN) {
        0 => String::new(),
        more => format!("\n  and {} besides; --json names them all", counted(more as u64, "place")),
    };
    format!("\n{heading}:{lines}{more}")
}

#[cfg(test)]
mod tests {
    use super::percent;

    /// Would fail if a sample of nothing, or of a number that is none, passed for a verification.
    #[test]
    fn a_share_is_above_nothing_and_at_most_all() {
        assert_eq!(percent("2.5%"), Ok(2.5));
        assert_eq!(percent("100"), Ok(100.0));
        for wrong in ["0", "-1", "100.1", "NaN", "inf", "", "%", "a"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
