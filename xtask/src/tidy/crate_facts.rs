//! What Cargo says of each crate of the workspace, in the words the crate table is checked with.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Package};

use crate::workspace::Workspace;

/// One crate of the workspace.
#[derive(Clone, Debug, Default)]
pub(super) struct Crate {
    /// Its manifest, from the top of the repository.
    pub(super) manifest: String,
    /// Direct dependencies, build dependencies and optional ones included.
    pub(super) depends_on: BTreeSet<String>,
    /// Direct dependencies of its tests alone.
    pub(super) tests_use: BTreeSet<String>,
    /// Everything linked with it, directly or not; only where it was asked for.
    pub(super) linked: BTreeSet<String>,
}

/// All crates of the workspace and the names of all packages they are built from.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) crates: BTreeMap<String, Crate>,
    pub(super) packages: BTreeSet<String>,
}

/// Reads the facts; `linked_for` names the crates whose whole tree is wanted, which costs a call of Cargo each.
pub(super) fn load(workspace: &Workspace, linked_for: &BTreeSet<String>) -> Result<Facts> {
    let metadata = &workspace.metadata;
    let mut crates = BTreeMap::new();
    for package in metadata.workspace_packages() {
        let name = package.name.to_string();
        let manifest = package.manifest_path.strip_prefix(&metadata.workspace_root);
        let manifest = manifest.with_context(|| format!("{name} lies outside the workspace"))?;
        let linked = if linked_for.contains(&name) { workspace.linked_with(&name)? } else { BTreeSet::new() };
        let facts = Crate {
            manifest: manifest.to_string(),
            depends_on: dependencies(package, |kind| kind != DependencyKind::Development),
            tests_use: dependencies(package, |kind| kind == DependencyKind::Development),
            linked,
        };
        crates.insert(name, facts);
    }
    let packages = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    Ok(Facts { crates, packages })
}

fn dependencies(package: &Package, wanted: impl Fn(DependencyKind) -> bool) -> BTreeSet<String> {
    let declared = package.dependencies.iter().filter(|dependency| wanted(dependency.kind));
    declared.map(|dependency| dependency.name.clone()).collect()
}
