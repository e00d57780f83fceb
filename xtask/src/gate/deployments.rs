//! The files of `deploy/` under the linters of those who know: hadolint, the published schemas of Kubernetes, systemd.
//!
//! * No daemon and no cluster: all three read files.
//! * The first two come from PyPI, in the versions of `deploy/requirements.txt`, into a place of their own in the
//!   target directory; systemd's is asked where it is installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::Outcome;
use crate::python::Python;
use crate::workspace::Workspace;

const REQUIREMENTS: &str = "deploy/requirements.txt";
/// What systemd calls dangerous begins at 5.0; the unit's exposure is 1.4, and must not grow unseen.
const EXPOSURE_MAX: &str = "--threshold=20";

pub(super) fn run(workspace: &Workspace) -> Result<Outcome> {
    let root = &workspace.root;
    let mut asked = vec!["hadolint", "kubernetes-validate"];
    let tools = Python::prepare(&root.join(REQUIREMENTS), target(workspace).join("python"))?;
    let mut hadolint = tools.command("hadolint");
    let mut schemas = tools.command("kubernetes-validate");
    let mut passed = shown(root, hadolint.args(["--failure-threshold", "info", "deploy/Dockerfile"]))?;
    passed &= shown(root, schemas.args(["--strict", "deploy/kubernetes.yaml"]))?;
    if works(Command::new("systemd-analyze").arg("--version")) {
        passed &= systemd(workspace)?;
        asked.push("systemd-analyze");
    }
    Ok(Outcome { passed, note: format!("asked {}", asked.join(", ")), ..Outcome::default() })
}

/// The unit, with a program that is there in place of the one that is installed later.
fn systemd(workspace: &Workspace) -> Result<bool> {
    let text = fs::read_to_string(workspace.root.join("deploy/factlog.service")).context("the unit")?;
    let directory = target(workspace).join("unit");
    fs::create_dir_all(&directory)?;
    let unit = directory.join("factlog.service");
    let there = text.replace("\nExecStart=/usr/bin/factlog ", "\nExecStart=/bin/true ");
    if there == text {
        bail!("deploy/factlog.service does not start /usr/bin/factlog");
    }
    fs::write(&unit, there)?;
    let analyze = |words: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(words).arg(&unit).env("SYSTEMD_PAGER", "");
        command
    };
    let verified = shown(&workspace.root, &mut analyze(&["verify", "--man=no", "--recursive-errors=no"]))?;
    let mut security = analyze(&["security", "--offline=true", EXPOSURE_MAX]);
    let confined = security.output().context("systemd-analyze security")?;
    let report = String::from_utf8_lossy(&confined.stdout);
    println!("{}", report.lines().last().unwrap_or_default());
    Ok(verified && confined.status.success())
}

fn target(workspace: &Workspace) -> PathBuf {
    workspace.root.join("target/deployments")
}

/// Runs it in the repository with its output shown, and says whether it succeeded.
fn shown(root: &Path, command: &mut Command) -> Result<bool> {
    println!("$ {command:?}");
    let status = command.current_dir(root).status().with_context(|| format!("{command:?}"))?;
    Ok(status.success())
}

fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
