//! Broken twins: each breaks one promise of a right history, and the checker of that promise must say so.
//!
//! A twin that finds nothing to break in a history leaves it alone and says so; each must find enough in all of them.

use fastrand::Rng;

use super::generate::{Mix, seeded};
use super::{Property, check, told, twins_of_answers, twins_of_log, twins_of_reads, twins_of_times};
use crate::history::{History, Operation, Outcome, What};

/// A way to break a history.
pub(super) struct Twin {
    pub(super) name: &'static str,
    /// The promise it breaks, without fail.
    pub(super) breaks: Property,
    /// Whether the search for an order can see it: it knows no times and no subscriptions.
    pub(super) is_order: bool,
    /// Breaks it, if there is something to break.
    pub(super) apply: fn(&mut History, &mut Rng) -> Option<()>,
}

/// A table of twins: the name of each function and what it breaks; `unseen` by the search for an order.
macro_rules! twins {
    (@order) => { true };
    (@order unseen) => { false };
    ($($name:ident breaks $property:ident $($unseen:ident)?;)*) => {
        pub(super) const ALL: &[Twin] = &[$(Twin {
            name: stringify!($name),
            breaks: Property::$property,
            is_order: twins!(@order $($unseen)?),
            apply: $name,
        }),*];
    };
}
pub(super) use twins;

pub(super) fn all() -> impl Iterator<Item = &'static Twin> {
    twins_of_log::ALL
        .iter()
        .chain(twins_of_reads::ALL)
        .chain(twins_of_answers::ALL)
        .chain(twins_of_times::ALL)
}

/// One of the operations that this says something about, with what it says.
pub(super) fn pick<T>(
    history: &History,
    rng: &mut Rng,
    choose: impl Fn(&Operation) -> Option<T>,
) -> Option<(usize, T)> {
    let mut found: Vec<(usize, T)> = Vec::new();
    for (at, operation) in history.operations.iter().enumerate() {
        found.extend(choose(operation).map(|what| (at, what)));
    }
    (!found.is_empty()).then(|| found.swap_remove(rng.usize(..found.len())))
}

/// First and last place of an append that was acknowledged and not a repeat.
pub(super) fn acknowledged(operation: &Operation) -> Option<(u64, u64)> {
    match &operation.what {
        What::Append { outcome: Outcome::Appended(appended), .. } if !appended.deduplicated => {
            Some((appended.first.get(), appended.last.get()))
        }
        What::Append { .. }
        | What::Read { .. }
        | What::Deliveries { .. }
        | What::CaughtUp { .. }
        | What::Tracking { .. }
        | What::PositionAt { .. }
        | What::Head { .. } => None,
    }
}

#[test]
fn right_histories_pass() {
    for seed in 0..250 {
        let history = seeded(seed, Mix::Everything, 200, 70);
        let found = check(&history);
        assert!(found.is_empty(), "seed {seed}:\n{}\n{history:#?}", told(&found));
    }
}

#[test]
fn every_broken_twin_is_caught_by_the_property_it_breaks() {
    let right: Vec<History> = (0..120).map(|seed| seeded(seed, Mix::Everything, 200, 70)).collect();
    for twin in all() {
        let (mut applied, name) = (0, twin.name);
        for (seed, history) in (0..).zip(&right) {
            let mut history = history.clone();
            if (twin.apply)(&mut history, &mut Rng::with_seed(seed)).is_none() {
                continue;
            }
            applied += 1;
            let found = check(&history);
            let is_caught = found.iter().any(|violation| violation.property == twin.breaks);
            assert!(
                is_caught,
                "{name}, seed {seed}: not caught by {}; found:\n{}",
                twin.breaks,
                told(&found)
            );
        }
        assert!(20 <= applied, "{name} found something to break in {applied} histories only");
    }
}

#[test]
fn every_property_has_a_twin() {
    let properties = [
        Property::Log,
        Property::Recorded,
        Property::RealTime,
        Property::Conditions,
        Property::Reads,
        Property::Subscriptions,
        Property::Repeats,
        Property::Tracking,
        Property::Times,
    ];
    for property in properties {
        let names: Vec<_> = all().filter(|twin| twin.breaks == property).map(|twin| twin.name).collect();
        assert!(2 <= names.len(), "{property} has only {names:?}");
    }
}
