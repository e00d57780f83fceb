//! What each call does to the disk, what of it is done when it fails, and the power.
//!
//! * Space: every byte of a length counts, of files that have a name or are open. What does not fit is written short or
//!   not at all. A full disk takes no new name.
//! * While the power is off every call fails. What was open when it failed stays unusable when it is back.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use fastrand::Rng;
use fuser::Errno;

use super::content::{Content, LENGTH_MAX, index};
use super::faults::{Call, Faults, Site};
use super::loss::{self, Loss};
use super::names::Directory;
use super::tree::{Id, Kind, Tree};

/// A machine's disk, with what is open on it.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) tree: Tree,
    pub(super) faults: Faults,
    pub(super) capacity: Option<u64>,
    pub(super) rng: Rng,
    handles: BTreeMap<u64, Handle>,
    next_handle: u64,
    /// Whether the power is on.
    pub(super) on: bool,
    /// So many calls that change something are made before the power fails, and what it leaves.
    pub(super) fuse: Option<(u64, Loss)>,
    /// How many calls there were.
    pub(super) calls: BTreeMap<Call, u64>,
    /// What was not durable when the power failed last.
    pub(super) risk: Risk,
    /// The calls that were refused for lack of space.
    pub(super) full: BTreeMap<Site, u64>,
}

/// How much was done and not durable: of files, and of directories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Risk {
    pub(crate) changes: usize,
    pub(crate) operations: usize,
}

/// Something open.
#[derive(Clone, Debug)]
struct Handle {
    id: Id,
    /// What a directory held when it was opened.
    listing: Vec<(OsString, Id)>,
}

impl Machine {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            tree: Tree::new(),
            faults: Faults::default(),
            capacity: None,
            rng: Rng::with_seed(seed),
            handles: BTreeMap::new(),
            next_handle: 1,
            on: true,
            fuse: None,
            calls: BTreeMap::new(),
            risk: Risk::default(),
            full: BTreeMap::new(),
        }
    }

    /// The power fails.
    pub(super) fn cut(&mut self, loss: Loss) {
        self.on = false;
        self.fuse = None;
        self.handles.clear();
        self.risk = self.tree.risk();
        self.tree.lose_power(loss, &mut self.rng);
    }

    pub(super) fn free(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.tree.used()))
    }

    /// Remembers where it was full.
    fn is_full(&mut self, call: Call, place: String) -> Errno {
        *self.full.entry((call, place)).or_default() += 1;
        Errno::ENOSPC
    }

    /// Counts a call; `Ok(Some(...))` if it is to fail but may have done something.
    fn begin(&mut self, call: Call, place: String) -> Result<Option<Errno>, Errno> {
        if let Some((left, loss)) = self.fuse
            && call.changes()
        {
            match left.checked_sub(1) {
                Some(left) => self.fuse = Some((left, loss)),
                None => self.cut(loss),
            }
        }
        if !self.on {
            return Err(Errno::EIO);
        }
        *self.calls.entry(call).or_default() += 1;
        Ok(self.faults.strike(call, place))
    }

    /// A call that is done or not: one that is to fail may be done all the same.
    fn run<T>(
        &mut self,
        (call, place): (Call, String),
        act: impl FnOnce(&mut Self) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        match self.begin(call, place)? {
            None => act(self),
            Some(errno) => {
                if call.changes() && self.rng.bool() {
                    act(self)?;
                }
                Err(errno)
            }
        }
    }

    /// What is asked about a name or a number without a fault of its own.
    pub(super) fn look<T>(&mut self, act: impl FnOnce(&mut Tree) -> Result<T, Errno>) -> Result<T, Errno> {
        if self.on { act(&mut self.tree) } else { Err(Errno::EIO) }
    }

    /// What a handle is of, if it was opened since the power is on.
    pub(super) fn opened(&self, handle: u64) -> Result<Id, Errno> {
        self.handles.get(&handle).map(|handle| handle.id).ok_or(Errno::EIO)
    }

    pub(super) fn open(&mut self, id: Id) -> Result<u64, Errno> {
        let place = self.tree.place(id);
        self.run((Call::Open, place), |machine| {
            machine.tree.file(id)?;
            Ok(machine.hold(id, Vec::new()))
        })
    }

    pub(super) fn open_directory(&mut self, id: Id) -> Result<u64, Errno> {
        let place = self.tree.place(id);
        self.run((Call::List, place), |machine| {
            let listing = machine.tree.list(id)?;
            Ok(machine.hold(id, listing))
        })
    }

    fn hold(&mut self, id: Id, listing: Vec<(OsString, Id)>) -> u64 {
        let handle = self.next_handle;
        self.next_handle += 1;
        self.handles.insert(handle, Handle { id, listing });
        self.tree.opened(id);
        handle
    }

    pub(super) fn close(&mut self, handle: u64) {
        if let Some(handle) = self.handles.remove(&handle) {
            self.tree.closed(handle.id);
        }
    }

    pub(super) fn listing(&self, handle: u64) -> Result<&[(OsString, Id)], Errno> {
        self.handles.get(&handle).map(|handle| handle.listing.as_slice()).ok_or(Errno::EIO)
    }

    pub(super) fn create(&mut self, parent: Id, name: &OsStr) -> Result<(Id, u64), Errno> {
        self.run((Call::Create, self.tree.place_of(parent, name)), |machine| {
            let id = machine.add(parent, name, Kind::File(Content::default()))?;
            Ok((id, machine.hold(id, Vec::new())))
        })
    }

    pub(super) fn make_directory(&mut self, parent: Id, name: &OsStr) -> Result<Id, Errno> {
        self.run((Call::MakeDirectory, self.tree.place_of(parent, name)), |machine| {
            machine.add(parent, name, Kind::Directory(Directory::default()))
        })
    }

    fn add(&mut self, parent: Id, name: &OsStr, kind: Kind) -> Result<Id, Errno> {
        if self.free() == 0 {
            return Err(self.is_full(Call::Create, self.tree.place_of(parent, name)));
        }
        self.tree.add(parent, name, kind)
    }

    pub(super) fn remove(&mut self, parent: Id, name: &OsStr, wants_directory: bool) -> Result<(), Errno> {
        self.run((Call::Remove, self.tree.place_of(parent, name)), |machine| {
            machine.tree.remove(parent, name, wants_directory)
        })
    }

    pub(super) fn rename(&mut self, parent: Id, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        self.run((Call::Rename, self.tree.place_of(parent, to)), |machine| {
            machine.tree.rename(parent, from, to)
        })
    }

    pub(super) fn read(&mut self, handle: u64, offset: u64, length: u64) -> Result<&[u8], Errno> {
        let id = self.opened(handle)?;
        self.run((Call::Read, self.tree.place(id)), |_| Ok(()))?;
        Ok(self.tree.file(id)?.read(offset, length))
    }

    /// Writes what fits; says how much that was.
    pub(super) fn write(
        &mut self,
        handle: u64,
        bytes: &[u8],
        offset: u64,
        durably: bool,
    ) -> Result<usize, Errno> {
        let id = self.opened(handle)?;
        let call = if durably { Call::WriteDurably } else { Call::Write };
        let failing = self.begin(call, self.tree.place(id))?;
        let free = self.free();
        let content = self.tree.file(id)?;
        let most = content.length().saturating_add(free).min(LENGTH_MAX);
        let fitting = index(most.saturating_sub(offset)).min(bytes.len());
        if fitting == 0 && !bytes.is_empty() {
            return Err(self.is_full(call, self.tree.place(id)));
        }
        let bytes = &bytes[..fitting];
        let parts = match failing {
            None => vec![(offset, bytes)],
            Some(_) => loss::torn(bytes, offset, &mut self.rng),
        };
        let content = self.tree.file(id)?;
        for (offset, bytes) in parts {
            if durably { content.write_durably(bytes, offset) } else { content.write(bytes, offset) }
        }
        failing.map_or(Ok(fitting), Err)
    }

    pub(super) fn resize(&mut self, id: Id, length: u64) -> Result<(), Errno> {
        self.run((Call::Resize, self.tree.place(id)), |machine| {
            let free = machine.free();
            let content = machine.tree.file(id)?;
            if free < length.saturating_sub(content.length()) {
                return Err(machine.is_full(Call::Resize, machine.tree.place(id)));
            }
            if LENGTH_MAX < length {
                return Err(Errno::EFBIG);
            }
            content.resize(length);
            Ok(())
        })
    }

    /// A sync that fails has done all, some or nothing of it, and takes the rest for written.
    pub(super) fn sync(&mut self, handle: u64) -> Result<(), Errno> {
        let id = self.opened(handle)?;
        if self.tree.directory(id).is_ok() {
            return self.sync_directory(handle);
        }
        let failing = self.begin(Call::Sync, self.tree.place(id))?;
        let content = self.tree.file(id)?;
        match failing.map(|_| self.rng.u8(..3)) {
            None | Some(0) => content.sync(),
            Some(1) => content.pending.clear(),
            Some(_) => content.forget_some(&mut self.rng),
        }
        failing.map_or(Ok(()), Err)
    }

    /// One that fails has made the first few names durable.
    pub(super) fn sync_directory(&mut self, handle: u64) -> Result<(), Errno> {
        let id = self.opened(handle)?;
        let failing = self.begin(Call::SyncDirectory, self.tree.place(id))?;
        let directory = self.tree.directory(id)?;
        let count = directory.pending.len();
        directory.sync(if failing.is_some() { self.rng.usize(..=count) } else { count });
        self.tree.sweep();
        failing.map_or(Ok(()), Err)
    }
}

impl Call {
    /// Whether it changes what is on the disk, now or after a loss of power.
    fn changes(self) -> bool {
        match self {
            Self::Open | Self::Read | Self::List => false,
            Self::Create
            | Self::Write
            | Self::WriteDurably
            | Self::Resize
            | Self::Sync
            | Self::SyncDirectory
            | Self::Rename
            | Self::Remove
            | Self::MakeDirectory => true,
        }
    }
}
