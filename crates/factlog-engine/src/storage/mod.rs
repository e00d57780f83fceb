//! The seam to the file system: the only place in the engine that touches files.
//!
//! Everything above works on [`Disk`] and [`DiskFile`], so that a test or a simulator can stand in
//! for the machine. Nothing here knows what the bytes mean.

mod buffer;
#[cfg(test)]
pub(crate) mod faulty;
#[cfg(test)]
mod faulty_pipeline;
#[cfg(test)]
pub(crate) mod killing;
mod local;
mod pipeline;
pub(crate) mod survey;
mod threads;
mod timed;
mod uring;

use std::fmt::Debug;
use std::io;
use std::path::Path;

use factlog_core::{Error, Result};

pub(crate) use buffer::{ALIGNMENT, Buffer};
pub(crate) use local::LocalDisk;
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "a simulator implements it"))]
pub use pipeline::{Bell, Done, Pipeline};
pub use timed::DurableWrites;
pub(crate) use timed::{Timed, WriteCounters};

use crate::settings::JournalMode;

/// The most durable writes that are under way at once.
pub(crate) const DEPTH_MAX: usize = 8;

/// What the engine asks of a file system.
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "a simulator implements it"))]
pub trait Disk: Debug + Send + Sync + 'static {
    /// Creates a directory and its parents; fine if it exists.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, in no order.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// The same when no write is under way any more that a process began which is gone.
    fn settled(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// A way to write durably into files of a directory, several writes at once. Leaves nothing behind there.
    fn pipeline(&self, dir: &Path, mode: JournalMode) -> io::Result<Box<dyn Pipeline>>;
    /// Creates a file, or empties the one there is.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Puts a file in the place of another, atomically. Durable after [`Disk::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Takes the exclusive lock of a file for as long as the result lives; `None` if someone else has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskFile>>>;
}

/// An open file.
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "a simulator implements it"))]
pub trait DiskFile: Debug + Send + Sync {
    /// Reads until the buffer is full or the file ends; says how much it read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of it; durable only after [`DiskFile::sync`].
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Writes all of it durably over bytes the file already has, in one call where the system can.
    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes content and length durable.
    fn sync(&self) -> io::Result<()>;
    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;
}

/// Reads exactly `length` bytes, or says that the file is shorter.
pub(crate) fn read_exact(file: &dyn DiskFile, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = file.read_at(&mut bytes, offset)?;
    if read < length {
        let message = format!("the file ends {} bytes too early", length - read);
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
    }
    Ok(bytes)
}

/// Reads a whole file.
pub(crate) fn read_whole(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let length = usize::try_from(file.length()?).unwrap_or(usize::MAX);
    read_exact(&*file, 0, length)
}

/// Creates a file and writes it; on failure nothing of it is left to take up space.
pub(crate) fn write_or_remove(
    disk: &dyn Disk,
    path: &Path,
    write: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> io::Result<()> {
    let file = disk.create(path)?;
    write(&*file).inspect_err(|_| {
        // The first failure is the one to tell.
        drop(disk.remove(path));
    })
}

/// Whether the disk has lost what it was to read, which trying again or freeing something does not help.
pub(crate) fn is_lost(cause: &io::Error) -> bool {
    cause.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// Reads a file of which parts may be unreadable: those are zeros, and where they end is told too. `Err` when not even
/// its length is known.
pub(crate) fn read_what_can_be(file: &dyn DiskFile) -> io::Result<(Vec<u8>, Option<usize>)> {
    const PIECE: usize = 4096;
    let length = usize::try_from(file.length()?).unwrap_or(usize::MAX);
    if let Ok(bytes) = read_exact(file, 0, length) {
        return Ok((bytes, None));
    }
    let mut unreadable = None;
    let mut bytes = vec![0; length];
    for (at, piece) in bytes.chunks_mut(PIECE).enumerate() {
        if file.read_at(piece, (at * PIECE) as u64).is_err() {
            piece.fill(0);
            unreadable = Some(at * PIECE + piece.len());
        }
    }
    Ok((bytes, unreadable))
}

/// Writes a whole file so that after a crash there is the old one or the new one: temporary file, sync, rename,
/// sync of the directory.
pub(crate) fn replace(disk: &dyn Disk, dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!("{name}.tmp"));
    write_or_remove(disk, &temporary, |file| {
        file.write_at(bytes, 0)?;
        if planted!(SkipManifestSync) { Ok(()) } else { file.sync() }
    })?;
    disk.rename(&temporary, &dir.join(name))?;
    if planted!(SkipManifestDirectorySync) { Ok(()) } else { disk.sync_dir(dir) }
}

/// The names in a directory of files that can be made again; none if it is gone.
pub(crate) fn list_if_any(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>> {
    match disk.list(dir) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(|cause| failed("list", dir, cause)),
    }
}

/// A sentence for a failed call: nothing was written by it, or what was written is not in use.
pub(crate) fn failed(action: &str, path: &Path, cause: io::Error) -> Error {
    let advice = match cause.kind() {
        io::ErrorKind::StorageFull => "; free some space and try again",
        io::ErrorKind::PermissionDenied => "; check the owner and mode of the directory",
        io::ErrorKind::ReadOnlyFilesystem => "; mount the file system for writing",
        _ => "",
    };
    Error::unavailable(format!("cannot {action} {}: {cause}{advice}", path.display())).because(cause)
}
