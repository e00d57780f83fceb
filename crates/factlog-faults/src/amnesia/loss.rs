//! What is left of a file or a directory when the power fails: one of the states it may be in, drawn by the seed.
//!
//! * A sector has the bytes of some moment since the last sync: it may miss writes, but never has a later one of its
//!   bytes without an earlier one. Sectors are independent of each other, whichever write they belong to.
//! * What a file was cut off to and made longer to survives in order: none without those before it, and no write
//!   behind one that is lost.
//! * A file is as long as some write made it, or a torn one. What it gained without its bytes is zeros or garbage.
//! * A directory has done some of its operations, each wholly, none without those it builds on.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::content::{Change, Content, index, put};
use super::names::Directory;

/// How much survives of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing.
    All,
    /// Any of it that a disk with such sectors may have written.
    Some { sector: u64, names: Order, garbage: bool },
}

/// Which of a directory's unsynced operations survive a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The first few, as on file systems with a journal.
    Journal,
    /// Any that do not build on a lost one.
    Any,
}

impl Loss {
    /// One of them.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        if rng.u8(..4) == 0 {
            return Self::All;
        }
        let names = if rng.bool() { Order::Journal } else { Order::Any };
        Self::Some { sector: if rng.bool() { 512 } else { 4096 }, names, garbage: rng.bool() }
    }
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
    let survives = |at: usize, rng: &mut Rng| match fate {
        Fate::Nothing => Some(false),
        Fate::Everything => Some(true),
        Fate::Prefix if at == last => None,
        Fate::Prefix => Some(at < last),
        Fate::Some => Some(rng.bool()),
        Fate::AllButOne => Some(at != last),
        Fate::Torn => None,
    };
    (0..count).map(|at| survives(at, rng)).collect()
}

impl Content {
    /// Leaves one of the states that the file may be in. `garbage` is what may stand in what it gained.
    pub(super) fn lose_power(&mut self, loss: Loss, garbage: &[u8], rng: &mut Rng) {
        let pending = std::mem::take(&mut self.pending);
        match loss {
            Loss::All => {}
            Loss::Some { .. } if pending.is_empty() => {}
            Loss::Some { sector, garbage: wanted, .. } => {
                let garbage = if wanted && rng.bool() { garbage } else { &[] };
                survive(&mut self.durable, &pending, sector, garbage, rng);
            }
        }
        self.current.clone_from(&self.durable);
    }

    /// A sync failed: some of what was pending is durable, and the rest is taken for written.
    pub(super) fn forget_some(&mut self, rng: &mut Rng) {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            survive(&mut self.durable, &pending, 512, &[], rng);
        }
    }
}

/// Does to the durable bytes what survives of the changes.
fn survive(bytes: &mut Vec<u8>, pending: &[Change], sector: u64, garbage: &[u8], rng: &mut Rng) {
    let fate = Fate::draw(&Fate::ALL, rng);
    let resizes: Vec<usize> = (0..pending.len()).filter(|&at| pending[at].is_resize()).collect();
    let done = match fate {
        Fate::Nothing => 0,
        Fate::Everything => resizes.len(),
        Fate::Prefix | Fate::Some | Fate::AllButOne | Fate::Torn => rng.usize(..=resizes.len()),
    };
    // Up to the first resize that is lost; those before have all happened.
    let pending = &pending[..resizes.get(done).copied().unwrap_or(pending.len())];
    let kept = kept(fate, pending.len(), rng);
    let mut last = BTreeMap::new();
    for (at, change) in pending.iter().enumerate() {
        for (offset, _) in pieces(change, sector) {
            if kept[at].unwrap_or_else(|| rng.bool()) {
                last.insert(offset / sector, at);
            }
        }
    }
    let behind = done.checked_sub(1).map_or(0, |at| resizes[at] + 1);
    for (at, change) in pending[..behind].iter().enumerate() {
        lay(bytes, change, at, sector, &last, u64::MAX);
    }
    let length = length(fate, bytes.len() as u64, &pending[behind..], sector, rng);
    gain(bytes, length, garbage);
    for (at, change) in pending.iter().enumerate().skip(behind) {
        lay(bytes, change, at, sector, &last, length);
    }
}

/// Puts the sectors of a change in place that have it, and those of a file of this length.
fn lay(
    bytes: &mut Vec<u8>,
    change: &Change,
    at: usize,
    sector: u64,
    last: &BTreeMap<u64, usize>,
    length: u64,
) {
    if change.is_resize() {
        change.apply(bytes);
    }
    for (offset, piece) in pieces(change, sector) {
        if offset < length && last.get(&(offset / sector)).is_some_and(|last| at <= *last) {
            let room = index(length - offset).min(piece.len());
            put(bytes, &piece[..room], offset);
        }
    }
}

/// What is written, cut where sectors of the file begin.
fn pieces(change: &Change, sector: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let (offset, bytes) = match change {
        Change::Write { offset, bytes } => (*offset, bytes.as_slice()),
        Change::Resize { .. } => (0, &[][..]),
    };
    in_sectors(bytes, offset, sector)
}

/// Bytes cut where sectors of the file begin.
fn in_sectors(bytes: &[u8], offset: u64, sector: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let end = offset + bytes.len() as u64;
    let first = if bytes.is_empty() { end } else { offset / sector * sector };
    let step = usize::try_from(sector).expect("a sector is small");
    (first..end).step_by(step).map(move |start| {
        let (from, to) = (start.max(offset), (start + sector).min(end));
        (from, &bytes[index(from - offset)..index(to - offset)])
    })
}

/// How long a file is that had this length, and these writes.
fn length(fate: Fate, before: u64, writes: &[Change], sector: u64, rng: &mut Rng) -> u64 {
    let writes: Vec<(u64, u64)> = writes.iter().filter_map(Change::as_range).collect();
    let longest = writes.iter().map(|(offset, length)| offset + length).max().unwrap_or(0).max(before);
    match (fate, rng.u8(..4)) {
        (Fate::Nothing, _) => before,
        (Fate::Everything, _) | (_, 0 | 1) => longest,
        (_, 2) => before,
        // Somewhere in a write, or where one ends.
        _ => {
            let (offset, length) = writes.get(rng.usize(..writes.len().max(1))).copied().unwrap_or((0, 0));
            let torn = offset + rng.u64(..=length / sector) * sector;
            (if rng.bool() { torn } else { offset + length }).clamp(before, longest)
        }
    }
}

impl Change {
    fn as_range(&self) -> Option<(u64, u64)> {
        match self {
            Self::Write { offset, bytes } => Some((*offset, bytes.len() as u64)),
            Self::Resize { .. } => None,
        }
    }
}

/// Makes a file longer by what nobody wrote there: what another file has at the same offsets, where it is most likely
/// to pass for what belongs there, or zeros.
fn gain(bytes: &mut Vec<u8>, length: u64, garbage: &[u8]) {
    let before = bytes.len();
    bytes.resize(index(length), 0);
    let end = garbage.len().min(bytes.len());
    if before < end {
        bytes[before..end].copy_from_slice(&garbage[before..end]);
    }
}

impl Directory {
    /// Leaves one of the states that the directory may be in.
    pub(super) fn lose_power(&mut self, loss: Loss, rng: &mut Rng) {
        let pending = std::mem::take(&mut self.pending);
        let fates = match loss {
            Loss::All => &[Fate::Nothing][..],
            Loss::Some { names: Order::Journal, .. } => &Fate::ORDERED,
            Loss::Some { names: Order::Any, .. } => &Fate::ALL,
        };
        let kept = kept(Fate::draw(fates, rng), pending.len(), rng);
        for (operation, kept) in pending.iter().zip(kept) {
            if kept.unwrap_or_else(|| rng.bool()) {
                operation.apply(&mut self.durable);
            }
        }
        self.current = self.durable.clone();
    }
}

/// Some of a write's sectors: the first few or any.
pub(super) fn torn<'a>(bytes: &'a [u8], offset: u64, rng: &mut Rng) -> Vec<(u64, &'a [u8])> {
    let mut sectors: Vec<_> = in_sectors(bytes, offset, 512).collect();
    if rng.bool() {
        sectors.truncate(rng.usize(..=sectors.len()));
    } else {
        sectors.retain(|_| rng.bool());
    }
    sectors
}
