//! How a command and a query are carried out: decode, execute or wait, answer in JSON.

use factlog_app::projection::Operations;
use factlog_app::{Decide, ExecuteError, OnTimeout, Outcome};
use factlog_core::{Error, Position};
use factlog_server::{Answer, Call};
use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::json;

use crate::Refused;
use crate::service::Parts;

/// What events say of the call that made them.
const PRINCIPAL: &str = "principal";
const TRACEPARENT: &str = "traceparent";

/// Decides a command and records what it decided.
pub(crate) async fn execute<C: Decide>(parts: &Parts, command: C, call: Call) -> Result<Answer, Refused> {
    let mut pending = parts.app.execute(command);
    if let Some(principal) = call.principal {
        pending = pending.metadata(PRINCIPAL, principal.as_str());
    }
    if let Some(parent) = call.traceparent {
        pending = pending.metadata(TRACEPARENT, parent);
    }
    if let Some(key) = call.key {
        pending = pending.key(key);
    }
    match pending.await {
        Ok(outcome) => Ok(told(&outcome)),
        Err(ExecuteError::Rejected(rule)) => Err(parts.rejected(&rule)),
        Err(error) => Err(error.into()),
    }
}

fn told(outcome: &Outcome) -> Answer {
    let number = |position: Option<Position>| position.map(Position::get);
    let json = json!({
        "position": number(outcome.position), "first": number(outcome.first), "last": number(outcome.last),
        "deduplicated": outcome.replayed,
    });
    let recorded = outcome.last.is_some() && !outcome.replayed;
    Answer { json: json.to_string(), position: outcome.position, recorded }
}

/// Waits until all of these have seen the position; how far the last of them is then. Without any, what is asked is the log.
pub(crate) async fn reached(
    parts: &Parts,
    over: &[Operations],
    wanted: Option<Position>,
) -> Result<Option<Position>, Refused> {
    if over.is_empty() {
        let head = parts.app.store().head().await?.position;
        return match wanted {
            Some(wanted) if head < Some(wanted) => {
                let head = Position::number(head);
                let what = format!("the log is at position {head}, not yet at {wanted}; ask again later");
                Err(Refused::from(Error::unavailable(what))
                    .with("applied", head)
                    .with("wanted", wanted.get()))
            }
            Some(_) | None => Ok(head),
        };
    }
    let waits = over.iter().map(|model| model.at_least(wanted, parts.wait, OnTimeout::Error));
    let seen = try_join_all(waits).await?;
    Ok(seen.iter().map(|fresh| fresh.applied).min().flatten())
}

/// An answer to a query.
pub(crate) fn answered(answer: &impl Serialize, position: Option<Position>) -> Result<Answer, Refused> {
    let json = serde_json::to_string(answer)
        .map_err(|error| Error::invalid(format!("the answer cannot be written as JSON: {error}")))?;
    Ok(Answer { json, position, recorded: false })
}
