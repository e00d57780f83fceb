//! `bank verify`: reads the whole log back and checks every byte of it against its checksums.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use factlog::engine::{self, Damage, Extent};
use factlog::{Error, Position};
use serde_json::json;

use super::answer::{Answer, counted};
use crate::ledger::log_directory;

pub(super) fn run(data: &Path) -> anyhow::Result<Answer> {
    let report = engine::verify(log_directory(data)?, Extent::Full, &mut |_| {})?;
    let (events, head) = (report.events, Position::number(report.head));
    if !report.damage.is_empty() {
        let error = anyhow!(Error::corrupt(sentences(&report.damage).join("; ")));
        return Err(error)
            .context(format!("{} of the log can be served, head {head}", counted(events, "event")));
    }
    let mut text = match report.mendable.is_empty() {
        true => "the log is clean".to_owned(),
        false => "no event is lost; the next opening mends what is damaged".to_owned(),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, ": {}, head {head}, {} bytes checked", counted(events, "event"), report.bytes);
    let mendable = sentences(&report.mendable);
    text.extend(mendable.iter().map(|place| format!("  {place}\n")));
    let json = json!({
        "clean": report.is_clean(), "events": events, "head": head, "bytes": report.bytes, "mendable": mendable,
    });
    Ok(Answer { text, json })
}

fn sentences(places: &[Damage]) -> Vec<String> {
    places.iter().map(ToString::to_string).collect()
}
