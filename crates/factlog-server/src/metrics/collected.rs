//! What is only known when somebody looks: the head, the machine, projections. It is gathered before each scrape.
//!
//! A metric is told only if its source is there, so that a store in memory has no disk and a server without projections
//! no lag of any.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use factlog_core::Clock;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::buckets;
use super::host::{DurableWrites, Host, HostReport};
use super::observed::{BEHIND, Followers};
use super::trend::Trend;
use crate::health::ProjectionHealth;

/// See the module.
#[derive(Debug)]
pub(crate) struct Collected {
    followers: Arc<Followers>,
    certificate_expires: Arc<AtomicU64>,
    host: Option<Arc<dyn Host>>,
    clock: Arc<dyn Clock>,
    trend: Mutex<Trend>,
    gathered: Mutex<Gathered>,
}

/// What was asked for before a scrape.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered {
    /// The last position; `None` where the store does not answer.
    pub(crate) head: Option<u64>,
    pub(crate) projections: Vec<ProjectionHealth>,
}

impl Collected {
    pub(crate) fn new(
        followers: Arc<Followers>,
        certificate_expires: Arc<AtomicU64>,
        host: Option<Arc<dyn Host>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (trend, gathered) = (Mutex::default(), Mutex::default());
        Self { followers, certificate_expires, host, clock, trend, gathered }
    }

    pub(crate) fn put(&self, gathered: Gathered) {
        *self.gathered.lock() = gathered;
    }

    /// What depends on the head.
    fn log(&self, encoder: &mut DescriptorEncoder<'_>, head: Option<u64>, durable: bool) -> fmt::Result {
        let following = self.followers.following(head.unwrap_or(0));
        gauge(encoder, "subscriptions", "Subscriptions that are open", None, &following.open)?;
        let Some(head) = head else { return Ok(()) };
        let lag = "Events that the subscription which is furthest behind is yet to be given or to pass over";
        gauge(encoder, "subscription_lag_events", lag, None, &following.lag)?;
        let behind = format!("Subscriptions that are {BEHIND} events or more behind");
        gauge(encoder, "subscriptions_behind", &behind, None, &following.behind)?;
        gauge(encoder, "log_head_position", "The last committed position; 0 for none", None, &head)?;
        if durable {
            let help = "The last position that survives a loss of power: nothing above it is visible";
            gauge(encoder, "durable_position", help, None, &head)?;
        }
        Ok(())
    }

    fn machine(&self, encoder: &mut DescriptorEncoder<'_>, report: &HostReport) -> fmt::Result {
        if let Some(free) = report.disk_free_bytes {
            let help = "Bytes the store can still take on its disk";
            gauge(encoder, "disk_free", help, Some(&Unit::Bytes), &free)?;
            let now =
                u64::try_from(self.clock.now().as_micros()).map_or(Duration::ZERO, Duration::from_micros);
            let to_full = self.trend.lock().seconds_to_full(now, free);
            if let Some(seconds) = to_full {
                let help =
                    "Until the disk is full at the rate of the last hour; absent while it does not fill";
                gauge(encoder, "disk_seconds_to_full", help, None, &seconds)?;
            }
        }
        if let Some(took) = report.recovery {
            let help = "How long opening the store took";
            gauge(encoder, "recovery", help, Some(&Unit::Seconds), &took.as_secs_f64())?;
        }
        if let Some(places) = report.damaged_places {
            let help = "Damaged places that were found since the store was opened";
            counter(encoder, "integrity_errors", help, places)?;
        }
        report.durable_writes.as_ref().map_or(Ok(()), |writes| written(encoder, writes))
    }

    fn projections(encoder: &mut DescriptorEncoder<'_>, projections: &[ProjectionHealth]) -> fmt::Result {
        if projections.is_empty() {
            return Ok(());
        }
        let mut each = |name, help, unit: Option<&Unit>, value: &dyn Fn(&ProjectionHealth) -> Option<f64>| {
            if projections.iter().all(|projection| value(projection).is_none()) {
                return Ok(());
            }
            let mut family = described(encoder, name, help, unit, MetricType::Gauge)?;
            for projection in projections {
                let Some(value) = value(projection) else { continue };
                let labels = [("projection", projection.name.as_str())];
                ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
            }
            fmt::Result::Ok(())
        };
        each(
            "projection_lag_events",
            "Positions between what a projection has applied and the head",
            None,
            &|one| Some(one.lag_events as f64),
        )?;
        each(
            "projection_lag",
            "How long the first event that a projection has not applied has been recorded",
            Some(&Unit::Seconds),
            &|one| Some(one.lag.as_secs_f64()),
        )?;
        each(
            "projection_last_advance_timestamp",
            "When a projection last moved, or was seen to have the whole log, in seconds since 1970",
            Some(&Unit::Seconds),
            &|one| one.advanced_at.map(|time| time.as_micros() as f64 / 1e6),
        )?;
        each(
            "failed_partitions",
            "Keys of a projection that stand still because an event failed",
            None,
            &|one| Some(one.parked as f64),
        )?;
        each(
            "projection_up",
            "1 while a projection does what it should, 0 once it has failed or stopped",
            None,
            &|one| Some(f64::from(u8::from(one.problem.is_none()))),
        )
    }
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let gathered = self.gathered.lock().clone();
        let report = self.host.as_ref().map(|host| host.report()).unwrap_or_default();
        self.log(&mut encoder, gathered.head, report.durable_writes.is_some())?;
        self.machine(&mut encoder, &report)?;
        let expires = self.certificate_expires.load(Ordering::Relaxed);
        if 0 < expires {
            let help = "When the certificate in use expires, in seconds since 1970";
            gauge(&mut encoder, "cert_expiry_timestamp", help, Some(&Unit::Seconds), &expires)?;
        }
        Self::projections(&mut encoder, &gathered.projections)
    }
}

fn written(encoder: &mut DescriptorEncoder<'_>, writes: &DurableWrites) -> fmt::Result {
    let bounds: Vec<f64> = writes.bounds.iter().map(Duration::as_secs_f64).collect();
    let help = "How long a durable write of the log took, from its beginning until the disk had it";
    let unit = Some(&Unit::Seconds);
    let metric = described(encoder, "fsync_duration", help, unit, MetricType::Histogram)?;
    buckets::encode(metric, writes.took.as_secs_f64(), &bounds, &writes.counts)?;
    counter(encoder, "fsync_failures", "Durable writes of the log that failed", writes.failed)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: &impl EncodeGaugeValue,
) -> fmt::Result {
    described(encoder, name, help, unit, MetricType::Gauge)?.encode_gauge(value)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(described(encoder, name, help, None, MetricType::Counter)?)
}

/// With a full stop, as the registry ends the sentences of its own.
fn described<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
    unit: Option<&'a Unit>,
    kind: MetricType,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, &format!("{help}."), unit, kind)
}
