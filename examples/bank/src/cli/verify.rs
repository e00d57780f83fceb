//! `bank verify`: reads the whole log back and checks every byte of it against its checksums.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use factlog::engine;
use factlog::{Error, Position};
use serde_json::json;

use super::answer::{Answer, counted};
use crate::ledger::log_directory;

pub(super) fn run(data: &Path) -> anyhow::Result<Answer> {
    let report = engine::verify(log_directory(data)?, &mut |_| {})?;
    let (events, head) = (report.events, Position::number(report.head));
    if !report.is_clean() {
        let found: Vec<String> = report.damage.iter().map(ToString::to_string).collect();
        let error = anyhow!(Error::corrupt(found.join("; ")));
        return Err(error)
            .context(format!("{} of the log can be served, head {head}", counted(events, "event")));
    }
    let text = format!(
        "the log is clean: {}, head {head}, {} bytes checked\n",
        counted(events, "event"),
        report.bytes
    );
    let json = json!({ "clean": true, "events": events, "head": head, "bytes": report.bytes });
    Ok(Answer { text, json })
}
