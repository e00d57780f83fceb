//! A directory of its own for each test, and the program run on it. It knows no test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Bank {
    directory: TempDir,
}

/// What one run of the program left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bank {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The program on this bank's ledger, not started yet.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = program(line);
        command.env("BANK_DATA", self.path().join("ledger"));
        command
    }

    pub(crate) fn run(&self, line: &str) -> Run {
        finish(self.command(line), self.path())
    }

    /// The answer of a command that must succeed.
    pub(crate) fn text(&self, line: &str) -> String {
        let run = self.run(line);
        assert_eq!(run.code, 0, "bank {line}: {}", run.err);
        run.out
    }

    /// The same as JSON.
    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.text(&format!("{line} --json"))).unwrap()
    }
}

/// The program with the words of a line as arguments, with nothing of this process's settings.
pub(crate) fn program(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
    command.args(line.split_whitespace()).env_remove("BANK_DATA").stdin(Stdio::null());
    command
}

pub(crate) fn finish(mut command: Command, directory: &Path) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| redact(&String::from_utf8(bytes).unwrap(), directory);
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

pub(crate) fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample.csv")
}

/// Without what differs from run to run: the directory, and the size of the log.
fn redact(text: &str, directory: &Path) -> String {
    let text = text.replace(&*directory.to_string_lossy(), "DIR");
    let lines = text.lines().map(|line| match line.split_once(" bytes checked") {
        Some((before, after)) => {
            format!("{}N bytes checked{after}", before.trim_end_matches(|digit: char| digit.is_ascii_digit()))
        }
        None => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}
