//! Recovery: reads a store's files, rebuilds the index, and tells a torn tail from damage.
//!
//! * Nothing is written here; whoever opens the store decides what to do about what was found.
//! * A frame that cannot be read is a torn tail if no later frame vouches for it, and damage if one does.
//! * Every byte in front of the tail is under a checksum that is checked here.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use factlog_core::{EventId, Position, Result, TrackingSource};
use uuid::Uuid;

use crate::checksum::{FileKind, Place};
use crate::damage::Damage;
use crate::fields::Malformed;
use crate::frame::{self, ALIGNMENT, Frame};
use crate::index::{Commit, Index};
use crate::manifest::{self, Manifest};
use crate::record::{self, ContentHash};
use crate::segment::{self, Records, Segment};
use crate::storage::{self, Disk};
use crate::verify::Progress;
use crate::wal::{self, End};

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
    /// The frame in front of it: the only one that nothing vouches for.
    pub(crate) last_frame: Option<LastFrame>,
    /// Bytes of records in the tail.
    pub(crate) tail_bytes: usize,
    /// Bytes of frames since the last sealed event.
    pub(crate) wal_bytes: u64,
    /// The head that the last frame vouches for.
    pub(crate) vouched: u64,
}

/// Where a frame lies and what it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastFrame {
    pub(crate) number: u64,
    pub(crate) offset: u64,
    pub(crate) length: usize,
    first: u64,
    events: u32,
    checksum: u64,
}

impl LastFrame {
    fn positions(&self) -> (u64, u64) {
        (self.first, self.first + u64::from(self.events) - 1)
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
    loader.index.tracking =
        manifest.tracking.iter().map(|(source, position)| (source.clone(), *position)).collect();
    loader.bytes_total = manifest.segments.iter().map(|segment| segment.bytes).sum();
    let segments = loader.segments(disk, dir, &manifest)?;
    let mut tail = Tail { vouched: manifest.sealed(), ..Tail::default() };
    loader.wal(disk, &dir.join("wal"), &manifest, &mut tail)?;
    let Loader { mut index, damage, next, .. } = loader;
    // Positions that were lost at the end are not given to others, and reading up to them says so.
    let lost = damage.iter().filter_map(Damage::lost).map(|(_, last)| last).max().unwrap_or(0);
    index.last = index.last.max(next - 1).max(lost);
    let Tail { frames, end, last_frame, tail_bytes, wal_bytes, vouched, .. } = tail;
    Ok(Recovered {
        manifest,
        segments,
        frames,
        index,
        damage,
        end,
        last_frame,
        tail_bytes,
        wal_bytes,
        vouched,
    })
}

#[derive(Default)]
struct Tail {
    frames: Vec<Arc<Records>>,
    end: Option<End>,
    last_frame: Option<LastFrame>,
    epoch: u64,
    tail_bytes: usize,
    wal_bytes: u64,
    vouched: u64,
    /// A file that is missing, until what comes after it tells which positions it held.
    missing: Option<Damage>,
}

/// Takes records in order, whatever they lie in.
struct Loader<'a> {
    store: Uuid,
    sealed: u64,
    index: Index,
    damage: Vec<Damage>,
    /// The position that must come next.
    next: u64,
    append: Option<OpenAppend>,
    /// Whether events are missing, so that revisions cannot be counted any more.
    holes: bool,
    progress: &'a mut dyn FnMut(Progress),
    bytes_done: u64,
    bytes_total: u64,
}

/// An append of which some records were seen.
struct OpenAppend {
    id: EventId,
    first: u64,
    count: u32,
    content: ContentHash,
}

impl<'a> Loader<'a> {
    fn new(store: Uuid, sealed: u64, progress: &'a mut dyn FnMut(Progress)) -> Self {
        let (index, damage) = (Index::default(), Vec::new());
        Self {
            store,
            sealed,
            index,
            damage,
            next: 1,
            append: None,
            holes: false,
            progress,
            bytes_done: 0,
            bytes_total: 0,
        }
    }

    fn advance(&mut self, bytes: u64) {
        self.bytes_done += bytes;
        self.bytes_total = self.bytes_total.max(self.bytes_done);
        (self.progress)(Progress { bytes_done: self.bytes_done, bytes_total: self.bytes_total });
    }

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
        self.append = None;
        Ok(segments)
    }

    /// Takes in the records of a block.
    fn block(&mut self, records: &Records, file: &str, problems: &mut Vec<Damage>) {
        if records.first != self.next {
            // The blocks between were damaged; the segment's scan says so.
            self.next = records.first;
            self.append = None;
            self.holes = true;
        }
        for position in records.first..=records.last() {
            let taken = records.record(position).and_then(|bytes| self.record(bytes));
            if let Err(malformed) = taken {
                problems.push(Damage::new(file, 0, (position, position), malformed.to_string()));
                self.next = position + 1;
                self.append = None;
                self.holes = true;
            }
        }
    }

    /// Takes in the next record.
    fn record(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let (recorded, boundary) = record::decode(bytes)?;
        let (position, time) = (recorded.position.get(), recorded.recorded_at.as_micros());
        if position != self.next {
            return Err(Malformed("a position is not the next one"));
        }
        if self.index.last_time().is_some_and(|last| time < last) {
            return Err(Malformed("a time is before the one in front of it"));
        }
        let revision = self.index.add(position, time, &recorded.event);
        if !self.holes && recorded.revision.is_some_and(|stored| stored.get() != revision) {
            return Err(Malformed("a revision is not the next one of its stream"));
        }
        self.next = position + 1;
        if boundary.first {
            self.append = Some(OpenAppend {
                id: recorded.event.id,
                first: position,
                count: 0,
                content: ContentHash::new(),
            });
        }
        if let Some(append) = &mut self.append {
            append.count += 1;
            append.content.add(bytes);
        }
        if boundary.last
            && let Some(OpenAppend { id, first, count, content }) = self.append.take()
        {
            self.index.add_commit(id, Commit { first, count, content: content.finish() });
        }
        Ok(())
    }

    fn lose(&mut self, damage: Damage) {
        self.append = None;
        self.holes |= damage.lost().is_some();
        self.damage.push(damage);
    }

    fn wal(&mut self, disk: &dyn Disk, dir: &Path, manifest: &Manifest, tail: &mut Tail) -> Result<()> {
        self.next = self.sealed + 1;
        for number in manifest.wal_first..=manifest.wal_last {
            let path = dir.join(wal::file_name(number));
            let file = match disk.open(&path) {
                Ok(file) => file,
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                    let file = format!("wal/{}", wal::file_name(number));
                    let what = "the write-ahead file is missing, with all it held";
                    tail.missing.get_or_insert(Damage::new(file, 0, (self.next, self.next), what));
                    continue;
                }
                Err(cause) => return Err(storage::failed("open", &path, cause)),
            };
            let failed = |cause| storage::failed("read", &path, cause);
            let length = file.length().map_err(failed)?;
            let bytes = storage::read_exact(&*file, 0, usize::try_from(length).unwrap_or(usize::MAX))
                .map_err(failed)?;
            self.bytes_total += length;
            self.wal_file(number, &bytes, tail);
            self.advance(length);
        }
        if let Some(missing) = tail.missing.take() {
            // Nothing came after it: there was at least one event in it, or there would be no such file.
            self.lose(missing);
        }
        Ok(())
    }

    /// Reads the frames of one file.
    fn wal_file(&mut self, number: u64, bytes: &[u8], tail: &mut Tail) {
        let mut offset = 0;
        let before = tail.end;
        let previous = before.map_or(0, |end| end.previous);
        tail.end = Some(End { number, offset: 0, previous });
        while let Some((at, frame)) = self.next_frame(number, bytes, offset, tail) {
            if at != offset || frame.header.first != self.next || tail.missing.is_some() {
                // A hole in front of a file's first frame is at the end of the file before.
                let place = if at == offset { before } else { None };
                let hole = place.map_or((number, offset as u64), |end| (end.number, end.offset));
                self.hole(hole, frame.header.first, tail);
            } else if let Some(last) = tail.last_frame.filter(|last| last.checksum != frame.header.previous) {
                let what = "a frame is not the one that its successor follows";
                let file = format!("wal/{}", wal::file_name(last.number));
                self.lose(Damage::new(file, last.offset, last.positions(), what));
            }
            if let Err(malformed) = self.frame(&frame, tail) {
                let lost = (frame.header.first, frame.header.first + u64::from(frame.header.events) - 1);
                let file = format!("wal/{}", wal::file_name(number));
                self.lose(Damage::new(file, at as u64, lost, malformed.to_string()));
                self.next = lost.1 + 1;
            }
            let Frame { header, length, checksum, .. } = frame;
            offset = at + length;
            (tail.epoch, tail.vouched) = (header.epoch, header.acknowledged);
            tail.wal_bytes += length as u64;
            tail.end = Some(End { number, offset: offset as u64, previous: checksum });
            let (offset, first, events) = (at as u64, header.first, header.events);
            tail.last_frame = Some(LastFrame { number, offset, length, first, events, checksum });
        }
    }

    /// Positions up to `first` were acknowledged and cannot be read.
    fn hole(&mut self, (number, offset): (u64, u64), first: u64, tail: &mut Tail) {
        let what = "a frame that was acknowledged is damaged";
        let here = Damage::new(format!("wal/{}", wal::file_name(number)), offset, (1, 0), what);
        let Damage { file, offset, what, .. } = tail.missing.take().unwrap_or(here);
        self.lose(Damage::new(file, offset, (self.next, first.saturating_sub(1)), what));
        self.next = self.next.max(first);
        tail.last_frame = None;
    }

    /// The frame at `offset`, or the next one behind it that vouches for what should have been there.
    fn next_frame<'b>(
        &self,
        number: u64,
        bytes: &'b [u8],
        offset: usize,
        tail: &Tail,
    ) -> Option<(usize, Frame<'b>)> {
        let slots = (offset..bytes.len()).step_by(ALIGNMENT);
        for at in slots {
            let place = Place { store: self.store, file: FileKind::Wal, number, offset: at as u64 };
            let Ok(frame) = frame::parse(&bytes[at..], place) else {
                continue;
            };
            let follows = frame.header.first == self.next && tail.epoch <= frame.header.epoch;
            let vouches = self.next <= frame.header.acknowledged;
            if (at == offset && follows) || vouches {
                return Some((at, frame));
            }
        }
        None
    }

    /// Takes in a frame that is whole.
    fn frame(&mut self, frame: &Frame<'_>, tail: &mut Tail) -> Result<(), Malformed> {
        let base = frame.body.as_ptr() as usize;
        let mut offsets = Vec::new();
        for append in frame::appends(frame.body)? {
            let start = append.records.as_ptr() as usize - base;
            for offset in record::offsets(append.records)? {
                self.record(
                    &append.records[offset as usize..][..record::length(&append.records[offset as usize..])?],
                )?;
                offsets.push(u32::try_from(start).map_err(|_| Malformed("a frame is too large"))? + offset);
            }
            if let Some((source, position)) = append.tracking {
                let source =
                    TrackingSource::new(source).map_err(|_| Malformed("a tracking source is too long"))?;
                let position = Position::new(position).ok_or(Malformed("a tracking position is zero"))?;
                self.index.tracking.insert(source, position);
            }
        }
        if offsets.len() != frame.header.events as usize {
            return Err(Malformed("a frame's count of events is wrong"));
        }
        if !offsets.is_empty() {
            tail.tail_bytes += frame.body.len();
            let (first, bytes) = (frame.header.first, Bytes::copy_from_slice(frame.body));
            tail.frames.push(Arc::new(Records { first, bytes, offsets }));
        }
        Ok(())
    }
}
