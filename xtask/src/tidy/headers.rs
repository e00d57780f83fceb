//! Every file begins with a sentence that says what it is.

use super::rust::Source;
use crate::finding::Finding;

pub(super) fn check(sources: &[Source<'_>]) -> Vec<Finding> {
    let faults = sources.iter().filter_map(|source| Some(Finding::new(source.path, 1, fault(source.text)?)));
    faults.collect()
}

fn fault(text: &str) -> Option<&'static str> {
    let doc: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    if doc.first().is_none_or(|first| first.is_empty()) {
        return Some("does not begin with `//!`: say in the first line what this file is");
    }
    let paragraph: Vec<&str> = doc.into_iter().take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let begins = paragraph.starts_with(|c: char| c.is_uppercase() || c.is_numeric() || "`[\"".contains(c));
    let ends = paragraph.ends_with(['.', '?', '!', ':']);
    let words = paragraph.split_whitespace().count();
    (!begins || !ends || words < 2).then_some(
        "the first paragraph is not a sentence: begin with a capital letter and end with a full stop",
    )
}

#[cfg(test)]
mod tests {
    //! What is a first sentence and what is not.
    use super::*;

    #[test]
    fn sentences_pass() {
        for text in
            ["//! The single writer.\n", "//! `fsync` and what it\n//! promises.\n//!\n//! more\nfn a() {}\n"]
        {
            assert_eq!(fault(text), None, "{text}");
        }
    }

    #[test]
    fn anything_else_fails() {
        for text in ["", "fn a() {}\n", "// The writer.\n", "//!\n//! The writer.\n", "\n//! The writer.\n"] {
            assert!(fault(text).is_some_and(|fault| fault.contains("does not begin")), "{text}");
        }
        for text in [
            "//! cli\n",
            "//! the writer.\n",
            "//! The writer\nfn a() {}\n",
            "//! Writer.\n",
            "//! # Writer\n",
        ] {
            assert!(fault(text).is_some_and(|fault| fault.contains("not a sentence")), "{text}");
        }
    }
}
