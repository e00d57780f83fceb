//! The files of `deploy/` under the linters of those who know: hadolint, the published schemas of Kubernetes, systemd.
//!
//! * No daemon and no cluster: all three read files.
//! * The first two come from PyPI, in the versions of `deploy/requirements.txt`, into a place of their own in the
//!   target directory; systemd's is asked where it is installed.
//! * Without Python nothing of this is done outside of CI, and the summary says so; in CI it is a failure.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::Outcome;
use crate::workspace::Workspace;

const REQUIREMENTS: &str = "deploy/requirements.txt";
/// What systemd calls dangerous begins at 5.0; the unit's exposure is 1.4, and must not grow unseen.
const EXPOSURE_MAX: &str = "--threshold=20";

pub(super) fn run(workspace: &Workspace) -> Result<Outcome> {
    let root = &workspace.root;
    let mut asked = Vec::new();
    let mut passed = true;
    if works(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
        let tools = tools(workspace)?;
        let tool = |name: &str| Command::new(tools.join("bin").join(name));
        passed &= shown(root, tool("hadolint").args(["--failure-threshold", "info", "deploy/Dockerfile"]))?;
        passed &= shown(root, tool("kubernetes-validate").args(["--strict", "deploy/kubernetes.yaml"]))?;
        asked.extend(["hadolint", "kubernetes-validate"]);
    } else if env::var_os("CI").is_some() {
        bail!("python3 with venv is needed: `apt-get install python3-venv`");
    }
    if works(Command::new("systemd-analyze").arg("--version")) {
        passed &= systemd(workspace)?;
        asked.push("systemd-analyze");
    }
    let asked = if asked.is_empty() { "nobody: no python3, no systemd".to_owned() } else { asked.join(", ") };
    Ok(Outcome { passed, note: format!("asked {asked}"), ..Outcome::default() })
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

/// Where the linters are, put there if they are not, or are others.
fn tools(workspace: &Workspace) -> Result<PathBuf> {
    let wanted = fs::read_to_string(workspace.root.join(REQUIREMENTS)).context(REQUIREMENTS)?;
    let tools = target(workspace).join("python");
    let installed = tools.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(tools);
    }
    let mut venv = Command::new("python3");
    let mut pip = Command::new(tools.join("bin/pip"));
    pip.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
        "-r",
        REQUIREMENTS,
    ]);
    for step in [venv.args(["-m", "venv", "--clear"]).arg(&tools), &mut pip] {
        if !shown(&workspace.root, step)? {
            bail!("the linters of {REQUIREMENTS} cannot be installed from PyPI");
        }
    }
    fs::write(installed, wanted)?;
    Ok(tools)
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
