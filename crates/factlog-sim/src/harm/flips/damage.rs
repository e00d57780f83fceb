//! What is done to a file: a bit is turned, or a sector replaced. And what is due then.

use std::path::Path;

use fastrand::Rng;

use super::layout::{Part, What};
use super::store::{SEALED, Store};
use crate::disk::SimDisk;
use crate::harm::hand::DIR;

pub(super) const SECTOR: usize = 512;

/// When it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Closed,
    /// While the store is open and has nothing in its caches.
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bit(u8),
    /// The sector is zeros.
    Zeros,
    /// It has bytes that nobody wrote.
    Random,
    /// It has what belongs elsewhere in the file.
    Misdirected,
    /// It has what was there earlier.
    Stale,
}

/// A harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) file: String,
    pub(super) at: usize,
    pub(super) kind: Kind,
    pub(super) when: When,
}

impl Damage {
    /// What it is called, so that it can be repeated.
    pub(super) fn name(&self) -> String {
        let when = match self.when {
            When::Closed => "",
            When::Open => ":open",
        };
        let kind = match self.kind {
            Kind::Bit(bit) => bit.to_string(),
            Kind::Zeros => "zeros".to_owned(),
            Kind::Random => "random".to_owned(),
            Kind::Misdirected => "misdirected".to_owned(),
            Kind::Stale => "stale".to_owned(),
        };
        format!("{}:{}:{kind}{when}", self.file, self.at)
    }

    /// Whether it harms a write-ahead file.
    pub(super) fn is_in_wal(&self) -> bool {
        self.file.starts_with("wal/")
    }

    /// The bytes that then stand at `at`; `None` if they are those that stand there now.
    pub(super) fn bytes(&self, store: &Store) -> Option<Vec<u8>> {
        let file = &store.files[&self.file];
        let end = match self.kind {
            Kind::Bit(_) => self.at + 1,
            Kind::Zeros | Kind::Random | Kind::Misdirected | Kind::Stale => file.len().min(self.at + SECTOR),
        };
        let now = &file[self.at..end];
        let mut rng = Rng::with_seed(self.at as u64);
        let bytes = match self.kind {
            Kind::Bit(bit) => vec![now[0] ^ 1 << bit],
            Kind::Zeros => vec![0; now.len()],
            Kind::Random => now.iter().map(|_| rng.u8(..)).collect(),
            Kind::Misdirected => {
                let sectors = file.len() / SECTOR;
                let from = rng.usize(..sectors.max(1)) * SECTOR;
                file.get(from..from + now.len())?.to_vec()
            }
            Kind::Stale => store.former.get(&self.file)?.get(self.at..end)?.to_vec(),
        };
        (bytes != now).then_some(bytes)
    }

    pub(super) fn apply(&self, disk: &SimDisk, bytes: &[u8]) {
        let path = Path::new(DIR).join(&self.file);
        disk.overwrite(&path, self.at as u64, bytes).expect("the file is there");
    }
}

/// What is due after a harm.
#[derive(Clone, Debug)]
pub(super) struct Due<'a> {
    pub(super) file: &'a str,
    /// The parts of which a byte is not what was written.
    pub(super) parts: Vec<&'a Part>,
    /// The positions that cannot be served, in order and apart.
    pub(super) lost: Vec<(u64, u64)>,
    /// Whether it is what was there earlier.
    pub(super) is_stale: bool,
}

impl<'a> Due<'a> {
    pub(super) fn new(store: &'a Store, parts: &'a [Part], damage: &'a Damage, bytes: &[u8]) -> Self {
        let file = damage.file.as_str();
        let now = &store.files[file];
        let is_hit = |part: &&Part| {
            let of_bytes = damage.at.max(part.range.start)..part.range.end.min(damage.at + bytes.len());
            part.file == file && of_bytes.into_iter().any(|at| now[at] != bytes[at - damage.at])
        };
        let parts: Vec<_> = parts.iter().filter(is_hit).collect();
        let mut lost = Vec::new();
        for part in &parts {
            if let What::Events(first, last) = part.what {
                lost.push((first, last));
            }
        }
        let mut due = Self { file, parts, lost, is_stale: damage.kind == Kind::Stale };
        if due.loses_both_footers() {
            due.lost = vec![(1, SEALED)];
        }
        due
    }

    /// Whether a segment is left without a footer: a sector at the border of both takes them with it.
    pub(super) fn loses_both_footers(&self) -> bool {
        1 < self.parts.iter().filter(|part| part.what == What::Footer).count()
    }

    /// Whether a position can be served.
    pub(super) fn serves(&self, position: u64) -> bool {
        self.lost.iter().all(|&(first, last)| position < first || last < position)
    }

    /// Whether it is in the write-ahead log, which cannot be passed over nor written then.
    pub(super) fn is_in_tail(&self) -> bool {
        self.file.starts_with("wal/")
    }

    /// The parts that a verification must name. An older copy of the manifest is a copy of the manifest.
    pub(super) fn told(&self) -> impl Iterator<Item = &&'a Part> {
        self.parts.iter().filter(|part| match part.what {
            What::LastBeacon | What::Unused => false,
            What::Manifest => !self.is_stale,
            What::Store | What::Spare | What::Footer | What::Events(..) => true,
            What::Page | What::RunFooter | What::Beacon => true,
        })
    }

    /// Whether the next opening for writing, or the background, mends all of it.
    pub(super) fn is_mended(&self) -> bool {
        self.file.starts_with("index/") || self.file.starts_with("MANIFEST") || self.is_beacon()
    }

    /// Whether it takes a beacon, and nothing else of the log.
    pub(super) fn is_beacon(&self) -> bool {
        self.parts.iter().any(|part| part.what == What::Beacon) && self.lost.is_empty()
    }

    /// Whether it takes a run's last page.
    pub(super) fn loses_run(&self) -> bool {
        self.parts.iter().any(|part| part.what == What::RunFooter)
    }

    /// Whether the store cannot be opened.
    pub(super) fn is_refused(&self) -> bool {
        self.file == "STORE"
    }
}
