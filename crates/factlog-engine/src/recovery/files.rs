//! Which write-ahead files are in use, where the manifest may be older than they are.
//!
//! A file's first frame tells which positions it begins with: files in front of one that begins in the sealed log, or
//! right behind it, are not needed any more. But a file may hold nothing but what was cut off: its epoch is an earlier one
//! than that of what was written instead.

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
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| wal_files::number_of(name)).collect();
    numbers.retain(|&number| from <= number);
    numbers.sort_unstable();
    let mut newest_epoch = 0;
    for number in numbers {
        let path = dir.join(wal_files::file_name(number));
        let failed = |cause| storage::failed("read", &path, cause);
        let read = disk.open(&path).and_then(|file| storage::read_what_can_be(&*file));
        let (bytes, unreadable) = read.map_err(failed)?;
        let frames: Vec<Header> = whole_frames(&bytes, manifest.store, number).collect();
        // What cannot be read may have been a frame.
        if named < number && (!frames.is_empty() || unreadable.is_some()) {
            manifest.wal_last = manifest.wal_last.max(number);
        }
        // Those in front of it may be damaged.
        let Some(header) = frames.first() else { continue };
        let was_cut_off = header.epoch < newest_epoch && !planted!(AnyEpochFollows);
        newest_epoch = frames.iter().map(|header| header.epoch).fold(newest_epoch, u64::max);
        if more_sealed && header.first <= next && !was_cut_off {
            manifest.wal_first = manifest.wal_first.max(number);
        }
    }
    manifest.epoch = manifest.epoch.max(newest_epoch);
    Ok(())
}

/// The heads of all whole frames in a file, those that were cut off too.
fn whole_frames(bytes: &[u8], store: Uuid, number: u64) -> impl Iterator<Item = Header> {
    (0..bytes.len()).step_by(ALIGNMENT).filter_map(move |at| {
        let place = Place { store, file: FileKind::Wal, number, offset: at as u64 };
        frame::parse(&bytes[at..], place).ok().map(|frame| frame.header)
    })
}
