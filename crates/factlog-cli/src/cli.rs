//! The command line: every command, option and help text, and nothing of what they do.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{append, bench, completions, export, import, read, streams, tail, verify};
use crate::failure::EXIT_CODES;

/// An event store on local files: append, read, follow, check, move.
#[derive(Debug, Parser)]
#[command(name = "factlog", version, before_help = EXAMPLES, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes, before or after its name.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The data directory; otherwise the one that FACTLOG_DATA names
    #[arg(long, global = true, value_name = "DIR", display_order = 900)]
    pub(crate) data: Option<PathBuf>,
    /// Answer, and fail, in JSON: one document on one line
    #[arg(long, global = true, display_order = 901)]
    pub(crate) json: bool,
}

/// One variant per command; each variant's file in `commands` does the work.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(before_help = append::EXAMPLES)]
    Append(append::Arguments),
    #[command(before_help = read::EXAMPLES)]
    Read(read::Arguments),
    #[command(before_help = tail::EXAMPLES)]
    Tail(tail::Arguments),
    #[command(subcommand, before_help = streams::EXAMPLES)]
    Streams(streams::Streams),
    /// The last committed position and when it was recorded
    #[command(before_help = "Examples:\n  factlog head --data bank.db\n  factlog head --data bank.db --json")]
    Head,
    /// The store in numbers: events, streams, types, tags, head, bytes on disk
    #[command(
        before_help = "Examples:\n  factlog stats --data bank.db\n  factlog stats --data bank.db --json"
    )]
    Stats,
    #[command(before_help = verify::EXAMPLES)]
    Verify(verify::Arguments),
    #[command(before_help = import::EXAMPLES)]
    Import(import::Arguments),
    #[command(before_help = export::EXAMPLES)]
    Export(export::Arguments),
    #[command(subcommand, before_help = bench::EXAMPLES)]
    Bench(bench::Bench),
    #[command(before_help = completions::EXAMPLES)]
    Completions(completions::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  factlog append account-42 --type account.opened --payload '{\"owner\":\"Ada\"}' --data bank.db
  factlog read account-42 --data bank.db
  factlog import loans.ndjson.gz --data loans.db
  factlog verify --data loans.db --json
  FACTLOG_DATA=bank.db factlog stats";

/// Examples stand above the usage: they are what most readers came for.
const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The whole command line, as help and completions see it.
pub(crate) fn command() -> clap::Command {
    with_template(Cli::command())
}

/// Reads the command line.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

fn with_template(command: clap::Command) -> clap::Command {
    command.help_template(TEMPLATE).mut_subcommands(with_template)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Cli {
        parse(line.split(' ').map(OsString::from)).expect("a good command line")
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    /// Would fail if `--data` were known on one side of the command only.
    #[test]
    fn the_data_directory_is_named_before_or_after_the_command() {
        for line in [
            "factlog --data d head",
            "factlog head --data d",
            "factlog streams list --data d",
            "factlog streams --data d list",
        ] {
            assert_eq!(parsed(line).global.data, Some(PathBuf::from("d")), "{line}");
        }
    }

    #[test]
    fn a_wrong_command_line_is_refused_with_two() {
        for line in [
            "factlog",
            "factlog nothing",
            "factlog read",
            "factlog read a --all",
            "factlog append s --type t --expected no",
        ] {
            let refused = parse(line.split(' ').map(OsString::from)).expect_err(line);
            assert_eq!(refused.exit_code(), 2, "{line}");
        }
    }
}
