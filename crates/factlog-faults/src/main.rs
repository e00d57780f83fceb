//! `factlog-faults`: the real engine in real processes, killed, starved and misused, and what must hold afterwards.
//!
//! | module | what it is |
//! |---|---|
//! | `asking` | everything that can be asked, as a function of numbers |
//! | `told` | what a process tells, and why the order of lines can be relied on |
//! | `worker` | the process: an open store and its clients |
//! | `life` | a worker seen from outside |
//! | `record` | from lines to a history that the checkers of `factlog-check` judge |
//! | `look` | verifying and reading a store that nobody has open, without touching it |
//! | `kill` | the supervisor that kills |
//! | `trial` | one store through many lives, for the faults below |
//! | `enclosed`, `volume` | mounts of our own: small file systems, to be filled |
//! | `amnesia` | a mounted file system that forgets what was not synced, and whose calls fail |
//! | `power` | losses of power |
//! | `full` | full disks |
//! | `failing` | failing calls |
//!
//! A fault is a subcommand: it starts workers, does its worst, and judges by `look` and `record`.

mod amnesia;
mod asking;
mod enclosed;
mod failing;
mod full;
mod kill;
mod life;
mod look;
mod power;
mod record;
mod setting;
mod told;
mod trial;
mod volume;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Real faults for real processes; exit code 1 if a promise breaks
#[derive(Debug, Parser)]
#[command(name = "factlog-faults", after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  factlog-faults kill --cycles 50
  factlog-faults kill --cycles 500 --seed 7 --record history.jsonl";

#[derive(Debug, Subcommand)]
enum Command {
    /// The process that the others start: clients on a store, telling what they ask and are told
    #[command(hide = true)]
    Worker(worker::WorkerArguments),
    Kill(kill::KillArguments),
    Check(kill::CheckArguments),
    Amnesia(power::AmnesiaArguments),
    Full(full::FullArguments),
    Failing(failing::FailingArguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Worker(arguments) => return worker::run(&arguments),
        Command::Kill(arguments) => kill::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Check(arguments) => kill::check_again(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Amnesia(arguments) => power::run(&arguments),
        Command::Full(arguments) => full::run(&arguments),
        Command::Failing(arguments) => failing::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            kill::say(&format!("{error:?}"));
            ExitCode::FAILURE
        }
    }
}
