//! `/app`: commands and queries of programs beside the store, for those whose grants name them.
//!
//! * `Factlog-Position` tells, in both directions, how far the log was: an answer's goes into the next request.
//! * Whoever may not call something is refused before its body is read. What nobody offers is not found.
//! * A query that waits ends when the server stops; a command that was begun is finished.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use factlog_core::{Error, Position, Result as CoreResult};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use utoipa_axum::routes;

use super::append::{json as answer_json, json_type};
use super::body::{self, Form};
use super::ids::Ids;
use super::params::Params;
use super::problem::Problem;
use super::spec::{Table, refusals};
use super::{Api, no_such_path};
use crate::access::Gate;
use crate::program::{Answer, Call, OfferKind, Program};
use crate::stopped;
use crate::trace::TraceParent;

/// How far the log was, in both directions.
const POSITION: &str = "factlog-position";
/// Bytes of a command.
const COMMAND_BYTES_MAX: usize = 16 << 20;

type Named = Result<Path<(String, String)>, PathRejection>;

/// The routes of programs. They are not in the document: what they take and answer is the programs'.
pub(super) fn table() -> Table {
    Table::new().with(routes!(list)).with(routes!(query, command))
}

/// Lists what the caller may call
#[utoipa::path(get, path = "/app", operation_id = "calls", tag = "about", responses(
    (status = 200, description = "Services and what they offer", body = Object), refusals::Asked,
))]
pub(super) async fn list(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    Params::parse(request.uri().query(), &[])?;
    let one = |program: &dyn Program| -> CoreResult<Value> {
        let mut calls = Vec::new();
        for offer in program.offers() {
            let name = format!("{}/{}", program.name(), offer.name);
            if Gate::may_call(request.extensions(), &name)? {
                calls.push(json!({
                    "name": offer.name, "method": method(offer.kind).as_str(), "path": format!("/app/{name}"),
                }));
            }
        }
        Ok(json!({ "name": program.name(), "calls": calls }))
    };
    let services = api.programs.iter().map(|program| one(&**program)).collect::<CoreResult<Vec<_>>>()?;
    let seen = |service: &Value| service["calls"].as_array().is_some_and(|calls| !calls.is_empty());
    Ok(answer_json(&json!({ "services": services.into_iter().filter(seen).collect::<Vec<_>>() })))
}

/// Asks a program
#[utoipa::path(get, path = "/app/{service}/{name}", operation_id = "query", tag = "read", responses(
    (status = 200, description = "What it answers", body = Object), refusals::Asked, refusals::Found,
))]
pub(super) async fn query(
    State(api): State<Api>,
    named: Named,
    request: Request,
) -> Result<Response, Problem> {
    let (head, _) = request.into_parts();
    let allowed = Allowed::of(&api, named, &head, OfferKind::Query)?;
    let mut call = allowed.call(&head)?;
    call.input = head.uri.query().unwrap_or_default().to_owned();
    call.at_least = position(&head.headers)?;
    tokio::select! {
        answer = allowed.program.call(call) => Ok(unless_known(&head.headers, answer?)),
        () = stopped(api.stopping.clone()) => {
            Err(Error::unavailable("the server stops; ask again, or another one").into())
        }
    }
}

/// Tells a program to do something
#[utoipa::path(post, path = "/app/{service}/{name}", operation_id = "command", tag = "append", responses(
    (status = 201, description = "It is done, and durable", body = Object),
    (status = 200, description = "It was done before, or there was nothing to do", body = Object),
    refusals::Asked, refusals::Found, refusals::Appended,
))]
pub(super) async fn command(
    State(api): State<Api>,
    named: Named,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let allowed = Allowed::of(&api, named, &head, OfferKind::Command)?;
    Params::parse(head.uri.query(), &[])?;
    let mut call = allowed.call(&head)?;
    call.input = text(&head.headers, body).await?;
    call.key = Ids::of(&head.headers, Gate::caller(&head.extensions)?.namespace())?.of_call(&allowed.path);
    let answer = allowed.program.call(call).await?;
    let status = if answer.recorded { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, told(answer.position), json_type(), answer.json).into_response())
}

/// What is called by somebody who may.
struct Allowed<'a> {
    program: &'a dyn Program,
    name: String,
    /// `service/name`
    path: String,
}

impl<'a> Allowed<'a> {
    fn of(api: &'a Api, named: Named, head: &Parts, kind: OfferKind) -> Result<Self, Problem> {
        let Path((service, name)) = named.map_err(|error| Problem::invalid(format!("the path: {error}")))?;
        let path = format!("{service}/{name}");
        api.gate.call(&head.extensions, &path)?;
        let mut programs = api.programs.iter();
        let program = programs.find(|program| program.name() == service).map(|program| &**program);
        let offer = program.and_then(|program| program.offers().iter().find(|offer| offer.name == name));
        let (Some(program), Some(offer)) = (program, offer) else {
            return Err(no_such_path(head.uri.path()));
        };
        if offer.kind != kind {
            let what = format!("{path} takes {}, not {}", method(offer.kind), head.method);
            return Err(Problem::invalid(what).status(StatusCode::METHOD_NOT_ALLOWED));
        }
        Ok(Self { program, name, path })
    }

    /// A call without what it brings along.
    fn call(&self, head: &Parts) -> Result<Call, Problem> {
        Ok(Call {
            name: self.name.clone(),
            input: String::new(),
            principal: Gate::caller(&head.extensions)?.authenticated().cloned(),
            key: None,
            traceparent: TraceParent::of(&head.headers).map(|parent| parent.as_str().to_owned()),
            at_least: None,
        })
    }
}

fn method(kind: OfferKind) -> Method {
    match kind {
        OfferKind::Command => Method::POST,
        OfferKind::Query => Method::GET,
    }
}

/// The JSON of a command.
async fn text(headers: &HeaderMap, body: Body) -> Result<String, Problem> {
    if Form::of(headers)? != Form::Json {
        let what = "a command is one JSON object; send it as application/json";
        return Err(Problem::invalid(what).status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let bytes = body::read(headers, body, COMMAND_BYTES_MAX).await?;
    String::from_utf8(bytes).map_err(|_| Problem::invalid("the body is no UTF-8"))
}

/// What the answer must have seen.
fn position(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let mut said = headers.get_all(POSITION).iter();
    let (one, None) = (said.next(), said.next()) else {
        return Err(wrong_position("give it once"));
    };
    let Some(one) = one else { return Ok(None) };
    let text = one.to_str().unwrap_or("?");
    match text {
        // What a query of an empty log has told.
        "0" => Ok(None),
        text => text.parse().map(Some).map_err(|error: Error| wrong_position(&error.to_string())),
    }
}

fn wrong_position(why: &str) -> Problem {
    Problem::invalid(format!("header Factlog-Position: {why}")).with("header", "Factlog-Position")
}

/// The header that tells a position.
fn told(position: Option<Position>) -> [(&'static str, HeaderValue); 1] {
    [(POSITION, HeaderValue::from(Position::number(position)))]
}

/// What a query answers, or that whoever asked has it already.
fn unless_known(headers: &HeaderMap, answer: Answer) -> Response {
    let digest = Sha256::digest(answer.json.as_bytes());
    let tag = digest[..12].iter().fold(String::new(), |tag, byte| format!("{tag}{byte:02x}"));
    let tag = format!("\"{tag}\"");
    let mut known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.any(|value| value.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let etag = HeaderValue::from_str(&tag).expect("hexadecimal digits in quotes are a header's value");
    let headers = (told(answer.position), [(header::ETAG, etag)]);
    match known {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => (headers, json_type(), answer.json).into_response(),
    }
}
