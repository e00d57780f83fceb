//! The disk as the kernel asks for it.
//!
//! * Nothing is cached in the kernel: every read and write comes here at once (`FOPEN_DIRECT_IO`), and names and
//!   lengths are asked for anew each time. So what is not here was never written.
//! * A durable write (`O_DSYNC`, `O_SYNC`, or `RWF_DSYNC` of one write) comes as a write that says so in its flags; the
//!   kernel sends no sync behind it. A test holds it to that.
//! * Locks (`flock`) are the kernel's own: it gives them back when the last who has the file open is gone.
//! * Files cannot be mapped into memory. The engine does not.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use parking_lot::Mutex;
use rustix::fs::OFlags;

use super::machine::Machine;
use super::tree::{Id, Kind, Tree};

/// For how long the kernel may believe what it was told.
const NOT_AT_ALL: Duration = Duration::ZERO;
const BLOCK: u32 = 4096;
const PLENTY: u64 = 1 << 40; // What a disk without a bound says it has.

/// The disk for the kernel.
#[derive(Debug)]
pub(super) struct Device(pub(super) Arc<Mutex<Machine>>);

impl Device {
    fn attributes(&self, id: Id) -> Result<FileAttr, Errno> {
        self.0.lock().look(|tree| attributes(tree, id))
    }
}

fn attributes(tree: &Tree, id: Id) -> Result<FileAttr, Errno> {
    let (kind, size, perm) = match tree.kind(id)? {
        Kind::File(content) => (FileType::RegularFile, content.length(), 0o644),
        Kind::Directory(_) => (FileType::Directory, 0, 0o755),
    };
    let never = SystemTime::UNIX_EPOCH;
    Ok(FileAttr {
        ino: INodeNo(id),
        size,
        blocks: size.div_ceil(512),
        atime: never,
        mtime: never,
        ctime: never,
        crtime: never,
        kind,
        perm,
        nlink: 1,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        rdev: 0,
        blksize: BLOCK,
        flags: 0,
    })
}

fn done(result: Result<(), Errno>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

fn opened(result: Result<u64, Errno>, reply: ReplyOpen) {
    match result {
        Ok(handle) => reply.opened(FileHandle(handle), direct()),
        Err(errno) => reply.error(errno),
    }
}

fn entry(result: Result<FileAttr, Errno>, reply: ReplyEntry) {
    match result {
        Ok(attributes) => reply.entry(&NOT_AT_ALL, &attributes, Generation(0)),
        Err(errno) => reply.error(errno),
    }
}

fn attribute(result: Result<FileAttr, Errno>, reply: ReplyAttr) {
    match result {
        Ok(attributes) => reply.attr(&NOT_AT_ALL, &attributes),
        Err(errno) => reply.error(errno),
    }
}

fn direct() -> FopenFlags {
    FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES
}

impl Filesystem for Device {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.0.lock().look(|tree| {
            let id = tree.find(parent.0, name)?;
            attributes(tree, id)
        });
        entry(found, reply);
    }

    fn getattr(&self, _: &Request, id: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        attribute(self.attributes(id.0), reply);
    }

    fn setattr(
        &self,
        _: &Request,
        id: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        // Owner, mode and times are as they are.
        let resized = size.map_or(Ok(()), |size| self.0.lock().resize(id.0, size));
        attribute(resized.and_then(|()| self.attributes(id.0)), reply);
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let made = self.0.lock().make_directory(parent.0, name);
        entry(made.and_then(|id| self.attributes(id)), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.0.lock().remove(parent.0, name, false), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.0.lock().remove(parent.0, name, true), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        other: INodeNo,
        to: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let result = match (parent == other, flags.is_empty()) {
            (false, _) => Err(Errno::EXDEV),
            (true, false) => Err(Errno::EINVAL),
            (true, true) => self.0.lock().rename(parent.0, name, to),
        };
        done(result, reply);
    }

    fn open(&self, _: &Request, id: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        opened(self.0.lock().open(id.0), reply);
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        let made = self.0.lock().create(parent.0, name);
        match made.and_then(|(id, handle)| Ok((self.attributes(id)?, handle))) {
            Ok((attributes, handle)) => {
                reply.created(&NOT_AT_ALL, &attributes, Generation(0), FileHandle(handle), direct());
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.0.lock().read(handle.0, offset, size.into()) {
            Ok(bytes) => reply.data(bytes),
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        // `O_SYNC` contains it.
        let durably = flags.0 & OFlags::DSYNC.bits().cast_signed() != 0;
        match self.0.lock().write(handle.0, data, offset, durably) {
            Ok(written) => reply.written(u32::try_from(written).expect("a request is small")),
            Err(errno) => reply.error(errno),
        }
    }

    /// Closing makes nothing durable.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.0.lock().close(handle.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, handle: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.0.lock().sync(handle.0), reply);
    }

    fn opendir(&self, _: &Request, id: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.0.lock().open_directory(id.0) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let machine = self.0.lock();
        let listing = match machine.listing(handle.0) {
            Ok(listing) => listing,
            Err(errno) => return reply.error(errno),
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (at, (name, id)) in listing.iter().enumerate().skip(from) {
            let kind = match machine.tree.kind(*id) {
                Ok(Kind::Directory(_)) => FileType::Directory,
                Ok(Kind::File(_)) | Err(_) => FileType::RegularFile,
            };
            if reply.add(INodeNo(*id), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.0.lock().close(handle.0);
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.0.lock().sync_directory(handle.0), reply);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let machine = self.0.lock();
        let blocks = |bytes: u64| bytes / u64::from(BLOCK);
        let (all, free) = (machine.capacity.unwrap_or(PLENTY), machine.free().min(PLENTY));
        reply.statfs(blocks(all), blocks(free), blocks(free), 0, 0, BLOCK, 255, BLOCK);
    }

    fn fallocate(
        &self,
        _: &Request,
        id: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let mut machine = self.0.lock();
        let end = offset.saturating_add(length);
        let result = match machine.look(|tree| Ok(tree.file(id.0)?.length())) {
            Ok(_) if mode != 0 => Err(Errno::EOPNOTSUPP),
            Ok(long) if long < end => machine.resize(id.0, end),
            Ok(_) => Ok(()),
            Err(errno) => Err(errno),
        };
        done(result, reply);
    }
}
