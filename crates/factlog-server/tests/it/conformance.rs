//! Every promise of the contract over a socket: on the store in memory, and on the engine, which is closed and opened
//! again behind a new server in the middle of each scenario; on the engine over TLS and with a key as well, and so through a
//! proxy that cuts, delays, holds and repeats connections. The keys are in a store of their own there, because the scenarios
//! begin with an empty one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use factlog_client::RemoteStore;
use factlog_core::conformance::{ManualClock, Subject};
use factlog_core::{Administration, BoxFuture, EventStore, MemoryStore, Timestamp};
use factlog_engine::{Engine, Settings};
use factlog_server::{Access, ClientCertificates};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::certificates::Authority;
use crate::proxy::Proxy;
use crate::served::{Served, runtime};

/// What the first torn connection carries at the most: less than a handshake.
const TORN_BYTES: usize = 1_000;

/// A remote store, and what is behind it.
struct Remote {
    runtime: Runtime,
    dir: Option<TempDir>,
    authority: Option<Authority>,
    /// Whether connections are torn, and how many were before the last restart.
    torn: Option<AtomicU64>,
    clock: Arc<ManualClock>,
    open: Mutex<Option<Open>>,
    /// The keys of a secured server, and one of them.
    keys: Option<(Arc<Access>, String)>,
}

struct Open {
    behind: Arc<dyn Administration>,
    served: Served,
    client: Arc<RemoteStore>,
    proxy: Option<Proxy>,
}

impl Remote {
    /// `dir` says where the engine is; without one the store is in memory. `authority` secures it with TLS and keys.
    fn new(dir: Option<TempDir>, authority: Option<Authority>) -> Self {
        Self::build(dir, authority, None)
    }

    /// The engine over TLS and with keys, behind a proxy that tears connections.
    fn torn() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self::build(Some(dir), Some(Authority::new()), Some(AtomicU64::default()))
    }

    fn build(dir: Option<TempDir>, authority: Option<Authority>, torn: Option<AtomicU64>) -> Self {
        let (clock, open) = (Arc::default(), Mutex::default());
        let runtime = runtime();
        let keys = authority.is_some().then(|| {
            runtime.block_on(async {
                let access = Access::open(Arc::new(MemoryStore::new())).await.expect("open");
                let first = access.first_key().await.expect("a key").expect("the first");
                (access, first.secret)
            })
        });
        let subject = Self { runtime, dir, authority, torn, clock, open, keys };
        let behind = subject.open_behind();
        *subject.open.lock() = Some(subject.serve(behind));
        subject
    }

    fn open_behind(&self) -> Arc<dyn Administration> {
        match &self.dir {
            None => Arc::new(MemoryStore::with_clock(self.clock.clone())),
            Some(dir) => {
                let settings =
                    Settings { wal_file_bytes: 1 << 20, wal_bytes: 64 << 20, ..Settings::default() };
                Arc::new(Engine::open_with(dir.path(), settings, self.clock.clone()).expect("open"))
            }
        }
    }

    fn serve(&self, behind: Arc<dyn Administration>) -> Open {
        let _inside = self.runtime.enter();
        let served = self.runtime.block_on(async {
            let behind = behind.clone();
            match &self.authority {
                None => Served::start(behind).await,
                Some(authority) => {
                    let certificate = authority.server();
                    let identity = (&certificate, ClientCertificates::Unasked);
                    let (access, _) = self.keys.clone().expect("keys");
                    Served::secured(behind, authority, identity, |server| server.authenticated(access)).await
                }
            }
        });
        let proxy = self.torn.as_ref().map(|torn| {
            // Another fate in each scenario and after each restart.
            let scenario = std::thread::current().name().map_or(0, |name| name.bytes().map(u64::from).sum());
            let tearing =
                Proxy::start_growing(served.address, TORN_BYTES, scenario + torn.load(Ordering::Relaxed));
            self.runtime.block_on(tearing)
        });
        let address = proxy.as_ref().map_or(served.address, |proxy| proxy.address);
        let url = served.url(address, "?deadline=60s");
        let client = match &self.keys {
            None => RemoteStore::open(&url),
            Some((_, key)) => RemoteStore::open_with_key(&url, key),
        };
        let client = Arc::new(client.expect("a connection string"));
        Open { behind, served, client, proxy }
    }

    fn count_torn(&self, open: &Open) {
        if let (Some(torn), Some(proxy)) = (&self.torn, &open.proxy) {
            torn.fetch_add(proxy.done.all(), Ordering::Relaxed);
        }
    }
}

impl Subject for Remote {
    fn store(&self) -> Arc<dyn EventStore> {
        self.open.lock().as_ref().expect("an open store").client.clone()
    }

    /// Everything anew: the client, the server, and the engine where there is one.
    fn restart(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let open = self.open.lock().take().expect("an open store");
            self.count_torn(&open);
            let behind = self.runtime.block_on(async {
                open.client.close().await.expect("close the client");
                open.served.stop().await;
                open.behind
            });
            let behind = match self.dir {
                None => behind,
                Some(_) => {
                    self.runtime.block_on(behind.close()).expect("close the engine");
                    drop(behind);
                    self.open_behind()
                }
            };
            *self.open.lock() = Some(self.serve(behind));
        })
    }

    fn set_time(&self, time: Timestamp) {
        self.clock.set(time);
    }

    fn sends_again(&self) -> bool {
        self.torn.is_some()
    }
}

impl Drop for Remote {
    /// Would fail if the proxy let a scenario pass undisturbed.
    fn drop(&mut self) {
        let open = self.open.lock();
        if let (Some(open), Some(torn), false) = (&*open, &self.torn, std::thread::panicking()) {
            self.count_torn(open);
            assert!(0 < torn.load(Ordering::Relaxed), "no connection was torn");
        }
    }
}

mod over_the_store_in_memory {
    factlog_core::conformance_tests!(|| super::Remote::new(None, None));
}

mod over_the_engine {
    factlog_core::conformance_tests!(|| super::Remote::new(
        Some(tempfile::tempdir().expect("a directory")),
        None
    ));
}

mod over_the_engine_with_tls_and_keys {
    factlog_core::conformance_tests!(|| super::Remote::new(
        Some(tempfile::tempdir().expect("a directory")),
        Some(super::Authority::new())
    ));
}

mod over_the_engine_with_tls_and_keys_through_torn_connections {
    factlog_core::conformance_tests!(super::Remote::torn);
}
