//! The manifest: which sealed segments and write-ahead files make up the store, kept in two copies.
//!
//! ```text
//!  0  8   magic "FLMANIF1"           48  u64  last write-ahead file
//!  8  16  store id                   56  u32  segments, u32 tracking sources
//! 24  u64 sequence                   64  segments: u64 first position, u64 last position, u64 bytes, i64 first and
//! 32  u64 epoch                          i64 last time recorded, each
//! 40  u64 first write-ahead file         tracking: u64 position, u16 length, source each
//!                                        optional sections
//!                                        u64 checksum of everything before it, seeded with the store id
//! ```
//! A change replaces the copy with the smaller sequence (`MANIFEST.0` or `MANIFEST.1`), so that the other one still
//! tells the state in front of the change. What a lost newest copy knew is found again in the segments and
//! write-ahead files, which describe themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_core::{Position, Result, TrackingSource};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::checksum::{push_trailer, seed_of, trailer_holds};
use crate::damage::Damage;
use crate::fields::{Fields, Malformed};
use crate::storage::{self, Disk};

/// The two copies.
pub(crate) const FILES: [&str; 2] = ["MANIFEST.0", "MANIFEST.1"];
const MAGIC: [u8; 8] = *b"FLMANIF1";
/// More write-ahead files are never in use at once: what is in them is in memory too.
const FILES_MAX: u64 = 1 << 20;
/// No disk has as many, and some are added up.
const BYTES_MAX: u64 = 1 << 62;

/// The state of the files. Write-ahead files below `wal_first` are free to be used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) store: Uuid,
    /// Grows by one with every change.
    pub(crate) sequence: u64,
    pub(crate) epoch: u64,
    pub(crate) wal_first: u64,
    pub(crate) wal_last: u64,
    pub(crate) segments: Vec<SegmentEntry>,
    /// Tracking as of the last sealed event. Shared: there may be many sources, and few changes are about them.
    pub(crate) tracking: Arc<BTreeMap<TrackingSource, Position>>,
    /// Sections of later programs, which are kept as they are.
    pub(crate) sections: Vec<u8>,
}

/// One sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentEntry {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) bytes: u64,
    /// When its first and its last event were recorded, µs since 1970.
    pub(crate) first_recorded_at: i64,
    pub(crate) last_recorded_at: i64,
}

impl Manifest {
    /// A store without events.
    pub(crate) fn empty(store: Uuid) -> Self {
        let (segments, tracking, sections) = Default::default();
        Self { store, sequence: 0, epoch: 0, wal_first: 1, wal_last: 0, segments, tracking, sections }
    }

    /// The last position in sealed segments, 0 without any.
    pub(crate) fn sealed(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.last)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.segments.len() * 40);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(self.store.as_bytes());
        for number in [self.sequence, self.epoch, self.wal_first, self.wal_last] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for count in [self.segments.len(), self.tracking.len()] {
            out.extend_from_slice(&u32::try_from(count).expect("far fewer than 2^32").to_le_bytes());
        }
        for segment in &self.segments {
            for number in [segment.first, segment.last, segment.bytes] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(&segment.first_recorded_at.to_le_bytes());
            out.extend_from_slice(&segment.last_recorded_at.to_le_bytes());
        }
        push_tracking(&mut out, &self.tracking);
        out.extend_from_slice(&self.sections);
        push_trailer(seed_of(self.store), &mut out);
        out
    }

    pub(crate) fn decode(bytes: &[u8], store: Uuid) -> Result<Self, Malformed> {
        if !trailer_holds(seed_of(store), bytes) && !planted!(ManifestUnchecked) {
            return Err(Malformed("its checksum is wrong"));
        }
        let mut fields = Fields::new(&bytes[..bytes.len() - 8]);
        if fields.array()? != MAGIC || fields.array()? != *store.as_bytes() {
            return Err(Malformed("it is not this store's manifest"));
        }
        let (sequence, epoch) = (fields.u64()?, fields.u64()?);
        let (wal_first, wal_last) = (fields.u64()?, fields.u64()?);
        let (segment_count, tracking_count) = (fields.u32()?, fields.u32()?);
        let mut segments = Vec::new();
        for _ in 0..segment_count {
            let (first, last, bytes) = (fields.u64()?, fields.u64()?, fields.u64()?);
            let (first_recorded_at, last_recorded_at) = (fields.i64()?, fields.i64()?);
            segments.push(SegmentEntry { first, last, bytes, first_recorded_at, last_recorded_at });
        }
        let tracking = Arc::new(parse_tracking(&mut fields, tracking_count)?);
        let sections = fields.sections()?.to_vec();
        let manifest = Self { store, sequence, epoch, wal_first, wal_last, segments, tracking, sections };
        if !manifest.has_bounds() {
            return Err(Malformed("its numbers are out of their bounds"));
        }
        if manifest.is_consistent() { Ok(manifest) } else { Err(Malformed("its segments are not in order")) }
    }

    /// Whether a next sequence, epoch and file can follow, files can be looked for one by one, and bytes be added up.
    fn has_bounds(&self) -> bool {
        let files = self.wal_last.saturating_sub(self.wal_first);
        let last = self.sequence.max(self.epoch).max(self.wal_first).max(self.wal_last);
        let bytes = self.segments.iter().try_fold(0_u64, |sum, segment| sum.checked_add(segment.bytes));
        last < u64::MAX && files < FILES_MAX && bytes.is_some_and(|bytes| bytes < BYTES_MAX)
    }

    /// Whether segments follow each other without a gap.
    fn is_consistent(&self) -> bool {
        let mut next = 1;
        self.segments.iter().all(|segment| {
            let follows = segment.first == next && segment.first <= segment.last && segment.last < u64::MAX;
            next = segment.last.saturating_add(1);
            follows
        })
    }
}

/// Appends position, length and name of each source, as segments have them too.
pub(crate) fn push_tracking(out: &mut Vec<u8>, tracking: &BTreeMap<TrackingSource, Position>) {
    for (source, position) in tracking {
        let length = u16::try_from(source.as_str().len()).expect("a validated source");
        out.extend_from_slice(&position.get().to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(source.as_str().as_bytes());
    }
}

/// Reads so many sources, which are in order.
pub(crate) fn parse_tracking(
    fields: &mut Fields<'_>,
    count: u32,
) -> Result<BTreeMap<TrackingSource, Position>, Malformed> {
    let mut tracking = BTreeMap::new();
    for _ in 0..count {
        let position = Position::new(fields.u64()?).ok_or(Malformed("a tracking position is zero"))?;
        let length = fields.u16()?;
        let source = TrackingSource::new(fields.text(length.into())?)
            .map_err(|_| Malformed("a tracking source is out of its bounds"))?;
        if tracking.last_key_value().is_some_and(|(last, _)| source <= *last) {
            return Err(Malformed("tracking sources are not in order"));
        }
        tracking.insert(source, position);
    }
    Ok(tracking)
}

/// The manifest on disk: the one way to change it.
#[derive(Debug)]
pub(crate) struct ManifestFile {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    current: Mutex<Manifest>,
}

impl ManifestFile {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, current: Manifest) -> Self {
        Self { disk, dir, current: Mutex::new(current) }
    }

    /// Changes the manifest; `Ok` means the change is durable. On an error the old one holds in memory, and
    /// either on disk: both describe the same events.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        let mut current = self.current.lock();
        let mut next = current.clone();
        change(&mut next);
        next.sequence += 1;
        write(&*self.disk, &self.dir, &next)?;
        *current = next;
        Ok(())
    }

    /// The manifest as it is. It may wait for a change that is being written.
    pub(crate) fn current(&self) -> Manifest {
        self.current.lock().clone()
    }
}

/// The copy that a change of this sequence replaces.
fn file_of(sequence: u64) -> &'static str {
    FILES[usize::from(sequence % 2 == 1 && !planted!(ManifestHasOneCopy))]
}

/// Replaces the older copy.
pub(crate) fn write(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<()> {
    let name = file_of(manifest.sequence);
    storage::replace(disk, dir, name, &manifest.encode())
        .map_err(|cause| storage::failed("write", &dir.join(name), cause))
}

/// The newest copy that is whole, and what is wrong with the other one.
///
/// # Errors
/// What keeps both from being read but that they are missing or damaged: then the manifest is empty, and both are
/// named.
pub(crate) fn read(disk: &dyn Disk, dir: &Path, store: Uuid) -> Result<(Manifest, Vec<Damage>)> {
    let mut newest: Option<Manifest> = None;
    let mut problems = Vec::new();
    for name in FILES {
        let path = dir.join(name);
        let problem = match storage::read_whole(disk, &path) {
            Ok(bytes) => match Manifest::decode(&bytes, store) {
                Ok(found) if name != file_of(found.sequence) => "it is the other copy".to_owned(),
                Ok(found) => {
                    if newest.as_ref().is_none_or(|known| known.sequence < found.sequence) {
                        newest = Some(found);
                    }
                    continue;
                }
                Err(malformed) => malformed.to_string(),
            },
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => "the file is missing".to_owned(),
            Err(cause) if storage::is_lost(&cause) => cause.to_string(),
            Err(cause) => return Err(storage::failed("read", &path, cause)),
        };
        problems.push(Damage::new(name, 0, (1, 0), problem));
    }
    Ok((newest.unwrap_or_else(|| Manifest::empty(store)), problems))
}
