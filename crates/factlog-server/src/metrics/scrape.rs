//! `GET /metrics`: what is gathered is gathered now, then all of it is written.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use factlog_core::Position;
use prometheus_client::encoding::text;

use super::Metrics;
use super::collected::Gathered;
use crate::http::spec::refusals;
use crate::http::{Api, Params, Problem};

/// How long the store and the projections may take to say how they are; then the rest is told without them.
const PATIENCE: Duration = Duration::from_secs(5);
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The server in numbers
///
/// OpenMetrics 1.0, for Prometheus and what reads its format. docs/metrics.md lists them.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "about", responses(
    (status = 200, description = "All that is known", body = String, content_type = "application/openmetrics-text"),
    refusals::Asked,
))]
pub(crate) async fn metrics(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    Params::parse(request.uri().query(), &[])?;
    let store = api.gate.store(request.extensions())?;
    let head = tokio::time::timeout(PATIENCE, store.head()).await;
    let head = head.ok().and_then(Result::ok).map(|head| Position::number(head.position));
    let projections = tokio::time::timeout(PATIENCE, api.projections.ask()).await.unwrap_or_default();
    api.metrics.collected.put(Gathered { head, projections });
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))];
    Ok((headers, api.metrics.text()).into_response())
}

impl Metrics {
    /// Everything, as OpenMetrics 1.0.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("writing to memory does not fail");
        text
    }
}
