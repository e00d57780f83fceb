//! Frames as `docs/format.md` describes them, read without the engine: what is due is worked out from these.

use std::ops::Range;
use std::sync::Arc;

/// What frames begin at multiples of.
pub(super) const ALIGNMENT: usize = 4096;

/// A write-ahead file that holds a part of the log.
#[derive(Clone, Debug)]
pub(super) struct WalFile {
    pub(super) number: u64,
    /// All of it.
    pub(super) bytes: Arc<Vec<u8>>,
    /// What it held when it got its number: zeros, or the frames of a former one.
    pub(super) former: Arc<Vec<u8>>,
    pub(super) frames: Vec<Frame>,
}

/// A whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) range: Range<usize>,
    /// The position of its first event; of a beacon, that behind the head.
    pub(super) first: u64,
    /// The last position in the log with it.
    pub(super) last: u64,
    /// The last position that was durable when it was begun.
    pub(super) acknowledged: u64,
}

impl WalFile {
    /// Reads the frames of a file, which begin at its front, one behind the other. None is about a position below
    /// `from`: those are of its former life.
    pub(super) fn new(number: u64, bytes: Vec<u8>, mut former: Vec<u8>, from: u64) -> Self {
        let mut frames = Vec::new();
        let (mut at, mut next) = (0, None);
        while let Some(frame) = frame_at(&bytes, at)
            && next.map_or(from <= frame.first, |next| next == frame.first)
        {
            at = frame.range.end;
            next = Some(frame.last + 1);
            // It got its number and its first frame at once, being made for that.
            if former.get(frame.range.clone()) == bytes.get(frame.range.clone()) {
                former[frame.range.clone()].fill(0);
            }
            frames.push(frame);
        }
        former.resize(bytes.len(), 0);
        Self { number, bytes: Arc::new(bytes), former: Arc::new(former), frames }
    }

    pub(super) fn path(&self) -> String {
        format!("wal/{:08}", self.number)
    }

    /// Where its last frame ends.
    pub(super) fn end(&self) -> usize {
        self.frames.last().map_or(0, |frame| frame.range.end)
    }
}

fn frame_at(bytes: &[u8], at: usize) -> Option<Frame> {
    let bytes = bytes.get(at..)?.get(..72)?;
    let (long, short) = (
        |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok(),
        |at: usize| bytes[at..at + 4].try_into().map(u32::from_le_bytes).ok(),
    );
    if &bytes[..4] != b"FLF1" {
        return None;
    }
    let (length, first, events) = (short(4)? as usize, long(16)?, u64::from(short(24)?));
    Some(Frame { range: at..at + length, first, last: first + events - 1, acknowledged: long(40)? })
}
