//! Files of settings: which are looked for, and what one says, key by key with its line.
//!
//! All problems of a file are found, not only the first. A value that is refused is not repeated.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use toml::de::DeTable;

use super::Setting;
use super::value::Value;
use crate::failure::{Failure, Kind as Failed, Outcome};
use crate::nearest::nearest;
use crate::numbers::counted;

/// The file of a project, in the working directory.
pub(super) const PROJECT: &str = "factlog.toml";
/// The file of a machine.
pub(super) const MACHINE: &str = "/etc/factlog/factlog.toml";

/// What one file says.
#[derive(Debug, Default)]
pub(crate) struct SettingsFile {
    pub(crate) path: PathBuf,
    pub(super) entries: Vec<Entry>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
}

/// One key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) setting: &'static Setting,
    pub(super) value: Value,
    pub(super) line: usize,
}

/// What is wrong with a file, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) advice: Option<String>,
}

impl Problem {
    /// `factlog.toml:3`.
    fn place(&self) -> String {
        format!("{}:{}", self.path.display(), self.line)
    }

    pub(crate) fn text(&self) -> String {
        let advice = self.advice.as_ref().map_or(String::new(), |advice| format!("; {advice}"));
        format!("{}: {}{advice}", self.place(), self.what)
    }

    pub(crate) fn json(&self) -> Json {
        let path = self.path.display().to_string();
        json!({ "file": path, "line": self.line, "what": self.what, "what_to_do": self.advice })
    }
}

/// The failure that these problems are; none where there are none.
pub(crate) fn problems_failure<'a>(problems: impl Iterator<Item = &'a Problem>) -> Outcome {
    let problems: Vec<&Problem> = problems.collect();
    let Some(first) = problems.first() else { return Ok(()) };
    let more = match problems.len() - 1 {
        0 => String::new(),
        more => format!(", and {} besides", counted(more as u64, "problem")),
    };
    let advice = first.advice.clone().unwrap_or_else(|| "correct it there".to_owned());
    Err(Failure::new(Failed::Invalid, format!("the settings in {} are wrong{more}", first.place()))
        .because(first.what.clone())
        .advise(format!("{advice}; `factlog config check` shows every problem")))
}

/// The file of that name, if it is there.
pub(super) fn read(path: &Path, table: &'static [Setting]) -> Outcome<Option<SettingsFile>> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let mut file = understood(path, &text, table);
            file.warnings = super::trust::of_file(&file);
            Ok(Some(file))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io(format!("read {}", path.display()), &error)),
    }
}

/// What a text says that stands in a file of that name.
pub(super) fn understood(path: &Path, text: &str, table: &'static [Setting]) -> SettingsFile {
    let mut file = SettingsFile { path: path.to_owned(), ..SettingsFile::default() };
    let line = |at: usize| 1 + text[..at.min(text.len())].matches('\n').count();
    let problem = |at, what: String, advice| Problem { path: path.to_owned(), line: line(at), what, advice };
    let parsed = match DeTable::parse(text) {
        Ok(parsed) => parsed.into_inner(),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let what = format!("it cannot be understood: {}", error.message().replace('\n', ", "));
            file.problems.push(problem(at, what, None));
            return file;
        }
    };
    let directory = path.parent().unwrap_or(Path::new(""));
    for (key, value) in &parsed {
        let (name, at) = (&**key.get_ref(), key.span().start);
        let Some(setting) = table.iter().find(|setting| setting.name == name) else {
            let near = nearest(name, table.iter().map(|setting| setting.name));
            let advice = near.map(|near| format!("is {near} meant?"));
            let what = format!("there is no setting {:?}", crate::output::printable(name));
            file.problems.push(problem(at, what, advice));
            continue;
        };
        match setting.kind.of_toml(value.get_ref(), directory) {
            Ok(value) => file.entries.push(Entry { setting, value, line: line(at) }),
            Err(wanted) => file.problems.push(problem(at, format!("{name}: {wanted}"), None)),
        }
    }
    file.problems.sort_by_key(|problem| problem.line);
    file
}
