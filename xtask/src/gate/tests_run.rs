//! How many tests ran, read from the summary lines of nextest and of Rust's own runner.
//!
//! The counts are shown and added up; whether the run passed is the exit code's business alone.

use std::{fmt, ops::Add};

/// Tests by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tests passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// Whether a line ends a run of tests with its counts.
pub(super) fn is_summary(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("test result: ") || (line.starts_with("Summary [") && line.contains(" run: "))
}

/// The numbers before `passed`, `failed`, `timed out`, `skipped` and `ignored`.
pub(super) fn counts(line: &str) -> Counts {
    let mut counts = Counts::default();
    let words: Vec<&str> = line.split_whitespace().collect();
    for pair in words.windows(2) {
        let Ok(number) = pair[0].trim_start_matches('(').parse::<u64>() else {
            continue;
        };
        match pair[1].trim_end_matches([',', ';', ')']) {
            "passed" => counts.passed += number,
            "failed" | "timed" => counts.failed += number,
            "skipped" | "ignored" => counts.skipped += number,
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    //! Real lines of both runners.
    use super::*;

    #[test]
    fn nextest_is_understood() {
        let line = "     Summary [   8.120s] 214/216 tests run: 210 passed (2 slow), 3 failed, 1 timed out, 5 skipped";
        assert!(is_summary(line));
        assert_eq!(
            counts(line),
            Counts {
                passed: 210,
                failed: 4,
                skipped: 5
            }
        );
    }

    #[test]
    fn the_standard_runner_is_understood() {
        let line =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.40s";
        assert!(is_summary(line));
        assert_eq!(
            counts(line),
            Counts {
                passed: 12,
                failed: 0,
                skipped: 1
            }
        );
    }

    #[test]
    fn other_lines_are_not_summaries() {
        assert!(!is_summary("test gate::tests::nextest_is_understood ... ok"));
        assert!(!is_summary("  Summary of the account: 3 passed"));
    }
}
