//! `GET /metrics`: what is gathered is gathered now, then all of it is written.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use factlog_core::{EventStore, Position};
use prometheus_client::encoding::text;

use super::Metrics;
use super::collected::Gathered;
use crate::health::Projections;

/// How long the store and the projections may take to say how they are; then the rest is told without them.
const PATIENCE: Duration = Duration::from_secs(5);
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One scrape.
pub(crate) async fn scrape(
    metrics: &Arc<Metrics>,
    store: &dyn EventStore,
    projections: &Projections,
) -> Response {
    let head = tokio::time::timeout(PATIENCE, store.head()).await;
    let head = head.ok().and_then(Result::ok).map(|head| Position::number(head.position));
    let projections = tokio::time::timeout(PATIENCE, projections.ask()).await.unwrap_or_default();
    metrics.collected.put(Gathered { head, projections });
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))];
    (headers, metrics.text()).into_response()
}

impl Metrics {
    /// Everything, as OpenMetrics 1.0.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("writing to memory does not fail");
        text
    }
}
