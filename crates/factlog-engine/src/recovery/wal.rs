//! Reading the write-ahead files: frame by frame, across holes, to the end of the log.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use factlog_core::{Position, Result, Timestamp, TrackingSource};

use super::FrameAt;
use super::beacons::LostBeacon;
use super::loader::Loader;
use crate::checksum::{FileKind, Place};
use crate::damage::Damage;
use crate::fields::Malformed;
use crate::frame::{self, ALIGNMENT, Frame, Header};
use crate::manifest::Manifest;
use crate::record;
use crate::records::Records;
use crate::storage::{self, Disk};
use crate::wal::End;
use crate::wal_files;

/// What the write-ahead files hold.
#[derive(Default)]
pub(super) struct Tail {
    pub(super) end: Option<End>,
    last_frame: Option<FrameAt>,
    pub(super) unvouched: Vec<FrameAt>,
    /// Those that stood in front of a frame and are not whole.
    pub(super) beacons: Vec<LostBeacon>,
    pub(super) ready: Vec<u64>,
    epoch: u64,
    pub(super) wal_bytes: u64,
    pub(super) vouched: u64,
    /// Where the last bytes end that the disk cannot read: the file, and the offset in it.
    unreadable: Option<(u64, u64)>,
    /// A file that is missing, until what comes after it tells which positions it held.
    missing: Option<Damage>,
    /// Where a frame that is not whole seems to stand at the next position, until a whole one is found behind it.
    torn: Option<(u64, u64)>,
}

impl Tail {
    /// A tail that begins behind the last sealed position.
    pub(super) fn behind(sealed: u64) -> Self {
        Self { vouched: sealed, ..Self::default() }
    }

    /// Counts a frame among those that nothing vouches for, and those that it vouches for no longer. Frames whose
    /// events are sealed count as well: what is written next stands behind them.
    fn add(&mut self, (number, at): (u64, usize), frame: &Frame<'_>) -> FrameAt {
        let Header { first, events, acknowledged, .. } = frame.header;
        let Header { epoch, recorded_at, .. } = frame.header;
        let (offset, length, checksum) = (at as u64, frame.length, frame.checksum);
        let found = FrameAt { number, offset, length, first, events, checksum, epoch, recorded_at };
        self.unvouched.retain(|before| !before.is_vouched_for(acknowledged));
        self.unvouched.push(found);
        found
    }
}

impl Loader<'_> {
    pub(super) fn wal(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        manifest: &Manifest,
        tail: &mut Tail,
    ) -> Result<()> {
        self.next = self.sealed + 1;
        for number in manifest.wal_first..=manifest.wal_last {
            let path = dir.join(wal_files::file_name(number));
            let file = match disk.settled(&path) {
                Ok(file) => file,
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                    let file = wal_files::relative_path(number);
                    let what = "the write-ahead file is missing, with all it held";
                    tail.missing.get_or_insert(Damage::new(file, 0, (self.next, self.next), what));
                    continue;
                }
                Err(cause) => return Err(storage::failed("open", &path, cause)),
            };
            let failed = |cause| storage::failed("read", &path, cause);
            let length = file.length().map_err(failed)?;
            // What the disk cannot read is zeros, and judged like any other damage where something stands behind it.
            let (bytes, unreadable) = storage::read_what_can_be(&*file).map_err(failed)?;
            tail.unreadable = unreadable.map(|behind| (number, behind as u64)).or(tail.unreadable);
            self.bytes_total += length;
            self.wal_file(number, &bytes, tail);
            self.advance(length);
        }
        if let Some(missing) = tail.missing.take() {
            // Nothing came after it. It may have held events, so the position it would have begun with is lost.
            self.lose(missing);
        }
        let end = tail.end.map_or((0, 0), |end| (end.number, end.offset));
        if let Some((number, behind)) = tail.unreadable.filter(|unreadable| end < *unreadable) {
            // It may have been written and acknowledged, and nothing would be left to tell.
            let what = "the disk cannot read what stands at the end of the log or behind it";
            let offset = behind.saturating_sub(ALIGNMENT as u64);
            self.lose(Damage::new(wal_files::relative_path(number), offset, (self.next, self.next), what));
        }
        Ok(())
    }

    /// Reads the frames of one file.
    fn wal_file(&mut self, number: u64, bytes: &[u8], tail: &mut Tail) {
        let mut offset = 0;
        let before = tail.end;
        if tail.end.is_none() {
            tail.end = Some(End { number, offset: 0, previous: 0 });
        } else if bytes
            .chunks(ALIGNMENT)
            .any(|slot| frame::claims(slot).is_some_and(|first| self.next <= first))
        {
            // What was cut off stands here, or goes on here.
            tail.ready.clear();
        } else {
            tail.ready.push(number);
        }
        while let Some(frame) = self.sealed_frame(number, bytes, offset) {
            let at = offset;
            offset += frame.length;
            tail.end = Some(End { number, offset: offset as u64, previous: frame.checksum });
            tail.add((number, at), &frame);
            // Writing goes on behind these, so that this file is not one to begin with.
            tail.ready.clear();
        }
        while let Some((at, frame)) = self.next_frame(number, bytes, offset, tail) {
            if frame.header.first == self.next {
                // A file that is missing held nothing that is not sealed.
                tail.missing = None;
            }
            if let Some(beacon) = self.lost_beacon(number, &frame.header, tail) {
                tail.beacons.push(beacon);
            } else if frame.header.first != self.next {
                // A hole in front of a file's first frame is at the end of the file before, if nothing tells better.
                let place = if at == offset { before } else { None };
                let hole = place.map_or((number, offset as u64), |end| (end.number, end.offset));
                self.hole(tail.torn.unwrap_or(hole), frame.header.first, tail);
            } else if let Some(last) = tail.last_frame.filter(|last| last.checksum != frame.header.previous) {
                let what = "a frame is not the one that its successor follows";
                let file = wal_files::relative_path(last.number);
                self.lose(Damage::new(file, last.offset, last.positions(), what));
            }
            if let Err(malformed) = self.frame(&frame) {
                let lost = (frame.header.first, frame.header.first + u64::from(frame.header.events) - 1);
                let file = wal_files::relative_path(number);
                self.lose(Damage::new(file, at as u64, lost, malformed.to_string()));
                self.next = lost.1 + 1;
            }
            let Frame { header, length, checksum, .. } = frame.clone();
            self.newest_epoch = self.newest_epoch.max(header.epoch);
            offset = at + length;
            (tail.epoch, tail.vouched) = (header.epoch, header.acknowledged);
            tail.wal_bytes += length as u64;
            tail.end = Some(End { number, offset: offset as u64, previous: checksum });
            tail.last_frame = Some(tail.add((number, at), &frame));
            tail.ready.clear();
            tail.torn = None;
        }
        if tail.torn.is_none() && bytes.get(offset..).and_then(frame::claims) == Some(self.next) {
            tail.torn = Some((number, offset as u64));
        }
    }

    /// The frame at `offset`, if all its events are sealed: a crash came between the segment and the manifest, or the
    /// manifest is an older one.
    fn sealed_frame<'b>(&self, number: u64, bytes: &'b [u8], offset: usize) -> Option<Frame<'b>> {
        let place = Place { store: self.store, file: FileKind::Wal, number, offset: offset as u64 };
        let frame = frame::parse(bytes.get(offset..)?, place).ok()?;
        let behind = frame.header.first.checked_add(frame.header.events.into())?;
        (behind <= self.sealed + 1).then_some(frame)
    }

    /// Positions up to `first` were acknowledged and cannot be read.
    fn hole(&mut self, (number, offset): (u64, u64), first: u64, tail: &mut Tail) {
        let what = "a frame that was acknowledged is damaged";
        let here = Damage::new(wal_files::relative_path(number), offset, (1, 0), what);
        let Damage { file, offset, what, .. } = tail.missing.take().unwrap_or(here);
        self.lose(Damage::new(file, offset, (self.next, first.saturating_sub(1)), what));
        self.next = self.next.max(first);
        tail.last_frame = None;
        tail.unvouched.clear();
    }

    /// The frame at `offset`, or the next one behind it that vouches for what should have been there. Where a beacon was
    /// that cannot be read nothing is missing: it is one slot long, and nothing else is ever in front of a frame that
    /// begins with the next position.
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
            let in_order = tail.epoch <= frame.header.epoch || planted!(AnyEpochFollows);
            let follows = frame.header.first == self.next && in_order;
            if planted!(CutOneFrameTooMany) && frame::claims(&bytes[at + frame.length..]).is_none() {
                return None;
            }
            let vouches = self.next <= frame.header.acknowledged && !planted!(HoleEndsLog);
            let beacon = if at == offset { 0 } else { ALIGNMENT };
            if (at == offset + beacon && follows) || vouches {
                return Some((at, frame));
            }
        }
        None
    }

    /// Takes in a frame that is whole.
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), Malformed> {
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
            if let Some((source, position)) = append.tracking.filter(|_| !planted!(TrackingNotRecovered)) {
                let source =
                    TrackingSource::new(source).map_err(|_| Malformed("a tracking source is too long"))?;
                let position = Position::new(position).ok_or(Malformed("a tracking position is zero"))?;
                self.tracking.insert(source, position);
            }
        }
        if offsets.len() != frame.header.events as usize {
            return Err(Malformed("a frame's count of events is wrong"));
        }
        if !offsets.is_empty() {
            let (first, bytes) = (frame.header.first, Bytes::copy_from_slice(frame.body));
            let recorded_at = Timestamp::from_micros(frame.header.recorded_at);
            self.tail.generation().push_frame(Arc::new(Records { first, bytes, offsets }), recorded_at);
        }
        Ok(())
    }
}
