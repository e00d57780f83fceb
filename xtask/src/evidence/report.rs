//! The report of an evidence run: one section for each part, kept after each part, so that nothing that ran is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Part, Size};
use crate::bench::machine;

/// What is known of each part, and where that is written.
#[derive(Debug)]
pub(super) struct Report {
    head: String,
    /// The row that says which sources were run: only sections about these are kept.
    commit: String,
    path: Option<PathBuf>,
}

/// Sections by title: whether the part passed, and the text.
type Sections = BTreeMap<String, (bool, String)>;

impl Report {
    /// A report that is kept in this file, if in any.
    pub(super) fn new(root: &Path, size: Size, path: Option<PathBuf>) -> Self {
        let (day, minute) = machine::now();
        let mut head = format!(
            "# Evidence, {day}, size `{0}`\n\nWritten by `cargo xtask evidence --size {0} --record`. A simulated disk, a stepped \
             engine, one seed a run: `crates/factlog-sim`; real processes under real faults: `crates/factlog-faults`; what \
             decodes: `crates/factlog-fuzz`. Each run ends with a verification of the store and with its whole history held \
             against the contract.\n\n| | |\n|---|---|\n| begun | {day} {minute} |\n| load before | {1} |\n",
            size.name(),
            machine::load()
        );
        let mut commit = String::new();
        for (name, value) in machine::describe(root, root) {
            let row = format!("| {name} | {value} |\n");
            head.push_str(&row);
            if name == "commit" {
                commit = row;
            }
        }
        Self { head, commit, path }
    }

    /// Whether the file says that a part passed, run on the same sources.
    pub(super) fn has_passed(&self, part: &Part) -> bool {
        self.kept().get(part.title).is_some_and(|(passed, _)| *passed)
    }

    /// Adds what came of a part, beside what the file says of the others: they may be running at the same time.
    pub(super) fn add(&self, parts: &[Part], title: &str, passed: bool, text: &str) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut sections = self.kept();
        sections.insert(title.to_owned(), (passed, section(title, verdict(passed), text)));
        let head = self.file().map_or_else(|| self.head.clone(), |file| head(&file).to_owned());
        let said = parts.iter().map(|part| match sections.remove(part.title) {
            Some((_, text)) => text,
            None => section(part.title, "not run", ""),
        });
        let report = head + &said.collect::<String>();
        fs::write(path, report).with_context(|| format!("{} could not be written", path.display()))
    }

    /// The file, if it is about the same sources.
    fn file(&self) -> Option<String> {
        let file = fs::read_to_string(self.path.as_ref()?).ok()?;
        head(&file).contains(&self.commit).then_some(file)
    }

    fn kept(&self) -> Sections {
        self.file().map_or_else(Sections::new, |file| sections(&file))
    }
}

fn verdict(passed: bool) -> &'static str {
    if passed { "passed" } else { "FAILED" }
}

fn section(title: &str, verdict: &str, text: &str) -> String {
    format!("\n## {title}: {verdict}\n{text}")
}

/// What stands in front of the first section.
fn head(report: &str) -> &str {
    report.find("\n## ").map_or(report, |end| &report[..end])
}

/// The sections of parts that were run.
fn sections(report: &str) -> Sections {
    let mut found = Sections::new();
    for section in report[head(report).len()..].split("\n## ").skip(1) {
        let line = section.lines().next().unwrap_or_default();
        for passed in [true, false] {
            if let Some(title) = line.strip_suffix(verdict(passed)).and_then(|title| title.strip_suffix(": "))
            {
                found.insert(title.to_owned(), (passed, format!("\n## {section}")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    //! A report must not say of a part what it did not come to, nor forget one that ran.
    use super::*;

    const PARTS: [Part; 3] = [
        Part { title: "One", package: "factlog-sim", arguments: "" },
        Part { title: "Two", package: "factlog-faults", arguments: "" },
        Part { title: "Three", package: "factlog-fuzz", arguments: "" },
    ];

    fn report(path: &Path, commit: &str) -> Report {
        let commit = format!("| commit | {commit} |\n");
        Report { head: format!("# Evidence\n\n{commit}"), commit, path: Some(path.to_owned()) }
    }

    #[test]
    fn what_ran_on_the_same_sources_is_kept_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("report.md");
        let (one, other) = (report(&path, "aaaa"), report(&path, "aaaa"));
        assert!(!one.has_passed(&PARTS[0]));
        one.add(&PARTS, "One", true, "\none\n").expect("written");
        other.add(&PARTS, "Three", false, "\nthree\n").expect("written");
        one.add(&PARTS, "Two", true, "\ntwo\n").expect("written");
        let passed = PARTS.each_ref().map(|part| other.has_passed(part));
        assert_eq!(passed, [true, true, false]);
        let text = fs::read_to_string(&path).expect("a report");
        let expected = "# Evidence\n\n| commit | aaaa |\n\n## One: passed\n\none\n\n## Two: passed\n\ntwo\n\n## Three: FAILED\n\nthree\n";
        assert_eq!(text, expected);
        let newer = report(&path, "bbbb");
        assert!(!newer.has_passed(&PARTS[0]), "it is of other sources");
        newer.add(&PARTS, "Two", true, "\nagain\n").expect("written");
        let text = fs::read_to_string(&path).expect("a report");
        assert!(text.contains("bbbb") && text.contains("One: not run") && !text.contains("three"), "{text}");
    }
}
