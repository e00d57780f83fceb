//! `factlog read`: the events of one stream, a category or the whole log, from one snapshot.

use clap::{ArgGroup, Args};
use factlog_core::StreamId;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::render::{self, Format};
use crate::selection::{Filter, Range, must_exist};

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog read account-42 --data bank.db
  factlog read --category account --type account.withdrawn --backwards --limit 10 --data bank.db
  factlog read --all --tag account:42 --after 1000 --format ndjson --data bank.db
  factlog read account-42 --at 2026-01-01T00:00:00Z --data bank.db";

/// Read the events of a stream, of a category, or of the whole log
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true).args(["stream", "category", "all"]))]
pub(crate) struct Arguments {
    /// The stream
    stream: Option<StreamId>,
    /// The whole log
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    range: Range,
    /// How events are written; `--json` is short for `--format ndjson`
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let store = context.look()?;
    let query = arguments.filter.query(arguments.stream.as_ref())?;
    if let Some(stream) = &arguments.stream {
        must_exist(&*store, stream)?;
    }
    let format = arguments.format.unwrap_or(if context.json { Format::Ndjson } else { Format::Table });
    let mut output = Output::stdout();
    if format == Format::Table {
        output.line(render::HEADING)?;
    }
    let id = store.id_for(format)?;
    if let Some(options) = arguments.range.options(&*store)? {
        let mut events = store.read(query, options);
        while let Some(event) = pollster::block_on(events.next()) {
            let event = event.map_err(|error| Failure::store("read on", &error));
            match event {
                Ok(event) => output.line(render::event(&event, format, id))?,
                Err(failure) => {
                    output.flush()?;
                    return Err(failure);
                }
            }
        }
    }
    output.flush()?;
    store.close()
}
