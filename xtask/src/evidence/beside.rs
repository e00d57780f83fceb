//! A part that lasts, and so runs beside the others: its output goes to a file and is told when it has ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, Result};

use super::Part;
use crate::process;

/// A part under way. Dropped before its end, it is killed, and its server with it.
#[derive(Debug)]
pub(crate) struct Beside {
    child: Child,
    log: PathBuf,
    pub(super) spelled: String,
}

impl Beside {
    /// Builds and starts it.
    pub(super) fn start(root: &Path, part: &Part) -> Result<Self> {
        let mut command = part.command(root);
        let spelled = process::spelled(&command);
        let log = root.join("target").join(format!("{}-beside.log", part.package));
        fs::create_dir_all(root.join("target")).context("target could not be made")?;
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        println!("$ {spelled} > {} &", log.display());
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("`{spelled}` could not be started"))?;
        Ok(Self { child, log, spelled })
    }

    /// Waits for its end: whether it passed, and what it said, which is printed too.
    pub(crate) fn ended(mut self) -> Result<(bool, Vec<String>)> {
        let status =
            self.child.wait().with_context(|| format!("`{}` could not be waited for", self.spelled))?;
        let text =
            fs::read_to_string(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        print!("$ {}\n{text}", self.spelled);
        Ok((status.success(), text.lines().map(str::to_owned).collect()))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // It has ended already where it was waited for. Cargo becomes the program it runs, whose server ends with it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
