//! Snapshots: cached folds, each provable against the log and discardable at any time.
//!
//! * A snapshot is used only if its bytes are whole, its shape reads back to exactly what was written, and the
//!   log still holds the event it ends with. Anything else is a replay, and then a rewrite.
//! * No answer ever depends on one.

mod kept;
mod memory;
mod policy;
mod shape;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use factlog_core::{BoxFuture, Result};
use xxhash_rust::xxh3::xxh3_64;

pub(crate) use kept::Kept;
pub use memory::MemorySnapshots;
pub use policy::SnapshotPolicy;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteSnapshots;

use crate::load::End;
use crate::slot::Slot;
use crate::view::Scope;
use crate::{EventSet, View};

/// Keeps bytes under a key, and may forget them.
///
/// An error is counted and means a replay; it never fails a command.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a place for snapshots",
    note = "use `MemorySnapshots` or `SqliteSnapshots`, or write `impl SnapshotStore for {Self}`"
)]
pub trait SnapshotStore: Debug + Send + Sync + 'static {
    /// What was last saved under the key.
    fn load(&self, key: &SnapshotKey) -> BoxFuture<'_, Result<Option<Vec<u8>>>>;
    /// Keeps these bytes in place of any before.
    fn save(&self, key: &SnapshotKey, bytes: Vec<u8>) -> BoxFuture<'_, Result<()>>;
}

/// What a snapshot is of. A change of any part is another snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotKey {
    /// The view's name.
    pub view: &'static str,
    /// The view's version.
    pub version: u32,
    /// A hash of the names and versions of the events it folds, and of its own shape.
    pub fingerprint: u64,
    /// Which of them: its stream and tags, as JSON.
    pub id: String,
}

impl SnapshotKey {
    pub(crate) fn of<V: View>(scope: &Scope) -> Self {
        let shape = shape::shape_of::<V>();
        let schemas = format!("{:?}{:?}{shape:016x}", V::Event::SCHEMAS, V::Event::NAMES);
        Self { view: V::NAME, version: V::VERSION, fingerprint: xxh3_64(schemas.as_bytes()), id: scope.key() }
    }
}

/// When to take snapshots and where to keep them.
///
/// ```
#[doc = include_str!("../docs/counter.txt")]
/// let app = App::builder(MemoryStore::new()).snapshots(Snapshots::in_memory(2)).build();
/// for _ in 0..4 {
///     app.execute(Raise { counter: 1 }).await?;
/// }
/// let loaded = app.load::<Counter>(&1).await?;
/// assert_eq!(loaded.state, Counter(4));
/// assert!(loaded.events_folded < 4);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Snapshots {
    /// What holds for views without a policy of their own.
    policy: SnapshotPolicy,
    store: Arc<dyn SnapshotStore>,
    counters: Arc<Counters>,
}

impl Snapshots {
    /// Where the policy says so, in this store. A view may have [a policy of its own](View::snapshot_policy).
    pub fn new(policy: SnapshotPolicy, store: impl SnapshotStore) -> Self {
        Self { policy, store: Arc::new(store), counters: Arc::default() }
    }

    /// [Every](SnapshotPolicy::every) so many events, in this store.
    pub fn every(events: u64, store: impl SnapshotStore) -> Self {
        Self::new(SnapshotPolicy::every(events), store)
    }

    /// Every so many events, in memory: at most [`MemorySnapshots::BYTES_MAX`] bytes of them.
    pub fn in_memory(events: u64) -> Self {
        Self::every(events, MemorySnapshots::default())
    }

    /// Every so many events, in an SQLite file of their own, which may be deleted at any time.
    ///
    /// # Errors
    /// `Unavailable` or `Invalid` where the file cannot be opened.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(path: impl AsRef<std::path::Path>, events: u64) -> Result<Self> {
        Ok(Self::every(events, SqliteSnapshots::open(path)?))
    }

    /// Gives each fold that has nothing yet its snapshot, where there is one that can be used.
    pub(crate) async fn restore(&self, slots: Vec<&mut dyn Slot>, end: End) {
        for slot in slots.into_iter().filter(|slot| slot.progress().last.is_none()) {
            let bytes = match self.store.load(&slot.snapshot_key()).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(_) => {
                    count(&self.counters.failed, 1);
                    continue;
                }
            };
            let Some(kept) = Kept::decode(&bytes) else {
                self.discarded(1);
                continue;
            };
            if matches!(end, End::Position(until) if until < kept.mark.position) {
                continue;
            }
            count(if slot.restore(&kept) { &self.counters.used } else { &self.counters.discarded }, 1);
        }
    }

    /// Leaves a snapshot of each fold that is worth it, after a load of so many microseconds.
    pub(crate) async fn keep(&self, slots: Vec<&mut dyn Slot>, took: i64) {
        for slot in slots {
            let own = slot.policy();
            if !own.as_ref().unwrap_or(&self.policy).wants(&*slot, took) {
                continue;
            }
            let Some(kept) = slot.keep() else { continue };
            match self.store.save(&slot.snapshot_key(), kept.encode()).await {
                Ok(()) => {
                    slot.saved();
                    count(&self.counters.written, 1);
                }
                Err(_) => count(&self.counters.failed, 1),
            }
        }
    }

    /// So many were found and could not be used.
    pub(crate) fn discarded(&self, many: usize) {
        count(&self.counters.discarded, many as u64);
    }

    pub(crate) fn counts(&self) -> SnapshotCounts {
        self.counters.read()
    }
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// What became of snapshots since the app began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotCounts {
    /// Loads that began with one.
    pub used: u64,
    /// Snapshots written.
    pub written: u64,
    /// Found and not used: damaged, of another shape, or of another log. A replay took their place.
    pub discarded: u64,
    /// Loads and saves the snapshot store failed at.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Counters {
    used: AtomicU64,
    written: AtomicU64,
    discarded: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    fn read(&self) -> SnapshotCounts {
        SnapshotCounts {
            used: self.used.load(Ordering::Relaxed),
            written: self.written.load(Ordering::Relaxed),
            discarded: self.discarded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}
