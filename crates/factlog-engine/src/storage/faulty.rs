//! The machine's file system with faults on demand, for tests: the n-th call of a kind fails, and whatever follows.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::faulty_pipeline::{FaultyPipeline, Script};
use super::{Disk, DiskFile, LocalDisk, Pipeline};
use crate::settings::JournalMode;

/// What to do to the calls that write, sync, rename, create or remove.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    calls: AtomicU64,
    fail_at: AtomicU64,
    /// Whether everything after the failed call succeeds again, as it does on a real disk after a failed sync.
    once: AtomicBool,
    full: AtomicBool,
    /// Whether a durable write that fails has reached the system's cache all the same.
    after_the_write: AtomicBool,
    durable_writes: AtomicU64,
    /// Reading this byte of files with such a path fails, until the file is replaced.
    unreadable: Mutex<Vec<(String, u64)>>,
    /// What happens to single writes of groups.
    pub(crate) script: Script,
}

impl Faults {
    /// The `n`-th call from now fails, and with it all later ones unless `once`.
    pub(crate) fn fail_at(&self, n: u64, once: bool) {
        self.calls.store(0, Ordering::SeqCst);
        self.once.store(once, Ordering::SeqCst);
        self.fail_at.store(n, Ordering::SeqCst);
    }

    /// Calls seen since the last [`Faults::fail_at`].
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Whether creating files fails for want of space.
    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// Whether failing durable writes leave their bytes where reads find them, as real disks do.
    pub(crate) fn set_after_the_write(&self, after: bool) {
        self.after_the_write.store(after, Ordering::SeqCst);
    }

    /// Reads fail that touch the byte at this offset of a file whose path ends like this, until it is replaced.
    pub(crate) fn set_unreadable(&self, path: &str, offset: u64) {
        self.unreadable.lock().push((path.to_owned(), offset));
    }

    fn is_unreadable(&self, path: &Path, range: &std::ops::Range<u64>) -> bool {
        let unreadable = self.unreadable.lock();
        unreadable.iter().any(|(end, offset)| path.ends_with(end) && range.contains(offset))
    }

    /// Durable writes that succeeded.
    pub(crate) fn durable_writes(&self) -> u64 {
        self.durable_writes.load(Ordering::SeqCst)
    }

    pub(super) fn count_durable_write(&self) {
        self.durable_writes.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn is_after_the_write(&self) -> bool {
        self.after_the_write.load(Ordering::SeqCst)
    }

    pub(super) fn pass(&self) -> io::Result<()> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let fail_at = self.fail_at.load(Ordering::SeqCst);
        let once = self.once.load(Ordering::SeqCst);
        if fail_at != 0 && (call == fail_at || (fail_at < call && !once)) {
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(())
    }

    fn space(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

/// [`LocalDisk`] with [`Faults`].
#[derive(Debug)]
pub(crate) struct FaultyDisk(pub(crate) Arc<Faults>);

impl FaultyDisk {
    fn file(&self, path: &Path, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FaultyFile { inner, path: path.to_path_buf(), faults: self.0.clone() })
    }
}

impl Disk for FaultyDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.pass()?;
        LocalDisk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(path, LocalDisk.open(path)?))
    }

    fn settled(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(path, LocalDisk.settled(path)?))
    }

    fn pipeline(&self, dir: &Path, mode: JournalMode) -> io::Result<Box<dyn Pipeline>> {
        Ok(Box::new(FaultyPipeline::new(LocalDisk.pipeline(dir, mode)?, self.0.clone())))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.0.pass()?;
        self.0.space()?;
        Ok(self.file(path, LocalDisk.create(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.pass()?;
        self.0.unreadable.lock().retain(|(end, _)| !to.ends_with(end));
        LocalDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.pass()?;
        LocalDisk.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.pass()?;
        LocalDisk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskFile>>> {
        LocalDisk.lock(path)
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Box<dyn DiskFile>,
    path: PathBuf,
    faults: Arc<Faults>,
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.faults.is_unreadable(&self.path, &(offset..offset + buffer.len() as u64)) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.faults.pass()?;
        self.inner.write_at(bytes, offset)
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let passed = self.faults.pass();
        if passed.is_ok() || self.faults.is_after_the_write() {
            self.inner.write_durably(bytes, offset)?;
        }
        if passed.is_ok() {
            self.faults.count_durable_write();
        }
        passed
    }

    fn sync(&self) -> io::Result<()> {
        self.faults.pass()?;
        self.inner.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }
}
