//! The limit of the server's memory: a cgroup (v2) of its own where this process may make one, or else `RLIMIT_DATA`.
//!
//! In a group the page cache counts too, and swap is off. `RLIMIT_DATA` counts what the process may write of its own memory, touched or
//! not, and nothing else; beyond it an allocation fails, which ends the process.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::worker::Limits;

/// The names by which the server's process is told what it has to enter.
const GROUP: &str = "SOAK_GROUP";
const DATA: &str = "SOAK_LIMIT_DATA";

/// A limit of memory.
#[derive(Debug)]
pub(super) enum Limit {
    Group { path: PathBuf, bytes: u64 },
    Data { bytes: u64, why: String },
}

impl Limit {
    /// The strictest that this machine allows.
    pub(super) fn make(bytes: u64) -> Self {
        match group(bytes) {
            Ok(path) => Self::Group { path, bytes },
            Err(error) => Self::Data { bytes, why: format!("{error:#}") },
        }
    }

    /// Has a process enter it before it does anything else.
    pub(super) fn bind(&self, command: &mut Command) {
        match self {
            Self::Group { path, .. } => command.env(GROUP, path),
            Self::Data { bytes, .. } => command.env(DATA, bytes.to_string()),
        };
    }

    /// What is used of it, where the kernel counts it.
    pub(super) fn used(&self) -> Result<Option<u64>> {
        match self {
            Self::Group { path, .. } => {
                let text = fs::read_to_string(path.join("memory.current"))?;
                Ok(Some(text.trim().parse().context("memory.current is a number")?))
            }
            Self::Data { .. } => Ok(None),
        }
    }

    /// Whether nobody was killed for it.
    pub(super) fn was_kept(&self) -> Result<()> {
        let Self::Group { path, .. } = self else { return Ok(()) };
        let events = fs::read_to_string(path.join("memory.events"))?;
        ensure!(events.lines().any(|line| line == "oom_kill 0"), "the kernel killed for memory: {events}");
        Ok(())
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        if let Self::Group { path, .. } = self {
            // It is empty by now; a group that stays harms nobody.
            drop(fs::remove_dir(path));
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group { path, bytes } => {
                write!(
                    f,
                    "THE LIMIT IS A CGROUP, memory.max {} MiB, no swap: {}",
                    bytes >> 20,
                    path.display()
                )
            }
            Self::Data { bytes, why } => write!(
                f,
                "THE LIMIT IS RLIMIT_DATA, {} MiB of private memory, the page cache not counted; there is no cgroup: {why}",
                bytes >> 20
            ),
        }
    }
}

/// Makes a group below this process's own.
fn group(bytes: u64) -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(point))
    });
    let mount = mount.context("no cgroup2 is mounted")?;
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).context("this process is in none")?;
    let own = mount.join(own);
    let controllers = fs::read_to_string(own.join("cgroup.controllers"))?;
    ensure!(
        controllers.split_whitespace().any(|name| name == "memory"),
        "cgroup2 has no memory controller here"
    );
    let path = own.join(format!("factlog-soak-{}", std::process::id()));
    fs::create_dir(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    let limited = limit(&own, &path, bytes);
    if limited.is_err() {
        drop(fs::remove_dir(&path));
    }
    limited.map(|()| path)
}

fn limit(own: &Path, path: &Path, bytes: u64) -> Result<()> {
    if !path.join("memory.max").exists() {
        fs::write(own.join("cgroup.subtree_control"), "+memory").context("memory is not handed down")?;
    }
    fs::write(path.join("memory.max"), bytes.to_string()).context("memory.max cannot be set")?;
    // There is no such file where there is no swap.
    drop(fs::write(path.join("memory.swap.max"), "0"));
    Ok(())
}

/// In the server's process, before anything else: enters the limit it was given, and ends with whoever started it.
pub(crate) fn enter() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("it cannot be bound to its parent")?;
    if let Some(path) = std::env::var_os(GROUP) {
        fs::write(Path::new(&path).join("cgroup.procs"), "0").context("the group cannot be entered")?;
    }
    if let Ok(bytes) = std::env::var(DATA) {
        let limits = Limits { limit_data: Some(bytes.parse()?), ..Limits::default() };
        limits.set().context("the limit cannot be set")?;
    }
    Ok(())
}
