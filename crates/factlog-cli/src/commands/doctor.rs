//! `factlog doctor`: is this directory, on this disk and machine, fit for a store, and is the one in it well?

use factlog_engine::{Checkup, Finding, Level, Settings};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::failure::{Failure, Kind, Outcome};
use crate::numbers::counted;
use crate::output::answer;
use crate::progress::Progress;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog doctor --data bank.db
  factlog doctor --data /var/lib/new --json || echo \"exit code $?\"";

pub(super) fn run(context: &Context) -> Outcome {
    let directory = context.directory()?;
    let mut progress = Progress::start("examining", None);
    let mut done = 0;
    let checkup = factlog_engine::doctor(directory, &Settings::default(), &mut |finding| {
        done += 1;
        progress.at(done, || format!("after {}", finding.check));
    });
    progress.finish();
    answer(context.json, || document(&checkup), || text(&checkup))?;
    outcome(&checkup)
}

/// Damage ends with 7, another problem with 1; a warning is for people to weigh.
fn outcome(checkup: &Checkup) -> Outcome {
    let problems: Vec<&Finding> =
        checkup.findings.iter().filter(|finding| finding.level == Level::Problem).collect();
    let Some(first) = problems.first() else { return Ok(()) };
    let damaged = problems.iter().any(|problem| problem.check == "damage");
    let kind = if damaged { Kind::Damage } else { Kind::Failure };
    let what = format!("{} found", counted(problems.len() as u64, "problem"));
    Err(Failure::new(kind, what)
        .because(format!("{}: {}", first.check, first.found))
        .advise(first.advice.clone().unwrap_or_else(|| "see what is said above".to_owned())))
}

pub(super) fn document(checkup: &Checkup) -> Value {
    let findings: Vec<Value> = checkup
        .findings
        .iter()
        .map(|finding| {
            let figures: Map<String, Value> =
                finding.figures.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            json!({
                "check": finding.check,
                "level": name(finding.level),
                "found": finding.found,
                "what_to_do": finding.advice,
                "figures": figures,
            })
        })
        .collect();
    json!({ "worst": name(checkup.worst()), "findings": findings })
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Fine => "fine",
        Level::Unknown => "unknown",
        Level::Warning => "warning",
        Level::Problem => "problem",
    }
}

fn text(checkup: &Checkup) -> String {
    let lines: Vec<String> = checkup.findings.iter().map(line).collect();
    let count = |level| checkup.findings.iter().filter(|finding| finding.level == level).count() as u64;
    let mut sums = vec![format!("{} fine", count(Level::Fine))];
    for (level, noun) in [(Level::Warning, "warning"), (Level::Problem, "problem")] {
        sums.push(counted(count(level), noun));
    }
    sums.push(format!("{} not looked at", count(Level::Unknown)));
    format!("{}\n\n{}", lines.join("\n"), sums.join(", "))
}

fn line(finding: &Finding) -> String {
    let found = crate::output::printable(&finding.found);
    let line = format!("{:<8} {:<12} {found}", name(finding.level), finding.check.replace('_', " "));
    match &finding.advice {
        Some(advice) => format!("{line}\n{:<21} what to do: {advice}", ""),
        None => line,
    }
}
