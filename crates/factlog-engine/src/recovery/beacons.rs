//! Beacons that are not whole any more, found by what stands around them.
//!
//! * A beacon's every byte is known but its epoch. So the checksum that its successor tells proves that it was there, and
//!   that nothing else was.
//! * It takes no event with it, and it is written again as it was before anything builds on the log.

use std::io;
use std::path::Path;

use factlog_core::Result;

use super::FrameAt;
use super::loader::Loader;
use super::wal::Tail;
use crate::checksum::{FileKind, Place};
use crate::damage::Damage;
use crate::frame::{self, Header};
use crate::storage::{self, ALIGNMENT, Buffer, Disk};
use crate::wal_files;

/// In so many epochs a beacon is looked for.
const EPOCHS_MAX: usize = 1024;

/// Where a beacon was, and what it was.
#[derive(Debug)]
pub(crate) struct LostBeacon {
    number: u64,
    offset: u64,
    bytes: Buffer,
}

impl LostBeacon {
    pub(super) fn note(&self) -> Damage {
        let what = "a beacon is damaged; what stands around it is whole";
        Damage::new(wal_files::relative_path(self.number), self.offset, (1, 0), what)
    }

    /// Writes it again. The same bytes go to the same place, so being interrupted is no harm.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<()> {
        let path = dir.join("wal").join(wal_files::file_name(self.number));
        match disk.open(&path).and_then(|file| file.write_durably(&self.bytes, self.offset)) {
            // All that it held is the beacon.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(|cause| storage::failed("write a beacon again to", &path, cause)),
        }
    }
}

impl Loader<'_> {
    /// The beacon that a frame in this file followed, if that is not whole. It stood behind the last frame that is, or
    /// alone in a file that was begun for a group that was refused.
    pub(super) fn lost_beacon(&self, number: u64, header: &Header, tail: &Tail) -> Option<LostBeacon> {
        let last = tail.unvouched.last().filter(|last| last.checksum != header.previous)?;
        if header.first != self.next {
            return None;
        }
        let behind = (last.number, last.offset + last.length as u64);
        let fronts = (last.number + 1..=number).map(|number| (number, 0));
        let mut bytes = Buffer::with_capacity(ALIGNMENT);
        let mut places = std::iter::once(behind).chain(fronts);
        let (number, offset) = places.find(|&at| self.is_beacon_at(at, last, header, &mut bytes))?;
        Some(LostBeacon { number, offset, bytes })
    }

    /// Whether the frame before `next` was a beacon at this place, which `bytes` then is.
    fn is_beacon_at(
        &self,
        (number, offset): (u64, u64),
        last: &FrameAt,
        next: &Header,
        bytes: &mut Buffer,
    ) -> bool {
        let place = Place { store: self.store, file: FileKind::Wal, number, offset };
        let vouched = (next.first - 1, last.recorded_at);
        (last.epoch..=next.epoch)
            .take(EPOCHS_MAX)
            .any(|epoch| frame::beacon(vouched, (epoch, last.checksum), place, bytes) == next.previous)
    }
}
