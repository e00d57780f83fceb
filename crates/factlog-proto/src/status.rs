//! Failures as gRPC statuses and in messages, and back.
//!
//! Only what carries a `Failure` makes a promise. A bare status says that somebody on the way gave up.

use std::collections::HashMap;

use factlog_core::{AppendError, Conflict, Error, FailedCondition};
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::pb;

use crate::table::{DOMAIN, Refusal, TABLE};
use crate::v1::{self, FailureKind};

const FAILURE_URL: &str = "type.googleapis.com/factlog.v1.Failure";
const INFO_URL: &str = "type.googleapis.com/google.rpc.ErrorInfo";
/// Bytes of a sentence in a status. Statuses travel in headers, which have 16 KiB with many peers.
const MESSAGE_BYTES_MAX: usize = 512;
/// Bytes of a conflict's facts in a status.
const CONFLICT_BYTES_MAX: usize = 4 << 10;

impl From<&AppendError> for v1::Failure {
    fn from(error: &AppendError) -> Self {
        let row = Refusal::of(error).row();
        Self {
            kind: row.wire.into(),
            code: row.code.to_owned(),
            definite: row.definite,
            message: error.to_string(),
            conflict: error.conflict().map(Into::into),
        }
    }
}

impl From<v1::Failure> for AppendError {
    /// Total: what this version does not know, or what lacks its facts, becomes the nearest thing that is safe.
    fn from(failure: v1::Failure) -> Self {
        let kind = FailureKind::try_from(failure.kind).unwrap_or(FailureKind::Unspecified);
        let known = TABLE.iter().find(|row| row.wire == kind).map(|row| row.refusal);
        let conflict = failure.conflict.map(Conflict::try_from);
        match (known, conflict) {
            (Some(Refusal::Conflict), Some(Ok(conflict))) => Self::Conflict(conflict),
            (Some(Refusal::Conflict), None | Some(Err(_))) | (None, _) => {
                let what = "the server answered with a failure this version cannot read; upgrade the client";
                let message = format!("{what}: {}", failure.message);
                Self::Failed(match failure.definite {
                    true => Error::invalid(message),
                    false => Error::indeterminate(message),
                })
            }
            (Some(refusal), _) => {
                let error = refusal.error(failure.message);
                Self::Failed(error.unwrap_or_else(|| Error::indeterminate("a conflict without its facts")))
            }
        }
    }
}

/// The gRPC status of a failure, with its details.
pub fn status_of(error: &AppendError) -> Status {
    let row = Refusal::of(error).row();
    let mut failure = v1::Failure::from(error);
    shorten(&mut failure.message);
    if let Some(conflict) = &mut failure.conflict {
        while CONFLICT_BYTES_MAX < conflict.encoded_len() && conflict.failed.pop().is_some() {}
    }
    let info =
        pb::ErrorInfo { reason: row.reason.to_owned(), domain: DOMAIN.to_owned(), metadata: metadata(error) };
    let message = failure.message.clone();
    let details = vec![
        Any { type_url: INFO_URL.to_owned(), value: info.encode_to_vec() },
        Any { type_url: FAILURE_URL.to_owned(), value: failure.encode_to_vec() },
    ];
    let status = pb::Status { code: row.grpc as i32, message: message.clone(), details };
    Status::with_details(row.grpc, message, status.encode_to_vec().into())
}

/// The status with which a server that stops ends a stream.
pub fn stopping() -> Status {
    status_of(&AppendError::Failed(Error::unavailable(
        "the server is stopping; go on with another, or later",
    )))
}

/// For those who know `ErrorInfo` and not our own message: the code, and the facts of the first failed condition.
fn metadata(error: &AppendError) -> HashMap<String, String> {
    let row = Refusal::of(error).row();
    let mut facts = HashMap::new();
    let mut say = |name: &str, fact: String| {
        facts.insert(name.to_owned(), fact);
    };
    say("code", row.code.to_owned());
    say("definite", row.definite.to_string());
    let Some(conflict) = error.conflict() else { return facts };
    say("failed_conditions", conflict.failed.len().to_string());
    match conflict.failed.first() {
        Some(FailedCondition::Revision { index, stream, expected, actual }) => {
            say("condition", index.to_string());
            say("stream", stream.as_str().to_owned());
            say("expected", expected.to_string());
            say("actual", actual.map_or_else(|| "no stream".to_owned(), |actual| actual.to_string()));
        }
        Some(FailedCondition::NoneMatch { index, position }) => {
            say("condition", index.to_string());
            say("position", position.to_string());
        }
        Some(FailedCondition::Tracking { stale, recorded }) => {
            say("source", stale.source.as_str().to_owned());
            say("position", stale.position.to_string());
            say("recorded", recorded.to_string());
        }
        Some(_) | None => {}
    }
    facts
}

fn shorten(message: &mut String) {
    if message.len() <= MESSAGE_BYTES_MAX {
        return;
    }
    let end = (0..=MESSAGE_BYTES_MAX - 3).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
    message.truncate(end);
    message.push('…');
}

/// The failure a status tells of: the very one, where it carries it.
pub fn failure_of(status: &Status) -> AppendError {
    carried(status).map_or_else(|| AppendError::Failed(bare(status)), AppendError::from)
}

fn carried(status: &Status) -> Option<v1::Failure> {
    let details = pb::Status::decode(status.details()).ok()?.details;
    let failure = details.into_iter().find(|any| any.type_url == FAILURE_URL)?;
    v1::Failure::decode(failure.value.as_slice()).ok()
}

/// What somebody on the way said. It promises nothing, unless the request was refused for what it is.
fn bare(status: &Status) -> Error {
    let message = format!("{:?}: {}", status.code(), status.message());
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange | Code::NotFound | Code::AlreadyExists => {
            Error::invalid(message)
        }
        Code::Unimplemented => Error::invalid(format!(
            "the server does not offer this; it may be older than the client: {message}"
        )),
        Code::PermissionDenied => Error::denied(message),
        Code::Unauthenticated => Error::unauthenticated(message),
        Code::DataLoss => Error::corrupt(message),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable => Error::indeterminate(message),
    }
}
