//! File sizes: median and 90th percentile of the whole, and a bound for each file. Lines of tests do not count.
//!
//! Function length is not measured here; clippy does that.

use std::fmt;

use super::rust::Source;
use crate::finding::Finding;

const MEDIAN_MAX: usize = 200;
const P90_MAX: usize = 500;
const FILE_MAX: usize = 800;

const _: () = assert!(MEDIAN_MAX <= P90_MAX && P90_MAX <= FILE_MAX);

/// The sizes of all files that are not tests, in lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    files: usize,
    median: usize,
    p90: usize,
    largest: usize,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, median, p90, largest } = self;
        write!(f, "{files} source files, median {median}, p90 {p90}, largest {largest} lines")
    }
}

pub(super) fn check(sources: &[Source<'_>]) -> (Sizes, Vec<Finding>) {
    let mut measured: Vec<(usize, &str)> =
        sources.iter().map(|source| (source.own_lines(), source.path)).collect();
    measured.retain(|(lines, _)| *lines > 0);
    measured.sort_unstable();
    let lines: Vec<usize> = measured.iter().map(|(lines, _)| *lines).collect();
    let sizes = Sizes {
        files: lines.len(),
        median: percentile(&lines, 50),
        p90: percentile(&lines, 90),
        largest: percentile(&lines, 100),
    };
    let mut findings = Vec::new();
    for (lines, path) in measured.iter().filter(|(lines, _)| *lines > FILE_MAX) {
        let what = format!("{lines} lines without tests, {FILE_MAX} at most: split by state or by phase");
        findings.push(Finding::new(path, FILE_MAX, what));
    }
    for (name, value, bound) in
        [("median", sizes.median, MEDIAN_MAX), ("90th percentile", sizes.p90, P90_MAX)]
    {
        if value > bound {
            let largest: Vec<&str> = measured.iter().rev().take(5).map(|(_, path)| *path).collect();
            let what =
                format!("the {name} of all files is {value} lines, {bound} at most: split the largest");
            findings.push(Finding::new(
                "xtask/src/tidy/sizes.rs",
                1,
                format!("{what} ({})", largest.join(", ")),
            ));
        }
    }
    (sizes, findings)
}

/// The nearest rank, so that the value is the size of a real file.
fn percentile(sorted: &[usize], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    //! Each bound is exceeded once.
    use super::*;
    use crate::{tidy::rust, tree::Tree};

    fn checked(sizes: &[usize]) -> (Sizes, Vec<String>) {
        let texts: Vec<(String, String)> = sizes
            .iter()
            .enumerate()
            .map(|(n, size)| (format!("src/f{n:03}.rs"), "x\n".repeat(*size)))
            .collect();
        let files: Vec<(&str, &str)> =
            texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let tree = Tree::of(&files);
        let (sizes, findings) = check(&rust::sources(&tree));
        (sizes, findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn small_files_pass() {
        let (sizes, findings) = checked(&[10, 200, 200, 800]);
        assert_eq!(sizes, Sizes { files: 4, median: 200, p90: 800, largest: 800 });
        assert_eq!(findings.len(), 1, "only p90: {findings:?}");
        let (sizes, findings) = checked(&[10, 20, 30]);
        assert_eq!(sizes.to_string(), "3 source files, median 20, p90 30, largest 30 lines");
        assert_eq!(findings, Vec::<String>::new());
    }

    #[test]
    fn a_long_file_fails() {
        let mut sizes = vec![10; 20];
        sizes.push(801);
        let (_, findings) = checked(&sizes);
        assert_eq!(
            findings,
            ["src/f020.rs:800: 801 lines without tests, 800 at most: split by state or by phase"]
        );
    }

    #[test]
    fn a_large_median_and_a_large_p90_fail() {
        let (_, findings) = checked(&[201; 3]);
        assert!(findings.len() == 1 && findings[0].contains("median of all files is 201"), "{findings:?}");
        let mut sizes = vec![10; 8];
        sizes.extend([501, 501]);
        let (_, findings) = checked(&sizes);
        assert!(
            findings.len() == 1 && findings[0].contains("90th percentile of all files is 501"),
            "{findings:?}"
        );
    }
}
