//! The disk as a process sees it, with calls that go wrong.
//!
//! * A mount belongs to one life of its machine, and so does everything opened through it.
//! * A handle that is dropped gives its lock back and lets go of its file, unless its life is over.

use std::io;
use std::path::Path;

use bytes::Bytes;
use factlog_engine::JournalMode;
use factlog_engine::simulation::{Disk, DiskFile, Pipeline};

use super::errno;
use super::faults::{Call, Effect};
use super::judge::{How, draw};
use super::machine::{Machine, Shared, Subject};
use super::pipeline::SimPipeline;
use super::trace::digest;
use super::tree::Id;

/// A simulated disk for one process, until that is killed.
#[derive(Debug)]
pub struct Mount {
    shared: Shared,
    life: u64,
}

impl Mount {
    pub(super) fn new(shared: Shared, life: u64) -> Self {
        Self { shared, life }
    }

    fn open(&self, path: &Path, settled: bool) -> io::Result<Box<dyn DiskFile>> {
        let subject = Subject::new(path);
        let mut machine = self.shared.machine();
        let id = machine.run(self.life, Call::Open, &subject, [u64::from(settled), 0], |machine, _| {
            let id = machine.tree.find_file(path)?;
            if settled {
                machine.settle(id);
            }
            Ok(id)
        })?;
        Ok(self.file(&mut machine, id, subject, false))
    }

    fn file(&self, machine: &mut Machine, id: Id, subject: Subject, is_lock: bool) -> Box<dyn DiskFile> {
        machine.tree.opened(id);
        Box::new(SimFile { shared: self.shared.clone(), life: self.life, id, subject, is_lock })
    }
}

impl Disk for Mount {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.shared.machine();
        machine.run(self.life, Call::CreateDir, &Subject::new(path), [0; 2], |machine, how| {
            let most = if how == &How::Failing(Effect::Part) { machine.rng.usize(..2) } else { usize::MAX };
            machine.tree.create_dir(path, most)
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut machine = self.shared.machine();
        machine.run(self.life, Call::List, &Subject::new(path), [0; 2], |machine, _| {
            let id = machine.tree.find(path)?;
            let mut names: Vec<_> = machine.tree.directory(id)?.current.keys().cloned().collect();
            machine.rng.shuffle(&mut names);
            Ok(names)
        })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path, false)
    }

    fn settled(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path, true)
    }

    fn pipeline(&self, dir: &Path, mode: JournalMode) -> io::Result<Box<dyn Pipeline>> {
        let mut machine = self.shared.machine();
        machine.run(self.life, Call::Open, &Subject::new(dir), [2, 0], |machine, _| {
            let id = machine.tree.find(dir)?;
            machine.tree.directory(id).map(|_| ())
        })?;
        drop(machine);
        Ok(Box::new(SimPipeline::new(self.shared.clone(), self.life, mode)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let subject = Subject::new(path);
        let mut machine = self.shared.machine();
        let id = machine.run(self.life, Call::Create, &subject, [0; 2], |machine, _| {
            let is_full = machine.free() == 0;
            if is_full && machine.tree.find(path).is_err() {
                machine.tree.find_parent(path)?;
                return Err(errno::error(errno::FULL));
            }
            let (id, made) = machine.tree.find_or_create(path)?;
            if !made {
                machine.tree.file_mut(id)?.empty();
            }
            Ok(id)
        })?;
        Ok(self.file(&mut machine, id, subject, false))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.shared.machine();
        let from_hash = digest(from.as_os_str().as_encoded_bytes());
        machine.run(self.life, Call::Rename, &Subject::new(to), [0, from_hash], |machine, how| {
            if how.is_skipped(machine) { Ok(()) } else { machine.tree.rename(from, to) }
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.shared.machine();
        machine.run(self.life, Call::Remove, &Subject::new(path), [0; 2], |machine, how| {
            if how.is_skipped(machine) { Ok(()) } else { machine.tree.remove(path) }
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.shared.machine();
        machine.run(self.life, Call::SyncDir, &Subject::new(path), [0; 2], |machine, how| {
            let id = machine.tree.find(path)?;
            if let Ok(content) = machine.tree.file_mut(id) {
                content.sync();
                return Ok(());
            }
            let directory = machine.tree.directory_mut(id)?;
            let count = directory.pending.len();
            let half = how == &How::Failing(Effect::Part);
            directory.sync(if half { machine.rng.usize(..=count) } else { count });
            machine.tree.sweep();
            Ok(())
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskFile>>> {
        let subject = Subject::new(path);
        let mut machine = self.shared.machine();
        let id = machine.run(self.life, Call::Lock, &subject, [0; 2], |machine, _| {
            let (id, _) = machine.tree.find_or_create(path)?;
            Ok(if machine.locks.contains(&id) { None } else { Some(id) })
        })?;
        let Some(id) = id else { return Ok(None) };
        machine.locks.insert(id);
        Ok(Some(self.file(&mut machine, id, subject, true)))
    }
}

impl How {
    /// Whether what can only be done or not done is not done.
    fn is_skipped(&self, machine: &mut Machine) -> bool {
        *self == Self::Failing(Effect::Part) && machine.rng.bool()
    }
}

/// An open file of a simulated disk.
#[derive(Debug)]
struct SimFile {
    shared: Shared,
    life: u64,
    id: Id,
    subject: Subject,
    /// Whether it holds the lock of its file.
    is_lock: bool,
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut machine = self.shared.machine();
        let numbers = [offset, buffer.len() as u64];
        let mut count = 0;
        machine.run(self.life, Call::Read, &self.subject, numbers, |machine, how| {
            machine.rot(self.id, offset, buffer.len())?;
            count = machine.tree.file(self.id)?.read(buffer, offset)?;
            if how == &How::Short && 0 < count {
                count = machine.rng.usize(..count);
            }
            Ok(digest(&buffer[..count]))
        })?;
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let bytes = Bytes::copy_from_slice(bytes);
        let numbers = [offset, digest(&bytes)];
        self.shared.machine().run(self.life, Call::Write, &self.subject, numbers, |machine, how| {
            machine.write(self.id, &bytes, offset, how)
        })
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let bytes = Bytes::copy_from_slice(bytes);
        let numbers = [offset, digest(&bytes)];
        self.shared.machine().run(self.life, Call::WriteDurably, &self.subject, numbers, |machine, how| {
            machine.write_durably(self.id, &bytes, offset, how)
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.shared.machine().run(self.life, Call::Sync, &self.subject, [0; 2], |machine, how| {
            let content = machine.tree.file_mut(self.id)?;
            match how {
                How::Failing(Effect::Part) => content.forget_some(&mut machine.rng),
                How::Failing(Effect::Dropped) => content.forget(),
                How::Well | How::Short | How::Stale | How::Misdirected(_) | How::Failing(_) => content.sync(),
            }
            Ok(())
        })
    }

    fn length(&self) -> io::Result<u64> {
        self.shared.machine().run(self.life, Call::Length, &self.subject, [0; 2], |machine, _| {
            Ok(machine.tree.file(self.id)?.length())
        })
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut machine = self.shared.machine();
        if machine.is_alive(self.life) {
            if self.is_lock {
                machine.locks.remove(&self.id);
            }
            machine.tree.closed(self.id);
        }
    }
}

impl Machine {
    /// Now and then a bit turns in what is about to be read.
    fn rot(&mut self, id: Id, offset: u64, length: usize) -> io::Result<()> {
        if draw(self.faults.odds.rot, &mut self.rng) {
            let content = self.tree.file_mut(id)?;
            let end = content.length().min(offset + length as u64);
            if offset < end {
                self.faults.fired += 1;
                content.turn_bit(self.rng.u64(offset..end), self.rng.u8(..8));
            }
        }
        Ok(())
    }
}
