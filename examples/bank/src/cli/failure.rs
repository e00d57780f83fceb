//! From an error to what stands on standard error and the exit code. It decides nothing else.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use factlog::projection::ProjectionError;
use factlog::{ErrorKind, ExecuteError, LoadError};
use serde_json::json;

use crate::domain::Refusal;
use crate::ledger::NotFound;

const FAILURE: u8 = 1;
const USAGE: u8 = 2;
const NOT_FOUND: u8 = 3;
const CONFLICT: u8 = 4;
const DENIED: u8 = 5;
const UNAVAILABLE: u8 = 6;
const DAMAGE: u8 = 7;

/// Standard output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the answer cannot be written")]
pub(super) struct OutputFailed(#[source] pub(super) io::Error);

/// Whether the answer could not be written because nobody reads it any more, as in `bank demo | head`.
pub(super) fn reader_is_gone(error: &anyhow::Error) -> bool {
    let failed = error.downcast_ref::<OutputFailed>();
    failed.is_some_and(|OutputFailed(error)| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A command line that was refused, or an answer such as `--help` that was given instead.
pub(super) fn usage(refused: &clap::Error, json: bool) -> ExitCode {
    let code = u8::try_from(refused.exit_code()).unwrap_or(USAGE);
    if json && refused.use_stderr() {
        let text = refused.to_string();
        let what = text.trim().trim_start_matches("error: ");
        let _ = writeln!(io::stderr(), "{}", json!({ "error": { "exit": code, "what": what } }));
    } else {
        // A reader of the help that went away is no failure.
        let _ = refused.print();
    }
    ExitCode::from(code)
}

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
    let _ = writeln!(io::stderr(), "{text}");
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

/// What one of the causes says. The framework's errors stand for the store's, which are not causes of their own.
fn code_of_cause(cause: &(dyn Error + 'static)) -> Option<u8> {
    if let Some(error) = cause.downcast_ref::<ExecuteError<Refusal>>() {
        return match error {
            ExecuteError::Rejected(refusal) => Some(code_of_refusal(refusal)),
            ExecuteError::Conflict { .. } => Some(CONFLICT),
            ExecuteError::Store(error) => Some(code_of_store(error)),
            _ => None,
        };
    }
    if let Some(LoadError::Store(error)) = cause.downcast_ref() {
        return Some(code_of_store(error));
    }
    match cause.downcast_ref() {
        Some(ProjectionError::Store(error)) => return Some(code_of_store(error)),
        Some(ProjectionError::Behind { .. }) => return Some(UNAVAILABLE),
        _ => {}
    }
    let refusal = cause.downcast_ref().map(code_of_refusal);
    let store = cause.downcast_ref().map(code_of_store);
    let missing = cause.is::<NotFound>() || cause.downcast_ref().is_some_and(is_missing_file);
    refusal.or(store).or(missing.then_some(NOT_FOUND))
}

fn code_of_refusal(refusal: &Refusal) -> u8 {
    if let Refusal::NotOpened { .. } = refusal { NOT_FOUND } else { FAILURE }
}

fn code_of_store(error: &factlog::Error) -> u8 {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Indeterminate | ErrorKind::Closed => UNAVAILABLE,
        ErrorKind::Corrupt => DAMAGE,
        ErrorKind::Denied | ErrorKind::Unauthenticated => DENIED,
        _ => FAILURE,
    }
}

fn is_missing_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    /// A script that retries on 6 must not retry on damage, and must see through every layer.
    #[test]
    fn the_code_is_the_stores_however_deep_its_error_lies() {
        let corrupt = || factlog::Error::corrupt("a block does not match its checksum");
        let deep = [
            anyhow!(corrupt()),
            anyhow!(ExecuteError::<Refusal>::Store(corrupt())),
            anyhow!(LoadError::Store(corrupt())),
            anyhow!(ProjectionError::Store(corrupt())),
        ];
        for error in deep {
            assert_eq!(code(&error.context("account 1").context("importing")), DAMAGE);
        }
        let busy = ExecuteError::<Refusal>::Store(factlog::Error::unavailable("held by another process"));
        assert_eq!(code(&anyhow!(busy)), UNAVAILABLE);
        assert_eq!(code(&anyhow!("anything else")), FAILURE);
    }
}
