//! The steps of the gate, in order.
//!
//! Each is a command that can be typed by hand, or a check of this crate; there is no other logic here.

use std::process::Command;

use anyhow::{Context, Result};

use super::{
    Outcome, Scope, Step,
    tests_run::{self, Counts, Runner},
};
use crate::{api, evidence};
use crate::{licences, process, tidy, workspace::Workspace};

pub(super) const STEPS: [Step; 11] = [
    Step { name: "fmt", scope: Scope::Quick, run: fmt },
    Step { name: "tidy", scope: Scope::Quick, run: tidy },
    Step { name: "clippy", scope: Scope::Quick, run: clippy },
    Step { name: "tests", scope: Scope::Quick, run: tests },
    Step { name: "doctests", scope: Scope::Full, run: doctests },
    Step { name: "doc", scope: Scope::Full, run: doc },
    Step { name: "features", scope: Scope::Full, run: features },
    Step { name: "licences", scope: Scope::Full, run: licences },
    Step { name: "deploy", scope: Scope::Full, run: super::deployments::run },
    Step { name: "api", scope: Scope::Full, run: api },
    Step { name: "evidence", scope: Scope::Full, run: evidence },
];

fn fmt(workspace: &Workspace) -> Result<Outcome> {
    run(cargo(workspace, "fmt --check"))
}

fn evidence(workspace: &Workspace) -> Result<Outcome> {
    let failed = evidence::ci(&workspace.root)?;
    let all = "20,000 runs with kills, 2,000 with losses of power, 5,000 with failing calls, every planted bug, 50 real kills, misuse, tampered input";
    let note = if failed.is_empty() { all.to_owned() } else { format!("failed: {}", failed.join("; ")) };
    Ok(Outcome { passed: failed.is_empty(), note, ..Outcome::default() })
}

/// What was begun before all steps; it is waited for after them.
pub(super) fn soaked(soak: evidence::Beside) -> Result<Outcome> {
    let (passed, lines) = soak.ended()?;
    Ok(Outcome { passed, note: lines.last().cloned().unwrap_or_default(), ..Outcome::default() })
}

/// Python and PyPI are needed: without them it fails and says so, here as in CI.
fn api(workspace: &Workspace) -> Result<Outcome> {
    let note = api::run(workspace)?;
    Ok(Outcome { passed: true, note, ..Outcome::default() })
}

fn tidy(workspace: &Workspace) -> Result<Outcome> {
    let report = tidy::run(workspace)?;
    for finding in &report.findings {
        println!("{finding}");
    }
    Ok(Outcome { passed: report.findings.is_empty(), note: report.summary(), ..Outcome::default() })
}

fn clippy(workspace: &Workspace) -> Result<Outcome> {
    run(cargo(workspace, "clippy --workspace --all-targets --all-features -- -D warnings"))
}

/// Nextest where it is installed; the runner that comes with Cargo elsewhere, so that a stranger can start at once.
fn tests(workspace: &Workspace) -> Result<Outcome> {
    if process::has_subcommand(&workspace.root, "nextest") {
        let command = cargo(workspace, "nextest run --workspace --all-features --profile ci");
        return run_tests(command, Runner::Nextest, Expect::Some);
    }
    let what = "test --workspace --all-features --lib --bins --tests --examples --no-fail-fast";
    let mut outcome = run_tests(cargo(workspace, what), Runner::Standard, Expect::Some)?;
    outcome
        .note
        .push_str("; without nextest (`cargo install cargo-nextest --locked` gives each test a process)");
    Ok(outcome)
}

fn doctests(workspace: &Workspace) -> Result<Outcome> {
    let command = cargo(workspace, "test --doc --workspace --all-features");
    run_tests(command, Runner::Standard, Expect::Any)
}

/// The binary of factlog-cli is called like the facade's library, and Cargo writes both to one page: the libraries
/// and this crate are documented here, the other binaries have their `--help`.
fn doc(workspace: &Workspace) -> Result<Outcome> {
    let mut command = cargo(workspace, "doc --workspace --all-features --no-deps --lib --bin xtask");
    command.env("RUSTDOCFLAGS", "-D warnings");
    run(command)
}

/// All other steps switch every feature on; this is what a user without them compiles.
fn features(workspace: &Workspace) -> Result<Outcome> {
    run(cargo(workspace, "check -p factlog-core -p factlog-engine -p factlog-app --no-default-features"))
}

/// Always the same rule from `deny.toml`; where cargo-deny is installed it is asked as well.
fn licences(workspace: &Workspace) -> Result<Outcome> {
    let path = workspace.root.join("deny.toml");
    let policy = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let packages = licences::packages(&workspace.metadata);
    let findings = licences::check(&policy, &packages)?;
    for finding in &findings {
        println!("{finding}");
    }
    let note = format!("{} packages, {} findings", packages.len(), findings.len());
    let mut outcome = Outcome { passed: findings.is_empty(), note, ..Outcome::default() };
    if process::has_subcommand(&workspace.root, "deny") {
        let asked = run(cargo(workspace, "deny --offline check licenses bans sources"))?;
        outcome.passed &= asked.passed;
        outcome.note.push_str("; cargo-deny asked as well");
    }
    Ok(outcome)
}

fn cargo(workspace: &Workspace, arguments: &str) -> Command {
    let mut command = process::cargo(&workspace.root);
    command.args(arguments.split_whitespace());
    command
}

fn run(mut command: Command) -> Result<Outcome> {
    let spelled = process::spelled(&command);
    println!("$ {spelled}");
    let status = command.status().with_context(|| format!("`{spelled}` could not be started"))?;
    let note = if status.success() { String::new() } else { format!("again with: {spelled}") };
    Ok(Outcome { passed: status.success(), note, ..Outcome::default() })
}

/// Whether a run without a single test is a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Some,
    Any,
}

fn run_tests(mut command: Command, runner: Runner, expect: Expect) -> Result<Outcome> {
    let spelled = process::spelled(&command);
    println!("$ {spelled}");
    let (status, kept) = process::run_keeping(&mut command, runner.is_summary())?;
    let counts =
        kept.iter().map(|line| tests_run::counts(line)).fold(Counts::default(), |sum, one| sum + one);
    let ran = counts.passed > 0 || expect == Expect::Any;
    let mut note = counts.to_string();
    if !status.success() {
        note.push_str(&format!("; again with: {spelled}"));
    } else if !ran {
        note.push_str("; a gate without tests is not a gate");
    }
    Ok(Outcome { passed: status.success() && ran, note, counts })
}
