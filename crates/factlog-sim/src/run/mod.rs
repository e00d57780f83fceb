//! Runs: a few clients at work on a stepped store over a simulated disk, with crashes at any moment. One seed is one
//! run, down to the last call of the disk.
//!
//! * What may go wrong in a run is its [`Kind`]; how much is asked, and how the store is set, is drawn by the seed.
//! * After the last crash the store is closed, verified, opened once more and read, and the whole history is held
//!   against the promises of the contract by [`factlog_check`].

mod asking;
mod clients;
mod clock;
mod damage;
mod opening;
pub mod sensitivity;
pub mod sites;
mod stored;
mod swarm;
mod truth;
mod verdict;
mod world;

use std::fmt;
use std::panic::catch_unwind;

use factlog_core::RecordedEvent;
use xxhash_rust::xxh3::Xxh3Default;

use crate::disk::Fault;
use factlog_check::check;
use factlog_check::history::{History, Operation, Outcome, What};
use swarm::Swarm;
use world::World;

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The process is killed, again and again, also while it opens the store.
    Kill,
    /// The power fails, with any subset of what was not synced gone.
    PowerLoss,
    /// Calls of the disk fail that change something, doing any part of what they should, or it is full; and processes end
    /// in both of the other ways. What was refused for it must not have been written.
    Errors,
    /// What is stored is harmed: bits turn, sectors and writes are lost, stand elsewhere or cannot be read; and processes end
    /// in both ways. What is answered must be right or say that it cannot be, and where the harm is.
    Damage,
    /// Processes end in both ways, and one call fails that is asked for: see [`sites`].
    Sites,
}

/// Which run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What happens.
    pub kind: Kind,
    /// What decides everything else.
    pub seed: u64,
    /// Steps to take at most; a run that fails after many fails after the fewest the same way.
    pub steps: Option<u64>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Steps taken.
    pub steps: u64,
    /// Crashes survived.
    pub crashes: u64,
    /// Appends that were acknowledged.
    pub acknowledged: u64,
    /// Appends of which nobody was told what became.
    pub unknown: u64,
    /// Appends that were refused because the disk had failed.
    pub refused: u64,
    /// Calls of the disk that failed.
    pub failures: u64,
    /// Places that were harmed at rest or while the store was open.
    pub harms: u64,
    /// Openings that found damage to the log.
    pub read_only: u64,
    /// Openings that were refused for damage.
    pub refusals: u64,
    /// Runs that ended because harm took what nothing vouched for.
    pub excused: u64,
    /// Appends whose conditions did not hold.
    pub conflicts: u64,
    /// Events in the log at the end.
    pub events: u64,
    /// Sealed segments at the end.
    pub segments: u64,
    /// A hash over all calls of the disk and all answers: the same for the same plan.
    pub trace: u64,
}

/// A run that broke a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The run, with as few steps as still fail.
    pub plan: Plan,
    /// What was broken, in plain words, a line each.
    pub what: Vec<String>,
}

/// Runs a plan.
///
/// # Errors
/// A broken promise, with the same plan cut down to as few steps as still break one.
pub fn run(plan: Plan) -> Result<Summary, Failure> {
    attempt(plan).map_err(|what| shortest(plan, what))
}

/// The calls of the disk of a run, a line each, and what it broke.
pub fn trace(plan: Plan) -> Vec<String> {
    let mut world = World::new(plan, Swarm::draw(plan.seed));
    world.disk().keep_trace();
    let disk = world.disk().clone();
    let broken = world.live().and_then(|()| world.finish().map(drop)).err();
    disk.trace().into_iter().chain(broken).collect()
}

/// One execution. A panic is a broken promise like any other.
fn attempt(plan: Plan) -> Result<Summary, Vec<String>> {
    attempt_with(plan, &[])
}

/// One execution in which these calls fail.
fn attempt_with(plan: Plan, faults: &[Fault]) -> Result<Summary, Vec<String>> {
    let ran = catch_unwind(|| execute(plan, faults));
    ran.unwrap_or_else(|panic| {
        let told = panic.downcast_ref::<String>().map(String::as_str);
        let told = told.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("nothing");
        Err(vec![format!("a panic, which said: {told}")])
    })
}

fn execute(plan: Plan, faults: &[Fault]) -> Result<Summary, Vec<String>> {
    let mut world = World::new(plan, Swarm::draw(plan.seed));
    faults.iter().for_each(|fault| world.disk().add_fault(fault.clone()));
    let one = |what: String| vec![what];
    world.live().map_err(one)?;
    let (history, mut summary) = world.finish().map_err(one)?;
    let violations = check(&history);
    if !violations.is_empty() {
        return Err(violations.iter().map(ToString::to_string).collect());
    }
    summary.trace = digest(summary.trace, &history);
    Ok(summary)
}

/// A hash over the calls of the disk, the order and the moments of all questions and answers, and the log.
fn digest(disk: u64, history: &History) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(&disk.to_le_bytes());
    for Operation { client, begun, ended, what } in &history.operations {
        hash.update(&begun.to_le_bytes());
        hash.update(&ended.unwrap_or_default().to_le_bytes());
        let (kind, found): (u8, &[RecordedEvent]) = match what {
            What::Append { outcome: Outcome::Appended(_), .. } => (0, &[]),
            What::Append { outcome: Outcome::Conflict(_), .. } => (1, &[]),
            What::Append { outcome: Outcome::Refused, .. } => (2, &[]),
            What::Append { outcome: Outcome::Unknown, .. } => (3, &[]),
            What::Read { found, .. } => (4, found),
            What::Deliveries { found, .. } => (5, found),
            What::CaughtUp { .. } => (6, &[]),
            What::Tracking { .. } => (7, &[]),
            What::Head { .. } => (8, &[]),
            What::PositionAt { .. } => (9, &[]),
        };
        hash.update(&[kind, u8::try_from(*client).unwrap_or(u8::MAX)]);
        found.iter().for_each(|event| hash.update(&event.position.get().to_le_bytes()));
    }
    for event in &history.log {
        hash.update(event.event.id.as_bytes());
        hash.update(&event.recorded_at.as_micros().to_le_bytes());
    }
    hash.digest()
}

/// The same run with the fewest steps that break a promise, found by halving.
fn shortest(plan: Plan, what: Vec<String>) -> Failure {
    let most = plan.steps.unwrap_or_else(|| Swarm::draw(plan.seed).steps);
    let (mut good, mut failure) = (0, Failure { plan: Plan { steps: Some(most), ..plan }, what });
    let mut bad = most;
    while good + 1 < bad {
        let steps = Some(good.midpoint(bad));
        let plan = Plan { steps, ..plan };
        match attempt(plan) {
            Ok(_) => good = good.midpoint(bad),
            Err(what) => {
                failure = Failure { plan, what };
                bad = good.midpoint(bad);
            }
        }
    }
    failure
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::PowerLoss => "power",
            Self::Errors => "errors",
            Self::Damage => "damage",
            Self::Sites => "sites",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { kind, seed, steps } = self.plan;
        let steps = steps.unwrap_or_default();
        writeln!(f, "{kind}, seed {seed}, broke a promise after {steps} steps:")?;
        for line in &self.what {
            writeln!(f, "  {line}")?;
        }
        write!(
            f,
            "again: cargo run --release -p factlog-sim -- --kind {kind} --seed {seed} --steps {steps} --trace"
        )
    }
}

#[cfg(test)]
mod tests;
