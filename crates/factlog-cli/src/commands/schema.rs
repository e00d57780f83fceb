//! `factlog schema`: the shapes of events in `events.lock` files, judged, compared and handed on.
//!
//! It opens no store. What a change means is `factlog-schema`'s business; here are files and words.

mod export;
mod report;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use factlog_schema::{Lock, Verdict, compare};
use serde_json::json;

use crate::context::Context;
use crate::failure::{Failure, Kind, Outcome};
use crate::numbers::counted;
use crate::output::answer;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog schema check events.lock
  git show main:events.lock | factlog schema check events.lock --against -
  factlog schema check events.lock --against released/events.lock --require full --json
  factlog schema diff released/events.lock events.lock
  factlog schema export events.lock --out schemas";

/// Judge, compare and export the shapes of events in `events.lock` files
#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    #[command(before_help = EXAMPLES)]
    Check(Check),
    #[command(before_help = EXAMPLES)]
    Diff(Diff),
    #[command(before_help = EXAMPLES)]
    Export(export::Arguments),
}

/// Is this file whole, and may its programs be deployed beside those of another?
///
/// Backward: new programs read all that is stored. Forward: programs that run now read what new ones will write.
/// Where what is required does not hold it ends with 4, and each event that breaks it is named with its field.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The file as it is to be
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// The file as it was: of the main branch, or of what is deployed
    #[arg(long, value_name = "FILE|-")]
    against: Option<PathBuf>,
    /// What must hold for every event
    #[arg(long, value_enum, default_value_t = Require::Backward, requires = "against")]
    require: Require,
}

/// What became of each event between two files, and what that means
///
/// It shows and does not judge: it ends with 0 whatever the verdict, unless --require is given.
#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// The file as it was
    #[arg(value_name = "OLD|-")]
    old: PathBuf,
    /// The file as it is to be
    #[arg(value_name = "NEW|-")]
    new: PathBuf,
    /// End with 4 where this does not hold for every event
    #[arg(long, value_enum)]
    require: Option<Require>,
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Require {
    /// New programs read all that is stored
    Backward,
    /// Programs that run now read what new ones will write
    Forward,
    /// Both
    Full,
}

impl Require {
    fn name(self) -> &'static str {
        match self {
            Self::Backward => "backward",
            Self::Forward => "forward",
            Self::Full => "full",
        }
    }

    fn holds(self, verdict: Verdict) -> bool {
        match self {
            Self::Backward => verdict.is_backward(),
            Self::Forward => verdict.is_forward(),
            Self::Full => verdict == Verdict::Full,
        }
    }
}

pub(super) fn run(schema: &Schema, context: &Context) -> Outcome {
    match schema {
        Schema::Check(arguments) => match &arguments.against {
            None => check(&arguments.file, context),
            Some(old) => judge(old, &arguments.file, Some(arguments.require), context),
        },
        Schema::Diff(arguments) => judge(&arguments.old, &arguments.new, arguments.require, context),
        Schema::Export(arguments) => export::run(arguments, context),
    }
}

/// A file by itself: reading it has already said what is wrong with it.
fn check(file: &Path, context: &Context) -> Outcome {
    let lock = read(file)?;
    let events = lock.events().count() as u64;
    let versions = lock.events().map(|event| event.shapes.len() as u64).sum::<u64>();
    answer(
        context.json,
        || json!({ "events": events, "versions": versions }),
        || format!("whole: {}, {}", counted(events, "event"), counted(versions, "version")),
    )
}

fn judge(old: &Path, new: &Path, require: Option<Require>, context: &Context) -> Outcome {
    if old == new && is_standard_input(old) {
        return Err(Failure::new(Kind::Usage, "both files are standard input").advise("name one of them"));
    }
    let comparison = compare(&read(old)?, &read(new)?);
    answer(context.json, || report::document(&comparison, require), || report::text(&comparison))?;
    let Some(require) = require.filter(|require| !require.holds(comparison.verdict())) else { return Ok(()) };
    let broken: Vec<&str> = comparison
        .events
        .iter()
        .filter(|event| !require.holds(event.verdict()))
        .map(|event| event.name.as_str())
        .collect();
    let what = format!("the change is {}, and {} is required", comparison.verdict(), require.name());
    Err(Failure::new(Kind::Incompatible, what).because(broken.join(", ")).advise(match require {
        Require::Backward | Require::Full => {
            "give new fields a serde default, or raise the version and write an upcast; keep older shapes and names"
        }
        Require::Forward => "only add what older programs pass over, and deploy readers before writers",
    }))
}

/// The lock in a file or on standard input.
fn read(file: &Path) -> Outcome<Lock> {
    let name = if is_standard_input(file) { "standard input".to_owned() } else { file.display().to_string() };
    let failed = |error: &std::io::Error| Failure::io(format!("read {name}"), error);
    let text = if is_standard_input(file) {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text).map_err(|error| failed(&error))?
    } else {
        std::fs::read_to_string(file).map_err(|error| failed(&error))?
    };
    let wrong = |why: String| Failure::new(Kind::Invalid, format!("{name} is no events.lock")).because(why);
    if text.trim().is_empty() {
        return Err(wrong("it is empty".to_owned())
            .advise("see whether the file is committed where it is taken from"));
    }
    Lock::parse(&text).map_err(|error| {
        wrong(error.to_string())
            .advise("write it again: run the program's tests with FACTLOG_EVENTS_LOCK=update")
    })
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}
