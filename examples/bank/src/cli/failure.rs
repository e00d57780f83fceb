//! From an error to what stands on standard error and the exit code. It decides nothing else.

use std::io::Write as _;
use std::process::ExitCode;

use factlog::{ErrorKind, ExecuteError};
use serde_json::json;

use crate::domain::Refusal;
use crate::ledger::NotFound;

const FAILURE: u8 = 1;
const NOT_FOUND: u8 = 3;
const CONFLICT: u8 = 4;
const DENIED: u8 = 5;
const UNAVAILABLE: u8 = 6;
const DAMAGE: u8 = 7;

/// Says what went wrong and why, and answers with the code for it.
pub(super) fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    let (code, what) = (code(error), sentence(error));
    let rule = error.downcast_ref::<Refusal>().map(Refusal::rule);
    let text = if json {
        json!({ "error": { "exit": code, "what": what, "rule": rule } }).to_string()
    } else {
        format!("error: {what}")
    };
    // When even this cannot be written, the exit code still says it.
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::from(code)
}

/// The error and its causes, each said once.
pub(super) fn sentence(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let words = cause.to_string();
        if said.last().is_none_or(|last| !last.contains(&words)) {
            said.push(words);
        }
    }
    said.join(": ")
}

fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of_cause).unwrap_or(FAILURE)
}

fn code_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(ExecuteError::Conflict { .. }) = cause.downcast_ref::<ExecuteError<Refusal>>() {
        return Some(CONFLICT);
    }
    if let Some(refusal) = cause.downcast_ref::<Refusal>() {
        let unknown = matches!(refusal, Refusal::NotOpened { .. });
        return Some(if unknown { NOT_FOUND } else { FAILURE });
    }
    if cause.is::<NotFound>() {
        return Some(NOT_FOUND);
    }
    if let Some(error) = cause.downcast_ref::<factlog::Error>() {
        return Some(match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Indeterminate => UNAVAILABLE,
            ErrorKind::Corrupt => DAMAGE,
            ErrorKind::Denied => DENIED,
            _ => FAILURE,
        });
    }
    let io = cause.downcast_ref::<std::io::Error>()?;
    (io.kind() == std::io::ErrorKind::NotFound).then_some(NOT_FOUND)
}
