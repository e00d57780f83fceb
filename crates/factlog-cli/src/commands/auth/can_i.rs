//! `factlog auth can-i`: the decision that the server would take, by the same rules, and the grant it rests on.

use clap::Args;
use factlog_core::access::{AccessControl, Action, Grants, PrincipalName};
use factlog_core::{Event, EventType, StreamId, Tag, Tags};
use serde_json::json;

use super::done;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::answer;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// read, append, call or admin
    action: Action,
    /// The stream of the event; without it, an event in no stream. Of a call, its name, such as bank/withdraw
    stream: Option<StreamId>,
    /// A tag of the event; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,
    /// The type of the event
    #[arg(long = "type", value_name = "TYPE", default_value = "any")]
    event_type: EventType,
    /// Somebody else, which takes the grant admin; otherwise whoever asks
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<PrincipalName>,
}

pub(super) fn run(arguments: &Arguments, access: &dyn AccessControl, json: bool) -> Outcome {
    let (name, grants) = asked(arguments, access)?;
    let tags = Tags::new(arguments.tags.iter().cloned()).map_err(|error| Failure::store("ask", &error))?;
    let mut event = Event::new(arguments.event_type.clone(), "").tagged(tags);
    event.stream.clone_from(&arguments.stream);
    let deciding = grants.deciding(arguments.action, &event).map(ToString::to_string);
    let Some(grant) = deciding else {
        return Err(Failure::new(Kind::Denied, format!("no, {name} may not {} that", arguments.action))
            .because(format!("no grant of it says so; it may: {grants}"))
            .advise("`factlog auth grants set` gives a principal other grants"));
    };
    let document = || json!({ "principal": name.as_str(), "allowed": true, "grant": grant });
    answer(json, document, || format!("yes, {name} may, by the grant {grant}"))
}

fn asked(arguments: &Arguments, access: &dyn AccessControl) -> Outcome<(PrincipalName, Grants)> {
    let Some(name) = &arguments.principal else {
        let own = done("ask whose key this is", access.whoami())?;
        return Ok((own.name, own.grants));
    };
    let principals = done("ask what others may do", access.principals())?;
    let found = principals.into_iter().find(|principal| principal.name == *name);
    let found = found.ok_or_else(|| {
        Failure::new(Kind::NotFound, format!("there is no principal {name}"))
            .advise("`factlog auth grants list` shows them all")
    })?;
    Ok((found.name, found.grants))
}
