//! The machine a benchmark ran on, how busy it was, and what was measured: asked of the system, never guessed.

use std::{fs, path::Path, process::Command};

/// Name and value, in reading order.
pub(crate) fn describe(root: &Path, dir: &Path) -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let cpu = read("/proc/cpuinfo");
    let memory = read("/proc/meminfo");
    let facts = [
        ("commit", commit(root)),
        ("cores", format!("{cores}, {}", field(&cpu, "model name").unwrap_or("of a model it does not tell"))),
        ("memory", field(&memory, "MemTotal").unwrap_or("unknown").to_owned()),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("filesystem", filesystem(&read("/proc/self/mounts"), dir)),
        ("compiler", said(Command::new("rustc").arg("--version"))),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Processes that ran or waited to, over the last 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    read("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The day and the minute, in UTC.
pub(crate) fn now() -> (String, String) {
    let text = said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]));
    let (day, minute) = text.split_once(' ').unwrap_or((&text, ""));
    (day.to_owned(), minute.to_owned())
}

/// What is checked out, and whether the sources of the product differ from it.
fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| said(Command::new("git").current_dir(root).args(arguments));
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let changed =
        git(&["status", "--porcelain", "--", "crates/factlog-core", "crates/factlog-engine", "benches"]);
    let changed = changed.lines().count();
    if changed == 0 { commit } else { format!("{commit}, and {changed} files changed since") }
}

/// Type and options of the filesystem that a directory lies on: the mount with the longest name above it.
fn filesystem(mounts: &str, dir: &Path) -> String {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (device, point, kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
        dir.starts_with(point).then(|| (point.len(), format!("{kind} on {device} ({options})")))
    });
    mounts.max_by_key(|(length, _)| *length).map_or_else(|| "unknown".to_owned(), |(_, text)| text)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What a command prints, or that it did not run.
fn said(command: &mut Command) -> String {
    match command.output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => format!("unknown: `{}` failed", command.get_program().display()),
    }
}

#[cfg(test)]
mod tests {
    //! A figure without its filesystem means nothing: /tmp may be memory.
    use super::*;

    #[test]
    fn the_filesystem_is_that_of_the_longest_mount_above() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw,size=1g 0 0\nproc /proc proc rw 0 0\n";
        assert_eq!(filesystem(mounts, Path::new("/tmp/bench")), "tmpfs on tmpfs (rw,size=1g)");
        assert_eq!(filesystem(mounts, Path::new("/tmpfile")), "ext4 on /dev/vda (rw)");
        assert_eq!(filesystem("", Path::new("/x")), "unknown");
    }

    #[test]
    fn fields_end_with_their_line() {
        assert_eq!(field("MemTotal:  24 kB\nMemFree: 1 kB\n", "MemTotal"), Some("24 kB"));
        assert_eq!(field("", "MemTotal"), None);
    }
}
