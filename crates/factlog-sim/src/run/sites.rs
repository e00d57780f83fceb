//! Every place in the engine that calls the disk, failed one call at a time.
//!
//! * A place is a call and the path it is about, without its numbers. A few fixed runs, with processes that end in both
//!   ways but no other faults, reach all of them; [`REACHED`] lists them, and a test holds that list to what runs touch.
//! * Of each place the first so many calls are failed, one a run, with each error it can have and with each part of its
//!   work done all the same. Of what was acknowledged nothing may be lost, a writer that failed may acknowledge nothing any
//!   more, and the store must open again: see `world.rs`.
//! * The engine never cuts off a file, so there is no call for it.

use std::collections::BTreeMap;
use std::slice;

use super::swarm::Swarm;
use super::world::World;
use super::{Failure, Kind, Plan, attempt_with};
use crate::disk::{Call, Cause, Effect, Fault};

/// The runs that together reach every place.
pub const SEEDS: &[u64] = &[423, 7];

/// Calls of a place in a run that are failed at most.
pub const CALLS_MAX: u64 = 12;

/// A call and what it is about.
pub type Site = (Call, String);

/// Every place that runs reach.
pub const REACHED: &[(Call, &str)] = &[
    (Call::CreateDir, "store"),
    (Call::CreateDir, "store/index"),
    (Call::CreateDir, "store/segments"),
    (Call::CreateDir, "store/wal"),
    (Call::List, "store"),
    (Call::List, "store/index"),
    (Call::List, "store/segments"),
    (Call::List, "store/wal"),
    (Call::Open, "index/0-#-#.idx"),
    (Call::Open, "index/1-#-#.idx"),
    (Call::Open, "segments/#.log"),
    (Call::Open, "store/MANIFEST.#"),
    (Call::Open, "store/STORE"),
    (Call::Open, "store/wal"),
    (Call::Open, "wal/#"),
    (Call::Create, "index/0-#-#.idx.tmp"),
    (Call::Create, "index/1-#-#.idx.tmp"),
    (Call::Create, "segments/next.tmp"),
    (Call::Create, "store/MANIFEST.#.tmp"),
    (Call::Create, "store/STORE.tmp"),
    (Call::Create, "wal/next.tmp"),
    (Call::Rename, "index/0-#-#.idx"),
    (Call::Rename, "index/1-#-#.idx"),
    (Call::Rename, "segments/#.log"),
    (Call::Rename, "store/MANIFEST.#"),
    (Call::Rename, "store/STORE"),
    (Call::Rename, "wal/#"),
    (Call::Remove, "index/0-#-#.idx"),
    (Call::Remove, "wal/#"),
    (Call::SyncDir, ""),
    (Call::SyncDir, "store"),
    (Call::SyncDir, "store/index"),
    (Call::SyncDir, "store/segments"),
    (Call::SyncDir, "store/wal"),
    (Call::Lock, "store/LOCK"),
    (Call::Read, "index/0-#-#.idx"),
    (Call::Read, "index/1-#-#.idx"),
    (Call::Read, "segments/#.log"),
    (Call::Read, "store/MANIFEST.#"),
    (Call::Read, "store/STORE"),
    (Call::Read, "wal/#"),
    (Call::Write, "index/0-#-#.idx.tmp"),
    (Call::Write, "index/1-#-#.idx.tmp"),
    (Call::Write, "segments/next.tmp"),
    (Call::Write, "store/MANIFEST.#.tmp"),
    (Call::Write, "store/STORE.tmp"),
    (Call::Write, "wal/next.tmp"),
    (Call::WriteDurably, "wal/#"),
    (Call::Sync, "index/0-#-#.idx.tmp"),
    (Call::Sync, "index/1-#-#.idx.tmp"),
    (Call::Sync, "segments/next.tmp"),
    (Call::Sync, "store/MANIFEST.#.tmp"),
    (Call::Sync, "store/STORE.tmp"),
    (Call::Sync, "wal/next.tmp"),
    (Call::Length, "index/0-#-#.idx"),
    (Call::Length, "index/1-#-#.idx"),
    (Call::Length, "segments/#.log"),
    (Call::Length, "store/MANIFEST.#"),
    (Call::Length, "store/STORE"),
    (Call::Length, "wal/#"),
];

/// Those that are reached only behind a call that failed or a process that died in one.
pub const REACHED_BEHIND: &[(Call, &str)] = &[
    (Call::Remove, "index/0-#-#.idx.tmp"),
    (Call::Remove, "index/1-#-#.idx.tmp"),
    (Call::Remove, "segments/next.tmp"),
    (Call::Remove, "store/MANIFEST.#.tmp"),
    (Call::Remove, "store/STORE.tmp"),
    (Call::Remove, "wal/next.tmp"),
    (Call::Remove, "index/1-#-#.idx"),
];

/// One failed call.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Where.
    pub site: Site,
    /// Which of its calls, from 1.
    pub nth: u64,
    /// How it failed.
    pub how: String,
    /// What broke by it.
    pub failure: Failure,
}

/// The places that a run reaches, with how many calls there were.
///
/// # Errors
/// The promise that it broke.
pub fn reached(plan: Plan, faults: &[Fault]) -> Result<BTreeMap<Site, u64>, Failure> {
    let failed = |what: String| Failure { plan, what: vec![what] };
    let mut world = World::new(plan, Swarm::draw(plan.seed));
    faults.iter().for_each(|fault| world.disk().add_fault(fault.clone()));
    world.live().map_err(failed)?;
    Ok(world.disk().places())
}

/// Fails every call of every place, and says how many of each. What is called only once another call has failed is failed
/// together with that one.
///
/// # Errors
/// The first that broke a promise.
pub fn fail_all() -> Result<BTreeMap<Site, u64>, Box<Broken>> {
    let mut failed: BTreeMap<Site, u64> = BTreeMap::new();
    for &seed in SEEDS {
        let plan = Plan { kind: Kind::Sites, seed, steps: None };
        let none = ((Call::Open, String::new()), 0);
        let usual = reached(plan, &[]).map_err(|failure| broken(&none, "nothing", failure))?;
        for (site, &calls) in &usual {
            for nth in 1..=calls.min(CALLS_MAX) {
                for (cause, effect) in ways(site.0) {
                    let fault = Fault::once(one(site.0), nth).at(&site.1).with(cause.clone()).doing(effect);
                    let at = (site.clone(), nth);
                    fail(plan, &at, slice::from_ref(&fault), &mut failed)?;
                    let behind = reached(plan, slice::from_ref(&fault));
                    let behind = behind.map_err(|failure| broken(&at, "an error", failure))?;
                    for (other, calls) in behind.into_iter().filter(|(other, _)| !usual.contains_key(other)) {
                        for nth in 1..=calls.min(CALLS_MAX) {
                            let second = Fault::once(one(other.0), nth).at(&other.1).doing(Effect::None);
                            fail(plan, &(other.clone(), nth), &[fault.clone(), second], &mut failed)?;
                        }
                    }
                }
            }
        }
    }
    Ok(failed)
}

fn fail(
    plan: Plan,
    at: &(Site, u64),
    faults: &[Fault],
    failed: &mut BTreeMap<Site, u64>,
) -> Result<(), Box<Broken>> {
    let ran = attempt_with(plan, faults);
    ran.map_err(|what| broken(at, &format!("{faults:?}"), Failure { plan, what }))?;
    *failed.entry(at.0.clone()).or_default() += 1;
    Ok(())
}

fn broken((site, nth): &(Site, u64), how: &str, failure: Failure) -> Box<Broken> {
    Box::new(Broken { site: site.clone(), nth: *nth, how: how.to_owned(), failure })
}

/// The ways in which a call fails.
fn ways(call: Call) -> Vec<(Cause, Effect)> {
    let mut ways = vec![(Cause::Io, Effect::None)];
    if Call::CHANGING.contains(&call) {
        ways.extend([(Cause::Io, Effect::Part), (Cause::Io, Effect::Whole)]);
        ways.extend([(Cause::Full, Effect::None), (Cause::Full, Effect::Part)]);
    }
    if call == Call::Sync {
        ways.push((Cause::Io, Effect::Dropped));
    }
    if call == Call::Read {
        ways.push((Cause::Short, Effect::None));
    }
    ways
}

fn one(call: Call) -> &'static [Call] {
    let all = ALL.iter().position(|&other| other == call);
    all.map_or(&[], |at| &ALL[at..=at])
}

const ALL: [Call; 13] = [
    Call::CreateDir,
    Call::List,
    Call::Open,
    Call::Create,
    Call::Rename,
    Call::Remove,
    Call::SyncDir,
    Call::Lock,
    Call::Read,
    Call::Write,
    Call::WriteDurably,
    Call::Sync,
    Call::Length,
];

#[cfg(test)]
mod tests {
    //! A call that somebody adds to the engine must not go without being failed.
    use std::collections::BTreeSet;

    use super::*;

    fn known<'a>(lists: impl IntoIterator<Item = &'a [(Call, &'a str)]>) -> BTreeSet<Site> {
        lists.into_iter().flatten().map(|(call, place)| (*call, (*place).to_owned())).collect()
    }

    #[test]
    fn the_table_has_every_place_that_runs_touch() {
        let fixed = |&seed: &u64| reached(Plan { kind: Kind::Sites, seed, steps: None }, &[]);
        let fixed = SEEDS.iter().flat_map(|seed| fixed(seed).expect("sound").into_keys());
        assert_eq!(fixed.collect::<BTreeSet<_>>(), known([REACHED]), "the fixed runs reach what is said");
        let known = known([REACHED, REACHED_BEHIND]);
        for kind in [Kind::Kill, Kind::PowerLoss, Kind::Errors, Kind::Damage] {
            for seed in 0..40 {
                let reached = reached(Plan { kind, seed, steps: None }, &[]).expect("sound");
                let new: Vec<_> = reached.into_keys().filter(|site| !known.contains(site)).collect();
                assert!(new.is_empty(), "nobody fails {new:?}, which {kind}, seed {seed} calls");
            }
        }
    }

    #[test]
    fn the_first_call_of_every_place_may_fail() {
        let plan = Plan { kind: Kind::Sites, seed: SEEDS[0], steps: None };
        for (call, place) in REACHED {
            let fault = Fault::once(one(*call), 1).at(place).doing(Effect::None);
            let ran = attempt_with(plan, &[fault]);
            assert!(ran.is_ok(), "{call} of {place}: {ran:?}");
        }
    }
}
