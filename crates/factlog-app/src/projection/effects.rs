//! Side effects: handed out after the commit that owes them, in order, by one program at a time.
//!
//! * An effect is a row of the outbox, committed with the documents, until it is handed out: none is lost by a crash.
//!   One that was handed out just before a crash is handed out again under the same key, which is what makes it once.

use std::fmt;
use std::sync::Arc;

use factlog_core::{Clock, Error, Position, Result, Timestamp};
use serde::{Deserialize, Serialize};

use super::rows::{self, EffectRow};
use super::shared::Shared;
use super::sink::Committed;
use super::target::{Control, Target};

/// Effects handed out before the lease is looked at again.
const EFFECTS_MAX: usize = 256;
/// How long a program may be silent before another hands out effects in its place, in microseconds.
const LEASE_MICROS: i64 = 5_000_000;
/// Side effects that are counted for the status at most.
const COUNTED_MAX: usize = 1_000;

/// A side effect that a projection asks for: `(position, index)` is its key.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Effect {
    /// The event that led to it.
    pub position: Position,
    /// Which of that event's effects.
    pub index: u32,
    /// What the projection asked for.
    pub data: serde_json::Value,
}

impl Effect {
    /// The text that names it for ever: give it to whoever does the work, so that a repeat is known there.
    pub fn key(&self) -> String {
        format!("{}/{}", self.position, self.index)
    }
}

/// Who does the work of side effects. Blocking; one call at a time, in the order of positions for each key. What was held up,
/// such as that of a key that was parked, comes later than that of other keys.
///
/// ```
/// # extern crate factlog_app as factlog;
/// use factlog::projection::{Effect, Effects};
/// struct Mails;
/// impl Effects for Mails {
///     fn carry_out(&self, effect: &Effect) -> factlog::Result<()> {
///         // Send it, with `effect.key()` as the message's id, so that a repeat is known.
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` carries out no side effects",
    note = "write `impl Effects for {Self} {{ fn carry_out(&self, effect: &Effect) -> Result<()> {{ ... }} }}`"
)]
pub trait Effects: Send + Sync + 'static {
    /// Does the work, once for each [`Effect::key`]: after a crash it is asked again for the last one, after a power cut
    /// for those of the last moments, and where a call takes longer than 5 seconds another program may ask meanwhile.
    ///
    /// # Errors
    /// Any: it is asked again after a pause, and later effects wait.
    /// [`ProjectionStatus::effects_problem`](super::ProjectionStatus::effects_problem) says so.
    fn carry_out(&self, effect: &Effect) -> Result<()>;
}

/// Hands out what is owed.
pub(super) struct Dispatcher<T> {
    pub(super) target: Arc<T>,
    pub(super) effects: Arc<dyn Effects>,
    pub(super) owner: String,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Serialize, Deserialize)]
struct DispatchRow {
    owner: String,
    epoch: u64,
    until: i64,
}

impl DispatchRow {
    /// Whether a call that begins now could outlast it too easily.
    fn is_worn(&self, now: Timestamp) -> bool {
        self.until.saturating_sub(now.as_micros()) < LEASE_MICROS / 3 * 2
    }
}

impl<T: Target> Dispatcher<T> {
    /// One round; answers whether there may be more.
    pub(super) fn round(&self) -> Result<bool> {
        if self.target.rows("outbox/", 1)?.is_empty() {
            return Ok(false);
        }
        let Some(mut lease) = self.lease()? else { return Ok(false) };
        // Only now: what was owed before may have been handed out by another program meanwhile.
        let owed = self.target.rows("outbox/", EFFECTS_MAX)?;
        let more = owed.len() == EFFECTS_MAX;
        for (name, text) in owed {
            let effect = parsed(&name, &text)?;
            if lease.is_worn(self.clock.now()) {
                let Some(renewed) = self.write_lease(Some(&lease))? else { return Ok(false) };
                lease = renewed;
            }
            self.effects.carry_out(&effect)?;
            let mut control = Control::default();
            control.expected.push(("dispatch".to_owned(), Some(rows::write(&lease))));
            control.change(name, Some(text), None);
            if self.target.write(control)? == Committed::Refused {
                return Ok(false);
            }
        }
        Ok(more)
    }

    /// The lease as it is written now; `None` while another program has it.
    fn lease(&self) -> Result<Option<DispatchRow>> {
        let before = self.target.rows("dispatch", 1)?.remove("dispatch");
        let known: Option<DispatchRow> =
            before.as_deref().map(|text| rows::read("dispatch", text)).transpose()?;
        if let Some(known) = &known
            && known.owner != self.owner
            && self.clock.now().as_micros() <= known.until
        {
            return Ok(None);
        }
        self.write_lease(known.as_ref())
    }

    /// A new lease in the place of the one that is known; `None` where another program was faster.
    fn write_lease(&self, known: Option<&DispatchRow>) -> Result<Option<DispatchRow>> {
        let epoch = known.map_or(0, |known| known.epoch) + 1;
        let until = self.clock.now().as_micros().saturating_add(LEASE_MICROS);
        let lease = DispatchRow { owner: self.owner.clone(), epoch, until };
        let mut control = Control::default();
        control.change("dispatch".to_owned(), known.map(rows::write), Some(rows::write(&lease)));
        Ok((self.target.write(control)? == Committed::Written).then_some(lease))
    }

    /// Another program may go on at once.
    pub(super) fn leave(&self) {
        let Ok(mut rows) = self.target.rows("dispatch", 1) else { return };
        let Some(text) = rows.remove("dispatch") else { return };
        if rows::read::<DispatchRow>("dispatch", &text).is_ok_and(|row| row.owner == self.owner) {
            let mut control = Control::default();
            control.change("dispatch".to_owned(), Some(text), None);
            // A lease that is not given back ends by itself.
            let _ = self.target.write(control);
        }
    }
}

/// How side effects are, as far as this program knows.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) owed: u64,
    pub(super) problem: Option<String>,
}

impl<T: Target> Shared<T> {
    /// What came of a round of handing out: whoever looks at the status is told what went wrong.
    pub(super) fn handed_out(&self, problem: Option<String>) {
        if self.board.lock().outbox.problem != problem {
            self.change(|board| board.outbox.problem = problem);
        }
    }

    pub(super) fn count_owed(&self) {
        // A sink that is ill is told of by the workers.
        let Ok(owed) = self.target.rows("outbox/", COUNTED_MAX) else { return };
        self.change(|board| board.outbox.owed = owed.len() as u64);
    }
}

fn parsed(name: &str, text: &str) -> Result<Effect> {
    let damaged = || -> Error { rows::damaged(name, text) };
    let mut parts = name.split('/').skip(1);
    let position = parts.next().and_then(|number| Position::new(number.parse().ok()?)).ok_or_else(damaged)?;
    let index = parts.next().and_then(|number| number.parse().ok()).ok_or_else(damaged)?;
    let row: EffectRow = rows::read(name, text)?;
    Ok(Effect { position, index, data: row.data })
}

impl<T> fmt::Debug for Dispatcher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("owner", &self.owner).finish_non_exhaustive()
    }
}
