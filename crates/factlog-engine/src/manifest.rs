//! The manifest: which sealed segments and write-ahead files make up the store, replaced atomically.
//!
//! ```text
//!  0  8   magic "FLMANIF1"           40  u64  last write-ahead file
//!  8  16  store id                   48  u32  segments, u32 tracking sources
//! 24  u64 epoch                      56  segments: u64 first position, u64 last position, u64 bytes each
//! 32  u64 first write-ahead file         tracking: u64 position, u16 length, source each
//!                                        u64 checksum of everything before it, seeded with the store id
//! ```
//! The file `STORE` beside it is `"FLSTORE1"`, the store id, `u64` creation time in µs, `u64` checksum.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_core::{Error, Position, Result, Timestamp, TrackingSource};
use parking_lot::Mutex;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::checksum::{push_trailer, trailer_holds};
use crate::fields::{Fields, Malformed};
use crate::storage::{self, Disk};

pub(crate) const FILE: &str = "MANIFEST";
const MAGIC: [u8; 8] = *b"FLMANIF1";
const STORE_FILE: &str = "STORE";
const STORE_MAGIC: [u8; 8] = *b"FLSTORE1";

/// The state of the files. Write-ahead files below `wal_first` are free to be used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) store: Uuid,
    pub(crate) epoch: u64,
    pub(crate) wal_first: u64,
    pub(crate) wal_last: u64,
    pub(crate) segments: Vec<SegmentEntry>,
    /// Tracking as of the last sealed event.
    pub(crate) tracking: BTreeMap<TrackingSource, Position>,
}

/// One sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentEntry {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) bytes: u64,
}

impl Manifest {
    /// A store without events.
    pub(crate) fn empty(store: Uuid) -> Self {
        Self { store, epoch: 0, wal_first: 1, wal_last: 0, segments: Vec::new(), tracking: BTreeMap::new() }
    }

    /// The last position in sealed segments, 0 without any.
    pub(crate) fn sealed(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.last)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(self.store.as_bytes());
        for number in [self.epoch, self.wal_first, self.wal_last] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for count in [self.segments.len(), self.tracking.len()] {
            out.extend_from_slice(&u32::try_from(count).expect("far fewer than 2^32").to_le_bytes());
        }
        for segment in &self.segments {
            for number in [segment.first, segment.last, segment.bytes] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        for (source, position) in &self.tracking {
            out.extend_from_slice(&position.get().to_le_bytes());
            out.extend_from_slice(
                &u16::try_from(source.as_str().len()).expect("a validated source").to_le_bytes(),
            );
            out.extend_from_slice(source.as_str().as_bytes());
        }
        push_trailer(seed(self.store), &mut out);
        out
    }

    pub(crate) fn decode(bytes: &[u8], store: Uuid) -> Result<Self, Malformed> {
        if !trailer_holds(seed(store), bytes) {
            return Err(Malformed("its checksum is wrong"));
        }
        let mut fields = Fields::new(&bytes[..bytes.len() - 8]);
        if fields.array()? != MAGIC || fields.array()? != *store.as_bytes() {
            return Err(Malformed("it is not this store's manifest"));
        }
        let (epoch, wal_first, wal_last) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (segment_count, tracking_count) = (fields.u32()?, fields.u32()?);
        let mut segments = Vec::new();
        for _ in 0..segment_count {
            segments.push(SegmentEntry { first: fields.u64()?, last: fields.u64()?, bytes: fields.u64()? });
        }
        let mut tracking = BTreeMap::new();
        for _ in 0..tracking_count {
            let position = Position::new(fields.u64()?).ok_or(Malformed("a tracking position is zero"))?;
            let length = fields.u16()?;
            let source = TrackingSource::new(fields.text(length.into())?)
                .map_err(|_| Malformed("a source is empty"))?;
            tracking.insert(source, position);
        }
        fields.end()?;
        Ok(Self { store, epoch, wal_first, wal_last, segments, tracking })
    }
}

fn seed(store: Uuid) -> u64 {
    xxh3_64(store.as_bytes())
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
        storage::replace(&*self.disk, &self.dir, FILE, &next.encode())
            .map_err(|cause| storage::failed("write", &self.dir.join(FILE), cause))?;
        *current = next;
        Ok(())
    }

    /// The manifest as it is.
    pub(crate) fn current(&self) -> Manifest {
        self.current.lock().clone()
    }
}

/// Reads the manifest of a store.
pub(crate) fn read(disk: &dyn Disk, dir: &Path, store: Uuid) -> Result<Manifest> {
    let path = dir.join(FILE);
    let bytes = read_whole(disk, &path)?;
    Manifest::decode(&bytes, store).map_err(|malformed| {
        let path = path.display();
        Error::corrupt(format!("{path} is damaged: {malformed}; restore it from a copy of this store"))
    })
}

/// Writes the file that makes a directory a store.
pub(crate) fn create_store(disk: &dyn Disk, dir: &Path, store: Uuid, created: Timestamp) -> Result<()> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&STORE_MAGIC);
    bytes.extend_from_slice(store.as_bytes());
    bytes.extend_from_slice(&created.as_micros().to_le_bytes());
    push_trailer(0, &mut bytes);
    storage::replace(disk, dir, STORE_FILE, &bytes)
        .map_err(|cause| storage::failed("write", &dir.join(STORE_FILE), cause))
}

/// Whether the directory is a store.
pub(crate) fn is_store(names: &[String]) -> bool {
    names.iter().any(|name| name == STORE_FILE)
}

/// Reads the store's id.
pub(crate) fn read_store(disk: &dyn Disk, dir: &Path) -> Result<Uuid> {
    let path = dir.join(STORE_FILE);
    let bytes = read_whole(disk, &path)?;
    let mut fields = Fields::new(&bytes);
    match (trailer_holds(0, &bytes), fields.array(), fields.array()) {
        (true, Ok(STORE_MAGIC), Ok(id)) => Ok(Uuid::from_bytes(id)),
        _ => {
            let path = path.display();
            Err(Error::corrupt(format!("{path} is damaged, or of a version this program does not know")))
        }
    }
}

fn read_whole(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>> {
    let read = || {
        let file = disk.open(path)?;
        let length = usize::try_from(file.length()?).unwrap_or(usize::MAX);
        storage::read_exact(&*file, 0, length)
    };
    read().map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => {
            let path = path.display();
            Error::corrupt(format!("{path} is missing; restore it from a copy of this store")).because(cause)
        }
        _ => storage::failed("read", path, cause),
    })
}
