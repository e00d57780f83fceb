//! Documents name only what exists: paths, functions in files, links and commands.
//!
//! A path is checked when it begins with a directory of this repository; other words in backticks are left alone,
//! and so are links to other sites.

use super::markdown;
use crate::{finding::Finding, tree::Tree};

/// What a path of this repository begins with.
const TOPS: [&str; 9] =
    ["benches/", "crates/", "deploy/", "docs/", "examples/", "xtask/", ".ci/", ".config/", ".cargo/"];

pub(super) fn check(tree: &Tree, commands: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.with_extension("md") {
        for (line, code) in markdown::code(text) {
            for word in code.split(|c: char| c.is_whitespace() || "\"'(),".contains(c)) {
                let there = exists(tree, path, word) && defines(tree, word);
                if names_path(word) && !there {
                    let what = format!("`{word}` does not exist: correct the name, or leave it out");
                    findings.push(Finding::new(path, line, what));
                }
            }
            findings.extend(command(path, line, code, commands));
        }
        for (line, target) in markdown::links(text) {
            if !is_foreign(&target) && !tree.exists(&resolve(path, &target)) {
                let what = format!("the link to `{target}` leads nowhere: correct it, or leave it out");
                findings.push(Finding::new(path, line, what));
            }
        }
    }
    findings
}

/// Whether a word in code is a path of the repository or the bare name of a document.
fn names_path(word: &str) -> bool {
    let pattern = word.contains(['<', '{', '$', '…']) || word.contains("...");
    let bare_document = word.ends_with(".md") && word.len() > ".md".len() && !word.contains('/');
    !pattern && (TOPS.iter().any(|top| word.starts_with(top)) || bare_document)
}

/// Seen from the top or, for a bare name, from beside the document.
fn exists(tree: &Tree, document: &str, word: &str) -> bool {
    let path = word.split("::").next().unwrap_or(word);
    let path = path.split('#').next().unwrap_or(path);
    let path = match path.split_once(':') {
        Some((path, line)) if line.starts_with(|c: char| c.is_ascii_digit()) => path,
        _ => path,
    };
    match path.split_once('*') {
        Some((before, _)) => tree.exists(before.rsplit_once('/').map_or("", |(directory, _)| directory)),
        None => tree.exists(path) || (!path.contains('/') && tree.exists(&resolve(document, path))),
    }
}

/// Whether the function of `crates/a/src/lib.rs::function` is in that file; so for every path with a name behind it.
fn defines(tree: &Tree, word: &str) -> bool {
    let Some((file, name)) = word.split_once("::") else { return true };
    let name = name.rsplit("::").next().unwrap_or(name);
    let text = tree.text(file).unwrap_or_default();
    let start = format!("fn {name}");
    text.match_indices(&start).any(|(at, _)| text[at + start.len()..].starts_with(['(', '<']))
}

fn command(path: &str, line: usize, code: &str, commands: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, _) in code.match_indices("cargo xtask ") {
        let name = code[at + "cargo xtask ".len()..].split_whitespace().next().unwrap_or_default();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_name && !commands.contains(&name) {
            let what = format!("`cargo xtask {name}` is not a command; there are: {}", commands.join(", "));
            findings.push(Finding::new(path, line, what));
        }
    }
    findings
}

fn is_foreign(target: &str) -> bool {
    target.is_empty() || target.starts_with('#') || target.contains("://") || target.starts_with("mailto:")
}

/// The path from the top of what a link in `document` points at.
fn resolve(document: &str, target: &str) -> String {
    let target = target.split('#').next().unwrap_or(target);
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    //! A document that names what is there, and one that does not.
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("docs/guide.md", text),
            ("docs/format.md", "x"),
            ("ARCHITECTURE.md", "x"),
            ("crates/a/src/lib.rs", "//! A b.\nfn count() {}\nfn first<T>(_: T) {}\n"),
        ]);
        check(&tree, &["tidy", "test"]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_exists_may_be_named() {
        let text = "`crates/a/src/lib.rs`, `crates/a/`, `crates/a/src/lib.rs:3`, `crates/a/src/lib.rs::count`, `crates/a/src/lib.rs::first`, `crates/*/src`, `crates/<name>/x`, \
                    `format.md`, `ARCHITECTURE.md`, `src/other.rs`, `a/b`, `cargo xtask tidy`, `cargo xtask <command>`, \
                    [f](format.md#x), [a](../ARCHITECTURE.md), [web](https://example.invalid/x), [here](#y)\n";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn paths_that_do_not_exist_fail() {
        for text in
            ["`crates/b`", "`docs/missing.md`", "`missing.md`", "`crates/b/*.rs`", "`cat examples/none.csv`"]
        {
            assert_eq!(found(text).len(), 1, "{text}");
        }
        for name in ["coun", "counts", "A"] {
            assert_eq!(found(&format!("`crates/a/src/lib.rs::{name}`")).len(), 1, "no function {name}");
        }
        assert_eq!(
            found("one\n`crates/b`"),
            ["docs/guide.md:2: `crates/b` does not exist: correct the name, or leave it out"]
        );
        assert_eq!(found("```sh\ncargo run -- examples/none.csv\n```\n").len(), 1);
    }

    #[test]
    fn links_that_lead_nowhere_fail() {
        for text in ["[a](missing.md)", "[a](../crates/b)", "[a][b]\n\n[b]: none.md"] {
            assert_eq!(found(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn commands_that_do_not_exist_fail() {
        for text in ["`cargo xtask bench`", "```sh\n$ cargo xtask lint --all\n```\n"] {
            let findings = found(text);
            assert!(findings.len() == 1 && findings[0].contains("is not a command"), "{findings:?}");
        }
    }
}
