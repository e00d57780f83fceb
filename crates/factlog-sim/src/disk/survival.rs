//! What is left of a file or a directory when the power fails: one of the states it may be in, drawn by the seed.
//!
//! * A sector has the bytes of some moment since the last sync: it may miss writes, but never has a later one of its
//!   bytes without an earlier one. Sectors are independent of each other, whichever write they belong to.
//! * A file is as long as some write made it, or a torn one. What it gained without its bytes is zeros or garbage.
//! * An emptied file has all of what it was before, or only what was written since.
//! * A directory has done some of its operations, each wholly, none without those it builds on.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;

use super::content::{Change, Content, SECTOR, in_sectors, position, put};
use super::directory::Directory;

/// How a file system keeps what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Which of a directory's unsynced operations survive.
    pub names: Names,
    /// Whether bytes that a file gained and lost may be those of another file, and not only zeros.
    pub garbage: bool,
}

/// Which of a directory's unsynced operations survive a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The first few, as on file systems with a journal.
    Ordered,
    /// Any that do not build on a lost one.
    Any,
}

impl Profile {
    /// What a journalling file system does.
    pub const JOURNAL: Self = Self { names: Names::Ordered, garbage: false };
    /// The least that any file system promises.
    pub const WORST: Self = Self { names: Names::Any, garbage: true };
}

/// What becomes of unsynced changes. The plain cases are drawn as often as the mixed ones: most defects need one of
/// the plain ones, in one file of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Nothing,
    Everything,
    /// The first few, the last of them torn.
    Prefix,
    /// Any, each whole or not at all.
    Some,
    /// All but one.
    AllButOne,
    /// Any sectors of any.
    Torn,
}

impl Fate {
    const ALL: [Self; 6] =
        [Self::Nothing, Self::Everything, Self::Prefix, Self::Some, Self::AllButOne, Self::Torn];
    const ORDERED: [Self; 3] = [Self::Nothing, Self::Everything, Self::Prefix];

    fn draw(of: &[Self], rng: &mut Rng) -> Self {
        of[rng.usize(..of.len())]
    }
}

/// Which of `count` changes survive; `None` for a change of which any part may.
fn kept(fate: Fate, count: usize, rng: &mut Rng) -> Vec<Option<bool>> {
    let last = rng.usize(..=count);
    let survives = |index: usize, rng: &mut Rng| match fate {
        Fate::Nothing => Some(false),
        Fate::Everything => Some(true),
        Fate::Prefix if index == last => None,
        Fate::Prefix => Some(index < last),
        Fate::Some => Some(rng.bool()),
        Fate::AllButOne => Some(index != last),
        Fate::Torn => None,
    };
    (0..count).map(|index| survives(index, rng)).collect()
}

impl Content {
    /// Leaves one of the states that the file may be in. `garbage` is what may stand in what it gained.
    pub(super) fn lose_power(&mut self, garbage: Option<&[u8]>, rng: &mut Rng) {
        if let Some(mut meant) = self.meant.take() {
            meant.lose_power(garbage, &mut rng.clone());
            self.meant = Some(meant);
        }
        if !self.pending.is_empty() {
            self.durable = Arc::new(self.survivors(garbage, rng));
            self.pending.clear();
        }
        self.current = self.durable.clone();
        self.forgotten = false;
    }

    /// A sync failed: some of what was pending is durable, and the rest is taken for written.
    pub(super) fn forget_some(&mut self, rng: &mut Rng) {
        let meant = self.meant.take().map(|mut meant| {
            meant.forget_some(&mut rng.clone());
            meant
        });
        if !self.pending.is_empty() {
            self.durable = Arc::new(self.survivors(None, rng));
        }
        self.forget();
        self.meant = meant;
    }

    fn survivors(&self, garbage: Option<&[u8]>, rng: &mut Rng) -> Vec<u8> {
        let fate = Fate::draw(&Fate::ALL, rng);
        let lives: Vec<_> = self.pending.split(|change| matches!(change, Change::Empty)).collect();
        let life = match fate {
            Fate::Nothing => 0,
            Fate::Everything => lives.len() - 1,
            Fate::Prefix | Fate::Some | Fate::AllButOne | Fate::Torn => rng.usize(..lives.len()),
        };
        let mut bytes = if life == 0 { (*self.durable).clone() } else { Vec::new() };
        let writes: Vec<_> = lives[life].iter().filter_map(Change::as_write).collect();
        let length = length(fate, bytes.len() as u64, &writes, rng);
        gain(&mut bytes, length, garbage, rng);
        // The last write that each sector has; it has all earlier ones too.
        let mut last = BTreeMap::new();
        for (index, kept) in kept(fate, writes.len(), rng).into_iter().enumerate() {
            let (offset, written) = writes[index];
            for (at, _) in in_sectors(written, offset) {
                if kept.unwrap_or_else(|| rng.bool()) {
                    last.insert(at / SECTOR, index);
                }
            }
        }
        for (index, (offset, written)) in writes.iter().enumerate() {
            for (at, piece) in in_sectors(written, *offset) {
                if at < length && last.get(&(at / SECTOR)).is_some_and(|last| index <= *last) {
                    let room = position(length - at).min(piece.len());
                    put(&mut bytes, &piece[..room], at);
                }
            }
        }
        bytes
    }
}

impl Change {
    fn as_write(&self) -> Option<(u64, &Bytes)> {
        match self {
            Self::Write { offset, bytes } => Some((*offset, bytes)),
            Self::Empty => None,
        }
    }
}

/// How long a file is that had this length, and these writes.
fn length(fate: Fate, before: u64, writes: &[(u64, &Bytes)], rng: &mut Rng) -> u64 {
    let ends = writes.iter().map(|(offset, bytes)| offset + bytes.len() as u64);
    let longest = ends.max().unwrap_or(0).max(before);
    match (fate, rng.u8(..4)) {
        (Fate::Nothing, _) => before,
        (Fate::Everything, _) | (_, 0 | 1) => longest,
        (_, 2) => before,
        // Somewhere in a write, or where one ends.
        _ => {
            let (offset, bytes) =
                writes.get(rng.usize(..writes.len().max(1))).copied().unwrap_or((0, &NO_BYTES));
            let length = bytes.len() as u64;
            let torn = offset + rng.u64(..=length / SECTOR) * SECTOR;
            (if rng.bool() { torn } else { offset + length }).clamp(before, longest)
        }
    }
}

static NO_BYTES: Bytes = Bytes::new();

/// Makes a file longer by what nobody wrote there.
fn gain(bytes: &mut Vec<u8>, length: u64, garbage: Option<&[u8]>, rng: &mut Rng) {
    let before = bytes.len();
    bytes.resize(position(length), 0);
    let Some(garbage) = garbage else { return };
    if rng.bool() {
        return;
    }
    // At the same offsets, where it is most likely to pass for what belongs there.
    let end = garbage.len().min(bytes.len());
    if before < end {
        bytes[before..end].copy_from_slice(&garbage[before..end]);
    }
}

impl Directory {
    /// Leaves one of the states that the directory may be in.
    pub(super) fn lose_power(&mut self, names: Names, rng: &mut Rng) {
        let fate = match names {
            Names::Ordered => Fate::draw(&Fate::ORDERED, rng),
            Names::Any => Fate::draw(&Fate::ALL, rng),
        };
        let pending = std::mem::take(&mut self.pending);
        let kept = kept(fate, pending.len(), rng);
        for (operation, kept) in pending.iter().zip(kept) {
            if kept.unwrap_or_else(|| rng.bool()) {
                operation.apply(&mut self.durable);
            }
        }
        self.current = self.durable.clone();
    }
}

/// Some of the sectors of a write: the first few or any.
pub(super) fn torn(bytes: &Bytes, offset: u64, rng: &mut Rng) -> Vec<(u64, Bytes)> {
    let mut sectors: Vec<_> = in_sectors(bytes, offset).collect();
    if rng.bool() {
        sectors.truncate(rng.usize(..=sectors.len()));
    } else {
        sectors.retain(|_| rng.bool());
    }
    sectors
}
