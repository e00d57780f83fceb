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
    /// The epoch of the last frame.
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

    /// The log ends behind this frame, until one is found that follows it. Frames whose events are sealed count as well:
    /// what is written next stands behind them, so that no file from here on is one to begin with, and what is of an
    /// earlier epoch was cut off. What it vouches for is not among that which nothing vouches for any longer.
    fn ends_behind(&mut self, (number, at): (u64, usize), frame: &Frame<'_>) -> FrameAt {
        let Header { first, events, acknowledged, .. } = frame.header;
        let Header { epoch, recorded_at, .. } = frame.header;
        let (offset, length, checksum) = (at as u64, frame.length, frame.checksum);
        let found = FrameAt { number, offset, length, first, events, checksum, epoch, recorded_at };
        self.unvouched.retain(|before| !before.is_vouched_for(acknowledged));
        self.unvouched.push(found);
        self.end = Some(End { number, offset: offset + length as u64, previous: checksum });
        self.epoch = epoch;
        self.ready.clear();
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
        while let Some((at, frame)) = self.sealed_frame(number, bytes, offset, tail.epoch) {
            offset = at + frame.length;
            tail.ends_behind((number, at), &frame);
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
                let place = before.filter(|_| at == offset).map(|end| (end.number, end.offset));
                let place = tail.torn.or(place).unwrap_or((number, offset as u64));
                self.hole(place, frame.header.first, tail);
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
            offset = at + frame.length;
            tail.vouched = frame.header.acknowledged;
            tail.wal_bytes += frame.length as u64;
            tail.last_frame = Some(tail.ends_behind((number, at), &frame));
            tail.torn = None;
        }
        if tail.torn.is_none() && bytes.get(offset..).and_then(frame::claims) == Some(self.next) {
            tail.torn = Some((number, offset as u64));
        }
    }

    /// The first frame from `offset` on, if all its events are sealed: a crash came between the segment and the manifest,
    /// or the manifest is an older one. What is damaged in front of it took nothing away.
    fn sealed_frame<'b>(
        &mut self,
        number: u64,
        bytes: &'b [u8],
        offset: usize,
        epoch: u64,
    ) -> Option<(usize, Frame<'b>)> {
        let mut slots = (offset..bytes.len()).step_by(ALIGNMENT);
        let (at, frame) = slots.find_map(|at| {
            let place = Place { store: self.store, file: FileKind::Wal, number, offset: at as u64 };
            Some((at, frame::parse(&bytes[at..], place).ok()?))
        })?;
        self.newest_epoch = self.newest_epoch.max(frame.header.epoch);
        let in_order = epoch <= frame.header.epoch || planted!(AnyEpochFollows);
        let behind = frame.header.first.checked_add(frame.header.events.into())?;
        (behind <= self.sealed + 1 && in_order).then_some((at, frame))
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

    /// The frame at `offset`, or behind it the first one of those that a later one vouches for, or that follows them.
    /// What follows none of them may have been cut off: it is not shown before what is missing is there again.
    /// In front of a frame that begins with the next position nothing is missing: a beacon was there, which is one slot
    /// long, or what is sealed, and then the frame says that all in front of it was acknowledged.
    fn next_frame<'b>(
        &mut self,
        number: u64,
        bytes: &'b [u8],
        offset: usize,
        tail: &mut Tail,
    ) -> Option<(usize, Frame<'b>)> {
        // Whole, and not known to be of the log.
        let mut passed: Vec<(usize, Frame<'_>)> = Vec::new();
        let mut vouched = self.next - 1;
        for at in (offset..bytes.len()).step_by(ALIGNMENT) {
            let place = Place { store: self.store, file: FileKind::Wal, number, offset: at as u64 };
            let Ok(frame) = frame::parse(&bytes[at..], place) else {
                continue;
            };
            let Header { first, acknowledged, epoch, .. } = frame.header;
            // Those that were cut off count too: the next opening's are to be told from them.
            self.newest_epoch = self.newest_epoch.max(epoch);
            let in_order = tail.epoch <= epoch || planted!(AnyEpochFollows);
            if planted!(CutOneFrameTooMany) && frame::claims(&bytes[at + frame.length..]).is_none() {
                return None;
            }
            let is_near = at <= offset + ALIGNMENT || acknowledged + 1 == first;
            if first == self.next && in_order && is_near {
                return Some((at, frame));
            }
            let vouches = self.next <= acknowledged && !planted!(HoleEndsLog);
            if self.next <= first && (in_order || vouches) {
                passed.push((at, frame));
            }
            if vouches {
                vouched = vouched.max(acknowledged);
                let connected = |(_, frame): &&(usize, Frame<'_>)| frame.header.first <= vouched + 1;
                if let Some(found) = passed.iter().find(connected) {
                    return Some(found.clone());
                }
            }
        }
        if self.next <= vouched {
            self.hole(tail.torn.unwrap_or((number, offset as u64)), vouched + 1, tail);
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
