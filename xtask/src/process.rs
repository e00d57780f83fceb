//! Running Cargo as a person would, and keeping the few lines a summary needs.
//!
//! Of a step it reports what the child said, and does not decide whether it passed.

use std::{
    env,
    io::{BufRead, BufReader, IsTerminal, Read, stdout},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};

/// Cargo in the repository, without what `cargo run` told this process about the package `xtask`: build scripts
/// that look at those variables would run again for nothing.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let told = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_BIN_NAME"
        });
        if told {
            command.env_remove(name);
        }
    }
    command.current_dir(root);
    command
}

/// Runs a command that has to succeed.
pub(crate) fn finish(what: &str, command: &mut Command) -> Result<()> {
    println!("$ {what}");
    let status = command.status().with_context(|| format!("{what} could not be started"))?;
    if !status.success() {
        bail!("{what} failed: {status}");
    }
    Ok(())
}

/// Whether `cargo <subcommand>` is installed here.
pub(crate) fn has_subcommand(root: &Path, subcommand: &str) -> bool {
    let mut command = cargo(root);
    command.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The command line as one would type it.
pub(crate) fn spelled(command: &Command) -> String {
    let environment = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut spelled = String::new();
    for (name, value) in environment.filter(|(name, _)| *name != "CARGO_TERM_COLOR") {
        spelled.push_str(&format!("{}={:?} ", name.to_string_lossy(), value.to_string_lossy()));
    }
    spelled.push_str("cargo");
    for argument in command.get_args() {
        spelled.push_str(&format!(" {}", argument.to_string_lossy()));
    }
    spelled
}

/// Runs the command, shows everything it prints as it prints it, and returns the lines that `keep` accepts, without
/// colours.
pub(crate) fn run_keeping(
    command: &mut Command,
    keep: fn(&str) -> bool,
) -> Result<(ExitStatus, Vec<String>)> {
    if stdout().is_terminal() && env::var_os("NO_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let what = spelled(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{what}` could not be started"))?;
    let errors = child.stderr.take().context("stderr is piped")?;
    let output = child.stdout.take().context("stdout is piped")?;
    let errors = thread::spawn(move || show(errors, keep));
    let mut kept = show(output, keep);
    kept.extend(errors.join().map_err(|_| anyhow::anyhow!("the reader of `{what}` panicked"))?);
    let status = child.wait().with_context(|| format!("`{what}` could not be waited for"))?;
    Ok((status, kept))
}

fn show(stream: impl Read, keep: fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        let plain = without_colours(&line);
        if keep(&plain) {
            kept.push(plain);
        }
    }
    kept
}

/// Removes `ESC [ ... letter`, the only sequences that test runners print.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic()).map_or(after.len(), |at| at + 1);
        rest = &after[end..];
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    //! What the summary reads must not depend on colours.
    use super::*;

    #[test]
    fn colours_are_removed() {
        assert_eq!(without_colours("\u{1b}[1;32m Summary\u{1b}[0m [ 1s] \u{1b}[31m"), " Summary [ 1s] ");
        assert_eq!(without_colours("plain"), "plain");
    }

    #[test]
    fn a_command_is_spelled_as_one_would_type_it() {
        let mut command = cargo(Path::new("."));
        command.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--no-deps"]);
        assert_eq!(spelled(&command), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps");
    }
}
