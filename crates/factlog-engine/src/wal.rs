//! The write-ahead log: frames one behind the other, one durable write for each, several under way at once.
//!
//! * A frame lies in one file, at a multiple of 4096, over bytes that were written before: no metadata changes.
//! * A write may be over before those in front of it. Whoever acknowledges waits for the whole prefix.
//! * This module writes; it never reads and never cuts. After a failed write nothing here may be used again.
//!
//! [`Journal`] is the seam where another way to make a group durable would go.

use std::sync::Arc;

use bytes::Bytes;
use factlog_core::Result;
use uuid::Uuid;

use crate::checksum::{FileKind, Place};
use crate::frame::{self, ALIGNMENT, Header};
use crate::storage::{self, Bell, Buffer, Done, Pipeline};
use crate::wal_files::Files;

/// The most bytes under way at once, unless a single group has more.
const BYTES_IN_FLIGHT: usize = 8 << 20;

/// Making groups durable, several at once.
pub(crate) trait Journal: Send {
    /// Makes sure that a frame of this many bytes can be written. On an error nothing was written: try again later.
    fn reserve(&mut self, bytes: usize) -> Result<()>;

    /// Begins to write the frame whose appends stand in the buffer, and returns its number (one more than the last)
    /// and its bytes. There must be room.
    fn submit(&mut self, buffer: Buffer, group: Group, how: How) -> (u64, Bytes);

    /// Frames whose writes are over, in any order; see [`Pipeline::finished`].
    fn finished(&mut self, wait: bool) -> Vec<Done>;

    /// Frames under way.
    fn in_flight(&self) -> usize;

    /// The bytes of appends that another frame may have now; `None` while no other may begin.
    fn room(&self) -> Option<usize>;

    /// What ends a sleep in [`Journal::finished`].
    fn bell(&self) -> Arc<dyn Bell>;

    /// Whether a beacon fits without a new file.
    fn has_room_for_beacon(&self) -> bool;

    /// The next frame begins a new file; returns that file's number. Nothing may be under way.
    fn roll(&mut self) -> u64;

    /// Bytes written since the last roll.
    fn bytes_in_use(&self) -> u64;
}

/// What a frame says of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) appends: u32,
    pub(crate) first: u64,
    pub(crate) events: u32,
    pub(crate) recorded_at: i64,
    pub(crate) acknowledged: u64,
}

/// Who writes a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The calling thread: the write is over when the call returns.
    AtOnce,
    /// Somebody else, while the caller goes on.
    Behind,
}

/// Where the next frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) number: u64,
    pub(crate) offset: u64,
    /// The checksum of the last frame.
    pub(crate) previous: u64,
}

/// The write-ahead log on local files.
#[derive(Debug)]
pub(crate) struct Wal {
    store: Uuid,
    epoch: u64,
    pipeline: Box<dyn Pipeline>,
    depth: usize,
    files: Files,
    active: Option<ActiveFile>,
    /// Whether the next group begins a new file, though there is an active one for beacons.
    rolled: bool,
    in_use: u64,
    previous: u64,
    /// The number of the last frame.
    number: u64,
    /// The frames under way and their lengths.
    under_way: Vec<(u64, usize)>,
}

/// The file that frames go into.
#[derive(Debug)]
struct ActiveFile {
    number: u64,
    offset: u64,
    length: u64,
}

impl ActiveFile {
    fn has_room(&self, bytes: usize) -> bool {
        self.offset + bytes as u64 <= self.length
    }
}

impl Wal {
    /// Goes on where recovery found the end, with frames of this epoch, at most `depth` of them at once.
    pub(crate) fn open(
        (store, epoch): (Uuid, u64),
        (pipeline, depth): (Box<dyn Pipeline>, usize),
        files: Files,
        end: Option<End>,
        in_use: u64,
    ) -> Result<Self> {
        let depth = depth.min(pipeline.depth_max()).max(1);
        let previous = end.map_or(0, |end| end.previous);
        let (active, rolled, number, under_way) = (None, false, 0, Vec::new());
        let mut wal = Self {
            store,
            epoch,
            pipeline,
            depth,
            files,
            active,
            rolled,
            in_use,
            previous,
            number,
            under_way,
        };
        if let Some(end) = end {
            wal.turn_to(end.number, end.offset)?;
        }
        Ok(wal)
    }

    fn turn_to(&mut self, number: u64, offset: u64) -> Result<()> {
        self.active = None;
        let path = self.files.path(number);
        let length = self.pipeline.turn_to(&path).map_err(|cause| storage::failed("open", &path, cause))?;
        self.active = Some(ActiveFile { number, offset, length });
        Ok(())
    }
}

impl Journal for Wal {
    fn reserve(&mut self, bytes: usize) -> Result<()> {
        // A beacon must fit behind it, so that the last frame of a file is vouched for too.
        let bytes = bytes.next_multiple_of(ALIGNMENT) + ALIGNMENT;
        while self.rolled || !self.active.as_ref().is_some_and(|active| active.has_room(bytes)) {
            let number = self.files.take(bytes)?;
            // Should this fail, the file is left alone, and the next one is tried next time.
            self.turn_to(number, 0)?;
            self.rolled = false;
        }
        Ok(())
    }

    fn submit(&mut self, mut buffer: Buffer, group: Group, how: How) -> (u64, Bytes) {
        let active = self.active.as_mut().expect("room was reserved");
        let Group { appends, first, events, recorded_at, acknowledged } = group;
        let (epoch, previous) = (self.epoch, self.previous);
        let header = Header { appends, first, events, recorded_at, acknowledged, epoch, previous };
        let place =
            Place { store: self.store, file: FileKind::Wal, number: active.number, offset: active.offset };
        self.previous = frame::finish(&mut buffer, &header, place);
        assert!(active.has_room(buffer.len()), "a frame is written where room was reserved");
        let (offset, length) = (active.offset, buffer.len());
        active.offset += length as u64;
        let half_full = active.length < 2 * active.offset;
        self.in_use += length as u64;
        self.number += 1;
        self.under_way.push((self.number, length));
        let bytes = Bytes::from(buffer);
        match how {
            How::AtOnce => self.pipeline.write(self.number, bytes.clone(), offset),
            How::Behind => self.pipeline.submit(self.number, bytes.clone(), offset),
        }
        if half_full {
            self.files.make_ahead();
        }
        (self.number, bytes)
    }

    fn finished(&mut self, wait: bool) -> Vec<Done> {
        let done = self.pipeline.finished(wait);
        self.under_way.retain(|(number, _)| done.iter().all(|done| done.number != *number));
        done
    }

    fn in_flight(&self) -> usize {
        self.under_way.len()
    }

    fn room(&self) -> Option<usize> {
        let bytes: usize = self.under_way.iter().map(|(_, length)| length).sum();
        match self.under_way.len() {
            0 => Some(usize::MAX),
            count if count < self.depth => BYTES_IN_FLIGHT.checked_sub(bytes + ALIGNMENT),
            _ => None,
        }
    }

    fn bell(&self) -> Arc<dyn Bell> {
        self.pipeline.bell()
    }

    fn has_room_for_beacon(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.has_room(ALIGNMENT))
    }

    fn roll(&mut self) -> u64 {
        assert!(self.under_way.is_empty(), "what is sealed is durable");
        self.rolled = true;
        self.in_use = 0;
        self.files.next_number()
    }

    fn bytes_in_use(&self) -> u64 {
        self.in_use
    }
}
