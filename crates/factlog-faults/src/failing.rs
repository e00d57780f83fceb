//! Every call that a real process makes of its file system fails once, at every place it is made at.
//!
//! * A first run without faults tells which calls are made where. Then each of them fails in a store of its own: with
//!   an input/output error, having done all of it, some or nothing.
//! * A writer that has lost its way (somebody was told that nobody knows, or that the store is closed) acknowledges
//!   nothing that is asked for afterwards.
//! * The next process, whose disk is well, opens the store and goes on, whether the power failed in between or not.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use factlog_core::ErrorKind;
use fastrand::Rng;
use fuser::Errno;

use crate::amnesia::{Amnesia, Call, Fault, Loss, Site};
use crate::check::say;
use crate::enclosed::enclose;
use crate::life::{Life, News};
use crate::setting::StoreArguments;
use crate::told::{Answer, Line, Refusal};
use crate::trial::{Sum, Trial};

/// Appends of a process that nothing goes wrong with.
const WORK: u32 = 150;
/// What is heard of a process after its call has failed.
const AFTERMATH: Duration = Duration::from_millis(150);
/// How much more often the vital call fails.
const VITAL: usize = 4;
/// Lives of a store in which a call may fail: one makes it, others find it.
const LIVES: u32 = 3;

/// Let every call to the file system fail once, at every place where a real process makes it
///
/// Exit code 1 if anything is acknowledged after a failure that the writer cannot get over, if what was acknowledged is
/// lost, or if the next process cannot go on.
#[derive(Debug, clap::Args)]
pub(crate) struct FailingArguments {
    /// How often each call at each place fails, each time in another store
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// Only so many of the places, drawn by the seed
    #[arg(long)]
    places: Option<usize>,
    /// Another seed, other events and moments
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

/// What there was.
#[derive(Debug, Default)]
struct Tally {
    sum: Sum,
    fired: u32,
    missed: Vec<String>,
    poisoned: u32,
    not_opened: u32,
    cuts: u32,
}

/// Runs all, inside.
pub(crate) fn run(arguments: &FailingArguments) -> Result<()> {
    enclose()?;
    let mut rng = Rng::with_seed(arguments.seed.into());
    let sites = learn(arguments.seed)?;
    let mut chosen: Vec<_> = sites.iter().collect();
    rng.shuffle(&mut chosen);
    // The one call that an acknowledgement waits for is never left out, and fails more often.
    let is_vital = |site: &Site| *site == (Call::WriteDurably, "wal/#".to_owned());
    chosen.sort_by_key(|(site, _)| !is_vital(site));
    chosen.truncate(arguments.places.unwrap_or(usize::MAX));
    let mut tally = Tally::default();
    let mut rounds: Vec<_> =
        chosen.iter().flat_map(|site| (0..arguments.times).map(move |_| *site)).collect();
    rounds.extend(chosen.iter().filter(|(site, _)| is_vital(site)).flat_map(|site| [*site; VITAL]));
    for ((site, count), round) in rounds.into_iter().zip(0..) {
        let seed = arguments.seed.wrapping_mul(1_000_003).wrapping_add(round);
        let nth = if rng.bool() { 1 } else { rng.u64(1..=*count) };
        let fault = Fault { site: site.clone(), nth, errno: Errno::EIO };
        one(seed, fault, &mut tally).with_context(|| {
            format!("call {nth} of {} at {} failed; --seed {}", site.0, site.1, arguments.seed)
        })?;
    }
    let mut calls: BTreeMap<Call, u32> = BTreeMap::new();
    chosen.iter().for_each(|((call, _), _)| *calls.entry(*call).or_default() += 1);
    let calls: Vec<_> = calls.iter().map(|(call, count)| format!("{count} of {call}")).collect();
    say(&format!(
        "failing: {} calls failed ({} places of {}: {}); {} not reached; {} writers gave up and acknowledged nothing \
         afterwards, {} stores did not open that time, the power failed too {} times, and every store opened and went on \
         afterwards; {}; 0 violations",
        tally.fired,
        chosen.len(),
        sites.len(),
        calls.join(", "),
        tally.missed.len(),
        tally.poisoned,
        tally.not_opened,
        tally.cuts,
        tally.sum
    ));
    if !tally.missed.is_empty() {
        say(&format!("failing: not reached: {}", tally.missed.join(", ")));
    }
    Ok(())
}

/// Which calls are made where, and how often in a few lives.
fn learn(seed: u32) -> Result<BTreeMap<Site, u64>> {
    let directory = tempfile::Builder::new().prefix("factlog-failing-").tempdir()?;
    let disk = Amnesia::mount(directory.path(), seed.into())?;
    let mut trial = Trial::begin(&disk.path().join("store"), seed)?;
    let mut rng = Rng::with_seed(seed.into());
    for _ in 0..LIVES {
        live(&disk, &mut trial, &mut rng)?;
    }
    ensure!(trial.recorder.refusals.is_empty(), "without a fault: {:?}", trial.recorder.refusals);
    let sites = disk.sites();
    disk.unmount()?;
    Ok(sites)
}

/// One call fails in a store of its own.
fn one(seed: u32, fault: Fault, tally: &mut Tally) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("factlog-failing-").tempdir()?;
    let disk = Amnesia::mount(directory.path(), seed.into())?;
    let mut trial = Trial::begin(&disk.path().join("store"), seed)?;
    let mut rng = Rng::with_seed(seed.into());
    let (call, place) = fault.site.clone();
    disk.add_fault(fault);
    for _ in 0..LIVES {
        let lived = live(&disk, &mut trial, &mut rng)?;
        if disk.fired().is_empty() {
            ensure!(trial.refusals().is_empty(), "before the call failed: {:?}", trial.refusals());
            continue;
        }
        for refusal in trial.refusals() {
            is_to_be_expected(refusal, call)?;
        }
        tally.fired += 1;
        tally.poisoned += u32::from(lived.poisoned);
        tally.not_opened += u32::from(!lived.opened);
        break;
    }
    if disk.fired().is_empty() {
        tally.missed.push(format!("{call} {place}"));
    }
    disk.clear_faults();
    if rng.bool() {
        tally.cuts += 1;
        disk.cut(Loss::draw(&mut rng));
        disk.power_on();
    }
    // One that goes on at once, before anything else has looked at it or mended it.
    let lived = live(&disk, &mut trial, &mut rng)?;
    ensure!(lived.opened, "the next process does not open the store: {:?}", trial.refusals());
    ensure!(trial.refusals().is_empty(), "the next process, on a disk that is well: {:?}", trial.refusals());
    trial.look()?;
    tally.sum.add(trial.check()?);
    disk.unmount()
}

/// What became of a process.
#[derive(Clone, Copy, Debug, Default)]
struct Lived {
    opened: bool,
    /// Its writer gave up.
    poisoned: bool,
}

/// A process that is killed when it has done its work, or a little after one of its calls has failed.
fn live(disk: &Amnesia, trial: &mut Trial, rng: &mut Rng) -> Result<Lived> {
    let settings = StoreArguments { segment_events: 40, ..StoreArguments::draw(rng) };
    let mut life: Life = trial.start(settings, rng)?;
    let (mut lived, mut left, mut after) = (Lived::default(), WORK, false);
    let before = disk.fired().len();
    // Who has been waiting for an append since before the writer gave up.
    let mut waiting = BTreeMap::new();
    loop {
        let (text, line) = match life.next()? {
            News::Ended => break,
            News::Due => {
                life.kill()?;
                continue;
            }
            News::Told(text, line) => (text, line),
        };
        trial.hear(&text, &line)?;
        match &line {
            Line::Opened(_) => lived.opened = true,
            Line::Asked(client, _) => drop(waiting.insert(*client, lived.poisoned)),
            Line::Answered(client, answer) => {
                let asked_too_late = waiting.remove(client).unwrap_or(false);
                let acknowledged = matches!(answer, Answer::Appended { .. });
                ensure!(
                    !(asked_too_late && acknowledged),
                    "an append was acknowledged that was asked for after the writer had given up: {answer:?}"
                );
                lived.poisoned |= is_the_end(answer);
                left = left.saturating_sub(u32::from(acknowledged));
                if left == 0 {
                    life.kill()?;
                }
            }
            Line::World { .. } | Line::Life(_) | Line::Closed | Line::Failed(_) => {}
        }
        if !after && before < disk.fired().len() {
            after = true;
            life.remind_after(AFTERMATH);
        }
    }
    life.wait()?;
    trial.recorder.end_of_life();
    Ok(lived)
}

fn is_the_end(answer: &Answer) -> bool {
    match answer {
        Answer::Refused(refusal) => refusal.is(ErrorKind::Indeterminate) || refusal.is(ErrorKind::Closed),
        Answer::Appended { .. }
        | Answer::Conflict(_)
        | Answer::Read { .. }
        | Answer::Delivered { .. }
        | Answer::Position(_) => false,
    }
}

/// A failing disk is no damage, unless it is what was to be read.
fn is_to_be_expected(refusal: &Refusal, call: Call) -> Result<()> {
    let kinds = [ErrorKind::Unavailable, ErrorKind::Indeterminate, ErrorKind::Closed];
    let expected = kinds.into_iter().any(|kind| refusal.is(kind))
        || (call == Call::Read && refusal.is(ErrorKind::Corrupt));
    ensure!(expected, "somebody was told {}: {}", refusal.kind, refusal.message);
    Ok(())
}
