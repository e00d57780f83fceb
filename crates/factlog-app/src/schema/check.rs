//! The catalog held against the committed file, as a test does it.
//!
//! The file is written where there is none, and where the environment says so; a difference is never accepted quietly.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::{Catalog, Change, Lock, compare};

/// Set it to `update` to write the file again.
pub const UPDATE_VARIABLE: &str = "FACTLOG_EVENTS_LOCK";

/// What became of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The file says what the events are.
    Same,
    /// The file was written: commit it.
    Written,
}

/// Why the file does not stand for the events: a text for people, also where it is shown with `{:?}`, as a test does.
#[derive(Clone)]
pub struct CheckError(String);

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CheckError {}

/// What the surroundings of the check say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Surroundings {
    update: bool,
    /// Where what is written is thrown away, so that writing would hide that nothing was committed.
    ci: bool,
}

impl Catalog {
    /// Holds the events against the file; for a test of yours. A relative path begins at the package.
    ///
    /// Where there is no file it is written, but for CI (where the variable `CI` is set), where that is an error. With
    /// `FACTLOG_EVENTS_LOCK=update` it is written again, whatever it said.
    ///
    /// # Errors
    /// [`CheckError`]: the events differ from the file, with the verdict for each that does; or the file is no
    /// `events.lock`, or cannot be read or written; or two events that differ are stored under one name.
    pub fn check(&self, path: impl AsRef<Path>) -> Result<Checked, CheckError> {
        let says = |name: &str| std::env::var_os(name);
        let surroundings = Surroundings {
            update: says(UPDATE_VARIABLE).is_some_and(|value| value == "update"),
            ci: says("CI").is_some_and(|value| !value.is_empty() && value != "false"),
        };
        self.check_in(path.as_ref(), surroundings)
    }

    fn check_in(&self, path: &Path, surroundings: Surroundings) -> Result<Checked, CheckError> {
        let name = path.display();
        let now = self.lock().map_err(|error| CheckError(error.to_string()))?;
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && surroundings.ci => {
                return Err(CheckError(format!(
                    "{name} is not there: run the test where nothing sets `CI`, which writes it, and commit it"
                )));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return write(path, &now),
            Err(error) => return Err(CheckError(format!("cannot read {name}: {error}"))),
        };
        if surroundings.update {
            return if text == now.to_text() { Ok(Checked::Same) } else { write(path, &now) };
        }
        let committed = Lock::parse(&text).map_err(|error| CheckError(format!("{name}: {error}")))?;
        if committed.is_same_as(&now) {
            return Ok(Checked::Same);
        }
        Err(CheckError(difference(&name.to_string(), &committed, &now)))
    }
}

/// All of it or nothing, since other tests may read it meanwhile.
fn write(path: &Path, lock: &Lock) -> Result<Checked, CheckError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    let written = fs::write(&partial, lock.to_text()).and_then(|()| fs::rename(&partial, path));
    written.map_err(|error| CheckError(format!("cannot write {}: {error}", path.display())))?;
    Ok(Checked::Written)
}

fn difference(name: &str, committed: &Lock, now: &Lock) -> String {
    let comparison = compare(committed, now);
    let verdict = comparison.verdict();
    let mut text = format!("the events differ from {name}: {verdict}\n");
    for event in comparison.changed() {
        text.push_str(&format!("  {}: {}, {}\n", event.name, change(&event.change), event.verdict()));
        for problem in &event.backward {
            text.push_str(&format!("    new programs cannot read what is stored: {problem}\n"));
        }
        for problem in &event.forward {
            text.push_str(&format!("    programs that run now cannot read what new ones write: {problem}\n"));
        }
    }
    let advice = if verdict.is_backward() {
        "If that is meant"
    } else {
        "Give a new field a serde default, or raise the version and write an upcast, keep older shapes and names. \
         If nothing of that shape was ever stored"
    };
    text.push_str(&format!(
        "{advice}, run the test again with {UPDATE_VARIABLE}=update and commit the file."
    ));
    text
}

fn change(change: &Change) -> String {
    match change {
        Change::Added => "new".to_owned(),
        Change::Removed => "gone".to_owned(),
        Change::Renamed { from } => format!("renamed from {from}"),
        Change::Split => "split into others".to_owned(),
        Change::Version { from } => format!("version {from} before"),
        Change::Changed => "changed".to_owned(),
        Change::Same => "the same".to_owned(),
    }
}

#[cfg(test)]
mod tests;
