//! `factlog projections`: read models as operators see them, and what operators have done to them.
//!
//! It works on the read model's file beside the program that keeps it up to date, and opens no store. Only `list` can ask a
//! server instead, which tells of those that run beside it.

mod order;
mod rebuild;
mod served;
mod show;
mod verify;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::Outcome;
use crate::numbers::{grouped, span};
use crate::output::{answer, printable};
use crate::read_model::{Place, Projection, Waiting};
use crate::table::{Align, table};

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog projections list --read-model read.sqlite
  factlog projections list --server factlog://127.0.0.1:4270
  factlog projections show balances --read-model read.sqlite --json
  factlog projections pause balances --read-model read.sqlite
  factlog projections rebuild balances --read-model read.sqlite
  FACTLOG_READ_MODEL=read.sqlite factlog projections back balances";

/// Look at read models, pause, rebuild, switch and verify them
#[derive(Debug, Subcommand)]
pub(crate) enum Projections {
    /// Every projection in the file, or beside the server: what it does, how far it is behind, what stands still
    ///
    /// `stalled` is one that runs and does not advance although it is behind; `not running` one whose last sign of life
    /// is more than ten seconds old.
    ///
    /// A server is asked where the command line names one, or where no file is named. It tells what its own program says of
    /// its projections: none is what `factlog serve` answers, which has no read models. Those of other programs are in files.
    #[command(before_help = EXAMPLES)]
    List(List),
    /// One projection with its generations
    #[command(before_help = EXAMPLES)]
    Show(Named),
    /// Let it apply nothing until it is resumed, also over restarts; readers see what there was
    #[command(before_help = EXAMPLES)]
    Pause(Order),
    /// Let it go on after a pause or a failure
    #[command(before_help = EXAMPLES)]
    Resume(Order),
    /// Build it again beside what readers see, and wait until it is built
    ///
    /// Readers see the new generation from the moment it is switched to: as soon as it has caught up, or by
    /// `factlog projections switch` where the program says so. An interrupt ends the waiting and not the building.
    #[command(before_help = EXAMPLES)]
    Rebuild(Order),
    /// Let readers see the generation that is built, as soon as it has caught up, or the one switched back from
    #[command(before_help = EXAMPLES)]
    Switch(Order),
    /// Let readers see the generation before again
    #[command(before_help = EXAMPLES)]
    Back(Order),
    /// Fold again, from the first event, and compare with what readers see
    ///
    /// The program does it, in memory, while it goes on; for a moment, ten seconds at most, it applies nothing new. Ends
    /// with 7 where a document is not what the log comes to.
    #[command(before_help = EXAMPLES)]
    Verify(Order),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The projection
    projection: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Order {
    /// The projection
    projection: String,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    place: Place,
}

impl Projections {
    /// Whether it is a command that a server can answer, too, and no file is named beside it.
    pub(super) fn may_ask_a_server(&self) -> bool {
        matches!(self, Self::List(List { place }) if !place.is_on_line())
    }
}

pub(super) fn run(projections: &Projections, context: &Context) -> Outcome {
    match projections {
        Projections::List(List { place }) if served::is_asked(place, context)? => served::list(context),
        Projections::List(List { place }) => list(place, context.json),
        Projections::Show(named) => show::run(named, context.json),
        Projections::Pause(order) => order::run(order, "pause", context.json),
        Projections::Resume(order) => order::run(order, "resume", context.json),
        Projections::Rebuild(order) => rebuild::run(order, context.json),
        Projections::Switch(order) => order::run(order, "switch", context.json),
        Projections::Back(order) => order::run(order, "back", context.json),
        Projections::Verify(order) => verify::run(order, context.json),
    }
}

fn list(place: &Place, json: bool) -> Outcome {
    let projections = place.open()?.projections()?;
    let documents: Vec<Value> = projections.iter().map(Projection::document).collect();
    answer(
        json,
        || json!({ "projections": documents }),
        || {
            let columns = [
                ("NAME", Align::Left),
                ("GENERATION", Align::Right),
                ("STATE", Align::Left),
                ("BEHIND", Align::Right),
                ("FOR", Align::Right),
                ("RATE/S", Align::Right),
                ("LEFT", Align::Right),
                ("ADVANCED", Align::Right),
                ("PARKED", Align::Right),
            ];
            table(columns, &documents.iter().map(row).collect::<Vec<_>>())
        },
    )
}

fn row(document: &Value) -> [String; 9] {
    let text = |name: &str| printable(document[name].as_str().unwrap_or_default());
    let generation = match (document["serving"].as_u64(), document["building"].as_u64()) {
        (Some(serving), Some(building)) => format!("{serving} (+{building})"),
        (Some(serving), None) => serving.to_string(),
        (None, _) => "-".to_owned(),
    };
    let advanced = match document["seconds_since_advance"].as_u64() {
        Some(seconds) => format!("{} ago", span(seconds)),
        None => "-".to_owned(),
    };
    [
        text("name"),
        generation,
        text("state"),
        number(&document["lag_events"]),
        document["lag_seconds"].as_u64().map_or("-".to_owned(), span),
        rate(&document["rate"]),
        document["remaining_seconds"].as_u64().map_or("-".to_owned(), span),
        advanced,
        number(&document["parked"]),
    ]
}

fn number(value: &Value) -> String {
    value.as_u64().map_or("-".to_owned(), grouped)
}

fn rate(value: &Value) -> String {
    value.as_f64().map_or("-".to_owned(), |rate| grouped(rate.round() as u64))
}
