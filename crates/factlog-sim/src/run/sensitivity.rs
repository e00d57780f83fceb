//! Whether runs notice bugs: each one that can be planted must be caught within a stated number of seeds.

use factlog_engine::simulation::{Bug, plant};

use super::{Kind, Plan, attempt};

/// Seeds within which every planted bug is caught.
pub const SEEDS_MAX: u64 = 20_000;

/// How a planted bug was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// The bug.
    pub bug: Bug,
    /// The run that caught it.
    pub plan: Plan,
    /// How many seeds it took, all kinds of runs counted.
    pub seeds: u64,
    /// What was broken first.
    pub what: String,
}

/// Plants a bug and runs seeds from 0 of the kinds of runs that are about it, in turns, until a promise breaks. `None` if none
/// did within so many.
pub fn catch(bug: Bug, most: u64) -> Option<Caught> {
    plant(Some(bug));
    let kinds = kinds(bug);
    let count = kinds.len() as u64;
    let caught = (0..most).find_map(|n| {
        let plan = Plan { kind: kinds[(n % count) as usize], seed: n / count, steps: None };
        let what = attempt(plan).err()?.into_iter().next().unwrap_or_default();
        Some(Caught { bug, plan, seeds: n + 1, what })
    });
    plant(None);
    caught
}

/// The kinds of runs that a bug is looked for in.
fn kinds(bug: Bug) -> &'static [Kind] {
    match bug {
        Bug::BlockUnchecked
        | Bug::PageUnchecked
        | Bug::FrameUnchecked
        | Bug::ManifestUnchecked
        | Bug::HoleEndsLog
        | Bug::HoleIsPassedOver
        | Bug::TrackingPassesOverHole
        | Bug::ManifestHasOneCopy
        | Bug::WriteAgainUnchecked
        | Bug::DamageIsWritable => &[Kind::Damage],
        Bug::NamesNotSyncedAgain | Bug::DirectoryNotSyncedAgain => &[Kind::Errors],
        _ => &[Kind::Kill, Kind::PowerLoss],
    }
}
