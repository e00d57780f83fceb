//! The engine's handle: opening and closing a store, and the contract on top of its parts.

use std::fmt;
use std::path::{Path, PathBuf};
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
use crate::manifest::{self, Manifest, ManifestFile};
use crate::queue::{Prepared, Request};
use crate::reader::{Cursor, Follow, Steps};
use crate::recovery::{self, Recovered};
use crate::sealer::{self, Sealer, SealerHandle};
use crate::settings::Settings;
use crate::shared::{Log, Shared, State};
use crate::storage::{self, Disk, DiskFile, LocalDisk};
use crate::wal::{ActiveFile, FreeFiles, Wal};
use crate::writer::{Active, Writer};

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
    disk: Arc<dyn Disk>,
    dir: PathBuf,
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
        settings.validate()?;
        let lock = prepare(&*disk, dir, &*clock)?;
        let recovered = recovery::load(&*disk, dir, &mut |_| {})?;
        let handle = start(disk, dir, settings, clock, recovered, lock)?;
        Ok(Self { handle: Arc::new(handle) })
    }

    /// The store's identity, given when it was created.
    pub fn id(&self) -> Uuid {
        self.handle.shared.store
    }

    /// Every damaged place found when the store was opened; empty for a store that is whole.
    pub fn damage(&self) -> Vec<Damage> {
        self.handle.shared.damage.clone()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Bytes of all files of the store.
    pub(crate) fn bytes_on_disk(&self) -> Result<u64> {
        let Handle { disk, dir, .. } = &*self.handle;
        let mut bytes = 0;
        for dir in [dir.clone(), dir.join("wal"), dir.join("segments")] {
            let failed = |cause| storage::failed("list", &dir, cause);
            for name in disk.list(&dir).map_err(failed)? {
                // Directories cannot be opened for writing, and files may be renamed meanwhile.
                bytes += disk.open(&dir.join(name)).and_then(|file| file.length()).unwrap_or(0);
            }
        }
        Ok(bytes)
    }
}

/// Whether the directory holds a store.
pub(crate) fn is_store(disk: &dyn Disk, dir: &Path) -> Result<bool> {
    match disk.list(dir) {
        Ok(names) => Ok(manifest::is_store(&names)),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(storage::failed("list", dir, cause)),
    }
}

/// Takes the lock of a store's directory.
pub(crate) fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn DiskFile>> {
    let path = dir.join("LOCK");
    let lock = disk.lock(&path).map_err(|cause| storage::failed("lock", &path, cause))?;
    let dir = dir.display();
    lock.ok_or_else(|| {
        Error::unavailable(format!(
            "the store {dir} is open already, here or in another process; close it there first"
        ))
    })
}

/// Locks the directory and makes sure that there is a store in it.
fn prepare(disk: &dyn Disk, dir: &Path, clock: &dyn Clock) -> Result<Box<dyn DiskFile>> {
    disk.create_dir(dir).map_err(|cause| storage::failed("create", dir, cause))?;
    let names = disk.list(dir).map_err(|cause| storage::failed("list", dir, cause))?;
    let ours = |name: &String| {
        matches!(
            name.as_str(),
            "LOCK" | "MANIFEST" | "MANIFEST.tmp" | "STORE.tmp" | "wal" | "segments" | "lost+found"
        )
    };
    let known = manifest::is_store(&names);
    if !known && let Some(foreign) = names.iter().find(|name| !ours(name)) {
        let dir = dir.display();
        return Err(Error::invalid(format!(
            "{dir} is no factlog store, and not empty ({foreign}); name another directory"
        )));
    }
    let lock = lock(disk, dir)?;
    for name in ["wal", "segments"] {
        let path = dir.join(name);
        disk.create_dir(&path).map_err(|cause| storage::failed("create", &path, cause))?;
    }
    if known || is_store(disk, dir)? {
        return Ok(lock);
    }
    for name in ["wal", "segments"] {
        let path = dir.join(name);
        if !disk.list(&path).map_err(|cause| storage::failed("list", &path, cause))?.is_empty() {
            let dir = dir.display();
            return Err(Error::corrupt(format!(
                "{dir} has a log but its file STORE is missing; restore it from a copy"
            )));
        }
    }
    create(disk, dir, clock)?;
    Ok(lock)
}

/// Makes an empty store. The file STORE comes last: without it there is none yet.
fn create(disk: &dyn Disk, dir: &Path, clock: &dyn Clock) -> Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the identity of a store is drawn once, when it is created"
    )]
    let store = Uuid::now_v7();
    storage::replace(disk, dir, manifest::FILE, &Manifest::empty(store).encode())
        .map_err(|cause| storage::failed("write", &dir.join(manifest::FILE), cause))?;
    manifest::create_store(disk, dir, store, clock.now())
}

/// Puts the parts together and starts the threads.
fn start(
    disk: Arc<dyn Disk>,
    dir: &Path,
    settings: Settings,
    clock: Arc<dyn Clock>,
    recovered: Recovered,
    lock: Box<dyn DiskFile>,
) -> Result<Handle> {
    let Recovered { manifest, segments, frames, index, damage, end, tail_bytes, wal_bytes, vouched } =
        recovered;
    let epoch = manifest.epoch + 1;
    let events = frames.iter().map(|frame| frame.offsets.len() as u64).sum();
    let active = Active { frames: frames.clone(), bytes: tail_bytes, events };
    let log = Log { segments, frames: frames.into() };
    let shared = Arc::new(Shared::new(manifest.store, settings, index, log, damage, lock));
    let handle = Handle {
        shared: shared.clone(),
        disk: disk.clone(),
        dir: dir.to_path_buf(),
        writer: Mutex::default(),
    };
    if !shared.damage.is_empty() {
        return Ok(handle);
    }
    let free = FreeFiles::default();
    clean_up(&*disk, dir, &manifest, &shared.settings, &free)?;
    let manifest = Arc::new(ManifestFile::new(disk.clone(), dir.to_path_buf(), manifest));
    manifest.update(|manifest| manifest.epoch = epoch)?;
    let wal_dir = dir.join("wal");
    let active_file =
        end.map(|end| ActiveFile::open(&*disk, &wal_dir, end.number, end.offset)).transpose()?;
    let wal = Wal {
        disk: disk.clone(),
        dir: wal_dir,
        store: shared.store,
        epoch,
        file_bytes: shared.settings.wal_file_bytes,
        manifest: manifest.clone(),
        free: free.clone(),
        active: active_file,
        in_use: usize::try_from(wal_bytes).unwrap_or(usize::MAX),
        previous: end.map_or(0, |end| end.previous),
    };
    let failed = |cause| storage::failed("start the threads for", dir, cause);
    let sealer = Sealer { shared: shared.clone(), disk, dir: dir.to_path_buf(), manifest, free };
    let sealer = SealerHandle::start(sealer).map_err(failed)?;
    let writer =
        Writer { shared, clock, journal: Box::new(wal), sealer, active, vouched, buffer: Vec::new() };
    let thread = std::thread::Builder::new()
        .name("factlog-writer".into())
        .spawn(move || writer.run())
        .map_err(failed)?;
    *handle.writer.lock() = Some(thread);
    Ok(handle)
}

/// Removes what an interrupted step left behind, and finds the files that can be used again.
fn clean_up(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
    settings: &Settings,
    free: &FreeFiles,
) -> Result<()> {
    let list = |path: &Path| disk.list(path).map_err(|cause| storage::failed("list", path, cause));
    let segments = dir.join("segments");
    let sealed: Vec<_> =
        manifest.segments.iter().map(|entry| crate::segment::file_name(entry.first)).collect();
    for name in list(&segments)? {
        if !sealed.contains(&name) {
            let path = segments.join(&name);
            disk.remove(&path).map_err(|cause| storage::failed("remove", &path, cause))?;
        }
    }
    let used = manifest.wal_first..=manifest.wal_last;
    let numbers = list(&dir.join("wal"))?.into_iter().filter_map(|name| name.parse::<u64>().ok());
    let unused = numbers.filter(|number| !used.contains(number));
    sealer::recycle(disk, dir, settings.wal_file_bytes, free, unused);
    Ok(())
}

impl EventStore for Engine {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            append.validate()?;
            let shared = self.shared();
            shared.appendable()?;
            let prepared = Prepared::new(append);
            let (reply, answer) = oneshot::channel();
            if let Err(error) = shared.queue.push(Request { prepared, reply }).await {
                // What closed the queue says more than that it is closed.
                return Err(shared.appendable().err().unwrap_or(error).into());
            }
            let stopped =
                |_| Error::indeterminate("the writer stopped; reopen the store and repeat with the same ids");
            answer.await.map_err(stopped)?
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        let shared = self.shared();
        if let Err(error) = shared.readable().and_then(|()| options.validate(&query)) {
            return EventStream::failed(error);
        }
        let head = shared.head();
        let cursor = Cursor::new(shared.clone(), query, &options, head);
        EventStream::new(Steps { head: Some(ReadStep::Head(Position::new(head))), cursor })
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        let shared = self.shared();
        let head = Position::new(shared.head());
        let after =
            shared.readable().and_then(|()| query.validate()).and_then(|()| from.exclusive_bound(head));
        match after {
            Ok(after) => Subscription::new(Follow::new(shared.clone(), query, Position::number(after))),
            Err(error) => Subscription::failed(error),
        }
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        let shared = self.shared();
        let head = shared.head();
        let recorded_at = shared.index.read().time_of(head);
        let answer = Head { position: Position::new(head), recorded_at: recorded_at.filter(|_| 0 < head) };
        Box::pin(std::future::ready(shared.readable().map(|()| answer)))
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        let shared = self.shared();
        let position = shared.index.read().tracking.get(source).copied();
        Box::pin(std::future::ready(shared.readable().map(|()| position)))
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        let shared = self.shared();
        let head = shared.head();
        let position = Position::new(shared.index.read().position_at(time, head));
        Box::pin(std::future::ready(shared.readable().map(|()| position)))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.handle.begin_to_close();
            let shared = self.shared();
            loop {
                let stopped = shared.stopped.listen();
                match shared.state() {
                    State::Stopped => return Ok(()),
                    State::Poisoned(cause) => return Err(crate::shared::poisoned(&cause)),
                    State::Open | State::Closed => stopped.await,
                }
            }
        })
    }
}

impl Handle {
    /// Nothing new is accepted; the writer finishes what it has.
    fn begin_to_close(&self) {
        if matches!(self.shared.state(), State::Open) {
            let has_writer = self.writer.lock().is_some();
            self.shared.enter(State::Closed);
            if !has_writer {
                // A damaged store has no writer that would let go of the lock.
                self.shared.lock.lock().take();
                self.shared.enter(State::Stopped);
            }
        }
        self.shared.queue.close();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.begin_to_close();
        if let Some(writer) = self.writer.lock().take() {
            // A panic there has been reported; nothing it had not made durable was acknowledged.
            drop(writer.join());
        }
        self.shared.lock.lock().take();
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared();
        let mut debug = f.debug_struct("Engine");
        debug.field("dir", &self.handle.dir).field("head", &shared.head()).field("state", &shared.state());
        debug.finish_non_exhaustive()
    }
}
