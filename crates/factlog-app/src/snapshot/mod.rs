//! Snapshots: cached folds, each provable against the log and discardable at any time.
//!
//! * A snapshot is used only if its bytes are whole, its shape reads back to exactly what was written, and the
//!   log still holds the event it ends with. Anything else is a replay, and then a rewrite.
//! * No answer ever depends on one.

mod kept;
mod memory;
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
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteSnapshots;

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
    /// A load that folded at least this many events leaves a snapshot.
    pub(crate) every: u64,
    pub(crate) store: Arc<dyn SnapshotStore>,
    pub(crate) counters: Arc<Counters>,
}

impl Snapshots {
    /// After every `events` folded, in this store.
    pub fn every(events: u64, store: impl SnapshotStore) -> Self {
        Self { every: events.max(1), store: Arc::new(store), counters: Arc::default() }
    }

    /// After every `events` folded, in memory: at most [`MemorySnapshots::BYTES_MAX`] bytes of them.
    pub fn in_memory(events: u64) -> Self {
        Self::every(events, MemorySnapshots::default())
    }

    /// After every `events` folded, in an SQLite file of their own, which may be deleted at any time.
    ///
    /// # Errors
    /// `Unavailable` or `Invalid` where the file cannot be opened.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(path: impl AsRef<std::path::Path>, events: u64) -> Result<Self> {
        Ok(Self::every(events, SqliteSnapshots::open(path)?))
    }
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
pub(crate) struct Counters {
    pub(crate) used: AtomicU64,
    pub(crate) written: AtomicU64,
    pub(crate) discarded: AtomicU64,
    pub(crate) failed: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> SnapshotCounts {
        SnapshotCounts {
            used: self.used.load(Ordering::Relaxed),
            written: self.written.load(Ordering::Relaxed),
            discarded: self.discarded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}
