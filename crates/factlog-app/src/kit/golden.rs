//! Golden files: one stored event of every name and version a set reads, and what it is read as.
//!
//! * What was stored once stays on file, so that no later change of a struct or an upcast changes its meaning unseen.
//! * Nothing that is on file is written over but for what it is read as, and that only when asked.

mod rungs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::with_causes;
use crate::lineage::Members;
use crate::{Event, EventSet, Stored};
use rungs::{Found, Rungs};

/// Says whether files are written: see [`Golden::check`].
const VARIABLE: &str = "FACTLOG_BLESS";

/// The golden files in this directory, which belongs to one set. In a test a relative path begins at the package.
///
/// ```
/// # extern crate factlog_app as factlog;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use factlog::{Event, EventSet, Upcast, golden};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "account.opened")]
/// struct OpenedV1 { name: String }
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "account.opened", version = 2, upcast(OpenedV1))]
/// struct Opened { owner: String, limit: u64 }
///
/// impl Upcast<OpenedV1> for Opened {
///     fn upcast(old: OpenedV1) -> Self { Self { owner: old.name, limit: 0 } }
/// }
///
/// #[derive(EventSet)]
/// enum AccountEvent { Opened(Opened) }
///
/// # let directory = std::env::temp_dir().join(format!("factlog-golden-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// // What `FACTLOG_BLESS=1 cargo test` writes as `account.opened.v1.json`, from the example below:
/// let first = r#"{
///     "type": "account.opened", "version": 1, "data": { "name": "Ada" },
///     "reads_as": [{ "type": "account.opened", "version": 2, "data": { "owner": "Ada", "limit": 0 } }]
/// }"#;
/// # std::fs::write(directory.join("account.opened.v1.json"), first)?;
/// # let second = first.replace("\"version\": 1", "\"version\": 2").replace("\"name\": \"Ada\"", "\"owner\": \"Ada\", \"limit\": 0");
/// # std::fs::write(directory.join("account.opened.v2.json"), second)?;
/// golden(&directory)
///     .example(OpenedV1 { name: "Ada".into() })
///     .example(Opened { owner: "Ada".into(), limit: 0 })
///     .check::<AccountEvent>();
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(()) }
/// ```
pub fn golden(directory: impl Into<PathBuf>) -> Golden {
    Golden { directory: directory.into(), examples: BTreeMap::new() }
}

/// Golden files, and examples to write those from that are not there.
#[derive(Clone, Debug)]
#[must_use = "nothing is tested until `check`"]
pub struct Golden {
    directory: PathBuf,
    examples: BTreeMap<(&'static str, u32), Value>,
}

/// What may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bless {
    Nothing,
    /// What is not there.
    Missing,
    /// That, and what events on file are read as.
    Changed,
}

/// What is on file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    r#type: String,
    version: u32,
    data: Value,
    reads_as: Vec<Reading>,
}

/// An event of the set, in its present form.
#[derive(PartialEq, Serialize, Deserialize)]
struct Reading {
    r#type: String,
    version: u32,
    data: Value,
}

impl Golden {
    /// An event to write its file from, where there is none; also one of an older version.
    ///
    /// # Panics
    /// Where it cannot be written as JSON, or its tags or stream are out of bounds.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a test reads best with the event as a value")]
    pub fn example<E: Event>(mut self, event: E) -> Self {
        let encoded = match crate::event::encode(&event) {
            Ok(encoded) => encoded,
            Err(error) => panic!("an example cannot be recorded: {}", with_causes(&error)),
        };
        let data = serde_json::from_slice(&encoded.data).expect("what was written as JSON is read as JSON");
        self.examples.insert((encoded.name, encoded.version), data);
        self
    }

    /// Every name and version that the set reads has its file, and what is stored there is still read as is said there.
    ///
    /// With the environment variable `FACTLOG_BLESS=1` missing files are written from the examples; one that is there
    /// is never written over. With `FACTLOG_BLESS=changed` also what a stored event is read as is written again, where
    /// it has changed; what is stored stays. Look at the difference, and commit it.
    ///
    /// # Panics
    /// With all that is wrong and what to do: a file that is missing, or of a version that the set reads no more; an
    /// event that is read as something else, or not at all; a file that is not as this kit writes it.
    #[track_caller]
    pub fn check<E: EventSet + Members>(self)
    where
        E::Tree: Rungs,
    {
        let bless = match std::env::var(VARIABLE).unwrap_or_default().as_str() {
            "" | "0" => Bless::Nothing,
            "changed" => Bless::Changed,
            _ => Bless::Missing,
        };
        let wrong = self.wrong::<E>(bless);
        assert!(wrong.is_empty(), "{} of the golden files:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// What is wrong, a sentence each.
    fn wrong<E: EventSet + Members>(&self, bless: Bless) -> Vec<String>
    where
        E::Tree: Rungs,
    {
        let mut rungs = Found::new();
        E::Tree::add(&mut rungs);
        let mut wrong = Vec::new();
        for ((name, version), of) in &rungs {
            let path = self.directory.join(file_name(name, *version));
            let done = match fs::read_to_string(&path) {
                Ok(text) => held::<E>(&path, &text, (name, *version), bless),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let example = self.examples.get(&(*of, *version));
                    missing::<E>(&path, (name, *version), example, bless)
                }
                Err(error) => Err(format!("cannot be read: {error}")),
            };
            wrong.extend(done.err().map(|problem| format!("{}: {problem}", path.display())));
        }
        let expected = |name: &str| rungs.keys().any(|(event, version)| file_name(event, *version) == name);
        for name in golden_files(&self.directory).into_iter().filter(|name| !expected(name)) {
            wrong.push(format!(
                "{}: the set reads this name and version no more; bring the older shape back, or delete the file if no \
                 store holds such an event",
                self.directory.join(name).display()
            ));
        }
        wrong.sort_unstable();
        wrong
    }
}

/// A file that is not there: written where it may be.
fn missing<E: EventSet>(
    path: &Path,
    (name, version): (&str, u32),
    example: Option<&Value>,
    bless: Bless,
) -> Result<(), String> {
    let Some(data) = example else {
        return Err(format!(
            "is missing, and there is no example to write it from; add `.example(...)` with the struct of {name} \
             version {version}, run the test with {VARIABLE}=1, and commit the file"
        ));
    };
    if bless == Bless::Nothing {
        return Err(format!("is missing; run the test with {VARIABLE}=1, look at the file and commit it"));
    }
    let reads_as = reading::<E>(name, version, data)?;
    let file = File { r#type: name.to_owned(), version, data: data.clone(), reads_as };
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)
        .and_then(|()| fs::File::create_new(path))
        .and_then(|mut there| there.write_all(text(&file).as_bytes()))
        .map_err(|error| format!("cannot be written: {error}"))
}

/// A file that is there, held against what the set reads today.
fn held<E: EventSet>(
    path: &Path,
    there: &str,
    (name, version): (&str, u32),
    bless: Bless,
) -> Result<(), String> {
    let file: File = serde_json::from_str(there).map_err(|error| format!("is no golden file: {error}"))?;
    if (file.r#type.as_str(), file.version) != (name, version) {
        return Err(format!("is of {} version {}; give it back its name", file.r#type, file.version));
    }
    let reads_as = reading::<E>(name, version, &file.data)?;
    if reads_as == file.reads_as {
        return Ok(());
    }
    if bless == Bless::Changed {
        return fs::write(path, text(&File { reads_as, ..file }))
            .map_err(|error| format!("cannot be written: {error}"));
    }
    let lines = super::difference(&lines(&file.reads_as), &lines(&reads_as));
    Err(format!(
        "the event stored there is read as something else now; correct the struct or the upcast, or run the test with \
         {VARIABLE}=changed if that is meant\n{lines}"
    ))
}

/// What a stored event is read as.
fn reading<E: EventSet>(name: &str, version: u32, data: &Value) -> Result<Vec<Reading>, String> {
    let bytes = serde_json::to_vec(data).map_err(|error| error.to_string())?;
    let (mut facts, mut failed) = (Vec::new(), None);
    E::facts(&Stored { event_type: name, version, data: &bytes }, &mut |fact| match fact.event.encode() {
        Ok(encoded) => facts.push((fact.index, encoded)),
        Err(error) => failed = Some(error),
    })
    .map_err(|error| with_causes(&error))?;
    if let Some(error) = failed {
        return Err(with_causes(&error));
    }
    facts.sort_by_key(|(index, _)| *index);
    let readings = facts.into_iter().map(|(_, encoded)| {
        let data = serde_json::from_slice(&encoded.data).map_err(|error| error.to_string())?;
        Ok(Reading { r#type: encoded.name.to_owned(), version: encoded.version, data })
    });
    readings.collect()
}

fn lines(readings: &[Reading]) -> Vec<String> {
    let line =
        |reading: &Reading| format!("{} version {}: {}", reading.r#type, reading.version, reading.data);
    readings.iter().map(line).collect()
}

fn text(file: &File) -> String {
    serde_json::to_string_pretty(file).expect("a file is JSON") + "\n"
}

/// Names of types may hold what names of files may not.
fn file_name(event_type: &str, version: u32) -> String {
    let mut name = String::new();
    for byte in event_type.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => name.push(char::from(byte)),
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    format!("{name}.v{version}.json")
}

/// The names of what looks like golden files; none where there is no directory.
fn golden_files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
    names.sort_unstable();
    names
}
