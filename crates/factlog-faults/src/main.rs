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
//! | `check` | holding a history against its store |
//! | `kill` | the supervisor that kills |
//! | `trial` | one store through many lives, for the faults below |
//! | `survey` | looking at a store on a disk of our own, from a process of its own |
//! | `enclosed`, `volume` | mounts of our own: small file systems, to be filled |
//! | `amnesia` | a mounted file system that forgets what was not synced, and whose calls fail |
//! | `power` | losses of power |
//! | `full` | full disks |
//! | `failing` | failing calls |
//! | `misuse` | what operators, machines and limits do to a store |
//! | `soak` | the server with little memory and many subscribers, for long |
//!
//! A fault is a subcommand: it starts workers, does its worst, and judges by `look` and `record`.

mod amnesia;
mod asking;
mod check;
mod enclosed;
mod failing;
mod full;
mod kill;
mod life;
mod look;
mod misuse;
mod power;
mod record;
mod setting;
mod soak;
mod survey;
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
  factlog-faults kill --cycles 500 --seed 7 --record history.jsonl
  factlog-faults misuse
  factlog-faults misuse --only copy
  factlog-faults soak --minutes 10";

#[derive(Debug, Subcommand)]
enum Command {
    /// The process that the others start: clients on a store, telling what they ask and are told
    #[command(hide = true)]
    Worker(worker::WorkerArguments),
    /// The process that looks at a store on a disk that another one serves
    #[command(hide = true)]
    Survey(survey::SurveyArguments),
    Kill(kill::KillArguments),
    Amnesia(power::AmnesiaArguments),
    Full(full::FullArguments),
    Failing(failing::FailingArguments),
    Misuse(misuse::MisuseArguments),
    Soak(soak::SoakArguments),
    Check(check::CheckArguments),
}

fn main() -> ExitCode {
    // The server of `soak` is `factlog serve` itself, under the limit that it is told to enter.
    if std::env::args().nth(1).is_some_and(|word| word == "serve") {
        return match soak::enter() {
            Ok(()) => factlog_cli::run(),
            Err(error) => {
                check::say(&format!("{error:#}"));
                ExitCode::FAILURE
            }
        };
    }
    let done = match Arguments::parse().command {
        Command::Worker(arguments) => return worker::run(&arguments),
        Command::Survey(arguments) => survey::run(&arguments),
        Command::Kill(arguments) => kill::run(&arguments),
        Command::Amnesia(arguments) => power::run(&arguments),
        Command::Full(arguments) => full::run(&arguments),
        Command::Failing(arguments) => failing::run(&arguments),
        Command::Misuse(arguments) => misuse::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Check(arguments) => check::check_again(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            check::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
