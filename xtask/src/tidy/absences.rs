//! What the architecture says is absent: files outside the storage module, `unsafe`, and notes to oneself.
//!
//! Only code is searched for the first two, so that a comment may speak of them; only comments and documents are
//! searched for notes. The clock and random ids are clippy's business (`disallowed-methods`).

use super::{markdown, rust::Source, rust::numbered};
use crate::{finding::Finding, tree::Tree};

/// The sources of the engine, and the one module of it that may touch files.
const ENGINE: &str = "crates/factlog-engine/src/";
const STORAGE: [&str; 2] = ["crates/factlog-engine/src/storage.rs", "crates/factlog-engine/src/storage/"];

/// Files that may hold `unsafe`, each with its proof and its decision.
const UNSAFE: [&str; 1] = ["crates/factlog-engine/src/storage/uring.rs"];

/// Left in code or text, these mean that something is not finished.
const NOTES: [&str; 3] = ["TODO", "FIXME", "XXX"];
/// Macros that mean the same. Clippy denies them as well, but not under every `cfg`.
const UNFINISHED: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

pub(super) fn check(tree: &Tree, sources: &[Source<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        findings.extend(files(source));
        findings.extend(unsafe_code(source));
        findings.extend(unfinished(source));
    }
    for (path, text) in tree.texts().filter(|(path, _)| !path.ends_with(".rs")) {
        let prose = if path.ends_with(".md") { markdown::without_code(text) } else { text.to_owned() };
        findings.extend(notes(path, &prose));
    }
    findings
}

fn files(source: &Source<'_>) -> Vec<Finding> {
    if !source.path.starts_with(ENGINE) || STORAGE.iter().any(|allowed| source.path.starts_with(allowed)) {
        return Vec::new();
    }
    let code: String = source.code_lines().map(|(line, code)| format!("{line} {code}\n")).collect();
    let uses = code.split_inclusive('\n').scan(false, |within, line| {
        let found = touches_files(line, within);
        Some((found, line))
    });
    let lines = uses.filter(|(found, _)| *found).filter_map(|(_, line)| line.split_once(' ')?.0.parse().ok());
    lines
        .map(|line| {
            Finding::new(source.path, line, "touches files outside `storage/`: go through the storage module")
        })
        .collect()
}

/// Whether a line names `std::fs` or `rustix::fs`, also inside a group such as `use std::{fs, io};` that began on an
/// earlier line, as `within` remembers.
fn touches_files(line: &str, within: &mut bool) -> bool {
    let line: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let grouped = ["std::{", "rustix::{"].iter().any(|group| line.contains(group));
    *within |= grouped;
    let named = ["std::fs", "rustix::fs"].iter().any(|path| has_word(&line, path));
    let found = named || (*within && has_word(&line, "fs"));
    if line.contains(';') {
        *within = false;
    }
    found
}

fn unsafe_code(source: &Source<'_>) -> Vec<Finding> {
    if UNSAFE.contains(&source.path) {
        return Vec::new();
    }
    let lines = numbered(&source.halves.code).filter(|(_, code)| has_word(code, "unsafe"));
    lines
        .map(|(line, _)| {
            Finding::new(
                source.path,
                line,
                "`unsafe`: find a safe way; this file is not one of those that may hold it",
            )
        })
        .collect()
}

fn unfinished(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = notes(source.path, &source.halves.comments);
    for (line, code) in numbered(&source.halves.code) {
        for name in UNFINISHED.iter().filter(|name| has_word(code, name)) {
            findings.push(Finding::new(source.path, line, format!("`{name}`: finish it or take it out")));
        }
    }
    findings
}

fn notes(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in numbered(text) {
        for note in NOTES.iter().filter(|note| has_word(text, note)) {
            findings.push(Finding::new(path, line, format!("a note `{note}`: do it now, or write an issue")));
        }
    }
    findings
}

/// Whether `word` occurs in `text` and is not a part of a longer word.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(part) && (word.ends_with('!') || !after.is_some_and(part))
    })
}

#[cfg(test)]
mod tests;
