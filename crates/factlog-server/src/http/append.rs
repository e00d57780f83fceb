//! `POST` of events: an append, its conditions from the body and from the headers.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use factlog_core::{Append, AppendCondition, AppendError, Conflict, FailedCondition, Revision, StreamId};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{self, Form};
use super::ids::Ids;
use super::params::Params;
use super::problem::Problem;
use super::spec::{bodies, names, params, refusals};
use super::{Api, conditions};
use crate::access::Gate;
use crate::trace::TraceParent;

/// Appends events
///
/// All events are written together, or none. Events without an `id` are given one; repeat a request whose answer was lost under the
/// same `Idempotency-Key`, or with the same ids, and it is written once. If-Match is for streams: append there, or give conditions.
#[utoipa::path(post, path = "/v1/events", operation_id = "append", tag = "append",
    params(params::Idempotent),
    request_body(description = "Events, 96 MiB at most", content(
        (bodies::Append = "application/json", example = json!({"type": "account.opened", "data": {"owner": "Ada"}})),
        (bodies::Lines = "application/x-ndjson"),
        (bodies::CloudEvent = "application/cloudevents+json"),
        (bodies::Events = "application/cloudevents-batch+json"),
    )),
    responses(
        (status = 201, description = "They are written, and durable", body = Appended, headers(
            ("ETag" = String, description = "The revision of the stream, where one was written to"),
        )),
        (status = 200, description = "The same events were there already", body = Appended, headers(
            ("ETag" = String, description = "The revision of the stream, where one was written to"),
        )),
        refusals::Asked, refusals::Appended,
    ))]
pub(crate) async fn to_log(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    append(&api, None, request).await
}

/// Appends events to a stream
///
/// As the append to the log; events without a `stream` get that of the path, with another one they are refused.
#[utoipa::path(post, path = "/v1/streams/{id}/events", operation_id = "append_to_stream", tag = "append",
    params(params::OfStream, params::Matching, params::Idempotent),
    request_body(description = "Events, 96 MiB at most", content(
        (bodies::Append = "application/json", example = json!({"type": "account.opened", "data": {"owner": "Ada"}})),
        (bodies::Lines = "application/x-ndjson"),
        (bodies::CloudEvent = "application/cloudevents+json"),
        (bodies::Events = "application/cloudevents-batch+json"),
    )),
    responses(
        (status = 201, description = "They are written, and durable", body = Appended, headers(
            ("ETag" = String, description = "The revision of the stream"),
        )),
        (status = 200, description = "The same events were there already", body = Appended, headers(
            ("ETag" = String, description = "The revision of the stream, as of these events"),
        )),
        refusals::Asked, refusals::Found, refusals::Appended, refusals::Matched,
    ))]
pub(crate) async fn to_stream(
    State(api): State<Api>,
    stream: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    append(&api, Some(named(stream)?), request).await
}

/// The stream of a path.
pub(crate) fn named(path: Result<Path<String>, PathRejection>) -> Result<StreamId, Problem> {
    let Path(text) = path.map_err(|error| Problem::invalid(format!("the stream in the path: {error}")))?;
    Ok(StreamId::new(text)?)
}

async fn append(api: &Api, stream: Option<StreamId>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    Params::parse(head.uri.query(), &[])?;
    let form = Form::of(&head.headers)?;
    let caller = Gate::caller(&head.extensions)?;
    let ids = Ids::of(&head.headers, caller.namespace())?;
    let expected = conditions::expected(&head.headers)?;
    let body = body::read(&head.headers, body, body::BODY_BYTES_MAX).await?;
    let decoded = body::decode(form, &body, &ids)?;
    drop(body);
    let mut append = Append::new(decoded.events);
    if let Some(parent) = TraceParent::to_store(&head.headers, ids.are_new(append.events.len()))? {
        parent.put_into(&mut append.events);
    }
    append.conditions = decoded.conditions;
    append.tracking = decoded.tracking;
    let of_body = append.conditions.len();
    match (&stream, expected) {
        (Some(stream), _) => put_into(&mut append, stream)?,
        (None, None) => {}
        (None, Some(_)) => {
            return Err(Problem::invalid(
                "If-Match and If-None-Match are about one stream; append to /v1/streams/{id}/events, or give conditions",
            ));
        }
    }
    if let (Some(stream), Some(expected)) = (stream, expected) {
        append.conditions.push(AppendCondition::revision(stream, expected));
    }
    match api.gate.store(&head.extensions)?.append(append).await {
        Ok(appended) => Ok(Appended::from(&appended).answer()),
        Err(AppendError::Conflict(conflict)) => {
            let of_header = conflict.failed.iter().any(|failed| is_of_header(failed, of_body));
            Err(refused(conflict, of_header))
        }
        Err(error @ AppendError::Failed(_)) => Err(error.into()),
    }
}

/// Gives the stream to events that say none.
fn put_into(append: &mut Append, stream: &StreamId) -> Result<(), Problem> {
    for (index, event) in append.events.iter_mut().enumerate() {
        match &event.stream {
            Some(other) if other != stream => {
                let what = format!("event {index} is of stream {other}, the path says {stream}");
                return Err(Problem::invalid(what).with("index", index));
            }
            Some(_) => {}
            None => event.stream = Some(stream.clone()),
        }
    }
    Ok(())
}

/// Whether it is the condition that the headers added to those of the body.
fn is_of_header(failed: &FailedCondition, of_body: usize) -> bool {
    matches!(failed, FailedCondition::Revision { index, .. } if of_body <= *index)
}

/// HTTP has a status of its own for headers that did not hold.
fn refused(conflict: Conflict, of_header: bool) -> Problem {
    let problem = Problem::from(AppendError::Conflict(conflict));
    if of_header { problem.status(StatusCode::PRECONDITION_FAILED) } else { problem }
}

/// Where events were written.
#[derive(Serialize, ToSchema)]
pub(crate) struct Appended {
    /// The position of the first event
    #[schema(value_type = names::Position)]
    first: u64,
    /// The position of the last event
    #[schema(value_type = names::Position)]
    last: u64,
    /// The streams written to, each with its revision after that
    revisions: Vec<StreamRevision>,
    /// Whether the same events were there already
    deduplicated: bool,
}

/// The last revision of a stream.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamRevision {
    #[schema(value_type = names::StreamId)]
    stream: String,
    #[schema(value_type = names::Revision)]
    revision: u64,
}

impl From<&factlog_core::Appended> for Appended {
    fn from(appended: &factlog_core::Appended) -> Self {
        let one = |of: &factlog_core::StreamRevision| StreamRevision {
            stream: of.stream.as_str().to_owned(),
            revision: of.revision.get(),
        };
        Self {
            first: appended.first.get(),
            last: appended.last.get(),
            revisions: appended.revisions.iter().map(one).collect(),
            deduplicated: appended.deduplicated,
        }
    }
}

impl Appended {
    fn answer(&self) -> Response {
        let status = if self.deduplicated { StatusCode::OK } else { StatusCode::CREATED };
        let mut response = (status, json(self)).into_response();
        if let [one] = self.revisions.as_slice() {
            response.headers_mut().insert(header::ETAG, etag(Revision::new(one.revision)));
        }
        response
    }
}

/// An answer in JSON.
pub(crate) fn json(body: &impl Serialize) -> Response {
    let text = serde_json::to_string(body).expect("an answer of strings and numbers can be written");
    (json_type(), text).into_response()
}

/// The header that says JSON.
pub(crate) fn json_type() -> [(header::HeaderName, HeaderValue); 1] {
    [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]
}

/// A revision as an `ETag`.
pub(crate) fn etag(revision: Revision) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{revision}\"")).expect("digits and quotes are a header's value")
}
