//! Chores of the factlog repository: `cargo xtask <command>`.
//!
//! * `api` plays other languages' programs against the real server.
//! * `tidy` checks what a compiler cannot: the crate table, file sizes, first lines, documents, absences.
//! * `bench` measures the engine and its peers with the programs of `benches/`.
//! * `evidence` runs the simulator and reports.
//! * `test` is the whole gate, the same command on every machine and in `.ci/run`.
//!
//! It knows nothing of events, and no crate of the product depends on it. Reading order: [`gate`], then [`tidy`].
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks on its standard output"
)]

mod api;
mod bench;
mod evidence;
mod finding;
mod gate;
mod licences;
mod process;
mod python;
mod tidy;
mod tree;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{gate::Scope, workspace::Workspace};

/// Every command with its one line of help. Documents may name these and no others.
const COMMANDS: [(&str, &str); 5] = [
    ("api", "random requests against docs/openapi.json, and the example in Python; needs PyPI"),
    ("bench", "measure: `bench engine`, `bench peers` or `bench scale`; alone it says what they take"),
    ("evidence", "run the simulator: `--size ci` or `--size full`, with `--record` for a dated report"),
    ("tidy", "check the crate table, sizes, first lines, documents and absences"),
    ("test", "run the whole gate; --quick: only format, tidy, clippy and tests"),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let passed = match arguments.as_slice() {
        ["tidy"] => tidy_alone()?,
        ["api"] => {
            println!("api: {}", api::run(&Workspace::load()?)?);
            true
        }
        ["test"] => gate::run(&Workspace::load()?, Scope::Full),
        ["test", "--quick"] => gate::run(&Workspace::load()?, Scope::Quick),
        ["bench", words @ ..] => {
            bench::run(&Workspace::load()?.root, words)?;
            true
        }
        ["evidence", words @ ..] => evidence::run(&Workspace::load()?.root, words)?,
        [] | ["help" | "--help" | "-h"] => {
            print!("{}", help());
            true
        }
        other => bail!("there is no command `{}`\n\n{}", other.join(" "), help()),
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints every finding, and the sizes whether they pass or not.
fn tidy_alone() -> Result<bool> {
    let report = tidy::run(&Workspace::load()?)?;
    for finding in &report.findings {
        println!("{finding}");
    }
    println!("tidy: {}", report.summary());
    Ok(report.findings.is_empty())
}

fn help() -> String {
    let mut help = String::from("usage: cargo xtask <command>\n\n");
    for (name, purpose) in COMMANDS {
        help.push_str(&format!("  {name:<8} {purpose}\n"));
    }
    help
}

/// The names of [`COMMANDS`], for the check that documents name only what exists.
fn command_names() -> Vec<&'static str> {
    COMMANDS.iter().map(|(name, _)| *name).collect()
}
