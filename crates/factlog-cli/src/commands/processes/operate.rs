//! `factlog processes retry` and `cancel`: one record each, that the program reads at its next start.

use factlog_core::{Append, EventStore};
use serde_json::{Value, json};

use super::{Cancel, One, Retry, instance};
use crate::failure::{Failure, Kind, Outcome};
use crate::numbers::counted;
use crate::output::{answer, printable};
use crate::processes::{CANCELLED, Instance, Names, Phase, RETRIED};

pub(super) fn retry(arguments: &Retry, store: &dyn EventStore, json: bool) -> Outcome {
    let (names, found) = instance(store, &arguments.one)?;
    if found.quarantine.is_none() {
        let shown = printable(&found.instance);
        return Err(Failure::new(Kind::Conflict, format!("instance {shown} does not stand still"))
            .because("there is nothing to retry")
            .advise("`factlog processes show` tells what it waits for"));
    }
    let waiting = counted(found.waiting.len() as u64, "input");
    let then = format!("when its program runs next, {waiting} that waited will be handled in order");
    record(&names, &found, store, RETRIED, &json!({ "reason": arguments.reason }), &then, json)
}

pub(super) fn cancel(arguments: &Cancel, store: &dyn EventStore, json: bool) -> Outcome {
    let Cancel { one, reason, abandon } = arguments;
    let (names, found) = instance(store, one)?;
    if found.phase != Phase::Open {
        return Err(ended(one, &found));
    }
    let commands: Vec<Value> = match abandon {
        true => Vec::new(),
        false => found.compensations.iter().rev().cloned().collect(),
    };
    let then = match commands.len() {
        0 => "no compensation will run".to_owned(),
        some => format!("when its program runs next, {} will run", counted(some as u64, "compensation")),
    };
    let mut own = json!({ "reason": reason });
    if !commands.is_empty() {
        own["commands"] = commands.into();
    }
    record(&names, &found, store, CANCELLED, &own, &then, json)
}

fn ended(one: &One, found: &Instance) -> Failure {
    let (process, shown, phase) = (printable(&one.process), printable(&one.instance), found.phase.name());
    Failure::new(
        Kind::Conflict,
        format!("instance {shown} of {process} is {phase} already; nothing was written"),
    )
    .advise(format!("`factlog processes show {process} {shown}` tells what is left of it"))
}

fn record(
    names: &Names,
    found: &Instance,
    store: &dyn EventStore,
    kind: &str,
    own: &Value,
    then: &str,
    json: bool,
) -> Outcome {
    let (event, condition) = names.act(found, kind, own)?;
    let append = Append::new([event]).when(condition);
    let appended = pollster::block_on(store.append(append)).map_err(|error| Failure::append(&error))?;
    let position = appended.last.get();
    answer(
        json,
        || {
            json!({
                "process": names.process, "instance": found.instance, "recorded": kind, "position": position,
                "reason": own["reason"], "commands": own["commands"].as_array().map_or(0, Vec::len),
            })
        },
        || {
            format!(
                "{} of instance {} is recorded at position {position}; {then}",
                printable(kind),
                printable(&found.instance)
            )
        },
    )
}
