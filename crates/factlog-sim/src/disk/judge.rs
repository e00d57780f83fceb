//! How a call goes: every call is counted, and told whether and how it goes wrong.
//!
//! * A call is counted for its kind and its place, which is its path without the numbers in it, so that a test can
//!   fail each place of the engine that calls the disk, one at a time.
//! * A fault that was asked for comes before odds.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastrand::Rng;

use super::errno;
use super::faults::{Call, Cause, Effect, Fault, Odds};

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
        let mut failing = |failure| Verdict { how: how(call, effect, failure, rng), failure: Some(failure) };
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
    let mut names: Vec<_> =
        path.iter().map(|name| name.to_string_lossy()).filter(|name| name != "/").collect();
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
