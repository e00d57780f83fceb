//! `factlog verify`: every byte of the store is read and checked; damage is reported with its place.

use clap::Args;
use factlog_core::Position;
use factlog_engine::{Damage, Report};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Kind, Outcome};
use crate::numbers::{self, counted};
use crate::output::answer;
use crate::progress::Progress;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog verify --data bank.db
  factlog verify --data bank.db --json || echo \"exit code $?\"";

/// Damaged places that people are shown.
const PLACES_SHOWN: usize = 20;

/// Check every stored byte; exit code 7 where something is damaged
///
/// The store is not changed, and may be damaged; nobody else may have it open for writing.
#[derive(Args, Debug)]
pub(crate) struct Arguments {}

pub(super) fn run(_: &Arguments, context: &Context) -> Outcome {
    let directory = context.existing_directory()?;
    let mut progress: Option<Progress> = None;
    let report = factlog_engine::verify(directory, &mut |step| {
        let progress = progress.get_or_insert_with(|| Progress::start("verifying", Some(step.bytes_total)));
        progress.at(step.bytes_done, || numbers::bytes(step.bytes_done));
    });
    if let Some(progress) = progress {
        progress.finish();
    }
    let doing = format!("verify the store in {}", directory.display());
    let report = report.map_err(|error| Failure::store(doing, &error))?;
    answer(context.json, || document(&report), || text(&report))?;
    if report.is_clean() {
        return Ok(());
    }
    let places = counted(report.damage.len() as u64, "place");
    Err(Failure::new(Kind::Damage, format!("the store is damaged in {places}"))
        .because("stored bytes are not what was written")
        .advise("keep the directory as it is, and restore the positions named from an export or a copy"))
}

fn document(report: &Report) -> Value {
    json!({
        "clean": report.is_clean(),
        "events": report.events,
        "head": report.head.map(Position::get),
        "segments": report.segments,
        "bytes": report.bytes,
        "damage": report.damage.iter().map(place).collect::<Vec<_>>(),
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

fn text(report: &Report) -> String {
    let (events, segments) = (counted(report.events, "event"), counted(report.segments, "segment"));
    let checked = format!("{events}, {segments}, {} read", numbers::bytes(report.bytes));
    if report.is_clean() {
        return format!("clean: {checked}");
    }
    let places: String =
        report.damage.iter().take(PLACES_SHOWN).map(|damage| format!("\n  {damage}")).collect();
    let more = match report.damage.len().saturating_sub(PLACES_SHOWN) {
        0 => String::new(),
        more => format!("\n  and {} besides; --json names them all", counted(more as u64, "place")),
    };
    format!("damaged: {checked}{places}{more}")
}
