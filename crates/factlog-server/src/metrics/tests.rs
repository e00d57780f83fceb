//! The registry with every source: its page, and what is left out where a source is missing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use factlog_core::{
    Append, Event, EventStore as _, EventType, MemoryStore, Position, Query, QueryItem, StartFrom, Timestamp,
};
use futures_util::FutureExt as _;

use super::collected::Gathered;
use super::page::page;
use super::*;
use crate::health::ProjectionHealth;

/// A machine that knows all about itself, and loses space all the time.
#[derive(Debug, Default)]
struct Machine(AtomicU64);

impl Host for Machine {
    fn report(&self) -> HostReport {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        HostReport {
            disk_free_bytes: Some((1 << 30) - asked),
            recovery: Some(Duration::from_millis(1_500)),
            damaged_places: Some(2),
            durable_writes: Some(DurableWrites {
                took: Duration::from_millis(30),
                bounds: vec![Duration::from_millis(1), Duration::from_millis(10)],
                counts: vec![5, 2, 1],
                failed: 1,
            }),
        }
    }
}

/// A clock by which a minute passes between two looks.
#[derive(Debug, Default)]
struct Minutes(AtomicU64);

impl Clock for Minutes {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(60_000_000 * self.0.fetch_add(1, Ordering::Relaxed).cast_signed())
    }
}

fn full() -> Metrics {
    let (host, expires) = (Arc::new(Machine::default()), Arc::new(AtomicU64::new(1_900_000_000)));
    let metrics = Metrics::new("1.2.3", Some(host), Arc::new(Minutes::default()), expires);
    metrics.auth_failed("bad_key");
    metrics.token_keys_fetched(true);
    let method = Method::Grpc("factlog.v1.EventStoreService/Append");
    metrics.requested(&Labels { protocol: "grpc", method, code: Code::Grpc(0) });
    let mut orders = ProjectionHealth::new("orders", "live");
    (orders.lag_events, orders.lag, orders.parked) = (7, Duration::from_millis(2_500), 1);
    orders.advanced_at = Some(Timestamp::from_micros(1_700_000_000_500_000));
    metrics.collected.put(Gathered { head: Some(12_345), projections: vec![orders] });
    metrics
}

/// Would fail if a metric changed its name, its type, its labels or its meaning and the page did not.
#[test]
fn the_page_of_metrics_is_the_registry() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let metrics = full();
    metrics.text();
    let made = page(&metrics.text());
    if std::env::var_os("FACTLOG_UPDATE").is_some() {
        std::fs::write(&path, &made).expect("write the page");
    }
    let found = std::fs::read_to_string(&path).expect("docs/metrics.md");
    assert!(
        found == made,
        "docs/metrics.md is not the registry: run this test with FACTLOG_UPDATE=1\n{made}"
    );
}

#[test]
fn what_has_no_source_is_left_out() {
    let bare = Metrics::new("1.2.3", None, Arc::new(Minutes::default()), Arc::default()).text();
    for name in ["disk", "recovery", "fsync", "durable", "cert", "projection", "integrity", "head", "lag"] {
        assert!(!bare.contains(name), "{name} in {bare}");
    }
    assert!(bare.contains("factlog_build_info{version=\"1.2.3\"} 1\n"), "{bare}");
    assert!(bare.ends_with("# EOF\n"));
}

#[test]
fn what_is_known_is_told_in_base_units() {
    let text = full().text();
    for line in [
        "factlog_log_head_position 12345",
        "factlog_durable_position 12345",
        "factlog_recovery_seconds 1.5",
        "factlog_integrity_errors_total 2",
        "factlog_disk_free_bytes 1073741824",
        "factlog_fsync_duration_seconds_bucket{le=\"0.001\"} 5",
        "factlog_fsync_duration_seconds_bucket{le=\"0.01\"} 7",
        "factlog_fsync_duration_seconds_bucket{le=\"+Inf\"} 8",
        "factlog_fsync_duration_seconds_sum 0.03",
        "factlog_fsync_failures_total 1",
        "factlog_cert_expiry_timestamp_seconds 1900000000",
        "factlog_auth_failures_total{reason=\"bad_key\"} 1",
        "factlog_projection_lag_seconds{projection=\"orders\"} 2.5",
        "factlog_projection_last_advance_timestamp_seconds{projection=\"orders\"} 1700000000.5",
        "factlog_failed_partitions{projection=\"orders\"} 1.0",
        "factlog_requests_total{protocol=\"grpc\",method=\"factlog.v1.EventStoreService/Append\",code=\"OK\"} 1",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
    }
}

/// Would fail if a subscription that has all there is were told as slow, or one whose consumer sleeps as well.
#[test]
fn a_subscription_is_behind_only_while_its_consumer_does_not_ask() {
    let metrics = Arc::new(Metrics::new("1", None, Arc::new(Minutes::default()), Arc::default()));
    let store = Observed::new(Arc::new(MemoryStore::new()), metrics.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let append = || {
            let event = Event::new(EventType::new("t").expect("a type"), "{}");
            store.append(Append::new([event]))
        };
        append().await.expect("append");
        let nothing = QueryItem::of_types([EventType::new("other").expect("a type")]);
        let nothing = Query::any_of([nothing]).expect("a query");
        let mut waiting = store.subscribe(nothing, StartFrom::Beginning);
        let asleep = store.subscribe(Query::All, StartFrom::Beginning);
        waiting.next().await.expect("open").expect("caught up");
        assert!(waiting.next().now_or_never().is_none());
        let head = Position::number(append().await.expect("append").last.into());
        let following = metrics.followers.following(head);
        assert_eq!((following.open, following.lag, following.behind), (2, 2, 0));
        drop(asleep);
        let following = metrics.followers.following(head);
        assert_eq!((following.open, following.lag), (1, 0), "the one that waits is not behind");
        drop(waiting);
        assert_eq!(metrics.followers.following(head).open, 0);
    });
}
