//! One file per command, and the one place that knows them all.

pub(crate) mod append;
pub(crate) mod auth;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod debug;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod generate;
mod head;
pub(crate) mod health;
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
use crate::failure::{Failure, Kind, Outcome};

/// A command that works on files of this machine, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnFiles {
    command: &'static str,
    why: &'static str,
}

/// Runs one command.
pub(crate) fn run(command: Command, context: &Context) -> Outcome {
    context.check()?;
    dispatch(command, context).map_err(|failure| context.located(failure))
}

/// Whether a command works on files, and so on no store behind a server.
pub(crate) fn on_files(command: &Command) -> Option<OnFiles> {
    let (command, why) = match command {
        Command::Append(_)
        | Command::Read(_)
        | Command::Tail(_)
        | Command::Streams(_)
        | Command::Head
        | Command::Stats
        | Command::Import(_)
        | Command::Export(_)
        | Command::Schema(_)
        | Command::Auth(_)
        | Command::Context(_)
        | Command::Config(_)
        | Command::Gen(_)
        | Command::Health(_)
        | Command::Explain(_)
        | Command::Completions(_) => return None,
        Command::Projections(projections) if projections.may_ask_a_server() => return None,
        Command::Serve(_) => ("serve", "it is what makes a server of a data directory"),
        Command::Verify(_) => ("verify", "it checks every byte of the files, which no server hands out"),
        Command::Debug(_) => ("debug", "it tells of the files and the machine they are on"),
        Command::Doctor => ("doctor", "it examines the disk and the directory themselves"),
        Command::Bench(_) => ("bench", "it measures this machine beside its own disk"),
        Command::Projections(_) => (
            "projections",
            "read models are files beside the program that runs them; \
             a server tells how its own are: `factlog projections list` without --read-model",
        ),
        Command::Parked(_) => {
            ("parked", "parked keys are in files beside the program that runs the read model")
        }
        Command::Processes(_) => {
            ("processes", "it needs the store to itself, so that no program runs the process meanwhile")
        }
    };
    Some(OnFiles { command, why })
}

impl OnFiles {
    /// For a command that turns out to need files.
    pub(crate) const SOMEHOW: Self = Self { command: "this", why: "it reads or writes the files of a store" };

    /// The refusal of a server; `by` is what named it.
    pub(crate) fn refuse(&self, by: &str) -> Failure {
        let Self { command, why } = self;
        Failure::new(Kind::Usage, format!("`factlog {command}` works on files, and {by} names a server"))
            .because(*why)
            .advise("run it on the machine where the files are, with --data DIR")
    }
}

fn dispatch(command: Command, context: &Context) -> Outcome {
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
        Command::Debug(debug) => debug::run(&debug, context),
        Command::Projections(projections) => projections::run(&projections, context),
        Command::Parked(parked) => parked::run(&parked, context),
        Command::Processes(processes) => processes::run(&processes, context),
        Command::Schema(schema) => schema::run(&schema, context),
        Command::Import(arguments) => import::run(&arguments, context),
        Command::Export(arguments) => export::run(&arguments, context),
        Command::Bench(bench) => bench::run(&bench, context),
        Command::Auth(auth) => auth::run(&auth, context),
        Command::Context(contexts) => context::run(&contexts, context),
        Command::Config(config) => config::run(&config, context),
        Command::Gen(wanted) => generate::run(&wanted, context),
        Command::Health(arguments) => health::run(&arguments, context),
        Command::Explain(arguments) => explain::run(&arguments, context),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
