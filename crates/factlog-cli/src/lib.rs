//! The `factlog` command line: parses it, runs one command, turns its outcome into an exit code.
//!
//! A library only so that fuzzing can call what reads foreign lines; `main.rs` is the program.
//!
//! The only composition root: here, and nowhere else, the commands meet a concrete engine. It knows
//! no command's work; each has a file of its own in `commands`.

mod cli;
mod commands;
mod context;
mod contexts;
mod deploy;
mod descriptors;
mod failure;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod interrupt;
mod lines;
mod nearest;
mod numbers;
mod opened;
mod output;
mod place;
mod processes;
mod progress;
mod read_model;
mod render;
mod selection;
mod settings;
mod stopwatch;
mod supervisor;
mod table;
mod telemetry;

use std::process::ExitCode;

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    failure::color(cli::color(&arguments));
    let cli = match cli::parse(&arguments) {
        Ok(cli) => cli,
        Err(refused) => return failure::usage(&refused, cli::asks_for_json(&arguments)),
    };
    let context = context::Context::new(&cli, |name| std::env::var_os(name));
    match interrupt::install().and_then(|()| commands::run(cli.command, &context)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(context.json),
    }
}
