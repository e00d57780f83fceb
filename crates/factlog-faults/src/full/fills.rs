//! One process whose disk is filled and freed, several times.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use fastrand::Rng;

use super::{Measured, REFUSED_WITHIN, RESUMED_WITHIN, is_for_lack_of_space, settings};
use crate::life::{Life, News};
use crate::told::{Answer, Line, Question};
use crate::trial::Trial;
use crate::volume::Volume;

/// How long it stays full.
const FULL_FOR: Duration = Duration::from_millis(1_500);
/// How long a process may go on writing on a full disk: it has files that it made ahead.
const FULL_WITHIN: Duration = Duration::from_secs(60);
/// Appends that are acknowledged before it is filled again.
const WORK: u64 = 300;

/// A process and what it was told, with times.
struct Watch<'a> {
    trial: &'a mut Trial,
    life: Life,
    measured: &'a mut Measured,
    /// Since when each client waits, and whether for an append.
    waiting: HashMap<u32, (Instant, bool)>,
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// An append was acknowledged that was asked for at that time, and is no repeat.
    Acknowledged(Instant),
    Refused,
    Other,
}

/// Fills and frees the disk under one process, and looks at what it leaves.
pub(super) fn run(
    volume: &Volume,
    trial: &mut Trial,
    fills: u32,
    rng: &mut Rng,
    measured: &mut Measured,
) -> Result<()> {
    let life = trial.start(settings(rng), rng)?;
    let mut watch = Watch { trial, life, measured, waiting: HashMap::new() };
    watch.work(WORK)?;
    for _ in 0..fills {
        let but = [0, 0, rng.u64(..64 << 10), rng.u64(..2 << 20)][rng.usize(..4)];
        volume.fill(but)?;
        watch.until_full()?;
        watch.stay_full(volume)?;
        volume.relieve()?;
        watch.until_resumed()?;
        let delivered = watch.trial.recorder.counts.deliveries;
        watch.work(WORK)?;
        let now = watch.trial.recorder.counts.deliveries;
        ensure!(delivered < now, "subscriptions deliver nothing any more");
        watch.measured.fills += 1;
    }
    if rng.bool() {
        watch.life.end_input();
    } else {
        watch.life.kill()?;
    }
    while let News::Told(text, line) = watch.life.next()? {
        watch.trial.hear(&text, &line)?;
    }
    watch.life.wait()?;
    watch.trial.recorder.end_of_life();
    watch.trial.look()
}

impl Watch<'_> {
    /// Waits for so many new appends.
    fn work(&mut self, appends: u64) -> Result<()> {
        let mut left = appends;
        while 0 < left {
            left -= u64::from(matches!(self.next()?, Came::Acknowledged(_)));
        }
        Ok(())
    }

    fn until_full(&mut self) -> Result<()> {
        let since = now();
        while self.next()? != Came::Refused {
            ensure!(since.elapsed_now() < FULL_WITHIN, "appends are not refused though the disk is full");
        }
        Ok(())
    }

    fn stay_full(&mut self, volume: &Volume) -> Result<()> {
        let counts = self.trial.recorder.counts;
        let (since, mut refused) = (now(), 0);
        while since.elapsed_now() < FULL_FOR || refused == 0 {
            refused += u64::from(self.next()? == Came::Refused);
            ensure!(since.elapsed_now() < FULL_WITHIN, "no append is answered any more");
        }
        let after = self.trial.recorder.counts;
        ensure!(counts.reads < after.reads, "nobody could read while the disk was full");
        self.measured.reads_when_full += after.reads - counts.reads;
        self.measured.deliveries_when_full += after.deliveries - counts.deliveries;
        ensure!(volume.free()? < 4 << 20, "the disk is not full at all");
        Ok(())
    }

    /// Waits for an append that was asked for, and is acknowledged, since there is space.
    fn until_resumed(&mut self) -> Result<()> {
        let since = now();
        loop {
            let came = self.next()?;
            let took = since.elapsed_now();
            ensure!(took < RESUMED_WITHIN, "no append went on within {RESUMED_WITHIN:?} of space");
            if matches!(came, Came::Acknowledged(asked) if since <= asked) {
                self.measured.resumed_latest = self.measured.resumed_latest.max(took);
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<Came> {
        let News::Told(text, line) = self.life.next()? else { bail!("the process ended by itself") };
        self.trial.hear(&text, &line)?;
        match &line {
            Line::Asked(client, question) => {
                let is_append = matches!(question, Question::Append { .. });
                self.waiting.insert(*client, (now(), is_append));
                Ok(Came::Other)
            }
            Line::Answered(client, answer) => self.answered(*client, answer),
            Line::Failed(refusal) => bail!("the process gave up: {}", refusal.message),
            Line::World { .. } | Line::Life(_) | Line::Opened(_) | Line::Closed => Ok(Came::Other),
        }
    }

    fn answered(&mut self, client: u32, answer: &Answer) -> Result<Came> {
        let Some((asked, is_append)) = self.waiting.remove(&client) else { return Ok(Came::Other) };
        match answer {
            Answer::Refused(refusal) => {
                ensure!(is_append, "reading failed on a full disk: {}: {}", refusal.kind, refusal.message);
                is_for_lack_of_space(refusal)?;
                let took = asked.elapsed_now();
                ensure!(took < REFUSED_WITHIN, "an append was refused only after {took:?}");
                self.measured.refused += 1;
                self.measured.refused_latest = self.measured.refused_latest.max(took);
                Ok(Came::Refused)
            }
            Answer::Appended { deduplicated: false, .. } => Ok(Came::Acknowledged(asked)),
            Answer::Appended { .. }
            | Answer::Conflict(_)
            | Answer::Read { .. }
            | Answer::Delivered { .. }
            | Answer::Position(_) => Ok(Came::Other),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long something takes is what is measured here")]
fn now() -> Instant {
    Instant::now()
}

/// How long ago.
trait Ago {
    fn elapsed_now(self) -> Duration;
}

impl Ago for Instant {
    fn elapsed_now(self) -> Duration {
        now().saturating_duration_since(self)
    }
}
