//! `GET /health/ready`: can something be appended and read, now?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use factlog_core::{
    Append, AppendCondition, AppendError, Event, EventStore, EventType, ExpectedRevision, StreamId, limits,
};
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use utoipa::ToSchema;

use crate::http::spec::refusals;
use crate::http::{Api, json};
use crate::metrics::Host;

/// How long it may take; a load balancer asks again before it has lost its patience.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that must be free on the disk: the largest append with what the log needs besides.
const ROOM_BYTES: u64 = limits::APPEND_BYTES_MAX as u64 + (8 << 20);
/// A stream that nobody writes to: the conditions of the trial contradict each other, whatever is in it.
const STREAM: &str = "$factlog-ready";

/// What is tried.
#[derive(Debug)]
pub(crate) struct Readiness {
    store: Arc<dyn EventStore>,
    host: Option<Arc<dyn Host>>,
    stopping: watch::Receiver<bool>,
    /// Trials that have begun.
    begun: AtomicU64,
    /// One trial at a time, however many ask: the last one's number, and what it came to.
    trying: Mutex<(u64, Result<(), String>)>,
}

impl Readiness {
    pub(crate) fn new(
        store: Arc<dyn EventStore>,
        host: Option<Arc<dyn Host>>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { store, host, stopping, begun: AtomicU64::new(0), trying: Mutex::new((0, Ok(()))) }
    }

    /// Why it is not ready, if so.
    async fn check(&self) -> Result<(), String> {
        if *self.stopping.borrow() {
            return Err("the server is stopping".to_owned());
        }
        let free = self.host.as_ref().and_then(|host| host.report().disk_free_bytes);
        if let Some(free) = free.filter(|free| *free < ROOM_BYTES) {
            return Err(format!(
                "{free} bytes are free on the disk, less than the {ROOM_BYTES} of an append"
            ));
        }
        tokio::time::timeout(PATIENCE, self.tried())
            .await
            .unwrap_or_else(|_| Err(format!("no answer in {PATIENCE:?}")))
    }

    /// What a trial came to that began after this was asked. All who ask meanwhile share the next one, so that a flood of
    /// questions, which anybody may ask, does not keep a load balancer from its answer.
    async fn tried(&self) -> Result<(), String> {
        let asked = self.begun.load(Ordering::Relaxed);
        let mut last = self.trying.lock().await;
        if last.0 <= asked {
            let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
            *last = (number, try_both(&*self.store).await);
        }
        last.1.clone()
    }
}

/// Can it be read, and does it decide an append?
async fn try_both(store: &dyn EventStore) -> Result<(), String> {
    store.head().await.map_err(|error| format!("reading: {error}"))?;
    try_append(store).await
}

/// Has the store decide an append that it must refuse.
async fn try_append(store: &dyn EventStore) -> Result<(), String> {
    let stream = StreamId::new(STREAM).expect("a stream's name");
    let event =
        Event::new(EventType::new("factlog.tried").expect("a type's name"), "").in_stream(stream.clone());
    let never = [ExpectedRevision::NoStream, ExpectedRevision::Exists];
    let append = never.into_iter().fold(Append::new([event]), |append, expected| {
        append.when(AppendCondition::revision(stream.clone(), expected))
    });
    match store.append(append).await {
        Err(AppendError::Conflict(_)) => Ok(()),
        Err(AppendError::Failed(error)) => Err(format!("appending: {error}")),
        Ok(appended) => Err(format!("the store has ignored conditions: see position {}", appended.first)),
    }
}

/// Whether something can be appended and read.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ready {
    #[schema(value_type = String, pattern = "^(not )?ready$")]
    status: &'static str,
}

/// Whether something can be appended and read, and the server is not about to stop
#[utoipa::path(get, path = "/health/ready", operation_id = "ready", tag = "about", security(()), responses(
    (status = 200, description = "It can", body = Ready),
    (status = 503, description = "It cannot; why stands in the log", body = Ready),
    refusals::Open,
))]
pub(crate) async fn ready(State(api): State<Api>) -> Response {
    match api.readiness.check().await {
        Ok(()) => json(&Ready { status: "ready" }),
        Err(why) => {
            tracing::warn!(target: "factlog::health", why, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, json(&Ready { status: "not ready" })).into_response()
        }
    }
}
