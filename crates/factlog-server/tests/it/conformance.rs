//! Every promise of the contract over a socket: on the store in memory, and on the engine, which is closed and opened
//! again behind a new server in the middle of each scenario; and on the store in memory for a caller with a key. Its keys are
//! in a store of their own there, because the scenarios begin with an empty one.

use std::sync::Arc;

use factlog_client::RemoteStore;
use factlog_core::conformance::{ManualClock, Subject};
use factlog_core::{Administration, BoxFuture, EventStore, MemoryStore, Timestamp};
use factlog_engine::{Engine, Settings};
use factlog_server::Access;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::served::{Served, runtime};

/// A remote store, and what is behind it.
struct Remote {
    runtime: Runtime,
    dir: Option<TempDir>,
    clock: Arc<ManualClock>,
    open: Mutex<Option<Open>>,
    /// The keys of the server, and one of them.
    keys: Option<(Arc<Access>, String)>,
}

struct Open {
    behind: Arc<dyn Administration>,
    served: Served,
    client: Arc<RemoteStore>,
}

impl Remote {
    /// `dir` says where the engine is; without one the store is in memory.
    fn new(dir: Option<TempDir>) -> Self {
        let subject =
            Self { runtime: runtime(), dir, clock: Arc::default(), open: Mutex::default(), keys: None };
        subject.opened()
    }

    /// In memory, for a caller with a key that allows everything.
    fn with_keys() -> Self {
        let runtime = runtime();
        let keys = runtime.block_on(async {
            let access = Access::open(Arc::new(MemoryStore::new())).await.expect("open");
            let first = access.first_key().await.expect("a key").expect("the first");
            (access, first.secret)
        });
        Self { runtime, dir: None, clock: Arc::default(), open: Mutex::default(), keys: Some(keys) }.opened()
    }

    fn opened(self) -> Self {
        let subject = self;
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
        let starting = async {
            match &self.keys {
                None => Served::start(behind.clone()).await,
                Some((access, _)) => Served::start_authenticated(behind.clone(), access.clone()).await,
            }
        };
        let served = self.runtime.block_on(starting);
        let client = match &self.keys {
            None => served.client("?deadline=60s"),
            Some((_, key)) => served.client_with(key),
        };
        let client = Arc::new(client);
        Open { behind, served, client }
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
}

mod over_the_store_in_memory {
    factlog_core::conformance_tests!(|| super::Remote::new(None));
}

mod with_a_key {
    factlog_core::conformance_tests!(super::Remote::with_keys);
}

mod over_the_engine {
    factlog_core::conformance_tests!(|| super::Remote::new(Some(tempfile::tempdir().expect("a directory"))));
}
