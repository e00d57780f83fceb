//! What a test can ask to go wrong, and when.
//!
//! * A single fault is the n-th of some calls; what a failing call does all the same is part of it.
//! * Odds are for all calls.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the call of `Disk`, `DiskFile` or `Pipeline` of that name")]
pub enum Call {
    CreateDir,
    List,
    /// Also by turning a pipeline to a file.
    Open,
    Create,
    Rename,
    Remove,
    SyncDir,
    Lock,
    Read,
    Write,
    /// Also through a pipeline.
    WriteDurably,
    Sync,
    Length,
}

impl Call {
    /// Those that change what is on the disk.
    pub const CHANGING: &[Self] = &[
        Self::CreateDir,
        Self::Create,
        Self::Rename,
        Self::Remove,
        Self::SyncDir,
        Self::Write,
        Self::WriteDurably,
        Self::Sync,
    ];

    /// Those that only look.
    pub const LOOKING: &[Self] = &[Self::List, Self::Open, Self::Read, Self::Length];

    pub(super) fn changes(self) -> bool {
        Self::CHANGING.contains(&self)
    }

    /// What it does, in a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateDir => "create directory",
            Self::List => "list",
            Self::Open => "open",
            Self::Create => "create",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::SyncDir => "sync directory",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Write => "write",
            Self::WriteDurably => "write durably",
            Self::Sync => "sync",
            Self::Length => "length",
        }
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What is wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The disk says that it cannot (EIO).
    Io,
    /// The disk says that it is full (ENOSPC).
    Full,
    /// The process ends in this call: see [`super::SimDisk::is_dead`].
    Death,
    /// A read says that the file has ended where it has not. Other calls go well.
    Short,
    /// A durable write says that it is done and is nowhere. Other calls go well.
    Stale,
    /// A durable write says that it is done and stands elsewhere: there, or in any file. Other calls go well.
    Misdirected(Option<(PathBuf, u64)>),
}

/// How much a failing call does all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Some of it: sectors of a write; of what is to be synced, with the rest forgotten as by [`Effect::Dropped`]; the
    /// first few names of a directory.
    Part,
    /// All of it. Of a durable write nobody knows whether it is durable.
    Whole,
    /// Of a sync: what was to be synced is taken for written, reads as before, and is written by no later sync. Of
    /// other calls nothing.
    Dropped,
    /// One of these, by the seed.
    Any,
}

/// One fault: the n-th of some calls.
#[derive(Clone, Debug)]
pub struct Fault {
    calls: &'static [Call],
    place: Option<String>,
    nth: u64,
    lasting: bool,
    pub(super) cause: Cause,
    pub(super) effect: Effect,
    seen: u64,
}

impl Fault {
    /// The `nth` of these calls from now fails with an input/output error, counted from 1.
    pub fn once(calls: &'static [Call], nth: u64) -> Self {
        let (place, lasting, cause, effect, seen) = (None, false, Cause::Io, Effect::Any, 0);
        Self { calls, place, nth, lasting, cause, effect, seen }
    }

    /// The `nth` of these calls from now and all later ones fail.
    pub fn from_then_on(calls: &'static [Call], nth: u64) -> Self {
        Self { lasting: true, ..Self::once(calls, nth) }
    }

    /// Only calls at this place count: see [`super::SimDisk::places`].
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        Self { place: Some(place.to_owned()), ..self }
    }

    /// It goes wrong like this.
    #[must_use]
    pub fn with(self, cause: Cause) -> Self {
        Self { cause, ..self }
    }

    /// It does so much all the same.
    #[must_use]
    pub fn doing(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    pub(super) fn is_due(&mut self, call: Call, place: &str) -> bool {
        if !self.calls.contains(&call) || self.place.as_ref().is_some_and(|wanted| wanted != place) {
            return false;
        }
        self.seen += 1;
        self.seen == self.nth || (self.nth < self.seen && self.lasting)
    }
}

/// How often things go wrong by themselves, in a million calls.
#[derive(Clone, Debug, Default)]
pub struct Odds {
    /// Calls of a kind that fail with an input/output error, doing anything.
    pub failing: BTreeMap<Call, u32>,
    /// Reads that find a bit turned, from then on.
    pub rot: u32,
    /// Reads that end too early.
    pub short: u32,
    /// Durable writes that are lost.
    pub stale: u32,
    /// Durable writes that stand elsewhere.
    pub misdirected: u32,
}
