//! `cargo xtask tidy`: the rules of the repository that no compiler checks.
//!
//! * Each check is a function of plain values (a [`Tree`], parsed sources, facts from Cargo) with a test that it
//!   fails on a fixture: a check that cannot fail is a defect.
//! * Every finding names a place and what to do there.
//! * Function length is clippy's business (`too_many_lines`, 70 in `clippy.toml`), and so are the clock and ids
//!   (`disallowed-methods`); tidy therefore never parses Rust, it only tells code from comments.

mod absences;
mod crate_facts;
mod crate_table;
mod decisions;
mod documents;
mod headers;
mod markdown;
mod rust;
mod scan;
mod sizes;

use anyhow::Result;

use crate::{command_names, finding::Finding, tree::Tree, workspace::Workspace};

/// What tidy found, and the sizes it measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) findings: Vec<Finding>,
    sizes: sizes::Sizes,
}

impl Report {
    pub(crate) fn summary(&self) -> String {
        format!("{} findings; {}", self.findings.len(), self.sizes)
    }
}

/// Runs every check on the working directory as it is.
pub(crate) fn run(workspace: &Workspace) -> Result<Report> {
    let tree = Tree::read(&workspace.root)?;
    let sources = rust::sources(&tree);
    let mut findings = crate_table::check(&tree, |wanted| crate_facts::load(workspace, wanted))?;
    let (sizes, oversized) = sizes::check(&sources);
    findings.extend(oversized);
    findings.extend(headers::check(&sources));
    findings.extend(absences::check(&tree, &sources));
    findings.extend(documents::check(&tree, &command_names()));
    findings.extend(decisions::check(&tree));
    findings.sort();
    Ok(Report { findings, sizes })
}
