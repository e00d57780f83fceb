//! Opening a store: the lock, what recovery finds, cleaning up after a crash, starting the threads.
//!
//! * No file is changed before the lock is held, and none of the log where there is damage: only a lost part of the
//!   index may be built again there.
//! * Only what an interrupted step is known to leave behind is removed; anything else is refused by name.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use factlog_core::{Clock, Error, Result};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::damage::Damage;
use crate::identity;
use crate::indexer::Indexer;
use crate::ledger::Ledger;
use crate::leftovers;
use crate::manifest::{self, Manifest, ManifestFile};
use crate::recovery::{self, FrameAt, LostBeacon, Recovered};
use crate::run::Pages;
use crate::sealer::{Sealer, SealerHandle};
use crate::settings::Settings;
use crate::shared::{Opened, Shared};
use crate::storage::{self, Disk, DiskFile, Pipeline, Timed};
use crate::wal::Wal;
use crate::wal_files::{Files, FreeFiles, Workshop};
use crate::writer::Writer;

/// Who works for the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workers {
    /// Threads of their own.
    Threads,
    /// Whoever steps them.
    #[cfg(feature = "simulation")]
    Stepped,
}

/// Opens the store in a directory, or makes one.
pub(crate) fn open(
    disk: Arc<dyn Disk>,
    dir: &Path,
    settings: Settings,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<Shared>, Option<JoinHandle<()>>)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the identity of a store is drawn once, when it is created"
    )]
    let (shared, writer) = assemble(disk, dir, settings, clock, Workers::Threads, Uuid::now_v7)?;
    let Some(writer) = writer else { return Ok((shared, None)) };
    let thread = std::thread::Builder::new().name("factlog-writer".into()).spawn(move || writer.run());
    if thread.is_err() {
        shared.life.writer_stopped();
    }
    Ok((shared, Some(thread.map_err(|cause| storage::failed("start the threads for", dir, cause))?)))
}

/// The same without the writer's thread: the writer is for whoever calls; a damaged store has none. `id` makes the
/// identity of a new store.
pub(crate) fn assemble(
    disk: Arc<dyn Disk>,
    dir: &Path,
    settings: Settings,
    clock: Arc<dyn Clock>,
    workers: Workers,
    id: impl FnOnce() -> Uuid,
) -> Result<(Arc<Shared>, Option<Writer>)> {
    settings.validate()?;
    let lock = prepare(&*disk, dir, &*clock, id)?;
    let pages = Arc::new(Pages::new(settings.index_cache_bytes, settings.filter_bytes));
    let recovered = recovery::load(&*disk, dir, &pages, &mut |_| {})?;
    start(disk, dir, settings, (clock, workers), recovered, pages, lock)
}

/// Whether the directory holds a store.
pub(crate) fn is_store(disk: &dyn Disk, dir: &Path) -> Result<bool> {
    match disk.list(dir) {
        Ok(names) => Ok(identity::is_store(&names)),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(storage::failed("list", dir, cause)),
    }
}

/// The first name in a directory that no store has.
pub(crate) fn foreign(names: &[String]) -> Option<&String> {
    let ours = |name: &String| {
        matches!(name.as_str(), "LOCK" | "STORE" | "STORE.tmp" | "wal" | "segments" | "index" | "lost+found")
            || manifest::FILES.iter().any(|file| name.trim_end_matches(".tmp") == *file)
    };
    names.iter().find(|name| !ours(name))
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
fn prepare(
    disk: &dyn Disk,
    dir: &Path,
    clock: &dyn Clock,
    id: impl FnOnce() -> Uuid,
) -> Result<Box<dyn DiskFile>> {
    disk.create_dir(dir).map_err(|cause| storage::failed("create", dir, cause))?;
    let names = disk.list(dir).map_err(|cause| storage::failed("list", dir, cause))?;
    let known = identity::is_store(&names);
    if !known && let Some(foreign) = foreign(&names) {
        let dir = dir.display();
        return Err(Error::invalid(format!(
            "{dir} is no factlog store, and not empty ({foreign}); name another directory"
        )));
    }
    if !known && !planted!(DirectoryNotSyncedAgain) {
        make_durable(disk, dir)?;
    }
    let lock = lock(disk, dir)?;
    for name in ["wal", "segments", "index"] {
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
    create(disk, dir, clock, id())?;
    Ok(lock)
}

/// Makes the entries durable of a directory and of all that lead to it, whoever made them: an opening that was
/// interrupted may have made them and no more.
fn make_durable(disk: &dyn Disk, dir: &Path) -> Result<()> {
    for made in dir.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        let Some(parent) = made.parent() else { return Ok(()) };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match disk.sync_dir(parent) {
            // What may not be looked at was not made by us.
            Err(cause) if cause.kind() == std::io::ErrorKind::PermissionDenied => {}
            done => done.map_err(|cause| storage::failed("make durable", parent, cause))?,
        }
    }
    Ok(())
}

/// Makes an empty store. The file STORE comes last: without it there is none yet.
fn create(disk: &dyn Disk, dir: &Path, clock: &dyn Clock, store: Uuid) -> Result<()> {
    let empty = Manifest::empty(store);
    manifest::write(disk, dir, &empty)?;
    manifest::write(disk, dir, &Manifest { sequence: 1, ..empty })?;
    identity::create(disk, dir, store, clock.now())
}

/// The pipeline with its writes timed; a simulated disk has no time of its own.
fn timed(pipeline: Box<dyn Pipeline>, workers: Workers, shared: &Shared) -> Box<dyn Pipeline> {
    match workers {
        Workers::Threads => Box::new(Timed::new(pipeline, shared.writes.clone())),
        #[cfg(feature = "simulation")]
        Workers::Stepped => pipeline,
    }
}

/// Puts the parts together and starts the threads but the writer's; a damaged store gets none.
fn start(
    disk: Arc<dyn Disk>,
    dir: &Path,
    settings: Settings,
    (clock, workers): (Arc<dyn Clock>, Workers),
    recovered: Recovered,
    pages: Arc<Pages>,
    lock: Box<dyn DiskFile>,
) -> Result<(Arc<Shared>, Option<Writer>)> {
    let Recovered { manifest, view, head, tracking, damage, notes, active, end, .. } = recovered;
    let (useless_runs, last_time, vouched) = (recovered.useless_runs, recovered.last_time, recovered.vouched);
    let durable = tracking.clone();
    let opened = Opened { store: manifest.store, view, head, tracking: durable, damage, notes, pages };
    let shared = Arc::new(Shared::new(disk.clone(), dir.to_path_buf(), settings, lock, opened));
    if !shared.damage.is_empty() && !planted!(DamageIsWritable) {
        return Ok((shared, None));
    }
    let free = FreeFiles::default();
    let found = leftovers::find(&*disk, dir, &manifest, manifest.sealed() < head)?;
    settle(&*disk, dir, shared.store, (&recovered.beacons, &recovered.unvouched))?;
    let manifest = Arc::new(ManifestFile::new(disk.clone(), dir.to_path_buf(), manifest));
    manifest.update(|manifest| manifest.epoch += u64::from(!planted!(EpochStays)))?;
    found.clean_up(&*disk, dir, &useless_runs, shared.settings.wal_file_bytes, &free)?;
    let wal_dir = dir.join("wal");
    let pipeline = disk
        .pipeline(&wal_dir, shared.settings.journal)
        .map_err(|cause| storage::failed("write directly into", &wal_dir, cause))?;
    let current = manifest.current();
    let file_bytes = shared.settings.wal_file_bytes;
    let workshop = Workshop {
        disk: disk.clone(),
        dir: wal_dir,
        file_bytes,
        manifest: manifest.clone(),
        free: free.clone(),
        workers,
    };
    let files = Files::new(workshop, recovered.ready, current.wal_last);
    let pipeline = (timed(pipeline, workers, &shared), shared.settings.groups_in_flight);
    let journal =
        Box::new(Wal::open((shared.store, current.epoch), pipeline, files, end, recovered.wal_bytes)?);
    let failed = |cause| storage::failed("start the threads for", dir, cause);
    let sealer = Sealer {
        shared: shared.clone(),
        disk,
        dir: dir.to_path_buf(),
        manifest,
        free,
        dictionary: Mutex::default(),
    };
    let (sealer, indexer) = match workers {
        Workers::Threads => (
            SealerHandle::start(sealer).map_err(failed)?,
            Some(Indexer::start(shared.clone()).map_err(failed)?),
        ),
        #[cfg(feature = "simulation")]
        Workers::Stepped => (SealerHandle::stepped(sealer), None),
    };
    let writer = Writer {
        shared: shared.clone(),
        clock,
        journal,
        sealer,
        _indexer: indexer,
        ledger: Ledger::new(active, head, last_time, tracking),
        vouched,
        pending: VecDeque::new(),
        lonely: true,
    };
    shared.life.writer_started();
    shared.queue.set_bell(writer.journal.bell());
    Ok((shared, Some(writer)))
}

/// Makes durable what a process that was killed may have left in the system's cache only, and mends what can be.
fn settle(
    disk: &dyn Disk,
    dir: &Path,
    store: Uuid,
    (beacons, unvouched): (&[LostBeacon], &[FrameAt]),
) -> Result<()> {
    for beacon in beacons {
        beacon.write(disk, dir)?;
    }
    for frame in unvouched {
        write_again(disk, dir, store, frame)?;
    }
    // Names may be there that would not outlast a loss of power: of segments that are about to be adopted, of files that
    // are about to be written into.
    for names in ["wal", "segments"] {
        let path = dir.join(names);
        if planted!(NamesNotSyncedAgain) {
            continue;
        }
        disk.sync_dir(&path).map_err(|cause| storage::failed("make durable", &path, cause))?;
    }
    Ok(())
}

/// Makes a frame durable once more before anything builds on it: after a failed write it may be in the system's
/// cache only, where it reads as whole. The same bytes go to the same place, so being interrupted is no harm.
///
/// # Errors
/// `Corrupt` when they are not the same bytes any more: made durable, they would be damage for good.
fn write_again(disk: &dyn Disk, dir: &Path, store: Uuid, frame: &FrameAt) -> Result<()> {
    let path = dir.join("wal").join(crate::wal_files::file_name(frame.number));
    let failed = |cause| storage::failed("write the last group again to", &path, cause);
    let file = disk.open(&path).map_err(failed)?;
    let bytes = storage::read_exact(&*file, frame.offset, frame.length).map_err(failed)?;
    if !frame.is_same(store, &bytes) && !planted!(WriteAgainUnchecked) {
        let what = "a frame was whole a moment ago and is no longer";
        let name = crate::wal_files::relative_path(frame.number);
        return Err(Damage::new(name, frame.offset, (1, 0), what).to_error());
    }
    file.write_durably(&bytes, frame.offset).map_err(failed)
}
