//! Looking at a store on a disk of our own from a process of its own.
//!
//! Whoever serves a mounted file system must not use it: were that process killed in a call to itself, nobody would be
//! left to answer the call, and it would wait for ever with everything it holds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use factlog_core::{Position, RecordedEvent};

use crate::check::say;
use crate::look;

/// What is said when there is no store.
const NONE: &str = "none";

/// Where to look, and where to put a copy.
#[derive(Debug, clap::Args)]
pub(crate) struct SurveyArguments {
    #[arg(long)]
    store: PathBuf,
    #[arg(long)]
    copy: PathBuf,
}

/// Verifies a store, copies it, and says what its head is.
pub(crate) fn run(arguments: &SurveyArguments) -> Result<()> {
    if !arguments.store.join("STORE").exists() {
        say(NONE);
        return Ok(());
    }
    let report = look::verified(&arguments.store)?;
    look::copy(&arguments.store, &arguments.copy)?;
    say(&Position::number(report.head).to_string());
    Ok(())
}

/// The log of a store that was verified by another process; `None` if there is no store.
pub(crate) fn survey(store: &Path, copy: &Path) -> Result<Option<Vec<RecordedEvent>>> {
    let mut command = Command::new(std::env::current_exe().context("this program has no path")?);
    command.arg("survey").arg("--store").arg(store).arg("--copy").arg(copy);
    let output = command.output().context("another process cannot look at the store")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let said = said.trim();
    if !output.status.success() {
        bail!("{said}{}", String::from_utf8_lossy(&output.stderr));
    }
    if said == NONE {
        return Ok(None);
    }
    let head: usize = said.parse().with_context(|| format!("{said:?} is no head"))?;
    let log = look::read_all(copy).context("a copy of the store cannot be read")?;
    ensure!(head == log.len(), "verify says the head is {head}, and {} events are read", log.len());
    Ok(Some(log))
}

/// Copies a directory as it is.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    run_program(Command::new("cp").arg("-a").arg(from).arg(to))
}

/// Removes a directory with all that is in it.
pub(crate) fn remove(dir: &Path) -> Result<()> {
    run_program(Command::new("rm").arg("-rf").arg(dir))
}

fn run_program(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
