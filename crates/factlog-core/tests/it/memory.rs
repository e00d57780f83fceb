//! `MemoryStore` on the conformance suite: the reference must keep its own contract.

use std::sync::Arc;

use factlog_core::conformance::{ManualClock, Subject};
use factlog_core::{BoxFuture, EventStore, MemoryStore, Timestamp};

/// The reference store. It lives in memory, so a restart is nothing.
pub(crate) struct InMemory {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

impl Subject for InMemory {
    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone()
    }

    fn restart(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn set_time(&self, time: Timestamp) {
        self.clock.set(time);
    }
}

pub(crate) fn in_memory() -> InMemory {
    let clock = Arc::new(ManualClock::default());
    InMemory { store: Arc::new(MemoryStore::with_clock(clock.clone())), clock }
}

factlog_core::conformance_tests!(in_memory);
