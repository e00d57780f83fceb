//! The write-ahead log: numbered, zero-filled files that frames are written into, one durable write per group.
//!
//! * A frame lies in one file, at a multiple of 4096, over bytes that were written before: no metadata changes.
//! * A file whose events are sealed is renamed to the next number and used again. Its old frames cannot pass for
//!   new ones, because the checksum's seed has the number.
//! * This module writes; it never reads and never cuts. After a failed write nothing here may be used again.
//!
//! [`Journal`] is the seam where another way to make a group durable would go.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_core::Result;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::checksum::{FileKind, Place};
use crate::frame::{self, ALIGNMENT, Header};
use crate::manifest::ManifestFile;
use crate::storage::{self, Disk, DiskFile};

/// Making one group after the other durable, in order.
pub(crate) trait Journal: Send {
    /// Makes sure that a frame of this many bytes can be written. On an error nothing was written: try again later.
    fn reserve(&mut self, bytes: usize) -> Result<()>;

    /// Writes the frame whose appends stand in the buffer. `Ok` means it is durable. After an error nobody knows.
    fn write(&mut self, buffer: &mut Vec<u8>, group: Group) -> io::Result<()>;

    /// Whether a beacon fits without a new file.
    fn has_room_for_beacon(&self) -> bool;

    /// The next frame begins a new file; returns that file's number.
    fn roll(&mut self) -> u64;

    /// Bytes written since the last roll.
    fn bytes_in_use(&self) -> u64;
}

/// What a frame says of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) appends: u32,
    pub(crate) first: u64,
    pub(crate) events: u32,
    pub(crate) recorded_at: i64,
    pub(crate) acknowledged: u64,
}

/// Where the next frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) number: u64,
    pub(crate) offset: u64,
    /// The checksum of the last frame.
    pub(crate) previous: u64,
}

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

/// The write-ahead log on local files.
#[derive(Debug)]
pub(crate) struct Wal {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) store: Uuid,
    pub(crate) epoch: u64,
    pub(crate) file_bytes: usize,
    pub(crate) manifest: Arc<ManifestFile>,
    pub(crate) free: FreeFiles,
    pub(crate) active: Option<ActiveFile>,
    /// Whether the next group begins a new file, though there is an active one for beacons.
    pub(crate) rolled: bool,
    pub(crate) in_use: u64,
    pub(crate) previous: u64,
}

/// The file that frames go into.
#[derive(Debug)]
pub(crate) struct ActiveFile {
    file: Box<dyn DiskFile>,
    number: u64,
    offset: u64,
    length: u64,
}

impl ActiveFile {
    /// Opens an existing file to go on at an offset.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, number: u64, offset: u64) -> Result<Self> {
        let path = dir.join(file_name(number));
        let open = || {
            let file = disk.open(&path)?;
            let length = file.length()?;
            Ok(Self { file, number, offset, length })
        };
        open().map_err(|cause| storage::failed("open", &path, cause))
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.offset + bytes as u64 <= self.length
    }
}

impl Wal {
    /// Makes the next file ready: an old one renamed, or a new one filled with zeros.
    fn next_file(&mut self, bytes: usize) -> Result<ActiveFile> {
        let number = self.manifest.current().wal_last + 1;
        let path = self.dir.join(file_name(number));
        let failed = |cause| storage::failed("prepare", &path, cause);
        if self.file_bytes < bytes || !self.reuse(&path).map_err(failed)? {
            self.create_file(&path, bytes.max(self.file_bytes)).map_err(failed)?;
        }
        self.disk.sync_dir(&self.dir).map_err(failed)?;
        self.manifest.update(|manifest| manifest.wal_last = number)?;
        ActiveFile::open(&*self.disk, &self.dir, number, 0)
    }

    /// Renames a file that is free; says whether there was one.
    fn reuse(&self, path: &Path) -> io::Result<bool> {
        loop {
            let free = self.free.lock().pop();
            let Some(old) = free else { return Ok(false) };
            assert!(old < self.manifest.current().wal_first, "only files whose events are sealed are free");
            match self.disk.rename(&self.dir.join(file_name(old)), path) {
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

    fn create_file(&self, path: &Path, bytes: usize) -> io::Result<()> {
        static ZEROS: [u8; 256 << 10] = [0; 256 << 10];
        let temporary = self.dir.join("next.tmp");
        storage::write_or_remove(&*self.disk, &temporary, |file| {
            let mut written = 0;
            while written < bytes {
                let length = ZEROS.len().min(bytes - written);
                file.write_at(&ZEROS[..length], written as u64)?;
                written += length;
            }
            file.sync()
        })?;
        self.disk.rename(&temporary, path)
    }
}

impl Journal for Wal {
    fn reserve(&mut self, bytes: usize) -> Result<()> {
        // A beacon must fit behind it, so that the last frame of a file is vouched for too.
        let bytes = bytes.next_multiple_of(ALIGNMENT) + ALIGNMENT;
        if !self.rolled && self.active.as_ref().is_some_and(|active| active.has_room(bytes)) {
            return Ok(());
        }
        self.active = Some(self.next_file(bytes)?);
        self.rolled = false;
        Ok(())
    }

    fn write(&mut self, buffer: &mut Vec<u8>, group: Group) -> io::Result<()> {
        let active = self.active.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let Group { appends, first, events, recorded_at, acknowledged } = group;
        let (epoch, previous) = (self.epoch, self.previous);
        let header = Header { appends, first, events, recorded_at, acknowledged, epoch, previous };
        let place =
            Place { store: self.store, file: FileKind::Wal, number: active.number, offset: active.offset };
        let checksum = frame::finish(buffer, &header, place);
        assert!(active.has_room(buffer.len()), "a frame is written where room was reserved");
        active.file.write_durably(buffer, active.offset)?;
        active.offset += buffer.len() as u64;
        self.in_use += buffer.len() as u64;
        self.previous = checksum;
        Ok(())
    }

    fn has_room_for_beacon(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.has_room(ALIGNMENT))
    }

    fn roll(&mut self) -> u64 {
        self.rolled = true;
        self.in_use = 0;
        self.manifest.current().wal_last + 1
    }

    fn bytes_in_use(&self) -> u64 {
        self.in_use
    }
}
