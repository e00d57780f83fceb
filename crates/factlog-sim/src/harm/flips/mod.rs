//! Flips: every bit of a small store's files turned, and each of their sectors replaced, one at a time.
//!
//! * Each harm is done to a disk of its own: before the store is opened, and for the segment and the index also while it
//!   is open.
//! * What is due follows from where the byte lies (`layout.rs`, by `docs/format.md`): a verification names the part, the
//!   store opens, and each answer is the right one or `Corrupt` with the file and the place. What lies outside the
//!   part is served. Index and manifest are whole again at the end, and no answer ever needed them to be.
//! * Nothing is due for what is behind the last frame of a write-ahead file, and for the last beacon: no answer depends
//!   on them. Everything else is told.

mod damage;
mod exam;
mod layout;
mod questions;
mod store;

use std::collections::BTreeMap;
use std::fmt;

use damage::{Damage, Due, Kind, SECTOR, When};
use exam::{Exam, Verdict};
use layout::Part;
use questions::Questions;
use store::Store;

use super::{Broken, Choice, on_all_cores, without_panic};

/// How many more sectors than bits are in a sample.
const SECTORS_FOR_A_BIT: u64 = 64;

/// What came of all harms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// By the file.
    pub files: BTreeMap<String, Counts>,
}

/// What came of the harms to one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bits that were turned.
    pub bits: u64,
    /// Sectors that were replaced.
    pub sectors: u64,
    /// Those of both that were done while the store was open.
    pub open: u64,
    /// Those that a verification named.
    pub told: u64,
    /// Those after which the store does not open.
    pub refused: u64,
    /// Those after which some answer was `Corrupt`.
    pub corrupt: u64,
    /// Those that were mended by themselves.
    pub mended: u64,
    /// Those that no answer depends on.
    pub harmless: u64,
}

/// Does the harms that are chosen. Bits of write-ahead files are the rest.
///
/// # Errors
/// A promise that breaks.
pub fn run(choice: &Choice) -> Result<Summary, Broken> {
    let store = Store::new(choice.seed).map_err(|what| choice.broken("--flips", "the store", &what))?;
    let (parts, questions) = (layout::parts(&store), Questions::new(&store));
    let all = harms(&store, &parts);
    let name = |case: u64| all[case as usize].name();
    let is_bit = |damage: &Damage| matches!(damage.kind, Kind::Bit(_));
    let bits = all.partition_point(is_bit) as u64;
    let sealed = all.partition_point(|damage| is_bit(damage) && !damage.is_in_wal()) as u64;
    let mut cases = choice.cases(0..sealed, choice.sample, name);
    cases.extend(choice.cases(sealed..bits, choice.sample * choice.rest, name));
    // There are few sectors: a sample has more of them.
    cases.extend(choice.cases(bits..all.len() as u64, choice.sample / SECTORS_FOR_A_BIT, name));
    let done = on_all_cores(&cases, |case| {
        let damage = &all[case as usize];
        let examined = without_panic(|| examine(&store, &parts, &questions, damage));
        examined
            .map(|verdict| (case, verdict))
            .map_err(|what| choice.broken("--flips", &damage.name(), &what))
    })?;
    let mut summary = Summary::default();
    for (case, verdict) in done {
        summary.add(&all[case as usize], verdict);
    }
    Ok(summary)
}

/// The parts of which a turned bit passes an examination that expects none: those that no answer depends on.
#[cfg(test)]
pub(super) fn unnoticed(seed: u64) -> Vec<String> {
    let store = Store::new(seed).expect("a store");
    let (parts, questions) = (layout::parts(&store), Questions::new(&store));
    let passes = |part: &&Part| {
        let at = part.range.start + part.range.len() / 2;
        let damage = Damage { file: part.file.clone(), at, kind: Kind::Bit(3), when: When::Closed };
        let bytes = damage.bytes(&store).expect("a bit is turned");
        let due = Due { file: &part.file, parts: Vec::new(), lost: Vec::new(), is_stale: false };
        without_panic(|| Exam { store: &store, questions: &questions, due }.run(&damage, &bytes)).is_ok()
    };
    parts.iter().filter(passes).map(|part| format!("{part:?}")).collect()
}

/// `None` if it changes nothing.
fn examine(
    store: &Store,
    parts: &[Part],
    questions: &Questions,
    damage: &Damage,
) -> Result<Option<Verdict>, String> {
    let Some(bytes) = damage.bytes(store) else { return Ok(None) };
    let due = Due::new(store, parts, damage, &bytes);
    Exam { store, questions, due }.run(damage, &bytes).map(Some)
}

/// Every bit of every part, then every sector of every file that has parts.
fn harms(store: &Store, parts: &[Part]) -> Vec<Damage> {
    let mut harms = Vec::new();
    let whens = |file: &str| {
        let may_be_open = file.starts_with("segments/") || file.starts_with("index/");
        if may_be_open { &[When::Closed, When::Open][..] } else { &[When::Closed] }
    };
    for (file, bytes) in &store.files {
        let of_file = parts.iter().filter(|part| part.file == *file);
        let end = of_file.map(|part| part.range.end).max().unwrap_or(0);
        assert!(end == 0 || end == bytes.len(), "each byte of {file} belongs to a part");
        let mut add = |at, kind| {
            harms.extend(whens(file).iter().map(|&when| Damage { file: file.clone(), at, kind, when }));
        };
        for at in 0..end {
            (0..8).for_each(|bit| add(at, Kind::Bit(bit)));
        }
        for at in (0..end).step_by(SECTOR) {
            [Kind::Zeros, Kind::Random, Kind::Misdirected, Kind::Stale]
                .into_iter()
                .for_each(|kind| add(at, kind));
        }
    }
    // Bits first, in the order of files, those of write-ahead files last.
    harms.sort_by_key(|damage| (!matches!(damage.kind, Kind::Bit(_)), damage.is_in_wal()));
    harms
}

impl Summary {
    fn add(&mut self, damage: &Damage, verdict: Option<Verdict>) {
        let Some(verdict) = verdict else { return };
        let counts = self.files.entry(damage.file.clone()).or_default();
        match damage.kind {
            Kind::Bit(_) => counts.bits += 1,
            Kind::Zeros | Kind::Random | Kind::Misdirected | Kind::Stale => counts.sectors += 1,
        }
        let Verdict { told, refused, corrupt, mended } = verdict;
        counts.open += u64::from(damage.when == When::Open);
        counts.told += u64::from(told);
        counts.refused += u64::from(refused);
        counts.corrupt += u64::from(0 < corrupt);
        counts.mended += u64::from(mended);
        let noticed = told || refused || mended || 0 < corrupt || damage.when == When::Open;
        counts.harmless += u64::from(!noticed);
    }

    /// How many there were.
    pub fn harms(&self) -> u64 {
        self.files.values().map(|counts| counts.bits + counts.sectors).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "flips: {} places harmed, no wrong answer, each told where it must be", self.harms())?;
        write!(
            f,
            "  {:<55} {:>9} {:>8} {:>9} {:>9} {:>8} {:>8} {:>8} {:>9}",
            "file", "bits", "sectors", "open", "verified", "refused", "corrupt", "mended", "harmless"
        )?;
        for (file, counts) in &self.files {
            let Counts { bits, sectors, open, told, refused, corrupt, mended, harmless } = counts;
            write!(f, "\n  {file:<55} {bits:>9} {sectors:>8} {open:>9} {told:>9} {refused:>8} ")?;
            write!(f, "{corrupt:>8} {mended:>8} {harmless:>9}")?;
        }
        Ok(())
    }
}
