//! What goes wrong, and when: single faults at calls that are counted, and odds for all calls.
//!
//! * A call is counted for its kind and its place, which is its path without the numbers in it, so that a test can
//!   fail each place of the engine that calls the disk, one at a time.
//! * A fault that was asked for comes before odds. What a failing call does all the same is part of the fault.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastrand::Rng;

use super::errno;

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

    fn changes(self) -> bool {
        Self::CHANGING.contains(&self)
    }

    pub(super) fn name(self) -> &'static str {
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
    cause: Cause,
    effect: Effect,
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

    fn is_due(&mut self, call: Call, place: &str) -> bool {
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

/// How a call is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    Well,
    Short,
    Stale,
    Misdirected(Option<(PathBuf, u64)>),
    /// It fails, and does this.
    Failing(Effect),
}

/// What is said of a call: how it is done, and what it answers all the same.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    /// `None`: nothing is to be done at all.
    pub(super) how: Option<How>,
    pub(super) failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Io,
    Full,
    Death,
}

impl Failure {
    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Io => errno::error(errno::IO),
            Self::Full => errno::error(errno::FULL),
            Self::Death => errno::gone(),
        }
    }
}

/// All that is to go wrong, and the counts.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) wanted: Vec<Fault>,
    pub(super) odds: Odds,
    pub(super) places: BTreeMap<(Call, Arc<str>), u64>,
    /// How many calls went wrong.
    pub(super) fired: u64,
}

impl Faults {
    /// Counts a call and says how it goes.
    pub(super) fn judge(&mut self, call: Call, place: &Arc<str>, rng: &mut Rng) -> Verdict {
        *self.places.entry((call, place.clone())).or_default() += 1;
        let mut due = None;
        for fault in &mut self.wanted {
            // Each of them counts the call.
            if fault.is_due(call, place) && due.is_none() {
                due = Some((fault.cause.clone(), fault.effect));
            }
        }
        let Some((cause, effect)) = due.or_else(|| self.odds.draw(call, rng)) else {
            return Verdict { how: Some(How::Well), failure: None };
        };
        self.fired += 1;
        let failing = |failure| Verdict { how: how(call, effect, failure, rng), failure: Some(failure) };
        let odd = |how| Verdict { how: Some(how), failure: None };
        match cause {
            Cause::Io => failing(Failure::Io),
            Cause::Full => failing(Failure::Full),
            Cause::Death => failing(Failure::Death),
            Cause::Short => odd(How::Short),
            Cause::Stale => odd(How::Stale),
            Cause::Misdirected(to) => odd(How::Misdirected(to)),
        }
    }
}

impl Odds {
    fn draw(&self, call: Call, rng: &mut Rng) -> Option<(Cause, Effect)> {
        if draw(self.failing.get(&call).copied().unwrap_or(0), rng) {
            return Some((Cause::Io, Effect::Any));
        }
        let odd = |cause| Some((cause, Effect::None));
        match call {
            Call::Read if draw(self.short, rng) => odd(Cause::Short),
            Call::WriteDurably if draw(self.stale, rng) => odd(Cause::Stale),
            Call::WriteDurably if draw(self.misdirected, rng) => odd(Cause::Misdirected(None)),
            _ => None,
        }
    }
}

/// Whether something happens that does so often in a million.
pub(super) fn draw(odds: u32, rng: &mut Rng) -> bool {
    0 < odds && rng.u32(..1_000_000) < odds
}

/// What a failing call does; `None` for nothing.
fn how(call: Call, effect: Effect, failure: Failure, rng: &mut Rng) -> Option<How> {
    let effect = match effect {
        Effect::Any => [Effect::None, Effect::Part, Effect::Whole, Effect::Dropped][rng.usize(..4)],
        Effect::None | Effect::Part | Effect::Whole | Effect::Dropped => effect,
    };
    let happens = match effect {
        Effect::None | Effect::Any => false,
        Effect::Whole => true,
        // Nobody forgets what a process has written because it died.
        Effect::Part => call != Call::Sync || failure != Failure::Death,
        Effect::Dropped => call == Call::Sync && failure != Failure::Death,
    };
    (happens && call.changes()).then_some(How::Failing(effect))
}

/// A path without what differs from file to file: the last directory and the name, numbers as `#`. A short number
/// before a dash says what kind of file it is, and stays.
pub(super) fn place(path: &Path) -> String {
    let mut names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).filter(|name| name != "/").collect();
    let kept = names.split_off(names.len().saturating_sub(2));
    let mut place = String::new();
    for (index, name) in kept.iter().enumerate() {
        if 0 < index {
            place.push('/');
        }
        let mut rest: &str = name;
        if let (true, Some((level, _))) = (index + 1 == kept.len(), rest.split_once('-'))
            && level.len() <= 2
            && level.bytes().all(|byte| byte.is_ascii_digit())
        {
            place.push_str(level);
            rest = &rest[level.len()..];
        }
        for c in rest.chars() {
            match (c.is_ascii_digit(), place.ends_with('#')) {
                (true, true) => {}
                (true, false) => place.push('#'),
                (false, _) => place.push(c),
            }
        }
    }
    place
}
