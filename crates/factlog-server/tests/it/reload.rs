//! New certificates while the server runs.

use std::sync::Arc;
use std::time::Duration;

use factlog_core::{EventStore as _, MemoryStore};
use factlog_server::{ClientCertificates, Limits};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};

use crate::certificates::Authority;
use crate::served::{Served, client_of, runtime};

const PATIENCE: Duration = Duration::from_secs(30);

/// Would fail if a renewed certificate needed a restart, if a broken one took the server down or was passed over in
/// silence, or if those who are connected noticed anything.
#[test]
fn new_certificates_are_taken_up_and_broken_ones_are_not() {
    runtime().block_on(async {
        let (old, new) = (Authority::new(), Authority::new());
        let certificate = old.server();
        let reports = Arc::new(Mutex::new(Vec::new()));
        let told = reports.clone();
        let limits = Limits { reload: Duration::from_millis(20), ..Limits::default() };
        let identity = (&certificate, ClientCertificates::Unasked);
        let store = Arc::new(MemoryStore::new());
        let served = Served::secured(store, &old, identity, |server| {
            server.limits(limits).reports(move |error| told.lock().push(error.to_string()))
        })
        .await;
        let connected = served.client("?deadline=60s");
        connected.head().await.expect("a head");

        std::fs::write(&certificate.key, "no key").expect("write");
        let reported = async {
            while reports.lock().is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, reported).await.expect("it is reported");
        assert!(
            reports.lock()[0].contains("the old ones stay: there is no private key in"),
            "{:?}",
            reports.lock()
        );
        served.client("?deadline=60s").head().await.expect("what was there stays");

        certificate.replace(&new.server());
        let url = format!("factlogs://{}?ca={}&deadline=60s", served.address, new.file().display());
        let renewed = async {
            // Refused at once until then: the client does not know the old authority.
            while client_of(&url).head().await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, renewed).await.expect("it is taken up");
        served.client("?deadline=60s").head().await.expect_err("the old one is not shown any more");
        connected.head().await.expect("who was connected stays so");
        // The broken key, and perhaps the new certificate before its key was there; each once.
        assert!(reports.lock().len() <= 2, "{:?}", reports.lock());
        served.stop().await;
    });
}
