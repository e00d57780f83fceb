//! Python with the packages of `xtask/api/requirements.txt`, in the target directory, made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::finish;

/// An environment that has what is needed.
pub(super) struct Python {
    directory: PathBuf,
}

impl Python {
    /// The environment of an earlier run if it was made from the same list, otherwise a new one.
    pub(super) fn prepare(root: &Path, target: &Path) -> Result<Self> {
        let list = root.join("xtask/api/requirements.txt");
        let wanted = fs::read(&list).with_context(|| format!("cannot read {}", list.display()))?;
        let python = Self { directory: target.join("api/python") };
        // Written last: an environment that is not whole has none.
        let made_from = python.directory.join("made-from.txt");
        if fs::read(&made_from).is_ok_and(|found| found == wanted) {
            return Ok(python);
        }
        let needs = "this part needs Python 3.10 or newer with `venv`, and PyPI";
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&python.directory);
        finish("python3 -m venv", &mut make).context(needs)?;
        let mut install = python.command("pip");
        install.args(["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
        install.args(["--require-hashes", "--requirement"]).arg(&list);
        finish("pip install --requirement xtask/api/requirements.txt", &mut install).context(needs)?;
        fs::write(&made_from, wanted).context("the environment could not be marked as whole")?;
        Ok(python)
    }

    /// One of its programs.
    pub(super) fn command(&self, program: &str) -> Command {
        Command::new(self.directory.join("bin").join(program))
    }
}
