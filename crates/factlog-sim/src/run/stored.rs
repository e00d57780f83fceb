//! What a store's files hold, read from their bytes by `docs/format.md` and nothing else: so that harm can be judged by
//! what it hit without asking the engine.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

use super::world::DIR;

const SLOT: usize = 4096;
/// The manifest's two copies.
pub(super) const MANIFESTS: [&str; 2] = ["MANIFEST.0", "MANIFEST.1"];

/// Files and their bytes.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The parts of a store that is whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    store: Option<[u8; 16]>,
    /// First and last position of each segment that the newest manifest names, or that follows those whole.
    pub(super) segments: Vec<(u64, u64)>,
    /// The frames that make up the rest of the log, in order.
    pub(super) frames: Vec<Frame>,
    /// The index runs that no larger one covers, by path.
    pub(super) runs: Vec<PathBuf>,
}

/// A frame of the write-ahead log.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) file: PathBuf,
    pub(super) place: Range<u64>,
    pub(super) first: u64,
    /// One less than the first of a beacon.
    pub(super) last: u64,
    pub(super) acknowledged: u64,
    epoch: u64,
}

impl Stored {
    /// Reads files that are as they were written.
    pub(super) fn of(files: &Files) -> Self {
        let store = files.get(&Path::new(DIR).join("STORE")).and_then(|bytes| bytes.get(8..24));
        let copies = MANIFESTS.map(|name| Path::new(DIR).join(name));
        let Some(store) = store else { return Self::default() };
        // One of them may have been gone on without.
        let copies = copies.iter().filter_map(|copy| files.get(copy)).filter(|bytes| is_whole(bytes, store));
        let Some(manifest) = copies.max_by_key(|bytes| u64_at(bytes, 24)) else { return Self::default() };
        let count = u32_at(manifest, 56).unwrap_or(0) as usize;
        let segment = |at: usize| Some((u64_at(manifest, 64 + at * 40)?, u64_at(manifest, 72 + at * 40)?));
        let segments: Vec<_> = (0..count).filter_map(segment).collect();
        let store_id = store.try_into().expect("sixteen bytes");
        let mut found = Self { store: Some(store_id), segments, ..Self::default() };
        found.adopt(files);
        let (first, last) = (u64_at(manifest, 40).unwrap_or(1), u64_at(manifest, 48).unwrap_or(0));
        found.read_frames(files, store, first..=last);
        found.runs = runs(files, &found.segments);
        found
    }

    /// Whether this is a whole manifest of the store that this file may have, be it the newest or not.
    pub(super) fn is_copy(&self, path: &Path, bytes: &[u8]) -> bool {
        let name = u64_at(bytes, 24).map(|sequence| MANIFESTS[usize::from(sequence % 2 != 0)]);
        name.is_some_and(|name| path.ends_with(name))
            && self.store.is_some_and(|store| is_whole(bytes, &store))
    }

    /// Whether there is no store yet.
    pub(super) fn is_empty(&self) -> bool {
        self.store.is_none()
    }

    /// The last sealed position, 0 for none.
    pub(super) fn sealed(&self) -> u64 {
        self.segments.last().map_or(0, |(_, last)| *last)
    }

    /// Takes in the segments that were written before a manifest named them.
    fn adopt(&mut self, files: &Files) {
        loop {
            let first = self.sealed() + 1;
            let bytes = files.get(&segment_path(first)).map_or(&[][..], Vec::as_slice);
            let Some(footer) = bytes.len().checked_sub(SLOT).map(|at| &bytes[at..]) else { return };
            let is_whole =
                u64_at(footer, 32) == Some(first) && u64_at(footer, 104) == Some(bytes.len() as u64);
            match u64_at(footer, 40).filter(|_| is_whole) {
                Some(last) => self.segments.push((first, last)),
                None => return,
            }
        }
    }

    fn read_frames(&mut self, files: &Files, store: &[u8], numbers: std::ops::RangeInclusive<u64>) {
        let (sealed, mut epoch) = (self.sealed(), 0);
        let mut next = sealed + 1;
        for number in numbers {
            let file = Path::new(DIR).join(format!("wal/{number:08}"));
            let Some(bytes) = files.get(&file) else { continue };
            let mut offset = 0;
            // Where there was a beacon that is none any more, or a frame that is sealed, the log goes on behind it.
            let slots = |from: usize| (from..bytes.len()).step_by(SLOT);
            while let Some(frame) = slots(offset).find_map(|at| frame(&file, bytes, at, (store, number))) {
                let is_sealed = frame.last <= sealed && next == sealed + 1;
                let is_near =
                    frame.place.start <= (offset + SLOT) as u64 || frame.acknowledged + 1 == frame.first;
                if frame.epoch < epoch || !(is_sealed || frame.first == next && is_near) {
                    break;
                }
                next = next.max(frame.last + 1);
                (epoch, offset) = (frame.epoch, frame.place.end as usize);
                self.frames.push(frame);
            }
        }
    }
}

/// Whether a copy of the manifest ends with its checksum.
fn is_whole(bytes: &[u8], store: &[u8]) -> bool {
    let end = bytes.len().saturating_sub(8);
    u64_at(bytes, end) == Some(xxh3_64_with_seed(&bytes[..end], xxh3_64(store)))
}

/// The frame at this offset, if it is whole.
fn frame(file: &Path, bytes: &[u8], offset: usize, (store, number): (&[u8], u64)) -> Option<Frame> {
    let bytes = bytes.get(offset..).filter(|bytes| bytes.starts_with(b"FLF1"))?;
    let length = u32_at(bytes, 4)? as usize;
    if length == 0 || !length.is_multiple_of(SLOT) {
        return None;
    }
    let bytes = bytes.get(..length)?;
    let mut place = store.to_vec();
    for part in [1, number, offset as u64] {
        place.extend_from_slice(&part.to_le_bytes());
    }
    let mut hash = Xxh3::with_seed(xxh3_64(&place));
    hash.update(&bytes[..64]);
    hash.update(&[0; 8]);
    hash.update(&bytes[72..]);
    if u64_at(bytes, 64)? != hash.digest() {
        return None;
    }
    let (first, events) = (u64_at(bytes, 16)?, u32_at(bytes, 24)?);
    Some(Frame {
        file: file.to_path_buf(),
        place: offset as u64..(offset + length) as u64,
        first,
        last: first + u64::from(events) - 1,
        acknowledged: u64_at(bytes, 40)?,
        epoch: u64_at(bytes, 48)?,
    })
}

/// The runs over whole segments that no larger one covers.
fn runs(files: &Files, segments: &[(u64, u64)]) -> Vec<PathBuf> {
    let mut named: Vec<_> = files.keys().filter_map(|path| Some((range_of(path)?, path))).collect();
    named.sort_by_key(|((first, last), _)| (*first, std::cmp::Reverse(*last)));
    let mut next = 1;
    let mut found = Vec::new();
    for ((first, last), path) in named {
        let begins = segments.iter().any(|segment| segment.0 == first);
        let ends = segments.iter().any(|segment| segment.1 == last);
        if next <= first && begins && ends {
            next = last + 1;
            found.push(path.clone());
        }
    }
    found
}

/// The positions that an index file's name says.
fn range_of(path: &Path) -> Option<(u64, u64)> {
    if path.parent()? != Path::new(DIR).join("index") {
        return None;
    }
    let name = path.file_name()?.to_str()?.strip_suffix(".idx")?;
    let mut parts = name.split('-').skip(1).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// The path of a segment's file.
pub(super) fn segment_path(first: u64) -> PathBuf {
    Path::new(DIR).join(format!("segments/{first:020}.log"))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes")))
}
