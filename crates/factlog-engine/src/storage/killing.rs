//! The machine's file system as a process meets it that is killed at a step of its choice, for tests.
//!
//! * Every call that changes anything is a step: create, write, sync, rename, remove, making durable.
//! * `kill -9` does not touch what the system has taken in, so that nothing here waits for the disk.
//! * A step that writes can end in the middle: half of its bytes are in the file.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::process::{Signal, getpid, kill_process};

use super::pipeline::OneByOne;
use super::{Disk, DiskFile, LocalDisk, Pipeline};
use crate::settings::JournalMode;

/// Where in a step the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// Nothing of it has happened.
    Before,
    /// Half of a write has happened; for other steps the same as before.
    Halfway,
    /// It is done, and nobody knows.
    After,
}

/// Which step is the last one.
#[derive(Clone, Debug)]
pub(crate) enum Last {
    Never,
    /// The n-th of all.
    Step(usize),
    /// The n-th of a kind.
    OfKind(usize, String),
}

/// Counts steps and ends the process at one of them.
#[derive(Debug)]
pub(crate) struct Steps {
    store: PathBuf,
    last: Last,
    moment: Moment,
    /// What each step was: what it does, and to which kind of file.
    names: Mutex<Vec<String>>,
}

impl Steps {
    /// Ends the process at its `last` step in the directory of a store.
    pub(crate) fn new(store: &Path, last: Last, moment: Moment) -> Arc<Self> {
        Arc::new(Self { store: store.to_path_buf(), last, moment, names: Mutex::default() })
    }

    /// Counts one more, and says whether it is the last.
    fn is_last(&self, name: &str) -> bool {
        let mut names = self.names.lock();
        names.push(name.to_owned());
        match &self.last {
            Last::Never => false,
            Last::Step(number) => names.len() == *number,
            Last::OfKind(number, kind) => {
                name == kind && names.iter().filter(|name| *name == kind).count() == *number
            }
        }
    }

    /// What has been begun so far, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.lock().clone()
    }

    fn step<T>(
        &self,
        what: &str,
        path: &Path,
        half: impl FnOnce(),
        whole: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let name = format!("{what} {}", kind_of(&self.store, path));
        if !self.is_last(&name) {
            return whole();
        }
        match self.moment {
            Moment::Before => {}
            Moment::Halfway => half(),
            Moment::After => drop(whole()),
        }
        end(&name);
    }
}

/// Says what the last step was and ends this process as `kill -9` does.
fn end(name: &str) -> ! {
    // With nobody to listen there is nobody to tell.
    drop(writeln!(io::stdout(), "\nlast {name}"));
    kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
    loop {
        std::thread::park();
    }
}

/// A path without what differs from file to file: its numbers, but for the level of a run, which tells sealing from
/// merging.
fn kind_of(store: &Path, path: &Path) -> String {
    let path = path.strip_prefix(store).unwrap_or(path).to_string_lossy();
    let mut kind = String::new();
    for c in path.chars() {
        match (c.is_ascii_digit(), kind.chars().next_back()) {
            (true, Some('#')) => {}
            (true, Some('/')) if path.ends_with(".idx") || path.ends_with(".idx.tmp") => kind.push(c),
            (true, _) => kind.push('#'),
            (false, _) => kind.push(c),
        }
    }
    if kind.is_empty() { "the store".to_owned() } else { kind }
}

/// [`LocalDisk`] without waiting, with [`Steps`].
#[derive(Debug)]
pub(crate) struct KillingDisk(pub(crate) Arc<Steps>);

impl KillingDisk {
    fn file(&self, path: &Path, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(KillingFile { inner, path: path.to_path_buf(), steps: self.0.clone() })
    }
}

impl Disk for KillingDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.step("create", path, || {}, || LocalDisk.create_dir(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(path, LocalDisk.open(path)?))
    }

    fn settled(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn pipeline(&self, _: &Path, _: JournalMode) -> io::Result<Box<dyn Pipeline>> {
        Ok(Box::new(OneByOne::new(Arc::new(Self(self.0.clone())))))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.0.step("create", path, || {}, || LocalDisk.create(path))?;
        Ok(self.file(path, file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.step("rename to", to, || {}, || LocalDisk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.step("remove", path, || {}, || LocalDisk.remove(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.step("sync", path, || {}, || Ok(()))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskFile>>> {
        LocalDisk.lock(path)
    }
}

#[derive(Debug)]
struct KillingFile {
    inner: Box<dyn DiskFile>,
    path: PathBuf,
    steps: Arc<Steps>,
}

impl KillingFile {
    fn write(&self, what: &str, bytes: &[u8], offset: u64) -> io::Result<()> {
        // A write that is torn on its way out of this process is as good as none.
        let half = || drop(self.inner.write_at(&bytes[..bytes.len() / 2], offset));
        self.steps.step(what, &self.path, half, || self.inner.write_at(bytes, offset))
    }
}

impl DiskFile for KillingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write("write", bytes, offset)
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write("write durably", bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.steps.step("sync", &self.path, || {}, || Ok(()))
    }

    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }
}
