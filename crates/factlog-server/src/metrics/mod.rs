//! The server in numbers: one registry, served as text at `GET /metrics`.
//!
//! * Names are API: `docs/metrics.md` is made from the registry, and a test compares the two.
//! * Every metric has a source; what is not known is left out of a scrape and never told as zero.
//! * No label has a stream, a tag or anything else that callers make up: the number of series has a bound.
//! * An append takes no lock for it, a request a lock for reading.

mod buckets;
pub(crate) mod clock;
mod collected;
mod connections;
mod host;
mod observed;
#[cfg(test)]
mod page;
mod requests;
pub(crate) mod scrape;
#[cfg(test)]
mod tests;
mod trend;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use factlog_core::{AppendError, Appended, Clock, ErrorKind};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use buckets::Buckets;
pub(crate) use clock::Stopwatch;
use collected::Collected;
pub(crate) use connections::Open;
pub use host::{DurableWrites, Host, HostReport};
use observed::Followers;
pub(crate) use observed::Observed;
pub(crate) use requests::{Code, Labels, Method, UNKNOWN};

type Reason = [(&'static str, &'static str); 1];

/// The metrics of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    append_duration: Buckets,
    append_events: Vec<Counter>,
    requests: Family<Labels, Counter>,
    connections: Gauge,
    pub(crate) requests_held: Gauge,
    pub(crate) answers_held: Gauge,
    auth_failures: Family<Reason, Counter>,
    token_key_fetches: Family<Reason, Counter>,
    followers: Arc<Followers>,
    collected: Arc<Collected>,
}

/// What an append can come to, as the label `result` says it.
const RESULTS: [&str; 9] = [
    "appended",
    "deduplicated",
    "conflict",
    "invalid",
    "unavailable",
    "indeterminate",
    "corrupt",
    "denied",
    "closed",
];

/// The place of what may have been written.
const INDETERMINATE: usize = 5;

/// The place of what an append came to.
fn result(outcome: &Result<Appended, AppendError>) -> usize {
    match outcome {
        Ok(appended) => usize::from(appended.deduplicated),
        Err(AppendError::Conflict(_)) => 2,
        Err(AppendError::Failed(error)) => match error.kind() {
            ErrorKind::Invalid => 3,
            ErrorKind::Unavailable => 4,
            ErrorKind::Corrupt => 6,
            ErrorKind::Denied => 7,
            ErrorKind::Closed => 8,
            // A kind that is newer than this server promises nothing.
            _ => INDETERMINATE,
        },
    }
}

impl Metrics {
    /// `certificate_expires` is told in seconds since 1970; 0 is none.
    pub(crate) fn new(
        version: &'static str,
        host: Option<Arc<dyn Host>>,
        clock: Arc<dyn Clock>,
        certificate_expires: Arc<AtomicU64>,
    ) -> Self {
        let mut registry = Registry::with_prefix("factlog");
        let append_duration = Buckets::default();
        registry.register_with_unit(
            "append_duration",
            "From the beginning of an append until the store's answer is taken, or the caller has given it up",
            Unit::Seconds,
            append_duration.clone(),
        );
        let by_result = Family::<Reason, Counter>::default();
        let append_events = RESULTS.map(|result| by_result.get_or_create(&[("result", result)]).clone());
        registry.register("append_events", "Events of appends, by what these came to", by_result);
        let requests = Family::default();
        registry.register("requests", "Requests that are over, by method and code", requests.clone());
        let connections = Gauge::default();
        registry.register("connections", "Connections that are open", connections.clone());
        let requests_held = Gauge::default();
        registry.register_with_unit(
            "requests_held",
            "Memory that requests hold which are not answered yet",
            Unit::Bytes,
            requests_held.clone(),
        );
        let answers_held = Gauge::default();
        registry.register_with_unit(
            "answers_held",
            "Memory of pages and of large events that are not sent yet",
            Unit::Bytes,
            answers_held.clone(),
        );
        let auth_failures = Family::default();
        registry.register(
            "auth_failures",
            "Requests refused because of who asked or did not say",
            auth_failures.clone(),
        );
        let token_key_fetches = Family::default();
        registry.register(
            "token_key_fetches",
            "Fetches of the keys of an issuer of tokens, by what they came to",
            token_key_fetches.clone(),
        );
        registry.register("build", "The server's version", Info::new([("version", version)]));
        let followers = Arc::<Followers>::default();
        let collected = Arc::new(Collected::new(followers.clone(), certificate_expires, host, clock));
        registry.register_collector(Box::new(collected.clone()));
        Self {
            registry,
            append_duration,
            append_events: append_events.into(),
            requests,
            connections,
            requests_held,
            answers_held,
            auth_failures,
            token_key_fetches,
            followers,
            collected,
        }
    }

    /// An append of so many events is over, with this one of the results.
    fn appended(&self, events: usize, took: Duration, result: usize) {
        self.append_duration.observe(took);
        self.append_events[result].inc_by(events as u64);
    }

    /// A request is over.
    pub(crate) fn requested(&self, labels: &Labels) {
        self.requests.get_or_create(labels).inc();
    }

    /// A request was refused because of who asked: `reason` is one of a few words, such as `bad_key`.
    pub(crate) fn auth_failed(&self, reason: &'static str) {
        self.auth_failures.get_or_create(&[("reason", reason)]).inc();
    }
    /// The keys of tokens were fetched, or could not be.
    pub(crate) fn token_keys_fetched(&self, fetched: bool) {
        let result = if fetched { "fetched" } else { "failed" };
        self.token_key_fetches.get_or_create(&[("result", result)]).inc();
    }
}
