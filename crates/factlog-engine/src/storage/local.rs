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
        Ok(Box::new(LocalFile::open(path, OpenOptions::new().read(true).write(true))?))
    }

    fn settled(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = LocalFile::open(path, OpenOptions::new().read(true).write(true))?;
        match lock_when_free(&file.file) {
            Ok(()) => rustix::fs::flock(&file.file, FlockOperation::Unlock)?,
            // A file system without such locks gets no writes that outlive their process: see `Uring::new`.
            Err(cause) if cause.kind() == io::ErrorKind::Unsupported => {}
            Err(cause) => return Err(cause),
        }
        Ok(Box::new(file))
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
        Ok(Box::new(LocalFile { file, unwritable: None }))
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
        let mut options = OpenOptions::new();
        let file = LocalFile::open(path, options.read(true).write(true).create(true).truncate(false))?;
        match rustix::fs::flock(&file.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Box::new(file))),
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

#[derive(Debug)]
struct LocalFile {
    file: File,
    /// Why it is open for reading only: what every write is told, which the system would call a bad file descriptor.
    unwritable: Option<Errno>,
}

impl LocalFile {
    /// Opens a file, for reading only if it must not be changed: a copy like that can be verified all the same.
    fn open(path: &Path, options: &OpenOptions) -> io::Result<Self> {
        let cause = match options.open(path) {
            Ok(file) => return Ok(Self { file, unwritable: None }),
            Err(cause) => cause,
        };
        match Errno::from_io_error(&cause) {
            Some(why @ (Errno::ACCESS | Errno::PERM | Errno::ROFS)) => {
                Ok(Self { file: File::open(path)?, unwritable: Some(why) })
            }
            _ => Err(cause),
        }
    }

    fn writable(&self) -> io::Result<&File> {
        self.unwritable.map_or(Ok(&self.file), |why| Err(why.into()))
    }
}

impl Drop for LocalFile {
    /// Closing is not enough to give a lock back: a process that is just being started by this one has the file open
    /// too, until it is another program.
    fn drop(&mut self) {
        // A file that has no lock, or is on a file system without, loses nothing.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl DiskFile for LocalFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.writable()?.write_all_at(bytes, offset)
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        write_durably(self.writable()?, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
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

#[cfg(test)]
mod tests {
    //! A store that may only be read was opened, and "bad file descriptor" was all that was said of it.
    use super::*;

    #[test]
    fn a_file_that_must_not_be_changed_says_so_when_it_is_written() {
        let file = tempfile::tempfile().expect("a file");
        let file = LocalFile { file, unwritable: Some(Errno::ACCESS) };
        for written in [file.write_at(b"x", 0), file.write_durably(b"x", 0)] {
            let cause = written.expect_err("refused");
            assert_eq!(cause.kind(), io::ErrorKind::PermissionDenied);
            let told = super::super::failed("write", Path::new("/store"), cause).to_string();
            assert!(told.contains("check the owner and mode"), "{told}");
        }
        assert_eq!(file.length().expect("its length"), 0);
    }
}
