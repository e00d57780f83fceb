//! `factlog parked edit`: other data for the event that fails, with what it was.

use serde_json::{Value, json};

use super::Edit;
use super::look::failing;
use super::mend::Mend;
use crate::commands::append::input;
use crate::context::Context;
use crate::failure::{Failure, Kind, Outcome, say};
use crate::output::printable;

pub(super) fn run(arguments: &Edit, context: &Context) -> Outcome {
    let file = arguments.one.place.open()?;
    let projection = file.projection(&arguments.one.projection)?;
    let parked = projection.parked_key(&file, &arguments.one.key)?;
    let data = input::argument("the data", &arguments.payload, true)?;
    let data = String::from_utf8(data)
        .map_err(|error| Failure::new(Kind::Usage, "the data is no text").because(error.to_string()))?;
    let was = match parked.edited(&file, &projection.name)? {
        Some(edited) => Some(edited),
        None => failing(&file, &projection, &parked, context)
            .ok()
            .and_then(|event| event["data"].as_str().map(str::to_owned)),
    };
    if !context.json {
        let unknown = "not known: the event cannot be read from here";
        say(&format!("it was {}", was.as_deref().map_or(unknown.to_owned(), printable)));
    }
    let order = json!({ "do": "edit", "position": parked.position, "data": data });
    let mend = Mend { file: &file, projection: &projection, parked: &parked, act: "edit" };
    let beside = json!({ "was": was.map_or(Value::Null, Value::from), "is": data });
    mend.give(&order, arguments.waiting, beside, context.json)
}
