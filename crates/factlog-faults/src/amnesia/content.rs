//! The bytes of one file: as they read now, as they are durable, and the changes between the two.
//!
//! * `current` is what every read sees; `durable` is what is left when the power fails and nothing else survives.
//! * `pending` is what was done and is not durable, in order. Over `durable` it gives `current`, unless a failed sync
//!   has forgotten some of it: that reads as before, and is made durable by nothing but being written again.
//! * A durable write makes durable what of it lies within the durable length. What is beyond waits for a sync: the
//!   engine asks for no more.

use std::ops::Range;

/// No file here is longer; a wrong offset should fail, not eat the memory.
pub(super) const LENGTH_MAX: u64 = 1 << 32;

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) current: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Change>,
}

/// What was done to a file and is not durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Write {
        offset: u64,
        bytes: Vec<u8>,
    },
    /// It was cut off, or made longer by zeros.
    Resize {
        length: u64,
    },
}

impl Content {
    pub(super) fn length(&self) -> u64 {
        self.current.len() as u64
    }

    /// What is there of a range.
    pub(super) fn read(&self, offset: u64, length: u64) -> &[u8] {
        let start = index(offset).min(self.current.len());
        let end = index(offset.saturating_add(length)).min(self.current.len());
        &self.current[start..end]
    }

    /// Writes without making durable.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        if !bytes.is_empty() {
            put(&mut self.current, bytes, offset);
            self.pending.push(Change::Write { offset, bytes: bytes.to_vec() });
        }
    }

    /// Writes and makes durable what of it lies within the durable length.
    pub(super) fn write_durably(&mut self, bytes: &[u8], offset: u64) {
        let fitting = index(self.settled_length().saturating_sub(offset)).min(bytes.len());
        let (within, beyond) = bytes.split_at(fitting);
        if !within.is_empty() {
            self.supersede(offset..offset + within.len() as u64);
            put(&mut self.current, within, offset);
            put(&mut self.durable, within, offset);
        }
        self.write(beyond, offset + within.len() as u64);
    }

    /// Cuts the file off or makes it longer, not durably.
    pub(super) fn resize(&mut self, length: u64) {
        if length != self.length() {
            self.current.resize(index(length), 0);
            self.pending.push(Change::Resize { length });
        }
    }

    /// Makes content and length durable, but for the bytes that an earlier sync has forgotten.
    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            change.apply(&mut self.durable);
        }
        self.durable.resize(self.current.len(), 0);
    }

    /// How long the file is whatever becomes of what is pending.
    fn settled_length(&self) -> u64 {
        let resizes = self.pending.iter().filter_map(|change| match change {
            Change::Resize { length } => Some(*length),
            Change::Write { .. } => None,
        });
        resizes.fold(self.durable.len() as u64, u64::min)
    }

    /// Takes a range out of all pending writes: what is there is newer, and older bytes never come after it.
    fn supersede(&mut self, range: Range<u64>) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Resize { .. } => self.pending.push(change),
                Change::Write { offset, bytes } => {
                    let length = bytes.len() as u64;
                    let before = range.start.saturating_sub(offset).min(length);
                    let behind = range.end.saturating_sub(offset).min(length).max(before);
                    for part in [0..before, behind..length] {
                        if !part.is_empty() {
                            let bytes = bytes[index(part.start)..index(part.end)].to_vec();
                            self.pending.push(Change::Write { offset: offset + part.start, bytes });
                        }
                    }
                }
            }
        }
    }
}

impl Change {
    pub(super) fn is_resize(&self) -> bool {
        matches!(self, Self::Resize { .. })
    }

    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes: written } => put(bytes, written, *offset),
            Self::Resize { length } => bytes.resize(index(*length), 0),
        }
    }
}

/// Puts bytes in place; a gap before them is zeros.
pub(super) fn put(into: &mut Vec<u8>, bytes: &[u8], offset: u64) {
    let start = index(offset);
    let end = start + bytes.len();
    if into.len() < end {
        into.resize(end, 0);
    }
    into[start..end].copy_from_slice(bytes);
}

/// An offset as an index.
pub(super) fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
