//! `cargo xtask test`: every check of the repository, in one order, on every machine.
//!
//! * Every step runs even when an earlier one failed: one run tells everything.
//! * Nothing is skipped in CI, and nothing is done only there.
//! * All builds use one profile and all features, so that nothing is compiled twice for two steps.
//!
//! It does not know what the checks check.

mod deployments;
mod steps;
mod tests_run;

use std::time::{Duration, Instant};

use anyhow::Result;

use self::{steps::STEPS, tests_run::Counts};
use crate::{evidence, workspace::Workspace};

/// How much of the gate is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Full,
    /// What a change needs before it is shown to anybody: format, tidy, clippy, tests.
    Quick,
}

/// One thing the gate does.
struct Step {
    name: &'static str,
    scope: Scope,
    run: fn(&Workspace) -> Result<Outcome>,
}

/// What a step came to.
#[derive(Debug, Default)]
struct Outcome {
    passed: bool,
    /// Facts for the summary: how many tests, which sizes, what to install.
    note: String,
    counts: Counts,
}

struct Finished {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

/// Runs the gate, prints the summary, and says whether everything passed.
pub(crate) fn run(workspace: &Workspace, scope: Scope) -> bool {
    let wanted = STEPS.iter().filter(|step| scope == Scope::Full || step.scope == Scope::Quick);
    // It lasts ten minutes, and takes half a core: all steps run meanwhile.
    let soak = (scope == Scope::Full).then(|| evidence::soak(&workspace.root));
    let mut finished: Vec<Finished> = wanted.map(|step| run_step(step, workspace)).collect();
    finished.extend(soak.map(|soak| finish("soak", || steps::soaked(soak?))));
    print!("{}", summary(&finished));
    finished.iter().all(|step| step.outcome.passed)
}

fn run_step(step: &Step, workspace: &Workspace) -> Finished {
    finish(step.name, || (step.run)(workspace))
}

fn finish(name: &'static str, work: impl FnOnce() -> Result<Outcome>) -> Finished {
    println!("\n==> {name}");
    let (outcome, took) = timed(work);
    let outcome =
        outcome.unwrap_or_else(|error| Outcome { note: format!("{error:#}"), ..Outcome::default() });
    println!("<== {name}: {} in {}", word(outcome.passed), seconds(took));
    Finished { name, took, outcome }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the time a step took is shown to a person and decides nothing"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// The table of steps, and the one line that a person or a script looks for.
fn summary(finished: &[Finished]) -> String {
    let mut text = String::from("\n");
    for Finished { name, took, outcome } in finished {
        text.push_str(&format!(
            "{:<6} {name:<8} {:>8}  {}\n",
            word(outcome.passed),
            seconds(*took),
            outcome.note
        ));
    }
    let counts = finished.iter().fold(Counts::default(), |sum, step| sum + step.outcome.counts);
    let took = seconds(finished.iter().map(|step| step.took).sum());
    let failed: Vec<&str> =
        finished.iter().filter(|step| !step.outcome.passed).map(|step| step.name).collect();
    let verdict =
        if failed.is_empty() { "PASSED".to_owned() } else { format!("FAILED ({})", failed.join(", ")) };
    text.push_str(&format!("\n{verdict}: {counts}; {} steps in {took}\n", finished.len()));
    text
}

fn word(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    //! The last line must not say that all is well when it is not.
    use super::*;

    fn finished(name: &'static str, passed: bool, tests: u64) -> Finished {
        let counts = Counts { passed: tests, ..Counts::default() };
        Finished {
            name,
            took: Duration::from_millis(1500),
            outcome: Outcome { passed, note: String::new(), counts },
        }
    }

    #[test]
    fn the_last_line_counts_the_tests() {
        let text =
            summary(&[finished("fmt", true, 0), finished("tests", true, 40), finished("doctests", true, 2)]);
        let last = text.lines().last().expect("a line");
        assert_eq!(last, "PASSED: 42 tests passed, 0 failed, 0 skipped; 3 steps in 4.5 s");
    }

    #[test]
    fn one_failed_step_fails_the_gate_and_is_named() {
        let text =
            summary(&[finished("fmt", false, 0), finished("tests", true, 40), finished("doc", false, 0)]);
        let last = text.lines().last().expect("a line");
        assert!(last.starts_with("FAILED (fmt, doc): 40 tests passed"), "{last}");
        assert!(text.contains("FAILED fmt"), "{text}");
    }

    #[test]
    fn the_quick_gate_is_the_start_of_the_full_one() {
        let quick: Vec<&str> =
            STEPS.iter().filter(|step| step.scope == Scope::Quick).map(|step| step.name).collect();
        assert_eq!(quick, ["fmt", "tidy", "clippy", "tests"]);
        assert!(STEPS.iter().take(4).all(|step| step.scope == Scope::Quick));
    }
}
