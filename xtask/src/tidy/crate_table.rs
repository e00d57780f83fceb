//! The crate table of `ARCHITECTURE.md` is true.
//!
//! * Every crate of the workspace has one row, and every row has a crate.
//! * A crate depends directly only on what its row allows. The words `any library` in a row allow every crate from
//!   outside the workspace; crates of the workspace are always named.
//! * Tests may use any library; a crate of the workspace they use is named in a column of its own.
//! * What a row says a crate must never know is not linked with it, not even through others.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{crate_facts::Crate, crate_facts::Facts, markdown};
use crate::{finding::Finding, tree::Tree};

const FILE: &str = "ARCHITECTURE.md";
const COLUMNS: [&str; 4] = ["crate", "may depend on", "its tests may also use", "must never know"];
const ANY_LIBRARY: &str = "any library";

/// One row, with the names that are written as code.
struct Row {
    line: usize,
    may: BTreeSet<String>,
    any_library: bool,
    tests_may: BTreeSet<String>,
    never: BTreeSet<String>,
}

/// `load` is given the names of the crates whose row forbids something, to look through their whole tree.
pub(super) fn check(
    tree: &Tree,
    load: impl FnOnce(&BTreeSet<String>) -> Result<Facts>,
) -> Result<Vec<Finding>> {
    let rows = tree.text(FILE).and_then(|text| markdown::table(text, COLUMNS));
    let Some(rows) = rows else {
        let what = format!("has no table with the columns {}: write it", COLUMNS.join(", "));
        return Ok(vec![Finding::new(FILE, 1, what)]);
    };
    let mut findings = Vec::new();
    let mut table = BTreeMap::new();
    for (line, cells) in rows {
        let Some(name) = names(&cells[0]).pop_first() else {
            findings.push(Finding::new(FILE, line, "the row names no crate in backticks: name it"));
            continue;
        };
        if table.insert(name.clone(), Row::new(line, &cells)).is_some() {
            findings.push(Finding::new(FILE, line, format!("`{name}` has two rows: leave one")));
        }
    }
    let forbidding = table.iter().filter(|(_, row)| !row.never.is_empty());
    let facts = load(&forbidding.map(|(name, _)| name.clone()).collect())?;
    for (name, facts) in facts.crates.iter().filter(|(name, _)| !table.contains_key(*name)) {
        let what = format!("`{name}` is not in the crate table of {FILE}: add a row that says why it exists");
        findings.push(Finding::new(&facts.manifest, 1, what));
    }
    for (name, row) in &table {
        match facts.crates.get(name) {
            Some(known) => findings.extend(row.check(name, known, &facts)),
            None => findings.push(Finding::new(
                FILE,
                row.line,
                format!("there is no crate `{name}`: remove the row"),
            )),
        }
        findings.extend(row.unknown_names(&facts));
    }
    Ok(findings)
}

impl Row {
    fn new(line: usize, cells: &[String; 4]) -> Self {
        Self {
            line,
            may: names(&cells[1]),
            any_library: cells[1].contains(ANY_LIBRARY),
            tests_may: names(&cells[2]),
            never: names(&cells[3]),
        }
    }

    fn check(&self, name: &str, known: &Crate, facts: &Facts) -> Vec<Finding> {
        let ours = |dependency: &String| facts.crates.contains_key(dependency);
        let allowed =
            |dependency: &String| self.may.contains(dependency) || (self.any_library && !ours(dependency));
        let mut whats = Vec::new();
        for dependency in known.depends_on.iter().filter(|dependency| !allowed(dependency)) {
            whats.push(format!(
                "`{name}` depends on `{dependency}`, which its row does not allow: remove the dependency, or add it to \
                 the row and say why in the commit"
            ));
        }
        for dependency in known.tests_use.iter().filter(|dependency| ours(dependency)) {
            if !self.may.contains(dependency) && !self.tests_may.contains(dependency) && dependency != name {
                whats.push(format!("the tests of `{name}` use `{dependency}`, which its row does not allow"));
            }
        }
        for forbidden in &self.never {
            if known.depends_on.contains(forbidden) || known.linked.contains(forbidden) {
                whats.push(format!(
                    "`{name}` must never know `{forbidden}` but is linked with it: `cargo tree -p {name} --all-features \
                     -e normal -i {forbidden}` shows how"
                ));
            }
        }
        whats.into_iter().map(|what| Finding::new(FILE, self.line, what)).collect()
    }

    /// A row speaks only of crates that exist; what must never be known may of course be missing.
    fn unknown_names(&self, facts: &Facts) -> Vec<Finding> {
        let spoken = self.may.iter().chain(&self.tests_may);
        let spoken = spoken.chain(self.never.iter().filter(|name| name.starts_with("factlog")));
        let unknown = spoken.filter(|name| !facts.packages.contains(*name));
        unknown
            .map(|name| Finding::new(FILE, self.line, format!("there is no crate `{name}`: remove the name")))
            .collect()
    }
}

fn names(cell: &str) -> BTreeSet<String> {
    markdown::inline_code(cell).into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
