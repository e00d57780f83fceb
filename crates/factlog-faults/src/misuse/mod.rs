//! What operators, machines and limits do to a store: a battery of cases, each named for what it prevents.
//!
//! * Every case makes a store of its own, does its worst, and then holds all that was told against what is there.
//! * A store may refuse, with a sentence that names what is wrong. It may not lose, mix, hang, or end its process.

mod clocks;
mod copies;
mod limits;
mod missing;
mod places;
mod scene;
mod sharing;

use anyhow::{Context, Result, bail, ensure};

use crate::check::say;

/// Misuse a store in every way that operators and machines know; exit code 1 if anything was lost or mixed up
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MisuseArguments {
    /// Only the cases whose names contain this
    #[arg(long)]
    only: Option<String>,
    /// Name the cases and do nothing
    #[arg(long)]
    list: bool,
}

const EXAMPLES: &str = "\
Examples:
  factlog-faults misuse
  factlog-faults misuse --list
  factlog-faults misuse --only memory";

/// A case tells what it saw, for the report.
type Case = (&'static str, fn() -> Result<String>);

const CASES: &[Case] = &[
    ("a second process is refused at once, and the first goes on", sharing::second_process),
    ("a process that is stopped keeps its store, and goes on", sharing::stopped_process),
    ("SIGTERM is no worse than SIGKILL", sharing::terminated_process),
    ("a copy made while writing is a prefix, or names its damage", copies::copied_while_writing),
    ("a copy of a closed store is that store", copies::copied_when_closed),
    ("a missing file or folder is mended or named, and opening makes it no worse", missing::removed),
    ("half a file is mended or named, and opening makes it no worse", missing::halved),
    ("an empty directory becomes a store, with all that lead to it", places::empty),
    ("a foreign directory is refused and left alone", places::foreign),
    ("a file in place of a folder, or the other way round, is named", places::wrong_kinds),
    ("a store of somebody else is refused by name and left alone", places::permissions),
    ("recorded times never go back, whatever the clock does", clocks::all),
    ("a log larger than the memory is written, read and followed", limits::memory),
    ("too few open files are told, and lose nothing", limits::open_files),
    ("a limit on the size of files is told, and loses nothing", limits::file_bytes),
];

/// Runs the cases.
pub(crate) fn run(arguments: &MisuseArguments) -> Result<()> {
    let wanted = |name: &str| arguments.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let cases: Vec<_> = CASES.iter().filter(|(name, _)| wanted(name)).collect();
    ensure!(!cases.is_empty(), "no case has such a name; see --list");
    let mut failed = 0;
    for (name, case) in &cases {
        if arguments.list {
            say(name);
            continue;
        }
        match case().with_context(|| format!("FAILED {name}")) {
            Ok(seen) => say(&format!("ok {name}: {seen}")),
            Err(error) => {
                failed += 1;
                say(&format!("{error:#}"));
            }
        }
    }
    if arguments.list {
        return Ok(());
    }
    if failed != 0 {
        bail!("misuse: {failed} of {} cases failed", cases.len());
    }
    say(&format!("misuse: {} cases passed", cases.len()));
    Ok(())
}
