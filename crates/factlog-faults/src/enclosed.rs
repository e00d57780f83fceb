//! Mounts that nobody else sees, and that are gone with the process that made them.
//!
//! The command runs itself again in a mount namespace of its own; who is not root becomes root of a user namespace
//! first, which is enough for tmpfs and FUSE, not for block devices.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, set_parent_process_death_signal};

/// Set for the process inside: what it is root of.
const INSIDE: &str = "FACTLOG_FAULTS_ENCLOSED";

/// What this process may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// Of the machine.
    Machine,
    /// Of its namespaces only.
    Namespace,
}

/// Runs this very command again inside, unless it is there, and ends as that does.
///
/// # Errors
/// When there can be no namespace here: what to install or allow.
pub(crate) fn enclose() -> Result<Root> {
    if let Ok(root) = std::env::var(INSIDE) {
        // Who kills the one outside means all of it.
        set_parent_process_death_signal(Some(Signal::KILL))
            .context("the process cannot be tied to its parent")?;
        return Ok(if root == "machine" { Root::Machine } else { Root::Namespace });
    }
    let (flags, root) =
        if rustix::process::geteuid().is_root() { ("-m", "machine") } else { ("-rm", "namespace") };
    possible(flags)?;
    let mut command = Command::new("unshare");
    command.args([flags, "--propagation", "private", "--"]);
    command.arg(std::env::current_exe().context("where this program is")?);
    command.args(std::env::args_os().skip(1)).env(INSIDE, root);
    let status = command.status().context("cannot run `unshare` again")?;
    if let Some(signal) = status.signal() {
        bail!("the command in its namespace was killed by signal {signal}");
    }
    std::process::exit(status.code().unwrap_or(1));
}

/// Tries it with a program that does nothing.
fn possible(flags: &str) -> Result<()> {
    let tried = Command::new("unshare").args([flags, "--propagation", "private", "--", "true"]).output();
    let tried =
        tried.context("there is no `unshare`: install util-linux (Debian: `apt-get install util-linux`)")?;
    if !tried.status.success() {
        bail!(
            "`unshare {flags}` failed: {}; allow mount namespaces here: run as root (in a container with `--cap-add \
             SYS_ADMIN`), or allow user namespaces (`sysctl kernel.unprivileged_userns_clone=1`, \
             `sysctl kernel.apparmor_restrict_unprivileged_userns=0`)",
            String::from_utf8_lossy(&tried.stderr).trim()
        );
    }
    Ok(())
}
