//! Opening a store: the lock, what recovery finds, cleaning up after a crash, starting the threads.
//!
//! * Nothing is changed before the lock is held, and nothing at all where there is damage.
//! * Only what an interrupted step is known to leave behind is removed; anything else is refused by name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use factlog_core::{Clock, Error, Result};
use uuid::Uuid;

use crate::checksum::{FileKind, Place};
use crate::frame;
use crate::manifest::{self, Manifest, ManifestFile};
use crate::recovery::{self, FrameAt, Recovered};
use crate::sealer::{self, Sealer, SealerHandle};
use crate::settings::Settings;
use crate::shared::{Log, Opened, Shared};
use crate::storage::{self, Disk, DiskFile};
use crate::wal::Wal;
use crate::wal_files::{Files, FreeFiles, Workshop};
use crate::writer::{Active, Writer};

/// Opens the store in a directory, or makes one.
pub(crate) fn open(
    disk: Arc<dyn Disk>,
    dir: &Path,
    settings: Settings,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<Shared>, Option<JoinHandle<()>>)> {
    settings.validate()?;
    let lock = prepare(&*disk, dir, &*clock)?;
    let recovered = recovery::load(&*disk, dir, &mut |_| {})?;
    start(disk, dir, settings, clock, recovered, lock)
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
    create_durably(disk, dir)?;
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

/// Makes a directory and the entries of all that lead to it durable.
fn create_durably(disk: &dyn Disk, dir: &Path) -> Result<()> {
    let exists = |path: &Path| path.as_os_str().is_empty() || disk.list(path).is_ok();
    let missing: Vec<_> = dir.ancestors().take_while(|path| !exists(path)).collect();
    disk.create_dir(dir).map_err(|cause| storage::failed("create", dir, cause))?;
    for made in missing {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        disk.sync_dir(parent).map_err(|cause| storage::failed("make durable", parent, cause))?;
    }
    Ok(())
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

/// Puts the parts together and starts the threads; a damaged store gets none.
fn start(
    disk: Arc<dyn Disk>,
    dir: &Path,
    settings: Settings,
    clock: Arc<dyn Clock>,
    recovered: Recovered,
    lock: Box<dyn DiskFile>,
) -> Result<(Arc<Shared>, Option<JoinHandle<()>>)> {
    let Recovered {
        manifest,
        segments,
        frames,
        index,
        damage,
        end,
        unvouched,
        ready,
        tail_bytes,
        wal_bytes,
        vouched,
    } = recovered;
    let events = frames.iter().map(|frame| frame.offsets.len() as u64).sum();
    let active = Active { frames: frames.clone(), bytes: tail_bytes, events };
    let log = Log { segments, frames: frames.into() };
    let opened = Opened { store: manifest.store, index, log, damage };
    let shared = Arc::new(Shared::new(disk.clone(), dir.to_path_buf(), settings, lock, opened));
    if !shared.damage.is_empty() {
        return Ok((shared, None));
    }
    let free = FreeFiles::default();
    clean_up(&*disk, dir, leftovers(&*disk, dir, &manifest)?, shared.settings.wal_file_bytes, &free)?;
    for frame in &unvouched {
        write_again(&*disk, dir, frame)?;
    }
    let manifest = Arc::new(ManifestFile::new(disk.clone(), dir.to_path_buf(), manifest));
    manifest.update(|manifest| manifest.epoch += 1)?;
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
    };
    let files = Files::new(workshop, ready, current.wal_last);
    let pipeline = (pipeline, shared.settings.groups_in_flight);
    let journal = Box::new(Wal::open((shared.store, current.epoch), pipeline, files, end, wal_bytes)?);
    let failed = |cause| storage::failed("start the threads for", dir, cause);
    let sealer = Sealer { shared: shared.clone(), disk, dir: dir.to_path_buf(), manifest, free };
    let sealer = SealerHandle::start(sealer).map_err(failed)?;
    let (pending, tracking) = Default::default();
    let (shared_too, lonely) = (shared.clone(), true);
    let writer =
        Writer { shared: shared_too, clock, journal, sealer, active, vouched, pending, lonely, tracking };
    shared.life.writer_started();
    let thread = std::thread::Builder::new().name("factlog-writer".into()).spawn(move || writer.run());
    if thread.is_err() {
        shared.life.writer_stopped();
    }
    Ok((shared, Some(thread.map_err(failed)?)))
}

/// Makes a frame durable once more before anything builds on it: after a failed write it may be in the system's
/// cache only, where it reads as whole. The same bytes go to the same place, so being interrupted is no harm.
fn write_again(disk: &dyn Disk, dir: &Path, frame: &FrameAt) -> Result<()> {
    let path = dir.join("wal").join(crate::wal_files::file_name(frame.number));
    let write = || {
        let file = disk.open(&path)?;
        let bytes = storage::read_exact(&*file, frame.offset, frame.length)?;
        file.write_durably(&bytes, frame.offset)
    };
    write().map_err(|cause| storage::failed("write the last group again to", &path, cause))
}

/// What an interrupted step left behind, and what can be used again.
pub(crate) struct Leftovers {
    remove: Vec<PathBuf>,
    reusable: Vec<u64>,
}

/// Sorts the files that the manifest does not need. Nothing is changed.
///
/// # Errors
/// `Corrupt` for a file that a newer manifest must have named, or that is not the store's.
pub(crate) fn leftovers(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<Leftovers> {
    let list = |path: &Path| disk.list(path).map_err(|cause| storage::failed("list", path, cause));
    let mut found = Leftovers { remove: Vec::new(), reusable: Vec::new() };
    let segments = dir.join("segments");
    let name_of = crate::segment::file_name;
    let sealed: HashSet<_> = manifest.segments.iter().map(|entry| name_of(entry.first)).collect();
    for name in list(&segments)? {
        let path = segments.join(&name);
        if name.ends_with(".tmp") || name == name_of(manifest.sealed() + 1) {
            found.remove.push(path);
        } else if !sealed.contains(&name) {
            return Err(unnamed(&path));
        }
    }
    let wal = dir.join("wal");
    for name in list(&wal)? {
        let path = wal.join(&name);
        match crate::wal_files::number_of(&name) {
            None if name.ends_with(".tmp") => found.remove.push(path),
            None => return Err(unnamed(&path)),
            Some(number) if number < manifest.wal_first => found.reusable.push(number),
            Some(number) if number <= manifest.wal_last => {}
            Some(number) => {
                let made_ready = number == manifest.wal_last + 1;
                if !made_ready || begins_with_frame(disk, manifest.store, &path, number)? {
                    return Err(unnamed(&path));
                }
                found.remove.push(path);
            }
        }
    }
    Ok(found)
}

/// Removes what an interrupted step left behind and puts files that can be used again to those that are free.
fn clean_up(disk: &dyn Disk, dir: &Path, found: Leftovers, usual: usize, free: &FreeFiles) -> Result<()> {
    for path in &found.remove {
        disk.remove(path).map_err(|cause| storage::failed("remove", path, cause))?;
    }
    sealer::recycle(disk, dir, usual, free, found.reusable.into_iter());
    Ok(())
}

/// Whether a write-ahead file was used under its number. One that was only made ready was not.
fn begins_with_frame(disk: &dyn Disk, store: Uuid, path: &Path, number: u64) -> Result<bool> {
    let read = || {
        let file = disk.open(path)?;
        storage::read_exact(&*file, 0, usize::try_from(file.length()?).unwrap_or(usize::MAX))
    };
    let bytes = read().map_err(|cause| storage::failed("read", path, cause))?;
    Ok(frame::parse(&bytes, Place { store, file: FileKind::Wal, number, offset: 0 }).is_ok())
}

/// A file that nothing explains.
fn unnamed(path: &Path) -> Error {
    let path = path.display();
    Error::corrupt(format!(
        "MANIFEST does not know {path}: if it is the store's, MANIFEST is older than the log, so restore its newest copy; \
         if not, move the file elsewhere"
    ))
}
