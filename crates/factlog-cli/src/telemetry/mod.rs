//! What a server tells of itself while it runs: log lines on standard error and, with the feature `otel`, spans for a
//! collector.
//!
//! * Lines of other crates below a warning are never written, whatever the filter says: they may hold headers.
//! * A filter that cannot be read is refused before anything is opened.

#[cfg(feature = "otel")]
mod otel;

use std::sync::atomic::{AtomicBool, Ordering};

use factlog_server::Server;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, ParseError, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::failure::{Failure, Kind, Outcome, say};
use crate::settings::Resolved;

/// Where an OpenTelemetry collector is, by the variable that all exporters know.
const COLLECTOR_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// What is logged where nobody says otherwise: of requests only those that failed through no fault of the caller.
pub(crate) const FILTER: &str = "info,factlog::access=warn,factlog::request=warn";

/// Whether every line is a JSON object.
static IN_JSON: AtomicBool = AtomicBool::new(false);

/// What has to be ended in order.
#[derive(Debug)]
pub(crate) struct Telemetry {
    #[cfg(feature = "otel")]
    spans: Option<otel::Spans>,
}

/// Starts to tell. Within a runtime, and once in a process.
pub(crate) fn start(settings: &Resolved) -> Outcome<Telemetry> {
    let (form, lines) = (settings.word("log"), filter(settings.text("log-level").unwrap_or(FILTER))?);
    // One list, and only what is there: a layer that may be absent would have every span of every crate looked at anew.
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    // Its most detailed level is told, or spans that nobody wants would be made.
    let lines = lines.and(filter_fn(is_ours).with_max_level_hint(LevelFilter::TRACE));
    match form {
        "text" => layers.push(fmt::layer().with_writer(std::io::stderr).with_filter(lines).boxed()),
        "json" => {
            let layer = fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
            layers.push(layer.with_filter(lines).boxed());
        }
        _ => {}
    }
    #[cfg(feature = "otel")]
    let spans = {
        let spans = otel::Spans::start(std::env::var(COLLECTOR_VARIABLE).ok())?;
        layers.extend(spans.as_ref().map(|spans| spans.layer().boxed()));
        spans
    };
    let registry = Registry::default().with(layers);
    tracing::subscriber::set_global_default(registry)
        .map_err(|error| Failure::new(Kind::Failure, "cannot start the log").because(error.to_string()))?;
    IN_JSON.store(form == "json", Ordering::Relaxed);
    #[cfg(not(feature = "otel"))]
    if std::env::var_os(COLLECTOR_VARIABLE).is_some() {
        tracing::warn!(
            target: "factlog::serve",
            "{COLLECTOR_VARIABLE} is set, but this program is built without the feature `otel`: no spans are sent"
        );
    }
    Ok(Telemetry {
        #[cfg(feature = "otel")]
        spans,
    })
}

#[cfg_attr(
    not(feature = "otel"),
    expect(clippy::unused_self, reason = "there is nothing to end without spans")
)]
impl Telemetry {
    /// The server, with its spans made children of its callers' if they go anywhere.
    pub(crate) fn of(&self, server: Server) -> Server {
        #[cfg(feature = "otel")]
        if self.spans.is_some() {
            return server.traced(otel::adopt);
        }
        server
    }

    /// Hands on what is not told yet.
    pub(crate) fn end(&self) {
        #[cfg(feature = "otel")]
        if let Some(spans) = &self.spans {
            spans.end();
        }
    }
}

/// Tells whoever runs the server what should not be as it is: whatever is logged, but in JSON where lines are JSON.
pub(crate) fn warn(text: &str) {
    if IN_JSON.load(Ordering::Relaxed) {
        tracing::warn!(target: "factlog::serve", "{text}");
    } else {
        say(&format!("warning: {text}"));
    }
}

fn filter(text: &str) -> Outcome<Targets> {
    let refuse = |why: String| {
        Failure::new(Kind::Usage, format!("{text:?} is no filter of log lines"))
            .because(why)
            .advise("give off, error, warn, info, debug or trace, or TARGET=LEVEL with commas between")
    };
    // Alone, a mistyped level would be taken for a target, and everything of it be logged.
    for word in text.split(',').filter(|word| !word.contains('=')) {
        word.trim().parse::<LevelFilter>().map_err(|_| refuse(format!("{word:?} is no level")))?;
    }
    text.parse().map_err(|error: ParseError| refuse(error.to_string()))
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::WARN || metadata.target().starts_with("factlog")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_or_refused() {
        for good in [FILTER, "off", "trace", "warn,factlog::access=info"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for wrong in ["loud", "info,loud", "factlog::access=loud"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
