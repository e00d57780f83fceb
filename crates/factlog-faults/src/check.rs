//! Holding a recorded history against its store, during a run and once more afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use factlog_check::check;
use factlog_check::history::History;

use crate::asking::World;
use crate::look::{self, look};
use crate::record::Recorder;
use crate::told::Line;

/// Violations that are shown.
const SHOWN: usize = 20;

/// Nothing, if the history keeps every promise.
///
/// # Errors
/// The first violations.
pub(crate) fn judged(history: &History) -> Result<()> {
    let violations = check(history);
    if violations.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = violations.iter().take(SHOWN).map(ToString::to_string).collect();
    bail!("{} violations:\n{}", violations.len(), shown.join("\n"))
}

/// Checks a history that was recorded against the store it is of, once more
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// The recorded history
    #[arg(long)]
    history: PathBuf,
    /// The directory of the store, which is only read
    #[arg(long)]
    store: PathBuf,
}

/// Reads what was recorded, and checks it.
pub(crate) fn check_again(arguments: &CheckArguments) -> Result<()> {
    let text = fs::read_to_string(&arguments.history)
        .with_context(|| format!("{} cannot be read", arguments.history.display()))?;
    let mut lines = text.lines().map(serde_json::from_str::<Line>);
    let Some(Ok(Line::World { seed, event_bytes })) = lines.next() else {
        bail!("{} is no recorded history", arguments.history.display());
    };
    let mut recorder = Recorder::new(World::new(seed, event_bytes));
    let mut lives = 0;
    for line in lines {
        let line = line.context("a line of the history is none")?;
        if matches!(line, Line::Life(_)) && lives != 0 {
            recorder.end_of_life();
        }
        lives += u32::from(matches!(line, Line::Life(_)));
        recorder.hear(&line);
    }
    recorder.end_of_life();
    let copy = tempfile::tempdir_in(parent(&arguments.store))?;
    let seen = look(&arguments.store, &copy.path().join("copy"))?;
    look::is_sound(&seen.log, &[])?;
    recorder.history.log = seen.log;
    judged(&recorder.history)?;
    say(&format!("{lives} lives, {} operations: 0 violations", recorder.history.operations.len()));
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Says it to whoever runs this.
#[expect(clippy::print_stdout, reason = "a command-line tool speaks on its standard output")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
