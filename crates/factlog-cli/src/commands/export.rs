//! `factlog export`: events as CloudEvents lines, to a file that appears when it is whole, or to standard output.

mod earlier;
mod sink;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use factlog_core::{Position, ReadOptions, StreamId};
use serde_json::{Value, json};

use self::sink::Sink;
use crate::context::Context;
use crate::failure::{Failure, Outcome, say};
use crate::numbers::{self, counted, grouped};
use crate::opened::Opened;
use crate::output::answer;
use crate::progress::Progress;
use crate::selection::{Filter, Range, must_exist};
use factlog_cloudevents::{Source, to_line};

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog export bank.ndjson.gz --data bank.db
  factlog export bank.ndjson.gz --resume --data bank.db
  factlog export --stream account-42 --data bank.db | jq .data
  factlog export accounts.ndjson --category account --until 1000 --data bank.db";

/// Write events as CloudEvents 1.0 JSON lines; `factlog import` reads them back as the same events
///
/// A file is written as FILE.partial and renamed when it is whole. With --resume, an unfinished
/// FILE.partial, or else an earlier FILE, is continued after the last event it holds; give the same
/// filters as before.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("to").args(["file", "output"]))]
pub(crate) struct Arguments {
    /// The file to write, compressed if its name ends in .gz; standard output if it is - or absent
    #[arg(value_name = "FILE|-")]
    file: Option<PathBuf>,
    /// The same file, named by an option
    #[arg(long, short, value_name = "FILE|-")]
    output: Option<PathBuf>,
    /// Only this stream
    #[arg(long, value_name = "STREAM", conflicts_with = "category")]
    stream: Option<StreamId>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    range: Range,
    /// Continue an unfinished or earlier export to the same file
    #[arg(long, requires = "to", conflicts_with_all = ["backwards", "limit"])]
    resume: bool,
}

/// Events between two looks at the clock.
const PROGRESS_EVERY: u64 = 1_024;

/// What was written.
struct Written {
    events: u64,
    resumed_after: Option<Position>,
    last: Option<Position>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let store = context.look()?;
    if let Some(stream) = &arguments.stream {
        must_exist(&*store, stream)?;
    }
    let to_file = arguments.file.as_deref().or(arguments.output.as_deref()).filter(|file| *file != "-");
    let head = pollster::block_on(store.head()).map_err(|error| Failure::store("read the head", &error))?;
    let (mut sink, resumed_after) = match (to_file, arguments.resume) {
        (None, _) => (Sink::stdout(), None),
        (Some(file), false) => (Sink::create(file)?, None),
        (Some(file), true) => {
            let last = earlier::take_over(file, store.id()?, head.position)?;
            (Sink::append(file)?, last)
        }
    };
    let mut written = Written { events: 0, resumed_after, last: resumed_after };
    let mut progress = Progress::start("exporting", head.position.map(Position::get));
    if let Some(mut options) = arguments.range.options(&*store)? {
        options.after = options.after.max(resumed_after);
        write_all(arguments, &store, options, &mut sink, &mut written, &mut progress)?;
    }
    sink.finish()?;
    let time = progress.finish();
    store.close()?;
    let Some(file) = to_file else {
        say(&if context.json { written.document("-", time).to_string() } else { written.text("-", time) });
        return Ok(());
    };
    let name = file.display().to_string();
    answer(context.json, || written.document(&name, time), || written.text(&name, time))
}

fn write_all(
    arguments: &Arguments,
    store: &Opened,
    options: ReadOptions,
    sink: &mut Sink,
    written: &mut Written,
    progress: &mut Progress,
) -> Outcome {
    let id = store.id()?;
    let mut events = store.read(arguments.filter.query(arguments.stream.as_ref())?, options);
    while let Some(event) = pollster::block_on(events.next()) {
        let event = event.map_err(|error| Failure::store("read on", &error))?;
        sink.line(to_line(&event, Source::Store(id)))?;
        written.events += 1;
        written.last = Some(event.position);
        if written.events.is_multiple_of(PROGRESS_EVERY) {
            progress.at(event.position.get(), || format!("{} events", grouped(written.events)));
        }
    }
    Ok(())
}

impl Written {
    fn document(&self, name: &str, time: Duration) -> Value {
        json!({
            "output": name,
            "events": self.events,
            "resumed_after": self.resumed_after.map(Position::get),
            "last": self.last.map(Position::get),
            "seconds": (time.as_secs_f64() * 1e3).round() / 1e3,
        })
    }

    fn text(&self, name: &str, time: Duration) -> String {
        let rate = grouped(numbers::rate(self.events, time) as u64);
        let resumed =
            self.resumed_after.map_or(String::new(), |after| format!(", continued after position {after}"));
        let name = if name == "-" { "standard output" } else { name };
        let seconds = time.as_secs_f64();
        format!(
            "{} written to {name}{resumed} in {seconds:.1} s, {rate} events/s",
            counted(self.events, "event")
        )
    }
}
