//! One file per command, and the one place that knows them all.

pub(crate) mod append;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod export;
mod head;
pub(crate) mod import;
pub(crate) mod parked;
pub(crate) mod processes;
pub(crate) mod projections;
pub(crate) mod read;
pub(crate) mod schema;
pub(crate) mod serve;
mod stats;
pub(crate) mod streams;
pub(crate) mod tail;
pub(crate) mod verify;

use crate::cli::Command;
use crate::context::Context;
use crate::failure::Outcome;

/// Runs one command.
pub(crate) fn run(command: Command, context: &Context) -> Outcome {
    match command {
        Command::Append(arguments) => append::run(&arguments, context),
        Command::Read(arguments) => read::run(&arguments, context),
        Command::Tail(arguments) => tail::run(&arguments, context),
        Command::Streams(streams) => streams::run(&streams, context),
        Command::Head => head::run(context),
        Command::Stats => stats::run(context),
        Command::Serve(arguments) => serve::run(&arguments, context),
        Command::Verify(arguments) => verify::run(&arguments, context),
        Command::Doctor => doctor::run(context),
        Command::Projections(projections) => projections::run(&projections, context),
        Command::Parked(parked) => parked::run(&parked, context),
        Command::Processes(processes) => processes::run(&processes, context),
        Command::Schema(schema) => schema::run(&schema, context),
        Command::Import(arguments) => import::run(&arguments, context),
        Command::Export(arguments) => export::run(&arguments, context),
        Command::Bench(bench) => bench::run(&bench, context),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
