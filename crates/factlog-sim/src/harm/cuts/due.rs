//! What `docs/format.md` promises of a log that was cut.
//!
//! A frame counts if it begins where the one before ended, or at the front of the next file, and at the next position.
//! Where none does, the next whole one that vouches for what is missing makes it damage; without any the log ends.

use std::sync::Arc;

use super::frames::{Frame, WalFile};
use super::log::Log;

/// How what stands behind a cut is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Zeros, in all later files too.
    Zeros,
    /// What the files held when they got their numbers.
    Former,
    /// The file ends there, and all later ones are empty.
    Shorter,
    /// Zeros in this file alone: the later ones are as they were.
    Hole,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Zeros, Self::Former, Self::Shorter, Self::Hole];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zeros => "zeros",
            Self::Former => "former",
            Self::Shorter => "shorter",
            Self::Hole => "hole",
        }
    }

    /// What a file holds behind a cut.
    pub(super) fn bytes(self, file: &WalFile) -> Arc<Vec<u8>> {
        match self {
            Self::Zeros | Self::Hole => Arc::new(vec![0; file.bytes.len()]),
            Self::Former => file.former.clone(),
            Self::Shorter => Arc::default(),
        }
    }
}

/// A cut: nothing of the log is left from a byte of a file on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Which of the log's files.
    pub(super) file: usize,
    pub(super) at: usize,
    pub(super) way: Way,
}

/// What an opening must find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// The last position.
    pub(super) head: u64,
    /// What is reported as damaged.
    pub(super) hole: Option<Hole>,
}

/// Damage: a file, an offset, and the positions that are gone, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) lost: Option<(u64, u64)>,
}

impl Due {
    /// The positions that are gone behind which there are others.
    pub(super) fn lost(&self) -> Option<(u64, u64)> {
        self.hole.as_ref()?.lost
    }

    /// Whether what is damaged is written again when the store is opened.
    pub(super) fn is_mended(&self) -> bool {
        self.hole.as_ref().is_some_and(|hole| hole.lost.is_none())
    }

    /// `behind` is what the cut file would hold, cut at its front.
    pub(super) fn new(log: &Log, cut: Cut, behind: &[u8]) -> Self {
        let mut due = Self { head: log.sealed, hole: None };
        // Where the log stopped, and whether a frame that is not whole stood there.
        let (mut stopped, mut torn) = ((0, 0), false);
        for (number, file) in log.files.iter().enumerate() {
            for frame in &file.frames {
                let next = due.head + 1;
                let is_next = frame.first == next;
                if !is_whole(file, frame, number, cut, behind) || (!is_next && frame.acknowledged < next) {
                    torn = true;
                    continue;
                }
                if torn {
                    // Of a beacon nothing is lost but itself.
                    let lost = (!is_next).then(|| (next, frame.first - 1));
                    let (file, offset) = place(log, stopped, cut);
                    due.hole = Some(Hole { file: log.files[file].path(), offset: offset as u64, lost });
                }
                due.head = frame.last;
                (stopped, torn) = ((number, frame.range.end), false);
            }
        }
        due
    }
}

/// Whether nothing of a frame is missing. What is cut off may be zeros that were zeros.
fn is_whole(file: &WalFile, frame: &Frame, number: usize, cut: Cut, behind: &[u8]) -> bool {
    let end = frame.range.end;
    if number < cut.file || (number == cut.file && end <= cut.at) {
        return true;
    }
    if number != cut.file {
        return cut.way == Way::Hole;
    }
    let from = cut.at.max(frame.range.start);
    behind.get(from..end) == Some(&file.bytes[from..end])
}

/// Where the log stopped. If it is a file's end, and the next file begins with a frame of which the position is there,
/// that file.
fn place(log: &Log, (file, end): (usize, usize), cut: Cut) -> (usize, usize) {
    let is_over = log.files[file].end() == end && file < cut.file;
    // A position is a small number: what zeros replaced at its end was zeros.
    let is_told = log.files[cut.file].bytes[..24].iter().skip(cut.at).all(|&byte| byte == 0);
    if is_over && is_told { (cut.file, 0) } else { (file, end) }
}
