//! `GET` of events: a page from one snapshot, as JSON or an event a line.
//!
//! A page ends after `limit` events, after 4 MiB or with one larger event. `next` is where the following one begins.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use factlog_core::{Direction, EventStore, Position, Query, ReadOptions, Revision, StreamId};

use super::Api;
use super::append::{etag, named};
use super::json;
use super::known::Known;
use super::params::Params;
use super::problem::Problem;
use super::spec::{bodies, params, refusals};
use crate::listen::Held;

/// Bytes of events after which a page ends.
const PAGE_BYTES: usize = 4 << 20;

/// Reads the log
///
/// A page from one snapshot. `Accept: application/x-ndjson` asks for an event a line.
#[utoipa::path(get, path = "/v1/events", operation_id = "read", tag = "read",
    params(params::Paging, params::Choosing, params::Where),
    responses(
        (status = 200, description = "A page", content(
            (bodies::Page = "application/json"),
            (bodies::RecordedLines = "application/x-ndjson"),
        ), headers(
            ("Factlog-Head" = String, description = "As `head`, where the answer is NDJSON; `null` in an empty store"),
            ("Factlog-Next" = String, description = "As `next`, where the answer is NDJSON; `null` where nothing is left"),
        )),
        refusals::Asked, refusals::Offered,
    ))]
pub(crate) async fn of_log(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let asked = Asked::of_log(request.uri().query())?;
    let form = Form::of(request.headers())?;
    let store = api.gate.store(request.extensions())?;
    Ok(page(&*store, asked, Held::of_answer(request.extensions())).await?.answer(form))
}

/// Reads a stream
///
/// A page from one snapshot; a stream that nobody wrote to has an empty one and no `ETag`. Whoever says in `If-None-Match` that
/// it has what was there at this revision is answered 304.
#[utoipa::path(get, path = "/v1/streams/{id}/events", operation_id = "read_stream", tag = "read",
    params(params::OfStream, params::Paging, params::From, params::Choosing, params::Having),
    responses(
        (status = 200, description = "A page", content(
            (bodies::Page = "application/json"),
            (bodies::RecordedLines = "application/x-ndjson"),
        ), headers(
            ("ETag" = String, description = "The last revision of the stream, for `If-Match` and `If-None-Match`"),
            ("Factlog-Head" = String, description = "As `head`, where the answer is NDJSON; `null` in an empty store"),
            ("Factlog-Next" = String, description = "As `next`, where the answer is NDJSON; `null` where nothing is left"),
        )),
        (status = 304, description = "The stream is at the revision that `If-None-Match` says. There is no body", headers(
            ("ETag" = String, description = "That revision"),
        )),
        refusals::Asked, refusals::Found, refusals::Offered,
    ))]
pub(crate) async fn of_stream(
    State(api): State<Api>,
    stream: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let form = Form::of(request.headers())?;
    let stream = named(stream)?;
    let asked = Asked::of_stream(request.uri().query(), stream.clone())?;
    let known = Known::of(request.headers())?;
    let store = api.gate.store(request.extensions())?;
    // Of what the caller may read, so that a guess says nothing of what it may not.
    if let Some(known) = known
        && let Some(revision) = last_revision(&*store, stream.clone(), None).await?
        && known.is(revision)
    {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag(revision))]).into_response());
    }
    let page = page(&*store, asked, Held::of_answer(request.extensions())).await?;
    // As of the page's own snapshot: an append that is allowed by it has seen all that the page could show.
    let revision = match page.head {
        Some(head) => last_revision(&*store, stream, Some(head)).await?,
        None => None,
    };
    let mut response = page.answer(form);
    if let Some(revision) = revision {
        response.headers_mut().insert(header::ETAG, etag(revision));
    }
    Ok(response)
}

/// Up to and including this position.
async fn last_revision(
    store: &dyn EventStore,
    stream: StreamId,
    until: Option<Position>,
) -> Result<Option<Revision>, Problem> {
    let options = ReadOptions::default().until(until).backwards().limit(1);
    let read = store.read(Query::stream(stream), options).collect().await?;
    Ok(read.events.first().and_then(|event| event.revision))
}

/// What a page is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) query: Query,
    pub(super) options: ReadOptions,
    /// Events of the page; the options ask for one more, which tells whether there is another page.
    limit: u64,
}

impl Asked {
    /// Of the log, by the query string.
    pub(super) fn of_log(text: Option<&str>) -> Result<Self, Problem> {
        const KNOWN: [&str; 8] =
            ["after", "until", "limit", "backwards", "type", "tag", "category", "stream"];
        let params = Params::parse(text, &KNOWN)?;
        Self::new(&params, params.query(None)?)
    }

    /// Of a stream, by the query string.
    pub(super) fn of_stream(text: Option<&str>, stream: StreamId) -> Result<Self, Problem> {
        const KNOWN: [&str; 7] = ["after", "until", "from_revision", "limit", "backwards", "type", "tag"];
        let params = Params::parse(text, &KNOWN)?;
        let mut asked = Self::new(&params, params.query(Some(stream))?)?;
        asked.options.from_revision = params.parsed("from_revision")?;
        Ok(asked)
    }

    fn new(params: &Params, query: Query) -> Result<Self, Problem> {
        let limit = params.limit()?;
        let options = ReadOptions::default()
            .after(params.after()?)
            .until(params.parsed::<Position>("until")?)
            .limit(limit + 1);
        let options = if params.switch("backwards")? { options.backwards() } else { options };
        Ok(Self { query, options, limit })
    }
}

/// How a page goes out.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Json,
    Lines,
}

impl Form {
    /// The first of what the caller accepts that there is.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut said = None;
        for value in headers.get_all(header::ACCEPT) {
            let text = value.to_str().unwrap_or("?");
            for range in text.split(',') {
                match range.split(';').next().unwrap_or_default().trim() {
                    "*/*" | "application/*" | "application/json" => return Ok(Self::Json),
                    "application/x-ndjson" => return Ok(Self::Lines),
                    _ => said = Some(text),
                }
            }
        }
        said.map_or(Ok(Self::Json), |said| {
            let what = format!("{said:?} is not offered; accept application/json or application/x-ndjson");
            Err(Problem::invalid(what).status(StatusCode::NOT_ACCEPTABLE))
        })
    }
}

/// Events, the head of the snapshot they are from, and where the next page begins.
struct Page {
    /// An event a line.
    events: Vec<u8>,
    head: Option<Position>,
    next: Option<u64>,
    held: Option<Arc<Held>>,
}

async fn page(store: &dyn EventStore, asked: Asked, held: Option<Arc<Held>>) -> Result<Page, Problem> {
    let Asked { query, options, limit } = asked;
    let backwards = options.direction == Direction::Backwards;
    let mut events = store.read(query, options);
    let mut page = Page { events: Vec::new(), head: events.head().await?, next: None, held };
    let (mut count, mut last) = (0, None);
    while let Some(event) = events.next().await {
        let event = event?;
        if count == limit || PAGE_BYTES <= page.events.len() {
            page.next = match backwards {
                false => last,
                true => Some(event.position.get()),
            };
            break;
        }
        // No event has a line break in its JSON, so one can stand for the separator.
        let before = page.events.len();
        json::write(&mut page.events, &event);
        page.events.push(b'\n');
        page.held.iter().try_for_each(|held| held.take(page.events.len() - before))?;
        (count, last) = (count + 1, Some(event.position.get()));
    }
    Ok(page)
}

impl Page {
    fn answer(self, form: Form) -> Response {
        let number = |position: Option<u64>| position.map_or("null".to_owned(), |number| number.to_string());
        let (head, next) = (number(self.head.map(Position::get)), number(self.next));
        let mut response = match form {
            Form::Json => {
                let mut body = b"{\"events\":[".to_vec();
                let length = self.events.len().saturating_sub(1);
                let separated = self.events[..length].iter();
                body.extend(separated.map(|byte| if *byte == b'\n' { b',' } else { *byte }));
                body.extend_from_slice(format!("],\"head\":{head},\"next\":{next}}}").as_bytes());
                (super::append::json_type(), body).into_response()
            }
            Form::Lines => {
                let value = |text: &str| HeaderValue::from_str(text).expect("digits are a header's value");
                let mut headers = HeaderMap::new();
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
                headers.insert("factlog-head", value(&head));
                headers.insert("factlog-next", value(&next));
                (headers, self.events).into_response()
            }
        };
        if let Some(held) = self.held {
            response.extensions_mut().insert(held);
        }
        response
    }
}
