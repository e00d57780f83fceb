//! Which write-ahead files are in use, where the manifest may be older than they are.

use std::path::Path;

use factlog_core::Result;

use crate::checksum::{FileKind, Place};
use crate::frame;
use crate::manifest::Manifest;
use crate::storage::{self, Disk};
use crate::wal_files;

/// Counts in files behind the last one that the manifest names which begin with a frame of their number: a newer
/// copy knew them. A file that was only made ready has none.
pub(super) fn adopt(disk: &dyn Disk, dir: &Path, manifest: &mut Manifest) -> Result<()> {
    let names = disk.list(dir).map_err(|cause| storage::failed("list", dir, cause))?;
    let numbers = names.iter().filter_map(|name| wal_files::number_of(name));
    let mut last = manifest.wal_last;
    for number in numbers.filter(|&number| manifest.wal_last < number) {
        let path = dir.join(wal_files::file_name(number));
        let bytes =
            storage::read_whole(disk, &path).map_err(|cause| storage::failed("read", &path, cause))?;
        let place = Place { store: manifest.store, file: FileKind::Wal, number, offset: 0 };
        if frame::parse(&bytes, place).is_ok() {
            last = last.max(number);
        }
    }
    manifest.wal_last = last;
    Ok(())
}
