//! The power fails under a real process, again and again, on a file system that forgets what was not synced.
//!
//! A loss comes at a moment of the process, or exactly between two calls that change something; the process is killed
//! before or after. What the next process finds is one of the states that a disk may be left in.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;

use crate::amnesia::{Amnesia, Call, Loss};
use crate::check::say;
use crate::enclosed::enclose;
use crate::life::{Life, News};
use crate::setting::StoreArguments;
use crate::told::Line;
use crate::trial::{Sum, Trial};

/// Cycles of one store; then comes a new one on a new disk.
const CYCLES_OF_A_STORE: u32 = 25;
/// How long a process lives on without a disk.
const AFTERLIFE: Duration = Duration::from_millis(15);

/// Cut the power under a real process, on a mounted file system that forgets what was not synced
///
/// After each cycle the store is verified in full and read whole; at the end of each store everything that all its
/// processes were told is held against the contract as one history. Exit code 1 if a promise was broken.
#[derive(Debug, clap::Args)]
pub(crate) struct AmnesiaArguments {
    /// How often the power fails
    #[arg(long, default_value_t = 25)]
    cycles: u32,
    /// Another seed, other events, settings and moments
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

/// When the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// When the process has been killed.
    AfterDeath,
    /// While it works.
    AtOnce,
    /// When so many more calls have changed something.
    Between(u64),
    /// When it has closed the store.
    AfterClose,
}

/// What there was.
#[derive(Debug, Default)]
struct Tally {
    sum: Sum,
    stores: u32,
    opening: u32,
    closed: u32,
    /// Losses that hit something that was not synced: bytes or names.
    bytes_at_risk: u32,
    names_at_risk: u32,
    durable_writes: u64,
    syncs: u64,
    directory_syncs: u64,
}

/// Runs all cycles, inside.
pub(crate) fn run(arguments: &AmnesiaArguments) -> Result<()> {
    enclose()?;
    let mut tally = Tally::default();
    let mut left = arguments.cycles;
    while 0 < left {
        let cycles = left.min(CYCLES_OF_A_STORE);
        let seed = arguments.seed.wrapping_mul(1_000_003).wrapping_add(tally.stores);
        let done = arguments.cycles - left;
        store(seed, cycles, &mut tally)
            .with_context(|| format!("the store after {done} cycles of --seed {}", arguments.seed))?;
        left -= cycles;
        if (arguments.cycles - left).is_multiple_of(100) {
            say(&format!("{} of {} cycles", arguments.cycles - left, arguments.cycles));
        }
    }
    let Tally { stores, opening, closed, bytes_at_risk, names_at_risk, .. } = tally;
    say(&format!(
        "amnesia: {} losses of power over {stores} stores ({opening} while one opened, {closed} when one was closed; \
         {bytes_at_risk} with bytes at risk and {names_at_risk} with names) after {} durable writes, {} syncs and {} \
         directory syncs; {}; 0 violations",
        arguments.cycles, tally.durable_writes, tally.syncs, tally.directory_syncs, tally.sum
    ));
    Ok(())
}

/// One store from its making on.
fn store(seed: u32, cycles: u32, tally: &mut Tally) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("factlog-amnesia-").tempdir()?;
    let disk = Amnesia::mount(directory.path(), u64::from(seed))?;
    let mut trial = Trial::begin(&disk.path().join("store"), seed)?;
    let done = all(&disk, &mut trial, (seed, cycles), tally);
    done.map_err(|error| {
        let kept = trial.keep();
        error.context(format!("a promise was broken; see what is left with\n  {kept}"))
    })?;
    tally.stores += 1;
    let calls = disk.calls();
    let count = |call| calls.get(&call).copied().unwrap_or(0);
    tally.durable_writes += count(Call::WriteDurably);
    tally.syncs += count(Call::Sync);
    tally.directory_syncs += count(Call::SyncDirectory);
    disk.unmount()
}

/// All processes of a store.
fn all(disk: &Amnesia, trial: &mut Trial, (seed, cycles): (u32, u32), tally: &mut Tally) -> Result<()> {
    let mut rng = Rng::with_seed(u64::from(seed));
    for cycle in 1..=cycles {
        let done = one(disk, trial, &mut rng, tally);
        done.with_context(|| format!("cycle {cycle} of the store with seed {seed}"))?;
    }
    tally.sum.add(trial.check()?);
    Ok(())
}

/// One process, and what it left.
fn one(disk: &Amnesia, trial: &mut Trial, rng: &mut Rng, tally: &mut Tally) -> Result<()> {
    let loss = Loss::draw(rng);
    let moment = match rng.u32(..12) {
        0 => Moment::AfterClose,
        1..=4 => Moment::AfterDeath,
        5 | 6 => Moment::AtOnce,
        _ => Moment::Between(rng.u64(..150)),
    };
    let mut life = trial.start(StoreArguments::draw(rng), rng)?;
    let (is_open, is_closed) = listen(disk, trial, &mut life, (moment, loss), rng)?;
    life.wait()?;
    trial.recorder.end_of_life();
    if disk.is_on() {
        disk.cut(loss);
    }
    let risk = disk.at_risk();
    tally.opening += u32::from(!is_open);
    tally.closed += u32::from(is_closed);
    tally.bytes_at_risk += u32::from(0 < risk.changes);
    tally.names_at_risk += u32::from(0 < risk.operations);
    disk.power_on();
    if matches!(moment, Moment::AfterDeath | Moment::AfterClose) {
        let failed = trial.refusals().iter().find(|refusal| refusal.kind != "Closed");
        ensure!(failed.is_none(), "an error while the disk was well: {failed:?}");
    }
    trial.look()
}

/// Listens to a process until its end, which is brought about with that of the power.
fn listen(
    disk: &Amnesia,
    trial: &mut Trial,
    life: &mut Life,
    (moment, loss): (Moment, Loss),
    rng: &mut Rng,
) -> Result<(bool, bool)> {
    let mut answers_left = u64::MAX;
    match (moment, rng.u32(..6)) {
        (Moment::Between(calls), 0) => disk.cut_after(calls / 3, loss),
        (Moment::Between(_) | Moment::AfterDeath | Moment::AtOnce, 0 | 1) => {
            life.remind_after(Duration::from_micros(rng.u64(..60_000)));
        }
        (Moment::Between(_) | Moment::AfterDeath | Moment::AtOnce | Moment::AfterClose, _) => {
            answers_left = rng.u64(1..1_000);
        }
    }
    let (mut is_open, mut is_closed, mut is_told, mut is_dying) = (false, false, false, false);
    loop {
        let is_due = match life.next()? {
            News::Ended => {
                ensure!(is_told || !disk.is_on(), "it ended by itself");
                ensure!(
                    moment != Moment::AfterClose || is_closed,
                    "it was told to stop and did not close the store"
                );
                return Ok((is_open, is_closed));
            }
            News::Due => true,
            News::Told(text, line) => {
                trial.hear(&text, &line)?;
                is_open |= matches!(line, Line::Opened(_));
                is_closed |= matches!(line, Line::Closed);
                if matches!(line, Line::Answered(..)) {
                    answers_left = answers_left.saturating_sub(u64::from(answers_left != u64::MAX));
                }
                answers_left == 0
            }
        };
        if is_due && !is_told {
            (is_told, answers_left) = (true, u64::MAX);
            match moment {
                Moment::AfterDeath => life.kill()?,
                Moment::AfterClose => life.end_input(),
                Moment::AtOnce => disk.cut(loss),
                Moment::Between(calls) => {
                    disk.cut_after(calls, loss);
                    // It may have nothing to write any more.
                    life.remind_after(20 * AFTERLIFE);
                }
            }
        } else if is_due && !is_dying {
            life.kill()?;
        }
        if !disk.is_on() && !is_dying {
            // It may notice, or try to go on.
            is_dying = true;
            is_told = true;
            life.remind_after(AFTERLIFE);
        } else if is_due && is_dying {
            life.kill()?;
        }
    }
}
