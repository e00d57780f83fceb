//! The Rust sources as the checks see them: code and comments apart, and which lines are tests.
//!
//! A file is a test when it is `tests.rs`, lies under a directory `tests/`, or is declared by `#[cfg(test)] mod x;`.
//! Inside other files the items under `#[cfg(test)]` are tests.

use std::collections::BTreeSet;

use super::scan::{self, Halves};
use crate::tree::Tree;

/// One `.rs` file.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) halves: Halves,
    /// One entry per line: whether it belongs to a test.
    test_lines: Vec<bool>,
}

impl Source<'_> {
    pub(super) fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// How many lines are not tests; 0 for a file of tests.
    pub(super) fn own_lines(&self) -> usize {
        self.test_lines.iter().filter(|test| !**test).count()
    }

    /// The lines of code that are not tests, numbered from 1.
    pub(super) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.halves.code).filter(|(line, _)| !self.is_test(*line))
    }
}

/// Lines with their numbers from 1.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

pub(super) fn sources(tree: &Tree) -> Vec<Source<'_>> {
    let mut sources = Vec::new();
    let mut test_modules = BTreeSet::new();
    for (path, text) in tree.with_extension("rs") {
        let halves = scan::split(text);
        let mut test_lines =
            vec![is_test_path(path) || halves.code.contains("#![cfg(test)]"); text.lines().count()];
        for region in test_regions(&halves.code) {
            if let Some(name) = &region.module {
                test_modules.insert(format!("{}{name}", module_directory(path)));
            }
            test_lines[region.first - 1..region.last].fill(true);
        }
        sources.push(Source { path, text, halves, test_lines });
    }
    for source in &mut sources {
        let in_module = |module: &String| {
            source
                .path
                .strip_prefix(module.as_str())
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        if test_modules.iter().any(in_module) {
            source.test_lines.fill(true);
        }
    }
    sources
}

fn is_test_path(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| part == "tests")
}

/// Where the modules declared in this file lie, with a `/` at the end.
fn module_directory(path: &str) -> String {
    let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
    match file {
        "lib.rs" | "main.rs" | "mod.rs" => format!("{directory}/"),
        _ => format!("{}/", path.trim_end_matches(".rs")),
    }
}

/// An item under `#[cfg(test)]`, from the attribute to its end; `module` when it is declared elsewhere.
struct Region {
    first: usize,
    last: usize,
    module: Option<String>,
}

fn test_regions(code: &str) -> Vec<Region> {
    let mut regions = Vec::new();
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let item_at = start + "#[cfg(test)]".len();
        let length = item_length(&code[item_at..]);
        let item = &code[item_at..item_at + length];
        let declared = item.trim_end().strip_suffix(';').and_then(|item| item.rsplit_once("mod "));
        regions.push(Region {
            first: line_of(code, start),
            last: line_of(code, item_at + length.saturating_sub(1)),
            module: declared.map(|(_, name)| name.trim().to_owned()),
        });
        from = item_at + length;
    }
    regions
}

/// Up to the `;` or the closing brace that ends the item.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && c == '}' {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    //! Which lines count as tests.
    use super::*;

    const FILE: &str =
        "//! A file.\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { let x = \"}\"; }\n}\nfn c() {}\n";

    #[test]
    fn an_inline_test_module_is_not_counted() {
        let tree = Tree::of(&[("crates/x/src/a.rs", FILE)]);
        let sources = sources(&tree);
        assert_eq!(sources[0].own_lines(), 3);
        let lines: Vec<usize> = sources[0].code_lines().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 2, 7]);
    }

    #[test]
    fn a_module_declared_for_tests_is_a_test_with_all_its_files() {
        let tree = Tree::of(&[
            ("crates/x/src/a.rs", "//! A.\n#[cfg(test)]\npub(crate) mod oracle;\nmod real;\n"),
            ("crates/x/src/a/oracle.rs", "//! O.\n"),
            ("crates/x/src/a/oracle/more.rs", "//! O.\n"),
            ("crates/x/src/a/real.rs", "//! R.\n"),
            ("crates/x/src/oracle.rs", "//! Another.\n"),
        ]);
        let own: Vec<usize> = sources(&tree).iter().map(Source::own_lines).collect();
        assert_eq!(own, [2, 0, 0, 1, 1]);
    }

    #[test]
    fn files_of_tests_are_known_by_their_place() {
        assert!(is_test_path("crates/x/src/a/tests.rs"));
        assert!(is_test_path("crates/x/tests/it/main.rs"));
        assert!(!is_test_path("xtask/src/gate/tests_run.rs"));
    }
}
