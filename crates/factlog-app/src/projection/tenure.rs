//! What a worker holds: how it takes partitions, keeps them, loses them and gives them back.
//!
//! * It knows the rows of the sink and the leases in them; it reads no event.

use std::mem;
use std::time::Duration;

use factlog_core::{ErrorKind, Timestamp};

use super::generations::HOLD_MICROS;
use super::sink::{Committed, SERVING};
use super::target::{Control, Target};
use super::waits::Waited;
use super::worker::{Ended, TICK, Worker};
use super::{ProjectionError, commits, lease, rows};

/// How long it stands still before it looks whether it may go on.
const STILL: Duration = Duration::from_millis(10);

impl<T: Target> Worker<T> {
    /// Learns what the sink holds, and takes the partitions that can be had.
    pub(super) fn load(&mut self) -> Result<(), Ended> {
        let target = &*self.shared.target;
        let now = self.shared.clock.now();
        self.stand_still(now)?;
        if self.terms.lease.is_none() && !lease::intact(target, self.generation, &self.held)? {
            return Err(Ended::TakenOver);
        }
        for slot in &self.slots {
            self.held = lease::acquire(target, self.generation, slot, &self.terms, &self.held, now)?;
            if !self.held.is_empty() {
                break;
            }
        }
        self.serving = target.rows(SERVING, 1)?.remove(SERVING);
        let name = rows::generation(self.generation);
        let Some(text) = target.rows(&name, 1)?.remove(&name) else {
            return Err(Ended::TakenOver);
        };
        self.row = rows::read(&name, &text)?;
        self.amends = commits::amends(target)?.into();
        self.parked = commits::parked(target, self.generation, &self.held)?;
        self.shared.refresh(self.generation)?;
        self.shared.parked(self.generation, self.index, self.parked.len());
        Ok(())
    }

    /// Waits while it is paused, or another generation catches up with this one to be switched to.
    fn stand_still(&self, now: Timestamp) -> Result<(), Ended> {
        if !self.shared.target.rows(rows::PAUSED, 1)?.is_empty() {
            return self.rest();
        }
        let name = rows::hold(self.generation);
        let Some(text) = self.shared.target.rows(&name, 1)?.remove(&name) else { return Ok(()) };
        let until: i64 = rows::read(&name, &text)?;
        let now = now.as_micros();
        // One that would last longer than any is of a clock that was set back since.
        if until < now || now.saturating_add(HOLD_MICROS) < until {
            let mut control = Control::default();
            control.change(name, Some(text), None);
            // Whoever else removed it did the same.
            let (Committed::Written | Committed::Refused) = self.shared.target.write(control)?;
            return Ok(());
        }
        self.rest()
    }

    /// Stands still for a moment, and then looks again.
    fn rest(&self) -> Result<(), Ended> {
        match self.halt.pause(STILL) {
            Waited::Halted => Err(Ended::Halted),
            Waited::Tick | Waited::Ready(()) => Err(Ended::Reload),
        }
    }

    /// Looks after everything once a tick, however much there is to read. That may commit, so it happens where readers
    /// would see no half of an append: in the midst of one, the next commit comes first.
    pub(super) fn upkeep(&mut self, idle: bool) -> Result<(), Ended> {
        let now = self.shared.clock.now();
        // Either way: a clock that was set back must not put it off.
        let since = now.as_micros().saturating_sub(self.looked_at.as_micros()).unsigned_abs();
        if !idle && u128::from(since) < TICK.as_micros() {
            return Ok(());
        }
        if !self.settled() {
            self.due = true;
            return Ok(());
        }
        self.looked_at = now;
        self.look_after()
    }

    /// Renews leases, takes over what nobody holds any more, and tries parked keys again.
    fn look_after(&mut self) -> Result<(), Ended> {
        let now = self.shared.clock.now();
        let covered: usize = self.held.iter().map(|held| usize::from(held.row.to - held.from)).sum();
        // Several who cut the same range at once are in each other's way once.
        if covered == 0 || (self.terms.lease.is_none() && covered < self.slots[0].len()) {
            self.flush()?;
            return Err(Ended::Reload);
        }
        // Whoever was taken over from says so, also where nothing happens any more.
        if !lease::intact(&*self.shared.target, self.generation, &self.held)? {
            return Err(Ended::Refused);
        }
        if self.terms.lease.is_some() {
            let third = i64::try_from(self.terms.length().as_micros() / 3).unwrap_or(i64::MAX);
            if self.held.iter().any(|held| held.row.until - now.as_micros() < 2 * third) {
                self.flush()?;
                let target = &*self.shared.target;
                let nothing = 0..0;
                let found = lease::acquire(target, self.generation, &nothing, &self.terms, &self.held, now)?;
                if found.len() != self.held.len() {
                    self.held = found;
                    return Err(Ended::Reload);
                }
            }
        }
        if self.terms.lease.is_some() {
            self.look_at_parked()?;
            // Other programs know of what this one has only what is in the sink.
            if self.committed() < self.least() {
                self.flush()?;
            }
        }
        self.retry_due()
    }

    /// Learns of what operators of other programs ordered for keys that are parked here.
    fn look_at_parked(&mut self) -> Result<(), Ended> {
        let mut found = commits::parked(&*self.shared.target, self.generation, &self.held)?;
        for (key, parked) in &mut self.parked {
            if parked.is_written()
                && let Some(found) = found.remove(key)
            {
                *parked = found;
            }
        }
        Ok(())
    }

    /// Whether it may go on after a refused commit: not where another program took what belongs to one.
    pub(super) fn after_refusal(&mut self) -> Result<bool, ProjectionError> {
        let intact = match lease::intact(&*self.shared.target, self.generation, &self.held) {
            Ok(intact) => intact,
            Err(error) if error.kind() == ErrorKind::Unavailable => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        if !intact {
            self.held.clear();
        }
        Ok(intact || self.terms.lease.is_some())
    }

    /// Gives back what it holds: another may take it at once.
    pub(super) fn leave(&mut self) {
        let mut control = Control::default();
        for mut held in mem::take(&mut self.held) {
            held.row.owner = None;
            held.row.until = self.shared.clock.now().as_micros();
            let text = rows::write(&held.row);
            control.change(rows::range(self.generation, held.from), Some(held.text), Some(text));
        }
        // A lease that is not given back ends by itself.
        let _ = self.shared.target.write(control);
    }
}
