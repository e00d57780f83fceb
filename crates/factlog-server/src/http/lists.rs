//! What there is: the head, streams and types.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use factlog_core::{Administration, Position, StreamId};
use serde_json::{Value, json};

use super::Api;
use super::append::json_type;
use super::params::Params;
use super::problem::Problem;

fn answer(body: &Value) -> Response {
    (json_type(), body.to_string()).into_response()
}

/// `GET /v1/head`
pub(crate) async fn head(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    Params::parse(request.uri().query(), &[])?;
    let head = api.store.head().await?;
    let recorded_at = head.recorded_at.map(|time| time.to_string());
    Ok(answer(&json!({ "position": head.position.map(Position::get), "recorded_at": recorded_at })))
}

/// `GET /v1/streams`
pub(crate) async fn streams(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let params = Params::parse(request.uri().query(), &["prefix", "after", "limit"])?;
    let after = params.one("after").map(StreamId::new).transpose();
    let after = after.map_err(|error| Problem::from(error).about("parameter `after`"))?;
    let limit = usize::try_from(params.limit()?).unwrap_or(usize::MAX);
    let prefix = params.one("prefix").unwrap_or_default();
    // One more than asked for tells whether there is another page.
    let mut streams = administered(&api)?.streams(prefix, after, limit + 1).await?;
    let more = limit < streams.len();
    streams.truncate(limit);
    let next = streams.last().filter(|_| more).map(|info| info.stream.as_str().to_owned());
    let one = |info: &factlog_core::StreamInfo| {
        json!({
            "stream": info.stream.as_str(), "events": info.events, "last_revision": info.last_revision.get(),
            "first_position": info.first_position.get(), "last_position": info.last_position.get(),
        })
    };
    let streams: Vec<_> = streams.iter().map(one).collect();
    Ok(answer(&json!({ "streams": streams, "next": next })))
}

/// `GET /v1/types`
pub(crate) async fn types(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    Params::parse(request.uri().query(), &[])?;
    let types = administered(&api)?.types().await?;
    let types: Vec<_> =
        types.iter().map(|info| json!({ "type": info.event_type.as_str(), "events": info.events })).collect();
    Ok(answer(&json!({ "types": types })))
}

fn administered(api: &Api) -> Result<&dyn Administration, Problem> {
    api.administration.as_deref().ok_or_else(|| {
        Problem::invalid("the store behind this server does not offer its lists")
            .status(StatusCode::NOT_FOUND)
    })
}
