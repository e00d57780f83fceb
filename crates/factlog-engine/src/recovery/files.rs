//! Which write-ahead files are in use, where the manifest may be older than they are.
//!
//! A file's first frame tells which positions it begins with: files in front of one that begins in the sealed log, or
//! right behind it, are not needed any more.

use std::path::Path;

use factlog_core::Result;
use uuid::Uuid;

use crate::checksum::{FileKind, Place};
use crate::frame::{self, ALIGNMENT, Header};
use crate::manifest::Manifest;
use crate::storage::{self, Disk};
use crate::wal_files;

/// Counts in files behind the last one that the manifest names which have a frame of their number: a newer copy knew
/// them. A file that was only made ready has none. With segments that a newer copy knew (`more_sealed`),
/// files whose events are sealed are let go: they may be used again already, or removed.
pub(super) fn adopt(disk: &dyn Disk, dir: &Path, manifest: &mut Manifest, more_sealed: bool) -> Result<()> {
    let names = disk.list(dir).map_err(|cause| storage::failed("list", dir, cause))?;
    let from = if more_sealed { manifest.wal_first } else { manifest.wal_last.saturating_add(1) };
    let (named, next) = (manifest.wal_last, manifest.sealed() + 1);
    let numbers = names.iter().filter_map(|name| wal_files::number_of(name));
    for number in numbers.filter(|&number| from <= number) {
        let path = dir.join(wal_files::file_name(number));
        let failed = |cause| storage::failed("read", &path, cause);
        let read = disk.open(&path).and_then(|file| storage::read_what_can_be(&*file));
        let (bytes, unreadable) = read.map_err(failed)?;
        let header = first_frame(&bytes, manifest.store, number);
        // What cannot be read may have been a frame.
        if named < number && (header.is_some() || unreadable.is_some()) {
            manifest.wal_last = manifest.wal_last.max(number);
        }
        let Some(header) = header else { continue };
        manifest.epoch = manifest.epoch.max(header.epoch);
        if more_sealed && header.first <= next {
            manifest.wal_first = manifest.wal_first.max(number);
        }
    }
    Ok(())
}

/// The head of a file's first whole frame: those in front of it may be damaged.
fn first_frame(bytes: &[u8], store: Uuid, number: u64) -> Option<Header> {
    (0..bytes.len()).step_by(ALIGNMENT).find_map(|at| {
        let place = Place { store, file: FileKind::Wal, number, offset: at as u64 };
        frame::parse(&bytes[at..], place).ok().map(|frame| frame.header)
    })
}
