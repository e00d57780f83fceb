//! Spans of requests, sent to an OpenTelemetry collector over gRPC (OTLP).
//!
//! Only spans of this program's own targets are sent. The collector is where `OTEL_EXPORTER_OTLP_ENDPOINT` says; other
//! variables of OpenTelemetry (`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES`) count as ever.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use crate::failure::{Failure, Kind, Outcome};

/// The service's name where `OTEL_SERVICE_NAME` says none.
const SERVICE: &str = "factlog";

/// Where spans go.
#[derive(Debug)]
pub(super) struct Spans(SdkTracerProvider);

impl Spans {
    /// Spans go to this collector; without one they go nowhere.
    pub(super) fn start(collector: Option<String>) -> Outcome<Option<Self>> {
        let Some(collector) = collector.filter(|collector| !collector.is_empty()) else { return Ok(None) };
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(&collector).build();
        let exporter = exporter.map_err(|error| {
            Failure::new(Kind::Usage, "cannot send spans to the collector that is named")
                .because(error.to_string())
        })?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Some(Self(provider)))
    }

    /// What makes spans of what the server traces.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let ours = Targets::new()
            .with_target("factlog::request", LevelFilter::INFO)
            .with_target("factlog::store", LevelFilter::DEBUG);
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_filter(ours)
    }

    /// Sends what is not sent yet; a collector that is not there is told of in the log.
    pub(super) fn end(&self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(target: "factlog::serve", %error, "the last spans were not sent");
        }
    }
}

/// Makes a span the child of what a `traceparent` names.
pub(super) fn adopt(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    // A span that nobody exports has no parent either.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
}
