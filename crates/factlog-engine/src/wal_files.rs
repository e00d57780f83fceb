//! The write-ahead files: made ready ahead of need, under a number of their own, on a thread of their own.
//!
//! * A file has its full length, is durable and named by the manifest before the first frame goes into it.
//! * No frame is written into a file under a number that had frames before: after a crash such a file is left alone
//!   until it gets another number, so that what was cut off can never stand at the front of the log.
//! * A file whose events are sealed is renamed to the next number and used again. Its old frames cannot pass for new
//!   ones, because the checksum's seed has the number.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use factlog_core::{Error, Result};
use parking_lot::Mutex;

use crate::manifest::ManifestFile;
use crate::open::Workers;
use crate::storage::{self, Disk};

/// The name of a file in the `wal` directory.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:08}")
}

/// The number of a file with such a name.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    name.parse().ok().filter(|&number| file_name(number) == name)
}

/// The same relative to the store's directory.
pub(crate) fn relative_path(number: u64) -> String {
    format!("wal/{}", file_name(number))
}

/// Numbers of files that may be used again.
pub(crate) type FreeFiles = Arc<Mutex<Vec<u64>>>;

/// What gets files ready.
#[derive(Clone, Debug)]
pub(crate) struct Workshop {
    pub(crate) disk: Arc<dyn Disk>,
    /// The directory `wal`.
    pub(crate) dir: PathBuf,
    pub(crate) file_bytes: usize,
    pub(crate) manifest: Arc<ManifestFile>,
    pub(crate) free: FreeFiles,
    /// Whether files are made ahead on a thread, or at once.
    pub(crate) workers: Workers,
}

impl Workshop {
    pub(crate) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(file_name(number))
    }

    /// Makes a file ready that can take so many bytes: an old one renamed, or a new one filled with zeros.
    fn make(&self, number: u64, bytes: usize) -> Result<()> {
        let path = self.path(number);
        let failed = |cause| storage::failed("prepare", &path, cause);
        if self.file_bytes < bytes || !self.reuse(&path, number).map_err(failed)? {
            self.create(&path, bytes.max(self.file_bytes)).map_err(failed)?;
        }
        if !planted!(SkipWriteAheadDirectorySync) {
            self.disk.sync_dir(&self.dir).map_err(failed)?;
        }
        self.manifest.update(|manifest| manifest.wal_last = number)
    }

    /// Renames a file that is free; says whether there was one.
    fn reuse(&self, path: &Path, number: u64) -> io::Result<bool> {
        loop {
            let free = self.free.lock().pop();
            let Some(old) = free else { return Ok(false) };
            assert!(old < number, "only files whose events are sealed are free");
            match self.disk.rename(&self.path(old), path) {
                Ok(()) => return Ok(true),
                // Somebody removed it, which is no harm.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => {
                    self.free.lock().push(old);
                    return Err(cause);
                }
            }
        }
    }

    fn create(&self, path: &Path, bytes: usize) -> io::Result<()> {
        static ZEROS: [u8; 256 << 10] = [0; 256 << 10];
        let temporary = self.dir.join("next.tmp");
        storage::write_or_remove(&*self.disk, &temporary, |file| {
            let mut written = 0;
            while written < bytes {
                let length = ZEROS.len().min(bytes - written);
                file.write_at(&ZEROS[..length], written as u64)?;
                written += length;
            }
            if planted!(SkipWriteAheadSync) { Ok(()) } else { file.sync() }
        })?;
        self.disk.rename(&temporary, path)
    }
}

/// Files that are ready, and the one that is being made.
#[derive(Debug)]
pub(crate) struct Files {
    workshop: Workshop,
    /// Named by the manifest and without a frame, in order.
    ready: VecDeque<u64>,
    /// The last number that was given.
    last: u64,
    making: Option<JoinHandle<Result<()>>>,
}

impl Files {
    /// `ready` are those that recovery found without a frame behind the log's end; `last` is the manifest's.
    pub(crate) fn new(workshop: Workshop, ready: Vec<u64>, last: u64) -> Self {
        Self { workshop, ready: ready.into(), last, making: None }
    }

    pub(crate) fn path(&self, number: u64) -> PathBuf {
        self.workshop.path(number)
    }

    /// The number of the file that comes next, whether it is there or not.
    pub(crate) fn next_number(&self) -> u64 {
        self.ready.front().copied().unwrap_or(self.last + 1)
    }

    /// Begins to make the next file, if nobody does and there is none.
    pub(crate) fn make_ahead(&mut self) {
        if self.making.is_none() && self.ready.is_empty() {
            let (workshop, number) = (self.workshop.clone(), self.last + 1);
            match workshop.workers {
                Workers::Threads => {}
                #[cfg(feature = "simulation")]
                Workers::Stepped => {
                    if workshop.make(number, 0).is_ok() {
                        self.last = number;
                        self.ready.push_back(number);
                    }
                    return;
                }
            }
            let thread = std::thread::Builder::new().name("factlog-files".into());
            // Without a thread it is made when it is needed.
            self.making = thread.spawn(move || workshop.make(number, 0)).ok();
        }
    }

    /// Takes the next file. One that was ready may be too short; then the one after it is for the taking.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<u64> {
        self.join()?;
        if let Some(number) = self.ready.pop_front() {
            return Ok(number);
        }
        self.workshop.make(self.last + 1, bytes)?;
        self.last += 1;
        Ok(self.last)
    }

    /// Waits for the file that is being made. Failing to make it ahead of need is no failure yet.
    fn join(&mut self) -> Result<()> {
        let Some(thread) = self.making.take() else { return Ok(()) };
        match thread.join() {
            Ok(Ok(())) => {
                self.last += 1;
                self.ready.push_back(self.last);
                Ok(())
            }
            Ok(Err(_)) => Ok(()),
            Err(_) => Err(Error::unavailable(
                "preparing a write-ahead file panicked; close the store and open it again",
            )),
        }
    }
}

impl Drop for Files {
    /// Nothing may touch the directory when the writer is said to have stopped.
    fn drop(&mut self) {
        // A panic there has been reported by the panic hook.
        drop(self.join());
    }
}
