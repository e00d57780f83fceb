//! Recovery: puts a store's state together from its files, and tells a torn tail from damage.
//!
//! * Nothing is written here; whoever opens the store decides what to do about what was found.
//! * Only the manifest, the footers of index runs and the write-ahead files are read: the work does not grow with
//!   the log. Sealed data is checked when it is read, and by `verify`.
//! * What the newest copy of the manifest knew, and a lost copy does not, is found again: a whole segment that
//!   continues the sealed log belongs to it, and so does a write-ahead file whose frames continue it.
//! * A frame that cannot be read is a torn tail if no later frame vouches for it, and damage if one does. Several
//!   frames are written at once, so whole ones may stand behind a torn one: they were never acknowledged and are cut
//!   off with it. Their epoch keeps them from ever following what is written next, be it sealed by now or not.

mod beacons;
mod files;
mod index;
mod loader;
mod sealed;
mod wal;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_core::{Position, Result, TrackingSource};

use crate::checksum::{FileKind, Place};
use crate::damage::Damage;
use crate::frame;
use crate::identity;
use crate::manifest::{self, Manifest};
use crate::run::Pages;
use crate::storage::Disk;
use crate::tail::Inserter;
use crate::verify::Progress;
use crate::view::View;
use crate::wal::End;
pub(crate) use beacons::LostBeacon;
use loader::Loader;
use uuid::Uuid;
use wal::Tail;

/// A store as its files tell it.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) manifest: Manifest,
    pub(crate) view: View,
    /// The view's last generation, to go on with.
    pub(crate) active: Inserter,
    /// The last position, those that were lost at the end counted in.
    pub(crate) head: u64,
    pub(crate) last_time: Option<i64>,
    pub(crate) tracking: HashMap<TrackingSource, Position>,
    /// What took events away, or makes writing unsafe.
    pub(crate) damage: Vec<Damage>,
    /// What takes nothing away: it is mended from the rest of the store.
    pub(crate) notes: Vec<Damage>,
    /// Index files that are not needed, or not whole.
    pub(crate) useless_runs: Vec<PathBuf>,
    /// Where writing goes on; `None` while there is no write-ahead file.
    pub(crate) end: Option<End>,
    /// The frames in front of it that nothing vouches for, in order: those that were under way together, or the last.
    pub(crate) unvouched: Vec<FrameAt>,
    /// Beacons in front of it to be written again.
    pub(crate) beacons: Vec<LostBeacon>,
    /// Write-ahead files behind it that never had a frame, in order.
    pub(crate) ready: Vec<u64>,
    /// Bytes of frames since the last sealed event.
    pub(crate) wal_bytes: u64,
    /// The head that the last frame vouches for.
    pub(crate) vouched: u64,
}

/// Where a frame lies and what it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameAt {
    pub(crate) number: u64,
    pub(crate) offset: u64,
    pub(crate) length: usize,
    first: u64,
    events: u32,
    checksum: u64,
    epoch: u64,
    recorded_at: i64,
}

impl FrameAt {
    /// Whether these bytes are still those that were found.
    pub(crate) fn is_same(&self, store: Uuid, bytes: &[u8]) -> bool {
        let place = Place { store, file: FileKind::Wal, number: self.number, offset: self.offset };
        frame::parse(bytes, place).is_ok_and(|frame| frame.checksum == self.checksum)
    }

    fn positions(&self) -> (u64, u64) {
        (self.first, self.first + u64::from(self.events) - 1)
    }

    /// Whether a frame that stands behind it says that it is durable. Nothing is ever written while a beacon is.
    fn is_vouched_for(&self, acknowledged: u64) -> bool {
        self.events == 0 || self.positions().1 <= acknowledged
    }
}

/// Puts the state together.
///
/// # Errors
/// What keeps the store from being read at all: no permission, a manifest that cannot be put together again.
pub(crate) fn load(
    disk: &dyn Disk,
    dir: &Path,
    pages: &Arc<Pages>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Recovered> {
    let store = identity::read(disk, dir)?;
    let (mut manifest, mut notes) = manifest::read(disk, dir, store)?;
    let named = manifest.segments.len();
    sealed::adopt(disk, dir, &mut manifest, &mut notes)?;
    let more_sealed = named < manifest.segments.len();
    files::adopt(disk, &dir.join("wal"), &mut manifest, more_sealed)?;
    let (segments, mut damage) = sealed::segments(disk, dir, &manifest)?;
    let index = index::load(disk, dir, store, &segments, pages)?;
    notes.extend(index.notes);
    let mut loader = Loader::new(store, &manifest, progress);
    let mut tail = Tail::behind(manifest.sealed());
    loader.wal(disk, &dir.join("wal"), &manifest, &mut tail)?;
    damage.append(&mut loader.damage);
    notes.extend(tail.beacons.iter().map(LostBeacon::note));
    manifest.epoch = manifest.epoch.max(loader.newest_epoch);
    // Positions that were lost at the end are not given to others, and reading up to them says so.
    let lost = damage.iter().filter_map(Damage::lost).map(|(_, last)| last).max().unwrap_or(0);
    let head = lost.max(loader.next - 1);
    let last_time =
        loader.last_time.or_else(|| manifest.segments.last().map(|segment| segment.last_recorded_at));
    let generations = vec![loader.tail.generation().clone()];
    let view = View { segments: Arc::new(segments), slots: index.slots, generations };
    Ok(Recovered {
        view,
        active: loader.tail,
        head,
        last_time,
        tracking: loader.tracking,
        damage,
        notes,
        useless_runs: index.useless,
        end: tail.end,
        unvouched: tail.unvouched,
        beacons: tail.beacons,
        ready: tail.ready,
        wal_bytes: tail.wal_bytes,
        vouched: tail.vouched,
        manifest,
    })
}
