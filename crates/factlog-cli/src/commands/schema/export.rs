//! `factlog schema export`: a JSON Schema file for each event, for programs in other languages.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use factlog_schema::Event;
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::numbers::counted;
use crate::output::answer;

/// Write the JSON Schema of each event's data, one file per event
///
/// The file of an event is its name with .json; what is stored of older versions fits the files with .v1.json and so
/// on. Characters that not every file system takes are written as %XX. Files that are there are written again.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The events.lock
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// The directory, made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let lock = super::read(&arguments.file)?;
    let out = arguments.out.display();
    fs::create_dir_all(&arguments.out).map_err(|error| Failure::io(format!("make {out}"), &error))?;
    let mut names = Vec::new();
    for (event, version) in
        lock.events().flat_map(|event| event.shapes.keys().map(move |version| (event, *version)))
    {
        let name = file_name(event, version);
        let text = format!("{:#}\n", schema(event, version));
        fs::write(arguments.out.join(&name), text)
            .map_err(|error| Failure::io(format!("write {name} in {out}"), &error))?;
        names.push(name);
    }
    answer(
        context.json,
        || json!({ "out": arguments.out.display().to_string(), "files": names }),
        || format!("{} written to {out}", counted(names.len() as u64, "file")),
    )
}

fn file_name(event: &Event, version: u32) -> String {
    let mut name = String::new();
    for byte in event.name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            // A first dot hides a file.
            b'.' if !name.is_empty() => name.push('.'),
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    if version == event.version { format!("{name}.json") } else { format!("{name}.v{version}.json") }
}

/// What is read of this version, so that all that is stored of it fits.
fn schema(event: &Event, version: u32) -> Value {
    let mut schema = match &event.shapes[&version].reads {
        Value::Object(members) => Value::Object(members.clone()),
        // `true` takes anything, as does a schema without keywords.
        _ => json!({}),
    };
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(event.name);
    schema["x-factlog-version"] = json!(version);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use factlog_schema::Shape;

    /// Would fail if an event's name could lead out of the directory, or two versions of one were one file.
    #[test]
    fn a_file_is_named_by_its_event_and_stays_in_the_directory() {
        let event = Event::new("../a/ß.b", 2, Shape::same(&json!(true)));
        assert_eq!(file_name(&event, 2), "%2E.%2Fa%2F%C3%9F.b.json");
        assert_eq!(file_name(&event, 1), "%2E.%2Fa%2F%C3%9F.b.v1.json");
    }
}
