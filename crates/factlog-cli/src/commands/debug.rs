//! `factlog debug bundle`: what somebody who helps wants to know, in one file that holds no secret and no event.

mod archive;
mod contents;
mod redact;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use factlog_core::{Clock as _, SystemClock};
use serde_json::json;

use self::contents::{Piece, gather};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::numbers;
use crate::output::Output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog debug bundle --data bank.db
  factlog debug bundle --dry-run --data bank.db
  factlog debug bundle --output /tmp/bank.tar.gz --data bank.db --json";

const BUNDLE_EXAMPLES: &str = "\
Examples:
  factlog debug bundle --data bank.db
  factlog debug bundle --dry-run --data bank.db --json";

/// For those who look for what is wrong
#[derive(Debug, Subcommand)]
pub(crate) enum Debug {
    #[command(before_help = BUNDLE_EXAMPLES)]
    Bundle(Bundle),
}

/// Gather what helps to find out what is wrong: versions, settings, doctor, numbers, files; no events, no secrets
///
/// What goes into it is listed before anything is written. Of settings only those are shown that are known to be no
/// secret. It works while a server has the store open; what then cannot be told says so. Nothing is sent anywhere.
#[derive(Args, Debug)]
pub(crate) struct Bundle {
    /// Where to write; otherwise factlog-debug-TIME.tar.gz in this directory. A file that is there is kept
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only list what would be written
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(debug: &Debug, context: &Context) -> Outcome {
    let Debug::Bundle(arguments) = debug;
    let now = SystemClock.now();
    let pieces = gather(context)?;
    let path = (!arguments.dry_run).then(|| arguments.output.clone().unwrap_or_else(|| default_name(now)));
    let mut output = Output::stdout();
    if !context.json {
        for Piece { name, what, bytes } in &pieces {
            output.line(format!("{name:<14}{:>10}  {what}", numbers::bytes(bytes.len() as u64)))?;
        }
        // What is listed is seen before it is written, also where writing fails.
        output.flush()?;
    }
    if let Some(path) = &path {
        archive::write(path, &pieces, now).map_err(|error| failed(path, &error))?;
    }
    match (&path, context.json) {
        (_, true) => {
            let list: Vec<_> = pieces
                .iter()
                .map(|piece| json!({ "name": piece.name, "what": piece.what, "bytes": piece.bytes.len() }))
                .collect();
            let written = path.as_ref().map(|path| path.display().to_string());
            output.document(&json!({ "pieces": list, "output": written }))?;
        }
        (Some(path), false) => {
            output.line(format!("\nwritten to {}; look at it before you send it", path.display()))?;
        }
        (None, false) => output.line("\nnothing was written")?,
    }
    output.flush()
}

fn default_name(now: factlog_core::Timestamp) -> PathBuf {
    let time: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).take(15).collect();
    format!("factlog-debug-{time}Z.tar.gz").into()
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(format_args!("write {}", path.display()), error)
        .advise("give another place with --output FILE; a file that is there is never written over")
}
