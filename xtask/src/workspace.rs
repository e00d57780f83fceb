//! What Cargo knows about the workspace: the root, the metadata, and who reaches whom.
//!
//! Everything that needs Cargo is asked here, so that the checks are functions of plain values.

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::process;

/// The repository and its metadata, read once per command.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) metadata: Metadata,
}

impl Workspace {
    /// Reads the metadata as locked; that needs no network once the dependencies have been downloaded.
    pub(crate) fn load() -> Result<Self> {
        // Cargo tells where this checkout is; two checkouts that share a target directory share this program.
        let manifest =
            env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let root = Path::new(&manifest).parent().context("xtask lies in the repository")?.to_owned();
        let metadata = MetadataCommand::new()
            .current_dir(&root)
            .other_options(vec!["--locked".to_owned()])
            .exec()
            .context("`cargo metadata --locked` failed: run `cargo check` once to repair Cargo.lock")?;
        Ok(Self { root, metadata })
    }

    /// Where Cargo builds.
    pub(crate) fn target(&self) -> PathBuf {
        self.metadata.target_directory.clone().into_std_path_buf()
    }

    /// The names of every crate that would be linked with `package`, with all of its features and without the
    /// features that other members of the workspace switch on. What only runs in the compiler does not count.
    pub(crate) fn linked_with(&self, package: &str) -> Result<BTreeSet<String>> {
        let output = process::cargo(&self.root)
            .args(["tree", "--locked", "--package", package, "--all-features"])
            .args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"])
            .output()
            .context("`cargo tree` could not be started")?;
        if !output.status.success() {
            bail!("`cargo tree --package {package}` failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        let lines =
            String::from_utf8(output.stdout).context("`cargo tree` printed something else than text")?;
        let names = lines.lines().filter_map(|line| line.split_whitespace().next());
        Ok(names.filter(|name| *name != package).map(str::to_owned).collect())
    }
}
