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
        write!(f, "{} tests passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Who runs the tests, and so how the counts are spelled. A test that fails under nextest shows the line of the
/// standard runner in its output; counting both would count it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runner {
    Nextest,
    Standard,
}

impl Runner {
    /// How to tell the lines that end a run of tests with its counts.
    pub(super) fn is_summary(self) -> fn(&str) -> bool {
        match self {
            Self::Nextest => |line| line.trim_start().starts_with("Summary [") && line.contains(" run: "),
            Self::Standard => |line| line.starts_with("test result: "),
        }
    }
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

    const NEXTEST: &str =
        "     Summary [   8.120s] 214/216 tests run: 210 passed (2 slow), 3 failed, 1 timed out, 5 skipped";
    const STANDARD: &str =
        "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.40s";

    #[test]
    fn nextest_is_understood() {
        assert!(Runner::Nextest.is_summary()(NEXTEST));
        assert_eq!(counts(NEXTEST), Counts { passed: 210, failed: 4, skipped: 5 });
    }

    #[test]
    fn the_standard_runner_is_understood() {
        assert!(Runner::Standard.is_summary()(STANDARD));
        assert_eq!(counts(STANDARD), Counts { passed: 12, failed: 0, skipped: 1 });
    }

    #[test]
    fn a_failed_test_is_not_counted_twice() {
        assert!(!Runner::Nextest.is_summary()(STANDARD));
        assert!(!Runner::Standard.is_summary()(NEXTEST));
        assert!(!Runner::Nextest.is_summary()("    test result: FAILED. 0 passed; 1 failed; 0 ignored"));
        assert!(!Runner::Nextest.is_summary()("  Summary of the account: 3 passed"));
    }
}
