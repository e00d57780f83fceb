//! What a test can ask to go wrong on the mounted file system, and where.
//!
//! A fault is the n-th call of a kind, at a place or anywhere. How much a failing call does all the same is up to the
//! seed, as with a real disk: nothing, a part, or all.

use std::collections::BTreeMap;
use std::fmt;

use fuser::Errno;

/// A call of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Create,
    Open,
    Read,
    Write,
    /// With `O_DSYNC` or `O_SYNC`, of the file or of the one write.
    WriteDurably,
    /// A length is set.
    Resize,
    /// `fsync` or `fdatasync` of a file.
    Sync,
    SyncDirectory,
    Rename,
    Remove,
    MakeDirectory,
    List,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::WriteDurably => "durable write",
            Self::Resize => "resize",
            Self::Sync => "sync",
            Self::SyncDirectory => "directory sync",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::MakeDirectory => "mkdir",
            Self::List => "list",
        })
    }
}

/// A call at a place: the last directory and the name, with long numbers as `#`.
pub(crate) type Site = (Call, String);

/// The n-th call at a site fails.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) site: Site,
    /// Counted from 1, from when it is asked for.
    pub(crate) nth: u64,
    pub(crate) errno: Errno,
}

/// What is asked for, and what was seen.
#[derive(Debug, Default)]
pub(super) struct Faults {
    wanted: Vec<Fault>,
    seen: BTreeMap<Site, u64>,
    fired: Vec<Site>,
}

impl Faults {
    pub(super) fn add(&mut self, mut fault: Fault) {
        fault.nth += self.seen.get(&fault.site).copied().unwrap_or(0);
        self.wanted.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.wanted.clear();
    }

    /// Counts a call; the error that it is to fail with.
    pub(super) fn strike(&mut self, call: Call, place: String) -> Option<Errno> {
        let site = (call, place);
        let count = self.seen.entry(site.clone()).or_default();
        *count += 1;
        let due = self.wanted.iter().find(|fault| fault.site == site && fault.nth == *count)?;
        self.fired.push(site);
        Some(due.errno)
    }

    /// How often each call was made at each place.
    pub(super) fn sites(&self) -> BTreeMap<Site, u64> {
        self.seen.clone()
    }

    /// The calls that failed because a test wanted it.
    pub(super) fn fired(&self) -> &[Site] {
        &self.fired
    }
}
