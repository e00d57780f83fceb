//! What the system says of a directory: its file system, its owner, how full it is, who has a lock in it.
//!
//! Nothing here changes a file that is there. Measuring writes into a file that has no name any more.

mod latency;
mod limits;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FlockOperation, StatVfsMountFlags};
use rustix::io::Errno;

pub(crate) use latency::{Latencies, Stopwatch, direct_writes, latencies};
pub(crate) use limits::{memory_limit, open_files_limit};

/// A file system and how full it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileSystem {
    /// What `statfs` calls the kind of file system by.
    pub(crate) magic: u32,
    pub(crate) read_only: bool,
    pub(crate) bytes: u64,
    /// Bytes that an ordinary user can still write.
    pub(crate) free_bytes: u64,
    /// Files there can be; 0 where the file system has no such bound.
    pub(crate) files: u64,
    pub(crate) free_files: u64,
}

/// Whose a directory is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) mode: u32,
    /// The user that this process acts as.
    pub(crate) ours: u32,
    pub(crate) writable: bool,
}

/// Whether somebody holds a lock.
#[derive(Debug)]
pub(crate) enum Held {
    /// Nobody, and nobody can while this lives.
    No(#[expect(dead_code, reason = "it is kept, not read")] File),
    Yes,
    /// There is no such file.
    Missing,
}

/// The path itself if it exists, else the nearest directory above it that does.
pub(crate) fn nearest(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|path| !path.as_os_str().is_empty() && path.exists());
    found.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Whether the path is a directory.
pub(crate) fn is_directory(path: &Path) -> bool {
    path.is_dir()
}

/// The file system that a path lies on.
pub(crate) fn file_system(path: &Path) -> io::Result<FileSystem> {
    let space = rustix::fs::statvfs(path)?;
    let kind = rustix::fs::statfs(path)?;
    Ok(FileSystem {
        // Magics have 32 bits, whatever the type of the field on this machine.
        magic: kind.f_type as u32,
        read_only: space.f_flag.contains(StatVfsMountFlags::RDONLY),
        bytes: space.f_blocks.saturating_mul(space.f_frsize),
        free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        files: space.f_files,
        free_files: space.f_favail,
    })
}

/// Whose a directory is, and whether this process may change it.
pub(crate) fn owner(path: &Path) -> io::Result<Owner> {
    let metadata = fs::metadata(path)?;
    let writable = rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let ours = rustix::process::geteuid().as_raw();
    Ok(Owner { user: metadata.uid(), mode: metadata.mode() & 0o7777, ours, writable })
}

/// The names in a directory and how many bytes each has. What is removed meanwhile is left out.
pub(crate) fn sizes(dir: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) => found.push((entry.file_name().to_string_lossy().into_owned(), metadata.len())),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(cause),
        }
    }
    found.sort();
    Ok(found)
}

/// Shares the lock of a file that exists, if nobody has it for himself.
pub(crate) fn share_lock(path: &Path) -> io::Result<Held> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Held::Missing),
        Err(cause) => return Err(cause),
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Held::No(file)),
        Err(Errno::WOULDBLOCK) => Ok(Held::Yes),
        Err(other) => Err(other.into()),
    }
}
