//! Side effects: handed out after the commit that owes them, in order, by one program at a time.
//!
//! * An effect is a row of the outbox, committed with the documents, until it is handed out: none is lost by a crash.
//!   One that was handed out just before a crash is handed out again under the same key, which is what makes it once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Error, Position, Result, Timestamp};
use serde::{Deserialize, Serialize};

use super::rows::{self, EffectRow};
use super::sink::Committed;
use super::target::{Control, Target};

/// Effects handed out before the lease is looked at again.
const EFFECTS_MAX: usize = 256;
/// How long a program may be silent before another hands out effects in its place.
const LEASE: Duration = Duration::from_secs(5);

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

/// Who does the work of side effects. Blocking; one call at a time, in the order of positions.
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
    /// Does the work, once for each [`Effect::key`]: after a crash it is asked again for the last one.
    ///
    /// # Errors
    /// Any: it is asked again after a pause, and later effects wait.
    fn carry_out(&self, effect: &Effect) -> Result<()>;
}

/// Hands out what is owed.
pub(super) struct Dispatcher<T> {
    pub(super) target: Arc<T>,
    pub(super) effects: Arc<dyn Effects>,
    pub(super) owner: String,
}

#[derive(Serialize, Deserialize)]
struct DispatchRow {
    owner: String,
    epoch: u64,
    until: i64,
}

impl<T: Target> Dispatcher<T> {
    /// One round; answers whether there may be more.
    pub(super) fn round(&self, now: Timestamp) -> Result<bool> {
        let owed = self.target.rows("outbox/", EFFECTS_MAX)?;
        if owed.is_empty() {
            return Ok(false);
        }
        let Some(lease) = self.lease(now)? else { return Ok(false) };
        let more = owed.len() == EFFECTS_MAX;
        for (name, text) in owed {
            let effect = parsed(&name, &text)?;
            self.effects.carry_out(&effect)?;
            let mut control = Control::default();
            control.expected.push(("dispatch".to_owned(), Some(lease.clone())));
            control.change(name, Some(text), None);
            if self.target.write(control)? == Committed::Refused {
                return Ok(false);
            }
        }
        Ok(more)
    }

    /// The lease as it is written now; `None` while another program has it.
    fn lease(&self, now: Timestamp) -> Result<Option<String>> {
        let before = self.target.rows("dispatch", 1)?.remove("dispatch");
        let known: Option<DispatchRow> =
            before.as_deref().map(|text| rows::read("dispatch", text)).transpose()?;
        let now = now.as_micros();
        if let Some(known) = &known
            && known.owner != self.owner
            && now <= known.until
        {
            return Ok(None);
        }
        let epoch = known.map_or(0, |known| known.epoch) + 1;
        let until = now.saturating_add(i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX));
        let text = rows::write(&DispatchRow { owner: self.owner.clone(), epoch, until });
        let mut control = Control::default();
        control.change("dispatch".to_owned(), before, Some(text.clone()));
        Ok((self.target.write(control)? == Committed::Written).then_some(text))
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
