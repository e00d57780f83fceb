//! The machine's own file system, through plain system calls.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::{Errno, ReadWriteFlags};

use super::pipeline::OneByOne;
use super::threads::Threads;
use super::uring::Uring;
use super::{Disk, DiskFile, Pipeline};
use crate::settings::JournalMode;

/// Writes at once where each takes a thread.
const THREADS: usize = 4;

/// How long writes of a process that is gone may take, and how often that is looked at.
const SETTLING: Duration = Duration::from_secs(30);
const SETTLING_STEP: Duration = Duration::from_millis(1);

/// Files of the local machine.
#[derive(Debug)]
pub(crate) struct LocalDisk;

impl Disk for LocalDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        Ok(Box::new(LocalFile(file.or_else(|cause| read_only(path, cause))?)))
    }

    fn settled(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.or_else(|cause| read_only(path, cause))?;
        match lock_when_free(&file) {
            Ok(()) => rustix::fs::flock(&file, FlockOperation::Unlock)?,
            // A file system without such locks gets no writes that outlive their process: see `Uring::new`.
            Err(cause) if cause.kind() == io::ErrorKind::Unsupported => {}
            Err(cause) => return Err(cause),
        }
        Ok(Box::new(LocalFile(file)))
    }

    fn pipeline(&self, dir: &Path, mode: JournalMode) -> io::Result<Box<dyn Pipeline>> {
        match mode {
            JournalMode::Auto => match Uring::new(dir) {
                Ok(uring) => Ok(Box::new(uring)),
                // It may be forbidden, unknown to the kernel, or the file system has no direct writes.
                Err(_) => self.pipeline(dir, JournalMode::Threads),
            },
            JournalMode::Uring => Ok(Box::new(Uring::new(dir)?)),
            JournalMode::Threads => Ok(Box::new(Threads::start(Arc::new(Self), THREADS)?)),
            JournalMode::Plain => Ok(Box::new(OneByOne::new(Arc::new(Self)))),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Box::new(LocalFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskFile>>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.or_else(|cause| read_only(path, cause))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Box::new(LocalFile(file)))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }
}

/// Takes the lock of a file as soon as nobody has it, which the writes under way through a locked handle do.
pub(super) fn lock_when_free(file: &File) -> io::Result<()> {
    for _ in 0..SETTLING.as_millis() / SETTLING_STEP.as_millis() {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) => std::thread::sleep(SETTLING_STEP),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOLCK | Errno::INVAL | Errno::BADF) => {
                return Err(io::ErrorKind::Unsupported.into());
            }
            Err(other) => return Err(other.into()),
        }
    }
    let message = "the system is still writing what was begun by a process that is gone; try again later";
    Err(io::Error::new(io::ErrorKind::TimedOut, message))
}

/// Opens a file of a copy that must not be changed, which can be verified all the same.
fn read_only(path: &Path, cause: io::Error) -> io::Result<File> {
    match cause.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => File::open(path),
        _ => Err(cause),
    }
}

#[derive(Debug)]
struct LocalFile(File);

impl Drop for LocalFile {
    /// Closing is not enough to give a lock back: a process that is just being started by this one has the file open
    /// too, until it is another program.
    fn drop(&mut self) {
        // A file that has no lock, or is on a file system without, loses nothing.
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

impl DiskFile for LocalFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.0.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        write_durably(&self.0, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// One durable write, in one call where the system can.
pub(super) fn write_durably(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    match rustix::io::pwritev2(file, &[IoSlice::new(bytes)], offset, ReadWriteFlags::DSYNC) {
        Ok(written) if written == bytes.len() => Ok(()),
        // A short count is no failure of the part that was written: the rest follows.
        Ok(written) => write_then_sync(file, &bytes[written..], offset + written as u64),
        // The kernel or the file system has no such call, and wrote nothing.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => write_then_sync(file, bytes, offset),
        Err(error) => Err(error.into()),
    }
}

fn write_then_sync(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)?;
    file.sync_data()
}
