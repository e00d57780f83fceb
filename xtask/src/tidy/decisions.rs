//! Decisions are numbered from 0001 without gaps or collisions, and each is in the index.

use super::markdown;
use crate::{finding::Finding, tree::Tree};

const DIRECTORY: &str = "docs/decisions/";
const INDEX: &str = "docs/decisions/README.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(index) = tree.text(INDEX) else {
        return vec![Finding::new(INDEX, 1, "does not exist: list every decision there")];
    };
    let listed: Vec<String> = markdown::links(index).into_iter().map(|(_, target)| target).collect();
    let mut findings = Vec::new();
    let mut expected = 1;
    let names = tree.with_extension("md").filter_map(|(path, _)| path.strip_prefix(DIRECTORY));
    for name in names.filter(|name| *name != "README.md") {
        let path = format!("{DIRECTORY}{name}");
        let Some(number) = number(name) else {
            findings.push(Finding::new(
                &path,
                1,
                "is not called `0000-words.md`: give it the next free number",
            ));
            continue;
        };
        if number + 1 == expected {
            findings.push(Finding::new(
                &path,
                1,
                format!("{number:04} is taken: give it the next free number"),
            ));
        } else if number != expected {
            findings.push(Finding::new(&path, 1, format!("follows a gap: {expected:04} is free, take it")));
        }
        if !listed.iter().any(|target| target == name) {
            findings.push(Finding::new(INDEX, 1, format!("does not list `{name}`: add a line with a link")));
        }
        expected = number + 1;
    }
    findings
}

fn number(name: &str) -> Option<u32> {
    let (digits, words) = name.split_once('-')?;
    let sound = digits.len() == 4 && words.len() > ".md".len();
    digits.parse().ok().filter(|_| sound)
}

#[cfg(test)]
mod tests {
    //! The three ways in which numbers go wrong, and the index that forgets.
    use super::*;

    fn found(names: &[&str], index: &str) -> Vec<String> {
        let paths: Vec<String> = names.iter().map(|name| format!("{DIRECTORY}{name}")).collect();
        let mut files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "x")).collect();
        files.push((INDEX, index));
        check(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_series_passes() {
        let index = "[one](0001-a.md) [two](0002-b.md)";
        assert_eq!(found(&["0001-a.md", "0002-b.md"], index), Vec::<String>::new());
    }

    #[test]
    fn gaps_collisions_and_other_names_fail() {
        let index = "[](0001-a.md) [](0001-b.md) [](0003-c.md) [](notes.md)";
        assert_eq!(
            found(&["0001-a.md", "0001-b.md", "0003-c.md", "notes.md"], index),
            [
                "docs/decisions/0001-b.md:1: 0001 is taken: give it the next free number",
                "docs/decisions/0003-c.md:1: follows a gap: 0002 is free, take it",
                "docs/decisions/notes.md:1: is not called `0000-words.md`: give it the next free number",
            ]
        );
        assert_eq!(found(&["0002-a.md"], "[](0002-a.md)").len(), 1);
    }

    #[test]
    fn a_decision_that_is_not_listed_fails() {
        let findings = found(&["0001-a.md"], "nothing");
        assert_eq!(
            findings,
            ["docs/decisions/README.md:1: does not list `0001-a.md`: add a line with a link"]
        );
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
