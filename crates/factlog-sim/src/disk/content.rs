//! The bytes of one file: as they read now, as they are durable, and the changes between the two.
//!
//! * `current` is what every read sees; `durable` is what is left when the power fails and nothing else survives.
//! * `pending` is what was written and is not durable, in order. Over `durable` it gives `current`, unless a failed
//!   sync has forgotten some of it.
//! * A durable write makes durable what of it lies within the durable length. What is beyond waits for a sync: the
//!   seam promises durable writes only over bytes that the file already has.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::errno;

/// What a disk writes wholly or not at all.
pub(super) const SECTOR: u64 = 512;

/// No simulated file is longer; a wrong offset should fail, not eat the memory.
pub(super) const LENGTH_MAX: u64 = 1 << 31;

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) current: Arc<Vec<u8>>,
    pub(super) durable: Arc<Vec<u8>>,
    pub(super) pending: Vec<Change>,
    /// Whether some of `current` is neither durable nor pending.
    pub(super) forgotten: bool,
    /// Sectors that the disk cannot read, by their number in the file.
    pub(super) unreadable: BTreeSet<u64>,
    /// The file as it would be if nothing had harmed it: see [`super::harm`]. Whatever is done to the file by who uses
    /// it is done to this too.
    pub(super) meant: Option<Box<Content>>,
}

/// What was done to a file and is not durable.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write {
        offset: u64,
        bytes: Bytes,
    },
    /// The file was emptied, as creating it again does.
    Empty,
}

impl Content {
    pub(super) fn length(&self) -> u64 {
        self.current.len() as u64
    }

    /// Reads until the buffer is full or the file ends.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = position(offset).min(self.current.len());
        let count = buffer.len().min(self.current.len() - start);
        let sectors = sectors(offset, count as u64);
        if !self.unreadable.is_empty() && self.unreadable.range(sectors).next().is_some() {
            return Err(errno::error(errno::IO));
        }
        buffer[..count].copy_from_slice(&self.current[start..start + count]);
        Ok(count)
    }

    /// Writes without making durable.
    pub(super) fn write(&mut self, bytes: Bytes, offset: u64) {
        if bytes.is_empty() {
            return;
        }
        if self.meant.is_some() {
            return self.twice(|content| content.write(bytes.clone(), offset));
        }
        self.heal(offset, bytes.len() as u64);
        put(Arc::make_mut(&mut self.current), &bytes, offset);
        self.pending.push(Change::Write { offset, bytes });
    }

    /// Writes and makes durable what of it lies within the durable length.
    pub(super) fn write_durably(&mut self, bytes: &Bytes, offset: u64) {
        if self.meant.is_some() {
            return self.twice(|content| content.write_durably(bytes, offset));
        }
        // While the file's being emptied is not durable, neither is the length it has got since.
        let length = if self.was_emptied() { 0 } else { self.durable.len() as u64 };
        let fitting = position(length.saturating_sub(offset)).min(bytes.len());
        if 0 < fitting {
            self.heal(offset, fitting as u64);
            self.supersede(offset..offset + fitting as u64);
            put(Arc::make_mut(&mut self.current), &bytes[..fitting], offset);
            put(Arc::make_mut(&mut self.durable), &bytes[..fitting], offset);
        }
        self.write(bytes.slice(fitting..), offset + fitting as u64);
    }

    /// Empties the file.
    pub(super) fn empty(&mut self) {
        if self.meant.is_some() {
            return self.twice(Self::empty);
        }
        if !self.current.is_empty() || !self.durable.is_empty() || !self.pending.is_empty() {
            self.pending.push(Change::Empty);
        }
        self.current = Arc::default();
        self.unreadable.clear();
    }

    /// Makes content and length durable, but for what an earlier sync has forgotten: that is written by nobody.
    pub(super) fn sync(&mut self) {
        if self.meant.is_some() {
            return self.twice(Self::sync);
        }
        if self.forgotten {
            let mut durable = self.replayed();
            durable.resize(self.current.len(), 0);
            self.forgotten = durable != *self.current;
            self.durable = Arc::new(durable);
        } else {
            self.durable = self.current.clone();
        }
        self.pending.clear();
    }

    /// A sync failed, and the system takes what it could not write for written: it reads as before until the cache
    /// is dropped, and no later sync writes it.
    pub(super) fn forget(&mut self) {
        if self.meant.is_some() {
            return self.twice(Self::forget);
        }
        self.forgotten |= !self.pending.is_empty();
        self.pending.clear();
    }

    /// Drops what is cached, so that reads see the disk.
    pub(super) fn drop_cache(&mut self) {
        if self.meant.is_some() {
            return self.twice(Self::drop_cache);
        }
        if self.forgotten {
            self.current = Arc::new(self.replayed());
            self.forgotten = false;
        }
    }

    /// Changes bytes behind the back of whoever wrote them, now and for good. The file does not grow.
    pub(super) fn overwrite(&mut self, bytes: &[u8], offset: u64) {
        self.remember();
        self.harm_pending(|at| {
            at.checked_sub(offset).and_then(|at| bytes.get(position(at)).map(|byte| (0, *byte)))
        });
        for side in [&mut self.current, &mut self.durable] {
            let room = side.len().saturating_sub(position(offset)).min(bytes.len());
            if 0 < room {
                put(Arc::make_mut(side), &bytes[..room], offset);
            }
        }
    }

    /// Turns one bit, now and for good.
    pub(super) fn turn_bit(&mut self, offset: u64, bit: u8) {
        self.remember();
        self.harm_pending(|at| (at == offset).then_some((0xff, 1 << (bit % 8))));
        for side in [&mut self.current, &mut self.durable] {
            if let Some(byte) = Arc::make_mut(side).get_mut(position(offset)) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// Cuts the file off, now and for good.
    pub(super) fn cut(&mut self, length: u64) {
        self.remember();
        Arc::make_mut(&mut self.current).truncate(position(length));
        self.durable = self.current.clone();
        self.pending.clear();
        self.forgotten = false;
    }

    /// The durable bytes with everything that is pending.
    fn replayed(&self) -> Vec<u8> {
        let mut bytes = (*self.durable).clone();
        for change in &self.pending {
            match change {
                Change::Write { offset, bytes: written } => put(&mut bytes, written, *offset),
                Change::Empty => bytes.clear(),
            }
        }
        bytes
    }

    fn was_emptied(&self) -> bool {
        self.pending.iter().any(|change| matches!(change, Change::Empty))
    }

    /// Takes a range out of all pending writes: what is there is newer, and older bytes never come after it.
    fn supersede(&mut self, range: Range<u64>) {
        let overlaps = |change: &Change| match change {
            Change::Write { offset, bytes } => {
                *offset < range.end && range.start < offset + bytes.len() as u64
            }
            Change::Empty => false,
        };
        if !self.pending.iter().any(overlaps) {
            return;
        }
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Write { offset, bytes } => {
                    let length = bytes.len() as u64;
                    let before = position(range.start.saturating_sub(offset).min(length));
                    let behind = position(range.end.saturating_sub(offset).min(length));
                    let parts =
                        [(offset, bytes.slice(..before)), (offset + behind as u64, bytes.slice(behind..))];
                    let left = parts.into_iter().filter(|(_, bytes)| !bytes.is_empty());
                    self.pending.extend(left.map(|(offset, bytes)| Change::Write { offset, bytes }));
                }
                Change::Empty => self.pending.push(Change::Empty),
            }
        }
    }

    /// A sector that is wholly written again can be read again.
    fn heal(&mut self, offset: u64, length: u64) {
        if !self.unreadable.is_empty() {
            let whole = offset.div_ceil(SECTOR)..(offset + length) / SECTOR;
            self.unreadable.retain(|sector| !whole.contains(sector));
        }
    }
}

/// The numbers of the sectors that hold these bytes.
pub(super) fn sectors(offset: u64, length: u64) -> Range<u64> {
    if length == 0 { 0..0 } else { offset / SECTOR..(offset + length).div_ceil(SECTOR) }
}

/// Bytes cut where sectors of the file begin.
pub(super) fn in_sectors(bytes: &Bytes, offset: u64) -> impl Iterator<Item = (u64, Bytes)> {
    sectors(offset, bytes.len() as u64).map(move |sector| {
        let start = (sector * SECTOR).max(offset);
        let end = ((sector + 1) * SECTOR).min(offset + bytes.len() as u64);
        (start, bytes.slice(position(start - offset)..position(end - offset)))
    })
}

/// Puts bytes in place; a gap before them is zeros.
pub(super) fn put(into: &mut Vec<u8>, bytes: &[u8], offset: u64) {
    let start = position(offset);
    let end = start + bytes.len();
    if into.len() < end {
        into.resize(end, 0);
    }
    into[start..end].copy_from_slice(bytes);
}

/// An offset as an index.
pub(super) fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
