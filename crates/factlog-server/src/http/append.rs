//! `POST` of events: an append, its conditions from the body and from the headers.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use factlog_core::{
    Append, AppendCondition, AppendError, Appended, Conflict, FailedCondition, Revision, StreamId,
};
use serde_json::json;

use super::body::{self, Form};
use super::ids::Ids;
use super::params::Params;
use super::problem::Problem;
use super::{Api, conditions};
use crate::trace::TraceParent;

/// `POST /v1/events`
pub(crate) async fn to_log(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    append(&api, None, request).await
}

/// `POST /v1/streams/{id}/events`
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
    let ids = Ids::of(&head.headers)?;
    let expected = conditions::expected(&head.headers)?;
    let body = body::read(&head.headers, body).await?;
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
    match api.store.append(append).await {
        Ok(appended) => Ok(answer(&appended)),
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

fn answer(appended: &Appended) -> Response {
    let status = if appended.deduplicated { StatusCode::OK } else { StatusCode::CREATED };
    let revisions: Vec<_> = appended
        .revisions
        .iter()
        .map(|of| json!({ "stream": of.stream.as_str(), "revision": of.revision.get() }))
        .collect();
    let body = json!({
        "first": appended.first.get(), "last": appended.last.get(), "revisions": revisions,
        "deduplicated": appended.deduplicated,
    });
    let mut response = (status, json_type(), body.to_string()).into_response();
    if let [one] = appended.revisions.as_slice() {
        response.headers_mut().insert(header::ETAG, etag(one.revision));
    }
    response
}

/// The header that says JSON.
pub(crate) fn json_type() -> [(header::HeaderName, HeaderValue); 1] {
    [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]
}

/// A revision as an `ETag`.
pub(crate) fn etag(revision: Revision) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{revision}\"")).expect("digits and quotes are a header's value")
}
