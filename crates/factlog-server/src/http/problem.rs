//! Refusals over HTTP: problem details of RFC 9457, made from the one table of errors.
//!
//! Every refusal of this API has this form; 503 has a `Retry-After` as well. `outcome` says whether it is certain that nothing was written.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use factlog_core::{AppendError, Error, FailedCondition, Position, Revision};
use factlog_proto::{REJECTED, Refusal, Row};
use serde_json::{Map, Value, json};

/// Why a request was refused, as it is told over HTTP.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    row: &'static Row,
    detail: String,
    more: Map<String, Value>,
}

impl Problem {
    /// A request that can never succeed as it stands.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::from(Error::invalid(detail))
    }

    /// A caller that may not do this.
    pub fn denied(detail: impl Into<String>) -> Self {
        Self::from(Error::denied(detail))
    }

    /// Something that is not there.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::invalid(detail).status(StatusCode::NOT_FOUND)
    }

    /// What a rule of a program beside the store refuses, in its own words.
    pub fn rejected(detail: impl Into<String>) -> Self {
        Self::of(&REJECTED, detail.into())
    }

    fn of(row: &'static Row, detail: String) -> Self {
        let status = StatusCode::from_u16(row.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, row, detail, more: Map::new() }
    }

    /// The same with a status that says more than the table's.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with one more fact.
    #[must_use]
    pub fn with(mut self, name: &str, fact: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), fact.into());
        self
    }

    /// The same with what the request was about in front of its sentence.
    #[must_use]
    pub fn about(mut self, what: &str) -> Self {
        self.detail = format!("{what}: {}", self.detail);
        self
    }

    /// The body.
    pub(crate) fn json(&self) -> Value {
        let row = self.row;
        let mut body = self.more.clone();
        let mut say = |name: &str, fact: Value| body.insert(name.to_owned(), fact);
        say("type", json!(format!("urn:factlog:error:{}", row.code)));
        say("title", json!(row.meaning));
        say("status", json!(self.status.as_u16()));
        say("detail", json!(self.detail));
        say("code", json!(row.code));
        say("reason", json!(row.reason));
        say("outcome", json!(if row.definite { "definite" } else { "indefinite" }));
        Value::Object(body)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::from(AppendError::Failed(error))
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        let problem = Self::of(Refusal::of(&error).row(), error.to_string());
        match error.conflict() {
            None => problem,
            Some(conflict) => problem.with("failed", conflict.failed.iter().map(fact).collect::<Vec<_>>()),
        }
    }
}

/// A condition that did not hold, and what broke it.
fn fact(failed: &FailedCondition) -> Value {
    match failed {
        FailedCondition::Revision { index, stream, expected, actual } => json!({
            "condition": index, "kind": "revision", "stream": stream.as_str(), "expected": expected.to_string(),
            "actual": actual.map(Revision::get),
        }),
        FailedCondition::NoneMatch { index, position } => json!({
            "condition": index, "kind": "none_match", "position": position.get(),
        }),
        FailedCondition::Tracking { stale, recorded } => json!({
            "kind": "tracking", "source": stale.source.as_str(), "position": Position::get(stale.position),
            "recorded": recorded.get(),
        }),
        other => json!({ "kind": "unknown", "detail": other.to_string() }),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        // What is busy or stops may do it soon; somebody else may do it at once.
        let again = (self.status == StatusCode::SERVICE_UNAVAILABLE)
            .then_some([(header::RETRY_AFTER, HeaderValue::from_static("1"))]);
        (self.status, headers, again, self.json().to_string()).into_response()
    }
}
