//! Recovery: reads a store's files, rebuilds the index, and tells a torn tail from damage.
//!
//! * Nothing is written here; whoever opens the store decides what to do about what was found.
//! * A frame that cannot be read is a torn tail if no later frame vouches for it, and damage if one does. Several
//!   frames are written at once, so whole ones may stand behind a torn one: they were never acknowledged and are cut
//!   off with it. Their epoch keeps them from ever following what is written next.
//! * Every byte in front of the tail is under a checksum that is checked here.

mod loader;
mod wal;

use std::path::Path;
use std::sync::Arc;

use factlog_core::Result;

use crate::damage::Damage;
use crate::index::Index;
use crate::manifest::{self, Manifest};
use crate::records::Records;
use crate::segment::{self, Segment};
use crate::storage::{self, Disk};
use crate::verify::Progress;
use crate::wal::End;
use loader::Loader;
use wal::Tail;

/// A store as its files tell it.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) manifest: Manifest,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) frames: Vec<Arc<Records>>,
    pub(crate) index: Index,
    pub(crate) damage: Vec<Damage>,
    /// Where writing goes on; `None` while there is no write-ahead file.
    pub(crate) end: Option<End>,
    /// The frames in front of it that nothing vouches for, in order: those that were under way together, or the last.
    pub(crate) unvouched: Vec<FrameAt>,
    /// Write-ahead files behind it that never had a frame, in order.
    pub(crate) ready: Vec<u64>,
    /// Bytes of records in the tail.
    pub(crate) tail_bytes: usize,
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
}

impl FrameAt {
    fn positions(&self) -> (u64, u64) {
        (self.first, self.first + u64::from(self.events) - 1)
    }

    /// Whether a frame that stands behind it says that it is durable. Nothing is ever written while a beacon is.
    fn is_vouched_for(&self, acknowledged: u64) -> bool {
        self.events == 0 || self.positions().1 <= acknowledged
    }
}

/// Reads everything.
///
/// # Errors
/// What keeps the store from being read at all: no permission, a damaged manifest.
pub(crate) fn load(disk: &dyn Disk, dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Recovered> {
    let store = manifest::read_store(disk, dir)?;
    let manifest = manifest::read(disk, dir, store)?;
    let mut loader = Loader::new(store, manifest.sealed(), progress);
    loader.newest_epoch = manifest.epoch;
    loader.index.tracking =
        manifest.tracking.iter().map(|(source, position)| (source.clone(), *position)).collect();
    loader.bytes_total = manifest.segments.iter().map(|segment| segment.bytes).sum();
    let segments = loader.segments(disk, dir, &manifest)?;
    let mut tail = Tail::behind(manifest.sealed());
    loader.wal(disk, &dir.join("wal"), &manifest, &mut tail)?;
    let Loader { mut index, damage, next, .. } = loader;
    // Positions that were lost at the end are not given to others, and reading up to them says so.
    let lost = damage.iter().filter_map(Damage::lost).map(|(_, last)| last).max().unwrap_or(0);
    index.last = index.last.max(next - 1).max(lost);
    let Tail { frames, end, unvouched, ready, tail_bytes, wal_bytes, vouched, .. } = tail;
    Ok(Recovered {
        manifest,
        segments,
        frames,
        index,
        damage,
        end,
        unvouched,
        ready,
        tail_bytes,
        wal_bytes,
        vouched,
    })
}

impl Loader<'_> {
    fn segments(&mut self, disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<Vec<Arc<Segment>>> {
        let mut segments = Vec::new();
        for entry in &manifest.segments {
            let name = segment::file_name(entry.first);
            let relative = format!("segments/{name}");
            let path = dir.join("segments").join(&name);
            match disk.open(&path) {
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                    self.lose(Damage::new(relative, 0, (entry.first, entry.last), "the file is missing"));
                }
                Err(cause) => return Err(storage::failed("open", &path, cause)),
                Ok(file) => {
                    let mut problems = Vec::new();
                    let store = self.store;
                    let mut visit = |records: &Records| {
                        self.block(records, &relative, &mut problems);
                        self.advance(records.bytes.len() as u64);
                    };
                    let (segment, damage) = segment::scan(store, &*file, entry, &mut visit)?;
                    damage.into_iter().chain(problems).for_each(|damage| self.lose(damage));
                    segments.push(Arc::new(segment));
                }
            }
            self.next = entry.last + 1;
        }
        self.break_off();
        Ok(segments)
    }
}
