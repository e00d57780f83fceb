//! `factlog streams list` and `factlog streams info`: which streams there are.

use clap::{Args, Subcommand};
use factlog_core::{Administration, StreamId, StreamInfo};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, answer, printable};
use crate::selection::no_stream;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog streams list --prefix account- --data bank.db
  factlog streams list --after account-42 --limit 100 --data bank.db --json
  factlog streams info account-42 --data bank.db";

/// Streams are asked for in pages of this many, so that a listing of millions needs no memory.
const PAGE: usize = 1_000;

/// List streams, or look at one
#[derive(Debug, Subcommand)]
pub(crate) enum Streams {
    /// Streams by name, with their number of events and positions
    #[command(before_help = EXAMPLES)]
    List(List),
    /// One stream
    #[command(before_help = EXAMPLES)]
    Info(Info),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only streams whose name begins so
    #[arg(long, default_value = "")]
    prefix: String,
    /// Only streams after this one
    #[arg(long, value_name = "STREAM")]
    after: Option<StreamId>,
    /// At most this many
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

#[derive(Args, Debug)]
pub(crate) struct Info {
    /// The stream
    stream: StreamId,
}

pub(super) fn run(streams: &Streams, context: &Context) -> Outcome {
    let store = context.look()?;
    match streams {
        Streams::List(arguments) => list(arguments, &*store, context.json)?,
        Streams::Info(arguments) => info(arguments, &*store, context.json)?,
    }
    store.close()
}

fn list(arguments: &List, store: &dyn Administration, json: bool) -> Outcome {
    let mut output = Output::stdout();
    output.bytes(if json {
        b"{\"streams\":["
    } else {
        b"    EVENTS  FIRST POSITION  LAST POSITION  STREAM\n"
    })?;
    let mut left = arguments.limit.unwrap_or(usize::MAX);
    let mut after = arguments.after.clone();
    let mut first = true;
    loop {
        let asked = left.min(PAGE);
        let page = pollster::block_on(store.streams(&arguments.prefix, after, asked));
        let page = page.map_err(|error| Failure::store("list streams", &error))?;
        for info in &page {
            if json {
                output.bytes(if first { b"" } else { b"," })?;
                output.bytes(document(info).to_string().as_bytes())?;
            } else {
                output.line(row(info))?;
            }
            first = false;
        }
        left -= page.len();
        let full = page.len() == asked;
        after = page.into_iter().last().map(|info| info.stream);
        if left == 0 || !full {
            break;
        }
    }
    output.bytes(if json { b"]}\n" } else { b"" })?;
    output.flush()
}

fn info(arguments: &Info, store: &dyn Administration, json: bool) -> Outcome {
    let stream = &arguments.stream;
    let info = pollster::block_on(store.stream(stream.clone()));
    let info = info.map_err(|error| Failure::store(format!("look for stream {stream}"), &error))?;
    let info = info.ok_or_else(|| no_stream(stream))?;
    answer(
        json,
        || document(&info),
        || {
            let rows = [
                ("stream", printable(info.stream.as_str())),
                ("category", printable(info.stream.category())),
                ("events", info.events.to_string()),
                ("revision", info.last_revision.to_string()),
                ("positions", format!("{} to {}", info.first_position, info.last_position)),
            ];
            rows.map(|(name, value)| format!("{name:<11}{value}")).join("\n")
        },
    )
}

fn row(info: &StreamInfo) -> String {
    let StreamInfo { stream, events, first_position, last_position, .. } = info;
    let (first, last) = (first_position.get(), last_position.get());
    format!("{events:>10}  {first:>14}  {last:>13}  {}", printable(stream.as_str()))
}

fn document(info: &StreamInfo) -> Value {
    json!({
        "stream": info.stream.as_str(),
        "category": info.stream.category(),
        "events": info.events,
        "last_revision": info.last_revision.get(),
        "first_position": info.first_position.get(),
        "last_position": info.last_position.get(),
    })
}
