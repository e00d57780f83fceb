//! `factlog import`: CloudEvents lines into the store, each event an append of its own.
//!
//! * An event that is there already, by its id, is not written again: an import can be repeated, and goes
//!   on where a killed one ended.
//! * Events enter the store in the order of the lines.
//! * Memory is bounded by the window of appends in flight, whatever the file's size.

mod originals;
mod window;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use factlog_core::{AppendError, Appended, ErrorKind};
use serde_json::{Value, json};

use self::originals::{Originals, Present};
use self::window::Window;
use crate::context::Context;
use crate::failure::{Failure, Kind, Outcome, say};
use crate::lines::{LINE_BYTES_MAX, Lines};
use crate::numbers::{self, grouped};
use crate::output::answer;
use crate::progress::Progress;
use factlog_cloudevents::from_line;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog import loans.ndjson.gz --data loans.db
  zcat *.ndjson.gz | factlog import - --data loans.db
  factlog import mixed.ndjson --keep-going --json --data loans.db";

/// Append the events of a CloudEvents 1.0 JSON lines file, plain or gzip
///
/// Events already in the store, by their id, are passed over, so that an import can be repeated and
/// continued. An id that is no UUID stands for the UUIDv5 of source and id. `source`, `time` and other
/// attributes are kept in the event's metadata. A line that is no event ends the import; what came
/// before it is kept.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The file; - for standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Report every line that is no event and go on; exit code 8 if there was one
    #[arg(long)]
    keep_going: bool,
}

/// Lines between two looks at the clock.
const PROGRESS_EVERY: u64 = 1_024;

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let name = arguments.file.display().to_string();
    // The input first: a mistyped name must not leave an empty store behind.
    let opened = Lines::open(&arguments.file);
    let (mut lines, size) = opened.map_err(|error| Failure::io(format!("read {name}"), &error))?;
    let store = context.write()?;
    let mut import = Import {
        name: &name,
        keep_going: arguments.keep_going,
        window: Window::new(&*store),
        originals: Originals::new(&store),
        counts: Counts::default(),
    };
    let mut progress = Progress::start("importing", size);
    let result = import.all(&mut lines, &mut progress);
    let counts = import.finish();
    let time = progress.finish();
    let result = result.and(counts.failure(&name));
    let closed = store.close();
    let answered = answer(context.json, || counts.document(time), || counts.text(time));
    result.and(answered).and(closed)
}

/// What became of the lines.
#[derive(Debug, Default)]
struct Counts {
    read: u64,
    added: u64,
    duplicates: u64,
    refused: u64,
}

/// One import under way.
struct Import<'a> {
    name: &'a str,
    keep_going: bool,
    window: Window<'a>,
    originals: Originals<'a>,
    counts: Counts,
}

impl Import<'_> {
    /// Every line, until one is refused or the input ends; appends may still be in flight then.
    fn all(&mut self, lines: &mut Lines, progress: &mut Progress) -> Outcome {
        loop {
            if self.counts.read.is_multiple_of(PROGRESS_EVERY) {
                let read = self.counts.read;
                progress.at(lines.consumed(), || format!("{} lines", grouped(read)));
            }
            let (number, byte) = lines.place();
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return self.settle_all(),
                Err(error) => {
                    return Err(Failure::io(format!("read {} on at line {number} (byte {byte})", self.name), &error)
                        .advise("the input is damaged or cut short; whole lines before it are kept, import the whole file again"));
                }
            };
            if line.too_long {
                self.counts.read += 1;
                self.refuse(number, byte, &format!("the line has more than {LINE_BYTES_MAX} bytes"))?;
            } else if !line.text.trim_ascii().is_empty() {
                self.counts.read += 1;
                self.one(number, byte, line.text)?;
            }
        }
    }

    fn one(&mut self, number: u64, byte: u64, text: &[u8]) -> Outcome {
        let incoming = match from_line(text) {
            Ok(incoming) => incoming,
            Err(error) => return self.refuse(number, byte + error.byte, &error.reason),
        };
        match self.originals.look(&incoming)? {
            Present::Same => self.counts.duplicates += 1,
            Present::Other => {
                let reason =
                    format!("the store it came from holds event {} with other content", incoming.event.id);
                return self.refuse(number, byte, &reason);
            }
            Present::No => {
                while self.window.is_full() {
                    self.settle_one()?;
                }
                self.window.push(number, byte, incoming.event);
            }
        }
        Ok(())
    }

    /// What came of all that is in flight, after the last line or after a failure.
    fn finish(mut self) -> Counts {
        self.keep_going = true;
        // Failures after the first one add nothing: what was not written is imported the next time.
        while self.window.holds_any() {
            let _ = self.settle_one();
        }
        self.counts
    }

    fn settle_all(&mut self) -> Outcome {
        while self.window.holds_any() {
            self.settle_one()?;
        }
        Ok(())
    }

    fn settle_one(&mut self) -> Outcome {
        let Some((number, byte, result)) = self.window.settle() else { return Ok(()) };
        match result {
            Ok(Appended { deduplicated: true, .. }) => self.counts.duplicates += 1,
            Ok(_) => self.counts.added += 1,
            Err(AppendError::Failed(error)) if error.kind() == ErrorKind::Invalid => {
                return self.refuse(number, byte, &error.to_string());
            }
            Err(error) => return Err(Failure::append(&error)),
        }
        Ok(())
    }

    fn refuse(&mut self, number: u64, byte: u64, reason: &str) -> Outcome {
        self.counts.refused += 1;
        let what = format!("line {number} of {} (byte {byte}) is refused", self.name);
        if self.keep_going {
            say(&format!("{what}: {reason}"));
            return Ok(());
        }
        let advice = "correct it and import again, or pass over such lines with --keep-going; lines before it are kept";
        Err(Failure::new(Kind::Invalid, what).because(reason).advise(advice))
    }
}

impl Counts {
    fn failure(&self, name: &str) -> Outcome {
        if self.refused == 0 {
            return Ok(());
        }
        let (refused, read) = (grouped(self.refused), grouped(self.read));
        Err(Failure::new(Kind::Partial, format!("{refused} of {read} lines of {name} are refused"))
            .advise("correct the lines named above and import again; what is there is passed over"))
    }

    fn document(&self, time: Duration) -> Value {
        json!({
            "read": self.read,
            "added": self.added,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "seconds": (time.as_secs_f64() * 1e3).round() / 1e3,
        })
    }

    fn text(&self, time: Duration) -> String {
        let rows = [
            ("read", self.read),
            ("added", self.added),
            ("already there", self.duplicates),
            ("refused", self.refused),
        ];
        let rows = rows.map(|(name, count)| format!("{name:<14}{}", grouped(count)));
        let (seconds, rate) = (time.as_secs_f64(), numbers::rate(self.read, time));
        format!("{}\n{:<14}{seconds:.1} s, {} lines/s", rows.join("\n"), "time", grouped(rate as u64))
    }
}
