//! The engine's handle: the contract on top of the parts that `open` puts together.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use factlog_core::{
    Append, AppendError, Appended, BoxFuture, Clock, Error, EventStore, EventStream, Head, Position, Query,
    ReadOptions, ReadStep, Result, StartFrom, Subscription, SystemClock, Timestamp,
};
use futures_channel::oneshot;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::damage::Damage;
use crate::open;
use crate::queue::{Prepared, Request};
use crate::reader::{Cursor, Follow, Steps};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::storage::{Disk, DurableWrites, LocalDisk};

/// An event store in a directory of this machine.
///
/// `Ok` from an append means that the events survive the loss of power, as far as the disk keeps its word about
/// synchronous writes. One process holds a store at a time. Handles are cheap to clone; the last one to go stops
/// the writer, [`EventStore::close`] does so and says how it went.
///
/// Reads do file I/O on the polling thread; appends are written by a thread of the engine. No runtime is needed.
///
/// ```
/// use factlog_core::{Event, EventStore, EventStoreExt, EventType};
/// use factlog_engine::{Engine, Settings};
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// # pollster::block_on(async {
/// let store = Engine::open(dir, Settings::default())?;
/// let appended = store.append_one(Event::new(EventType::new("lamp.switched-on")?, "{}")).await?;
/// store.close().await?;
///
/// let store = Engine::open(dir, Settings::default())?;
/// assert_eq!(store.head().await?.position, Some(appended.last));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Opens the store in a directory, and creates it if the directory is missing or empty.
    ///
    /// A store with damage opens too: what is whole is served, reads that need what is damaged end with `Corrupt`,
    /// appends are refused; see [`Engine::damage`].
    ///
    /// # Errors
    /// `Unavailable` when another process has it open or the disk refuses; `Invalid` for settings out of bounds or a directory
    /// with other files in it; `Corrupt` when the manifest cannot be read.
    pub fn open(dir: impl AsRef<Path>, settings: Settings) -> Result<Self> {
        Self::open_with(dir, settings, Arc::new(SystemClock))
    }

    /// The same on another clock.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open_with(dir: impl AsRef<Path>, settings: Settings, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_on(Arc::new(LocalDisk), dir.as_ref(), settings, clock)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let (shared, writer) = open::open(disk, dir, settings, clock)?;
        Ok(Self { handle: Arc::new(Handle { shared, writer: Mutex::new(writer) }) })
    }

    /// An engine whose writer is for somebody else to step.
    #[cfg(feature = "simulation")]
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self { handle: Arc::new(Handle { shared, writer: Mutex::new(None) }) }
    }

    /// The store's identity, given when it was created.
    pub fn id(&self) -> Uuid {
        self.handle.shared.store
    }

    /// Every damaged place that is known; empty for a store that is whole.
    ///
    /// Opening reads the manifest and the tail, so damage to sealed segments shows when it is read: [`crate::verify`]
    /// reads everything. Damage without lost positions has been, or is being, repaired from the rest of the store.
    pub fn damage(&self) -> Vec<Damage> {
        self.handle.shared.all_damage()
    }

    /// The log's durable writes since it was opened: how many took how long.
    pub fn durable_writes(&self) -> DurableWrites {
        self.handle.shared.writes.so_far()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl EventStore for Engine {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            append.validate()?;
            let shared = self.shared();
            shared.appendable()?;
            let mut prepared = Prepared::new(append);
            prepared.known = shared.know(&prepared.events, &prepared.conditions)?;
            let (reply, answer) = oneshot::channel();
            // What closed the queue says more than that it is closed.
            let told = |error| shared.appendable().err().unwrap_or(error);
            let _place = shared.queue.push(Request { prepared, reply }).map_err(told)?;
            let stopped = |_| {
                Error::indeterminate(
                    "the writer stopped; reopen the store and repeat with the same event ids",
                )
            };
            answer.await.map_err(stopped)?
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        let shared = self.shared();
        if let Err(error) = shared.life.readable().and_then(|()| options.validate(&query)) {
            return EventStream::failed(error);
        }
        let head = shared.head();
        match Cursor::new(shared.clone(), query, &options, head) {
            Ok(cursor) => EventStream::new(Steps { head: Some(ReadStep::Head(Position::new(head))), cursor }),
            Err(error) => EventStream::failed(error),
        }
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        let shared = self.shared();
        let head = Position::new(shared.head());
        let after =
            shared.life.readable().and_then(|()| query.validate()).and_then(|()| from.exclusive_bound(head));
        match after {
            Ok(after) => Subscription::new(Follow::new(shared.clone(), query, Position::number(after))),
            Err(error) => Subscription::failed(error),
        }
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        let shared = self.shared();
        let head = || {
            shared.life.readable()?;
            let position = Position::new(shared.head());
            let recorded_at = position.map(|position| shared.time_of(position.get())).transpose()?;
            Ok(Head { position, recorded_at })
        };
        Box::pin(std::future::ready(head()))
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        let shared = self.shared();
        let known = shared.tracking.lock().get(source).copied();
        let tracking = || {
            shared.life.readable()?;
            match shared.lost_unsealed() {
                // What was lost may have told more of this source.
                Some(damage) if known.is_none() && !planted!(TrackingPassesOverHole) => {
                    Err(damage.to_error())
                }
                Some(_) | None => Ok(known),
            }
        };
        Box::pin(std::future::ready(tracking()))
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        let shared = self.shared();
        let position = shared.life.readable().and_then(|()| shared.position_at(time, shared.head()));
        Box::pin(std::future::ready(position.map(Position::new)))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.shared().close();
            self.shared().rest();
            self.shared().life.stopped().await
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
        self.shared.rest();
        let Some(writer) = self.writer.lock().take() else { return drop(self.shared.life.release()) };
        if writer.thread().id() == std::thread::current().id() {
            // A waker dropped the last handle on the writer itself, which will end by itself.
            return self.shared.life.abandon();
        }
        // A panic there has been reported; nothing it had not made durable was acknowledged.
        drop(writer.join());
        // What poisoned the store was told to those whose appends it broke.
        drop(self.shared.life.release());
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared();
        let mut debug = f.debug_struct("Engine");
        debug.field("dir", &shared.dir).field("head", &shared.head());
        debug.finish_non_exhaustive()
    }
}
