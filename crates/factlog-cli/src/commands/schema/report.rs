//! A comparison as people and programs read it.

use factlog_schema::{Change, Comparison, EventChange, Problem};
use serde_json::{Value, json};

use super::Require;
use crate::numbers::counted;
use crate::output::printable;

pub(super) fn document(comparison: &Comparison, require: Option<Require>) -> Value {
    let verdict = comparison.verdict();
    json!({
        "verdict": verdict.name(),
        "required": require.map(Require::name),
        "holds": require.map(|require| require.holds(verdict)),
        "events": comparison.events.iter().map(event).collect::<Vec<_>>(),
    })
}

fn event(event: &EventChange) -> Value {
    let (change, from) = match &event.change {
        Change::Added => ("added", Value::Null),
        Change::Removed => ("removed", Value::Null),
        Change::Renamed { from } => ("renamed", json!(from)),
        Change::Split => ("split", Value::Null),
        Change::Version { from } => ("version", json!(from)),
        Change::Changed => ("changed", Value::Null),
        Change::Same => ("same", Value::Null),
    };
    let problems = |problems: &[Problem]| -> Vec<Value> {
        problems.iter().map(|problem| json!({ "field": problem.path, "what": problem.what })).collect()
    };
    json!({
        "event": event.name,
        "change": change,
        "from": from,
        "verdict": event.verdict().name(),
        "backward": problems(&event.backward),
        "forward": problems(&event.forward),
    })
}

pub(super) fn text(comparison: &Comparison) -> String {
    let all = counted(comparison.events.len() as u64, "event");
    let rows: Vec<[String; 3]> = comparison.changed().map(row).collect();
    if rows.is_empty() {
        return format!("nothing changed in {all}: full");
    }
    let heading = ["EVENT", "CHANGE", "VERDICT"].map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&heading]).map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths = [width(0), width(1)];
    let line =
        |row: &[String; 3]| format!("{:<2$}  {:<3$}  {4}\n", row[0], row[1], widths[0], widths[1], row[2]);
    let mut text = line(&heading);
    for (row, event) in rows.iter().zip(comparison.changed()) {
        text.push_str(&line(row));
        for (who, problems) in
            [("stored data is not read", &event.backward), ("running programs do not read", &event.forward)]
        {
            for problem in problems {
                text.push_str(&format!("    {who}: {}\n", printable(&problem.to_string())));
            }
        }
    }
    let changed = rows.len();
    format!("{text}\n{changed} of {all} changed: {}", comparison.verdict())
}

fn row(event: &EventChange) -> [String; 3] {
    let change = match &event.change {
        Change::Added => "added".to_owned(),
        Change::Removed => "removed".to_owned(),
        Change::Renamed { from } => format!("renamed from {}", printable(from)),
        Change::Split => "split".to_owned(),
        Change::Version { from } => format!("version was {from}"),
        Change::Changed => "changed".to_owned(),
        Change::Same => "same".to_owned(),
    };
    [printable(&event.name), change, event.verdict().to_string()]
}
