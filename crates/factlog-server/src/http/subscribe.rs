//! `GET /v1/subscribe`: events as they come, as Server-Sent Events.
//!
//! * `id:` is the position; a browser sends the last one back as `Last-Event-ID`, and so goes on where it was. A caught-up
//!   message has the head as its id, so that what a filter leaves out is not looked through again.
//! * Frames are made only as fast as the caller reads, 64 KiB at a time or one larger event, which waits for room where it is
//!   larger than two batches.
//! * A comment every fifteen silent seconds shows that the line is alive. It ends with `event: end` and a problem as its reason.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use factlog_core::{BoxFuture, Delivery, Position, Query, Result, StartFrom, Subscription};
use factlog_proto::{BATCH_BYTES, failure_of, stopping};
use futures_util::Stream;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Api;
use super::json;
use super::params::Params;
use super::problem::Problem;
use super::spec::{bodies, params, refusals};
use crate::large::Large;
use crate::seldom::Seldom;
use crate::service::delivery_size;
use crate::stopped;

/// How long a line is silent before a comment is sent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What a browser waits before it connects again.
const RETRY: &[u8] = b"retry: 2000\n\n";

/// Follows the log
///
/// Server-Sent Events, for ever: an event each (`id` is its position), `event: caught-up` when all that there is was sent, a comment every
/// fifteen silent seconds, and `event: end` with a problem where it ends.
#[utoipa::path(get, path = "/v1/subscribe", operation_id = "subscribe", tag = "follow",
    params(params::Beginning, params::Choosing, params::Where, params::GoingOn),
    responses(
        (status = 200, description = "Events as they come", body = bodies::Message, content_type = "text/event-stream"),
        refusals::Asked,
    ))]
pub(crate) async fn subscribe(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let (query, from) = asked(request.uri().query(), request.headers())?;
    // A browser never stops asking after a stream that ends; after a refusal it does.
    let store = api.gate.store(request.extensions())?;
    from.exclusive_bound(store.head().await?.position)?;
    let large = Large::of(request.extensions());
    let held = large.as_ref().map(Large::held);
    let frames = Frames::new(store.subscribe(query, from), large, api.stopping);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // For proxies that would keep events back.
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    let mut response = (headers, Body::from_stream(frames)).into_response();
    if let Some(held) = held {
        response.extensions_mut().insert(held);
    }
    Ok(response)
}

/// What is followed and from where, by the query string and the header.
pub(super) fn asked(text: Option<&str>, headers: &HeaderMap) -> Result<(Query, StartFrom), Problem> {
    let params = Params::parse(text, &["after", "from", "type", "tag", "category", "stream"])?;
    let query = params.query(None)?;
    let beginning = match (params.one("from"), params.after()?) {
        (None, after) => after.into(),
        (Some("end"), None) if params.one("after").is_none() => StartFrom::End,
        (Some(_), _) => {
            let what = "parameter `from`: only `end` is known, without `after`";
            return Err(Problem::invalid(what).with("parameter", "from"));
        }
    };
    let from = headers.get("last-event-id").map_or(Ok(beginning), resume)?;
    Ok((query, from))
}

fn resume(id: &HeaderValue) -> Result<StartFrom, Problem> {
    match id.to_str() {
        Ok("" | "0") => Ok(StartFrom::Beginning),
        Ok(text) => text.parse().map(StartFrom::After).map_err(|error: factlog_core::Error| {
            Problem::from(error).about("header Last-Event-ID").with("header", "last-event-id")
        }),
        Err(_) => {
            Err(Problem::invalid("header Last-Event-ID is no position").with("header", "last-event-id"))
        }
    }
}

/// Deliveries as frames.
struct Frames {
    /// `None` after the end.
    deliveries: Option<Seldom>,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    heartbeat: Interval,
    opened: bool,
    /// How a large event waits; `None` where none has to.
    large: Option<Large>,
    /// An event that waits for room.
    waiting: Option<(Delivery, BoxFuture<'static, Result<()>>)>,
}

impl Frames {
    fn new(deliveries: Subscription, large: Option<Large>, stopping: watch::Receiver<bool>) -> Self {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        let deliveries = Some(Seldom::new(deliveries));
        let stopped = Box::pin(stopped(stopping));
        Self { deliveries, stopped, heartbeat, opened: false, large, waiting: None }
    }

    fn end(&mut self, frames: &mut Vec<u8>, why: &Problem) {
        self.deliveries = None;
        frames.extend_from_slice(format!("event: end\ndata: {}\n\n", why.json()).as_bytes());
    }

    /// What is at hand, up to the size of a batch.
    fn gather(&mut self, context: &mut Context<'_>, frames: &mut Vec<u8>) {
        while frames.len() < BATCH_BYTES {
            if let Some((delivery, mut room)) = self.waiting.take() {
                match room.as_mut().poll(context) {
                    Poll::Ready(Ok(())) => frame(frames, &delivery),
                    Poll::Ready(Err(error)) => self.end(frames, &error.into()),
                    Poll::Pending => {
                        self.waiting = Some((delivery, room));
                        return;
                    }
                }
                continue;
            }
            let Some(deliveries) = self.deliveries.as_mut() else { return };
            match Pin::new(deliveries).poll_next(context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(delivery))) => {
                    let size = delivery_size(&delivery);
                    match self.large.as_ref().and_then(|large| large.room(size)) {
                        Some(room) => self.waiting = Some((delivery, room)),
                        None => frame(frames, &delivery),
                    }
                }
                Poll::Ready(Some(Err(error))) => self.end(frames, &error.into()),
                Poll::Ready(None) => self.deliveries = None,
            }
        }
    }
}

fn frame(frames: &mut Vec<u8>, delivery: &Delivery) {
    match delivery {
        Delivery::Event(event) => {
            frames.extend_from_slice(format!("id: {}\ndata: ", event.position).as_bytes());
            json::write(frames, event);
            frames.extend_from_slice(b"\n\n");
        }
        Delivery::CaughtUp(None) => {
            frames.extend_from_slice(b"event: caught-up\ndata: {\"position\":null}\n\n");
        }
        Delivery::CaughtUp(Some(head)) => {
            let head = Position::get(*head);
            let text = format!("id: {head}\nevent: caught-up\ndata: {{\"position\":{head}}}\n\n");
            frames.extend_from_slice(text.as_bytes());
        }
    }
}

impl Stream for Frames {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.deliveries.is_none() {
            return Poll::Ready(None);
        }
        let mut frames = Vec::new();
        if !std::mem::replace(&mut self.opened, true) {
            frames.extend_from_slice(RETRY);
        }
        if self.stopped.as_mut().poll(context).is_ready() {
            self.end(&mut frames, &failure_of(&stopping()).into());
        } else {
            self.gather(context, &mut frames);
        }
        if frames.is_empty() && self.deliveries.is_some() {
            if self.heartbeat.poll_tick(context).is_pending() {
                return Poll::Pending;
            }
            frames.extend_from_slice(b": alive\n\n");
        }
        self.heartbeat.reset();
        Poll::Ready((!frames.is_empty()).then_some(Ok(frames.into())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use factlog_core::{EventStore as _, MemoryStore};
    use futures_util::StreamExt as _;

    use super::*;

    /// Would fail if a proxy between a silent store and its follower gave the line up for dead.
    #[tokio::test(start_paused = true)]
    async fn a_silent_line_shows_that_it_is_alive() {
        let store = Arc::new(MemoryStore::new());
        let (stop, stopping) = watch::channel(false);
        let mut frames = Frames::new(store.subscribe(Query::All, StartFrom::Beginning), None, stopping);
        let mut next = async || String::from_utf8(frames.next().await.expect("open").expect("well").to_vec());
        assert_eq!(
            next().await.as_deref(),
            Ok("retry: 2000\n\nevent: caught-up\ndata: {\"position\":null}\n\n")
        );
        assert_eq!(next().await.as_deref(), Ok(": alive\n\n"));
        assert_eq!(next().await.as_deref(), Ok(": alive\n\n"));
        stop.send(true).expect("it listens");
        assert!(next().await.is_ok_and(|end| end.starts_with("event: end\ndata: {\"code\":\"F0006\"")));
        assert!(frames.next().await.is_none(), "it goes on after its end");
    }
}
