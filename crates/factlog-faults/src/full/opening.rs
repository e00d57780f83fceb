//! Opening stores on a disk that has no space, or a little: what cannot be done is said, and done when there is space.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;

use super::{Measured, is_for_lack_of_space, settings};
use crate::life::{Life, News};
use crate::survey;
use crate::told::{Answer, Line};
use crate::trial::{Sum, Trial};
use crate::volume::Volume;

/// Bytes that are left each time: from nothing to more than an opening needs.
const LEFT: [u64; 7] = [0, 300 << 10, 4 << 10, 40 << 10, 0, 1_100 << 10, 2_200 << 10];
/// Answers to be heard of a process that opened.
const ANSWERS: u32 = 60;

/// Opens a store that is there.
pub(super) fn again(
    volume: &Volume,
    trial: &mut Trial,
    openings: usize,
    rng: &mut Rng,
    measured: &mut Measured,
) -> Result<()> {
    for but in LEFT.into_iter().cycle().take(openings) {
        full_then_not(volume, trial, but, rng, measured).with_context(|| format!("with {but} bytes left"))?;
    }
    Ok(())
}

/// Makes stores, each of which is to be opened again.
pub(super) fn anew(
    volume: &Volume,
    (seed, openings): (u32, usize),
    rng: &mut Rng,
    measured: &mut Measured,
) -> Result<Sum> {
    let mut sum = Sum::default();
    for (but, n) in LEFT.into_iter().cycle().take(openings).zip(1..) {
        let store = volume.path().join(format!("new-{n}"));
        let mut trial = Trial::begin(&store, seed + n)?;
        let done = full_then_not(volume, &mut trial, but, rng, measured);
        done.with_context(|| format!("a new store with {but} bytes left"))?;
        sum.add(trial.check()?);
        survey::remove(&store)?;
    }
    Ok(sum)
}

fn full_then_not(
    volume: &Volume,
    trial: &mut Trial,
    but: u64,
    rng: &mut Rng,
    measured: &mut Measured,
) -> Result<()> {
    volume.fill(but)?;
    let opened = live(trial, rng)?;
    measured.openings += 1;
    measured.openings_refused += u32::from(!opened);
    for refusal in trial.refusals() {
        is_for_lack_of_space(refusal)?;
    }
    // Looking at a store needs no space.
    trial.look()?;
    volume.relieve()?;
    ensure!(live(trial, rng)?, "the store does not open though there is space: {:?}", trial.refusals());
    ensure!(trial.refusals().is_empty(), "an error though there is space: {:?}", trial.refusals());
    trial.look()
}

/// A process from its start until it has answered a few times, or has failed to open; says whether it opened.
fn live(trial: &mut Trial, rng: &mut Rng) -> Result<bool> {
    let mut life: Life = trial.start(settings(rng), rng)?;
    let (mut opened, mut left) = (false, ANSWERS);
    while let News::Told(text, line) = life.next()? {
        trial.hear(&text, &line)?;
        opened |= matches!(line, Line::Opened(_));
        let appended = matches!(line, Line::Answered(_, Answer::Appended { .. } | Answer::Refused(_)));
        left = left.saturating_sub(u32::from(appended));
        if left == 0 {
            life.kill()?;
        }
    }
    life.wait()?;
    trial.recorder.end_of_life();
    Ok(opened)
}
