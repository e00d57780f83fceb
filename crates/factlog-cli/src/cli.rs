//! The command line: every command, option and help text, and nothing of what they do.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::commands::{
    append, auth, bench, completions, config, context, debug, doctor, explain, export, generate, health,
    import, parked, processes, projections, read, schema, serve, streams, tail, verify,
};
use crate::failure::EXIT_CODES;

/// An event store on local files or behind a server: append, read, follow, check, move.
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
    /// A server instead, such as factlog://127.0.0.1:4270; otherwise the one that FACTLOG_SERVER names
    #[arg(long, global = true, value_name = "URL", display_order = 901)]
    pub(crate) server: Option<String>,
    /// A name that `factlog context` keeps for one of them; otherwise the one in FACTLOG_CONTEXT, or in use
    #[arg(long, global = true, value_name = "NAME", display_order = 902)]
    pub(crate) context: Option<String>,
    /// The file with the key to show to a server; otherwise the one that FACTLOG_KEY_FILE names
    #[arg(long, global = true, value_name = "FILE", display_order = 903)]
    pub(crate) key_file: Option<PathBuf>,
    /// Answer, and fail, in JSON: one document on one line
    #[arg(long, global = true, display_order = 904)]
    pub(crate) json: bool,
    /// Colour and moving progress; auto heeds the terminal, NO_COLOR, CLICOLOR_FORCE and TERM
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = 905)]
    color: ColorChoice,
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
    #[command(
        before_help = "Examples:\n  factlog head --data bank.db\n  factlog head --server factlog://127.0.0.1:4270 --json"
    )]
    Head,
    /// The store in numbers: events, streams, types, tags, head, bytes on disk
    #[command(
        before_help = "Examples:\n  factlog stats --data bank.db\n  factlog stats --data bank.db --json"
    )]
    Stats,
    #[command(before_help = serve::EXAMPLES)]
    Serve(serve::Arguments),
    #[command(subcommand, before_help = config::EXAMPLES)]
    Config(config::Config),
    #[command(before_help = health::EXAMPLES)]
    Health(health::Arguments),
    #[command(subcommand, before_help = generate::EXAMPLES)]
    Gen(generate::Wanted),
    #[command(before_help = verify::EXAMPLES)]
    Verify(verify::Arguments),
    /// Is the disk honest, the directory fit, the store well? What was found, and what to do
    ///
    /// Durable writes are measured in a file without a name; no file of the store is changed, and it may be open
    /// elsewhere. A problem ends with 1, damage with 7; a warning is for you to weigh, and ends with 0.
    #[command(before_help = doctor::EXAMPLES)]
    Doctor,
    #[command(subcommand, before_help = debug::EXAMPLES)]
    Debug(debug::Debug),
    #[command(subcommand, before_help = projections::EXAMPLES)]
    Projections(projections::Projections),
    #[command(subcommand, before_help = parked::EXAMPLES)]
    Parked(parked::Parked),
    #[command(subcommand, before_help = processes::EXAMPLES)]
    Processes(processes::Processes),
    #[command(subcommand, before_help = schema::EXAMPLES)]
    Schema(schema::Schema),
    #[command(before_help = import::EXAMPLES)]
    Import(import::Arguments),
    #[command(before_help = export::EXAMPLES)]
    Export(export::Arguments),
    #[command(subcommand, before_help = bench::EXAMPLES)]
    Bench(bench::Bench),
    #[command(subcommand, before_help = auth::EXAMPLES)]
    Auth(auth::Auth),
    #[command(subcommand, before_help = context::EXAMPLES)]
    Context(context::Contexts),
    #[command(before_help = explain::EXAMPLES)]
    Explain(explain::Arguments),
    #[command(before_help = completions::EXAMPLES)]
    Completions(completions::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  factlog append account-42 --type account.opened --payload '{\"owner\":\"Ada\"}' --data bank.db
  factlog read account-42 --data bank.db
  factlog read account-42 --server factlog://127.0.0.1:4270
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
pub(crate) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let command = command().color(color(arguments));
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// Whether `--json` stands anywhere: a command line that is refused is refused in JSON then.
pub(crate) fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments.iter().any(|word| word == "--json")
}

/// What `--color` says, also where the command line is wrong: its refusal has colours too.
pub(crate) fn color(arguments: &[OsString]) -> ColorChoice {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let joined = words.iter().find_map(|word| word.strip_prefix("--color="));
    let apart = words.windows(2).find(|pair| pair[0] == "--color").map(|pair| pair[1]);
    let when = joined.or(apart).and_then(|when| ColorChoice::from_str(when, false).ok());
    when.unwrap_or(ColorChoice::Auto)
}

fn with_template(command: clap::Command) -> clap::Command {
    command.help_template(TEMPLATE).mut_subcommands(with_template)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
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
            let cli = parsed(line).expect(line);
            assert_eq!(cli.global.data, Some(PathBuf::from("d")), "{line}");
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
            "factlog head --color sometimes",
            "factlog export a --output b",
            "factlog export --resume",
        ] {
            let refused = parsed(line).expect_err(line);
            assert_eq!(refused.exit_code(), 2, "{line}");
        }
    }

    /// Would fail if the help showed a command line that is refused, as after an option changed its name.
    #[test]
    fn every_example_of_every_help_is_a_good_command_line() {
        let mut seen = 0;
        for example in examples(&command()) {
            for line in example.split('|').map(str::trim).filter(|part| part.contains("factlog ")) {
                let words = words(line.split(" > ").next().expect("a first part"));
                let words: Vec<OsString> =
                    words.into_iter().skip_while(|word| word != "factlog").map(OsString::from).collect();
                assert!(parse(&words).is_ok(), "{example}: {words:?}");
                seen += 1;
            }
        }
        assert!(30 < seen, "{seen} examples");
    }

    /// The lines of the examples of a command and of those below it.
    fn examples(command: &clap::Command) -> Vec<String> {
        let text = command.get_before_help().map(ToString::to_string).unwrap_or_default();
        assert!(text.starts_with("Examples:\n"), "{} has no examples", command.get_name());
        let own = text.lines().skip(1).map(|line| line.replace("|| ", "| "));
        own.chain(command.get_subcommands().flat_map(examples)).collect()
    }

    /// The words of a line as a shell takes them apart, as far as the examples go.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for character in line.chars() {
            match character {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                other => words.last_mut().expect("one at least").push(other),
            }
        }
        words
    }
}
