//! Python with the packages of a list that pins them by hash, in the target directory, made once.
//!
//! Without Python or PyPI it fails and says what is needed, here as in CI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::finish;

/// An environment that has what is needed.
pub(crate) struct Python {
    directory: PathBuf,
}

impl Python {
    /// The environment of an earlier run in this directory if it was made from the same list, otherwise a new one.
    pub(crate) fn prepare(list: &Path, directory: PathBuf) -> Result<Self> {
        let wanted = fs::read(list).with_context(|| format!("cannot read {}", list.display()))?;
        let python = Self { directory };
        // Written last: an environment that is not whole has none.
        let made_from = python.directory.join("made-from.txt");
        if fs::read(&made_from).is_ok_and(|found| found == wanted) {
            return Ok(python);
        }
        let needs =
            "this part needs Python 3.10 or newer with `venv` (`apt-get install python3-venv`), and PyPI";
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&python.directory);
        finish("python3 -m venv", &mut make).context(needs)?;
        let mut install = python.command("pip");
        install.args(["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
        install.args(["--require-hashes", "--requirement"]).arg(list);
        finish(&format!("pip install --requirement {}", list.display()), &mut install).context(needs)?;
        fs::write(&made_from, wanted).context("the environment could not be marked as whole")?;
        Ok(python)
    }

    /// One of its programs.
    pub(crate) fn command(&self, program: &str) -> Command {
        Command::new(self.directory.join("bin").join(program))
    }
}
