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
    /// How many seeds it took, both kinds of crashes counted.
    pub seeds: u64,
    /// What was broken first.
    pub what: String,
}

/// Plants a bug and runs seeds from 0, killing and cutting the power in turns, until a promise breaks. `None` if none
/// did within so many.
pub fn catch(bug: Bug, most: u64) -> Option<Caught> {
    plant(Some(bug));
    let kinds = [Kind::Kill, Kind::PowerLoss];
    let caught = (0..most).find_map(|n| {
        let plan = Plan { kind: kinds[(n % 2) as usize], seed: n / 2, steps: None };
        let what = attempt(plan).err()?.into_iter().next().unwrap_or_default();
        Some(Caught { bug, plan, seeds: n + 1, what })
    });
    plant(None);
    caught
}
