//! `factlog parked`: keys that stand still before an event that could not be applied, and what operators do about them.

mod edit;
mod look;
mod mend;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::Outcome;
use crate::read_model::{Place, Waiting};

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog parked list --read-model read.sqlite
  factlog parked show balances account-42 --read-model read.sqlite
  factlog parked retry balances account-42 --read-model read.sqlite
  factlog parked edit balances account-42 '{\"amount\":5}' --read-model read.sqlite
  factlog parked skip balances account-42 --reason 'typed twice' --read-model read.sqlite";

/// Keys of read models that stand still: look at them, retry, edit, skip
#[derive(Debug, Subcommand)]
pub(crate) enum Parked {
    /// Keys that stand still, with the event that fails and why
    #[command(before_help = EXAMPLES)]
    List(List),
    /// One key, what waits for it, and the event that fails
    ///
    /// The event is asked for from the program that runs the projection, or read from the store that --data names.
    #[command(before_help = EXAMPLES)]
    Show(One),
    /// Try it again now, and then what waits behind
    #[command(before_help = EXAMPLES)]
    Retry(Retry),
    /// Let this projection read the failing event with other data, and try again
    ///
    /// The event in the log stays as it is. What was done is recorded in the log, in the stream $parked-PROJECTION.
    #[command(before_help = EXAMPLES)]
    Edit(Edit),
    /// Let the key pass over the failing event, for good, and go on behind it
    ///
    /// What was done is recorded in the log with its reason, in the stream $parked-PROJECTION.
    #[command(before_help = EXAMPLES)]
    Skip(Skip),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only of this projection
    projection: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Which key.
#[derive(Args, Debug)]
pub(crate) struct One {
    /// The projection
    projection: String,
    /// The key as `factlog parked list` shows it, with or without quotation marks
    key: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Retry {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Args, Debug)]
pub(crate) struct Edit {
    #[command(flatten)]
    one: One,
    /// The data to read instead: the text itself, @FILE, or - for standard input
    #[arg(value_name = "JSON|@FILE|-")]
    payload: String,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Args, Debug)]
pub(crate) struct Skip {
    #[command(flatten)]
    one: One,
    /// Why, for those who read the log later
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run(parked: &Parked, context: &Context) -> Outcome {
    match parked {
        Parked::List(arguments) => look::list(arguments, context.json),
        Parked::Show(one) => look::show(one, context),
        Parked::Retry(arguments) => mend::retry(arguments, context.json),
        Parked::Edit(arguments) => edit::run(arguments, context),
        Parked::Skip(arguments) => mend::skip(arguments, context.json),
    }
}
