//! What there is: the head, streams and types.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use factlog_core::{Administration, Position, StreamId};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::append::json;
use super::params::Params;
use super::problem::Problem;
use super::spec::{names, params, refusals};

/// The last event.
#[derive(Serialize, ToSchema)]
pub(crate) struct Head {
    /// `null` in an empty store
    #[schema(value_type = Option<names::Position>, required = true)]
    position: Option<u64>,
    #[schema(value_type = Option<names::Time>, required = true)]
    recorded_at: Option<String>,
}

/// The last event
#[utoipa::path(get, path = "/v1/head", operation_id = "head", tag = "about", responses(
    (status = 200, description = "Where the log ends", body = Head), refusals::Asked,
))]
pub(crate) async fn head(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    Params::parse(request.uri().query(), &[])?;
    let head = api.gate.store(request.extensions())?.head().await?;
    let recorded_at = head.recorded_at.map(|time| time.to_string());
    Ok(json(&Head { position: head.position.map(Position::get), recorded_at }))
}

/// Streams in the order of their names.
#[derive(Serialize, ToSchema)]
pub(crate) struct Streams {
    #[schema(max_items = 1000)]
    streams: Vec<StreamInfo>,
    /// The `after` of the next page; `null` where nothing is left
    #[schema(value_type = Option<names::StreamId>, required = true)]
    next: Option<String>,
}

/// A stream that has an event.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamInfo {
    #[schema(value_type = names::StreamId)]
    stream: String,
    /// How many events it has
    #[schema(minimum = 1)]
    events: u64,
    #[schema(value_type = names::Revision)]
    last_revision: u64,
    #[schema(value_type = names::Position)]
    first_position: u64,
    #[schema(value_type = names::Position)]
    last_position: u64,
}

/// Lists streams
#[utoipa::path(get, path = "/v1/streams", operation_id = "streams", tag = "about", params(params::Listing), responses(
    (status = 200, description = "A page of streams", body = Streams), refusals::Asked, refusals::Found,
))]
pub(crate) async fn streams(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let Asked { prefix, after, limit } = Asked::of(request.uri().query())?;
    // One more than asked for tells whether there is another page.
    let mut streams = administered(&api, request.extensions())?.streams(&prefix, after, limit + 1).await?;
    let more = limit < streams.len();
    streams.truncate(limit);
    let next = streams.last().filter(|_| more).map(|info| info.stream.as_str().to_owned());
    let one = |info: &factlog_core::StreamInfo| StreamInfo {
        stream: info.stream.as_str().to_owned(),
        events: info.events,
        last_revision: info.last_revision.get(),
        first_position: info.first_position.get(),
        last_position: info.last_position.get(),
    };
    Ok(json(&Streams { streams: streams.iter().map(one).collect(), next }))
}

/// Which streams are asked for.
#[derive(Debug)]
pub(super) struct Asked {
    prefix: String,
    after: Option<StreamId>,
    limit: usize,
}

impl Asked {
    /// By the query string.
    pub(super) fn of(text: Option<&str>) -> Result<Self, Problem> {
        let params = Params::parse(text, &["prefix", "after", "limit"])?;
        let after = params.one("after").map(StreamId::new).transpose();
        let after = after.map_err(|error| Problem::from(error).about("parameter `after`"))?;
        let limit = usize::try_from(params.limit()?).unwrap_or(usize::MAX);
        Ok(Self { prefix: params.one("prefix").unwrap_or_default().to_owned(), after, limit })
    }
}

/// Types of events.
#[derive(Serialize, ToSchema)]
pub(crate) struct Types {
    types: Vec<TypeInfo>,
}

/// A type that has an event.
#[derive(Serialize, ToSchema)]
pub(crate) struct TypeInfo {
    #[serde(rename = "type")]
    #[schema(value_type = names::EventType)]
    event_type: String,
    /// How many events it has
    #[schema(minimum = 1)]
    events: u64,
}

/// Lists types of events
#[utoipa::path(get, path = "/v1/types", operation_id = "types", tag = "about", responses(
    (status = 200, description = "All types", body = Types), refusals::Asked, refusals::Found,
))]
pub(crate) async fn types(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    Params::parse(request.uri().query(), &[])?;
    let types = administered(&api, request.extensions())?.types().await?;
    let one = |info: &factlog_core::TypeInfo| TypeInfo {
        event_type: info.event_type.as_str().to_owned(),
        events: info.events,
    };
    Ok(json(&Types { types: types.iter().map(one).collect() }))
}

fn administered(api: &Api, of: &Extensions) -> Result<Arc<dyn Administration>, Problem> {
    api.gate.administration(of)?.ok_or_else(|| {
        Problem::invalid("the store behind this server does not offer its lists")
            .status(StatusCode::NOT_FOUND)
    })
}
