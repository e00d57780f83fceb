//! `factlog processes show`: one instance.

use factlog_core::EventStore;
use serde_json::{Value, json};

use super::{One, instance};
use crate::failure::Outcome;
use crate::output::{answer, printable};
use crate::processes::Instance;
use crate::table::facts;

pub(super) fn run(one: &One, store: &dyn EventStore, json: bool) -> Outcome {
    let (names, found) = instance(store, one)?;
    let stream = names.stream(&one.instance)?;
    answer(
        json,
        || {
            let mut document = json!(found);
            document["process"] = json!(names.process);
            document["stream"] = json!(stream.as_str());
            document
        },
        || text(&names.process, stream.as_str(), &found),
    )
}

fn text(process: &str, stream: &str, found: &Instance) -> String {
    let value = |value: &Value| printable(&value.to_string());
    let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join("\n                "));
    let timers =
        found.timers.iter().map(|timer| format!("{} due {}", value(&timer.timer), printable(&timer.due)));
    let commands = found
        .commands
        .iter()
        .map(|command| format!("{} ({}:{})", value(&command.command), command.at.input, command.at.index));
    let waiting: Vec<String> = found.waiting.iter().map(|input| input.position.to_string()).collect();
    let quarantine = found.quarantine.as_ref().map(|quarantine| {
        let what = quarantine
            .command
            .map_or("an input".to_owned(), |at| format!("command {}:{}", at.input, at.index));
        format!("{what}, since position {}: {}", quarantine.position, printable(&quarantine.reason))
    });
    facts([
        ("process", Some(printable(process))),
        ("instance", Some(printable(&found.instance))),
        ("stream", Some(printable(stream))),
        ("phase", Some(found.phase.name().to_owned())),
        ("version", Some(found.version.to_string())),
        ("records", Some(found.records.to_string())),
        ("state", found.state.as_ref().map(value)),
        ("timers", list(timers.collect())),
        ("commands", list(commands.collect())),
        ("compensations", list(found.compensations.iter().map(value).collect())),
        ("stands still", quarantine),
        ("waiting", (!waiting.is_empty()).then(|| format!("positions {}", waiting.join(" ")))),
    ])
}
