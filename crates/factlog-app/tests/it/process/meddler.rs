//! A store in which something happens at the worst moment, that falls asleep, or that does not keep its conditions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use factlog::{EventStore, MemoryStore, Position, Result, Timestamp};
use factlog_core::{
    Append, AppendError, Appended, BoxFuture, EventStream, Head, Query, ReadOptions, StartFrom, Subscription,
};
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use tokio::sync::watch;

/// The reference store with three ways to be spoilt.
#[derive(Clone, Debug)]
pub(crate) struct Meddler {
    pub(crate) store: MemoryStore,
    /// Whether it forgets every condition and how far a consumer has come: the twin that fences nobody.
    pub(crate) lax: Arc<AtomicBool>,
    /// Appended just before the first append with an event of this type.
    pub(crate) before: Arc<Mutex<Option<(&'static str, Append)>>>,
    /// Whether appends and subscriptions wait, as if whoever asks for them had been stopped there.
    pub(crate) asleep: watch::Sender<bool>,
}

impl Meddler {
    pub(crate) fn new(store: MemoryStore) -> Self {
        Self { store, lax: Arc::default(), before: Arc::default(), asleep: watch::Sender::new(false) }
    }
}

impl EventStore for Meddler {
    fn append(&self, mut append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            awake(&self.asleep).await;
            if self.lax.load(Ordering::Relaxed) {
                append.conditions.clear();
                append.tracking = None;
            }
            let meddling = {
                let mut before = self.before.lock();
                let now = before.as_ref().is_some_and(|(kind, _)| {
                    append.events.iter().any(|event| event.event_type.as_str() == *kind)
                });
                if now { before.take() } else { None }
            };
            if let Some((_, meddling)) = meddling {
                self.store.append(meddling).await?;
            }
            self.store.append(append).await
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        self.store.read(query, options)
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        let (store, asleep) = (self.store.clone(), self.asleep.clone());
        let woken = stream::once(async move {
            awake(&asleep).await;
            store.subscribe(query, from)
        });
        Subscription::new(Box::pin(woken).flatten())
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        self.store.head()
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        self.store.tracking(source)
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        self.store.position_at(time)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.store.close()
    }
}

async fn awake(asleep: &watch::Sender<bool>) {
    let mut asleep = asleep.subscribe();
    let woken = asleep.wait_for(|asleep| !*asleep).await;
    assert!(woken.is_ok(), "the sender is alive");
}
