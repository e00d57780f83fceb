//! Which write-ahead files are in use, where the manifest may be older than they are.
//!
//! A file's first frame tells which positions it begins with: files in front of one that begins in the sealed log, or
//! right behind it, are not needed any more.

use std::path::Path;

use factlog_core::Result;

use crate::checksum::{FileKind, Place};
use crate::frame::{self, Header};
use crate::manifest::Manifest;
use crate::storage::{self, Disk};
use crate::wal_files;

/// Counts in files behind the last one that the manifest names which begin with a frame of their number: a newer
/// copy knew them. A file that was only made ready has none. With segments that a newer copy knew (`more_sealed`),
/// files whose events are sealed are let go: they may be used again already, or removed.
pub(super) fn adopt(disk: &dyn Disk, dir: &Path, manifest: &mut Manifest, more_sealed: bool) -> Result<()> {
    let names = disk.list(dir).map_err(|cause| storage::failed("list", dir, cause))?;
    let from = if more_sealed { manifest.wal_first } else { manifest.wal_last.saturating_add(1) };
    let (named, next) = (manifest.wal_last, manifest.sealed() + 1);
    let numbers = names.iter().filter_map(|name| wal_files::number_of(name));
    for number in numbers.filter(|&number| from <= number) {
        let Some(header) = first_frame(disk, &dir.join(wal_files::file_name(number)), manifest, number)?
        else {
            continue;
        };
        manifest.epoch = manifest.epoch.max(header.epoch);
        if named < number {
            manifest.wal_last = manifest.wal_last.max(number);
        }
        if more_sealed && header.first <= next {
            manifest.wal_first = manifest.wal_first.max(number);
        }
    }
    Ok(())
}

/// The head of the frame that a file begins with, if it is whole.
fn first_frame(disk: &dyn Disk, path: &Path, manifest: &Manifest, number: u64) -> Result<Option<Header>> {
    let failed = |cause| storage::failed("read", path, cause);
    let bytes = disk.open(path).and_then(|file| storage::read_what_can_be(&*file)).map_err(failed)?;
    let place = Place { store: manifest.store, file: FileKind::Wal, number, offset: 0 };
    Ok(frame::parse(&bytes, place).ok().map(|frame| frame.header))
}
