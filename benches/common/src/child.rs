//! Processes of one's own program, for what must not be warm, must not be in the parent's memory, or must be killed.
//!
//! A child gets words, and answers with one line of JSON on its standard output.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// What a child says when it is ready to be killed.
const READY: &str = "ready";

/// This program again, with these words.
pub fn again(words: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program cannot find itself")?);
    command.args(words);
    Ok(command)
}

/// Runs a child to its end, and reads what it answered.
///
/// # Errors
/// If it fails, or does not answer.
pub fn answer<T: for<'de> Deserialize<'de>>(command: &mut Command) -> Result<T> {
    let output = command.stderr(Stdio::inherit()).output().context("a child process could not be started")?;
    if !output.status.success() {
        bail!("the child process {command:?} failed: {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("a child process did not answer in JSON")
}

/// The child's side of [`answer`].
pub fn tell(answer: &impl Serialize) -> Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "{}", serde_json::to_string(answer)?)?;
    Ok(output.flush()?)
}

/// Runs a child until it says that it is ready, and ends it with SIGKILL.
///
/// # Errors
/// If it ended by itself.
pub fn kill_when_ready(command: &mut Command) -> Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let said = first_line(&mut child);
    child.kill().context("the process could not be killed")?;
    child.wait()?;
    if said? != READY {
        bail!("the process that was to be killed died by itself");
    }
    Ok(())
}

/// The child's side of [`kill_when_ready`]: it holds on to what it has until then.
pub fn wait_to_be_killed() -> Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "{READY}")?;
    output.flush()?;
    // It ends when the parent does, should nobody kill it.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn first_line(child: &mut Child) -> Result<String> {
    let output = child.stdout.take().context("its output is piped")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}
