//! Looking after a read model that runs: rate, stand-still, heartbeat.

use std::time::Duration;

use factlog_core::{Position, Query, ReadOptions, Timestamp};
use serde_json::json;

use super::ProjectionState;
use super::board::Condition;
use super::settings::Switch;
use super::supervisor::Supervisor;
use super::target::{Control, Target};
use super::waits::Waited;

/// Microseconds between two measurements, which are also heartbeats.
const MEASURE: i64 = 1_000_000;
/// How long a measurement waits for the store at most.
const PATIENCE: Duration = Duration::from_millis(100);

impl<T: Target> Supervisor<T> {
    /// Once a second: how fast each generation moves, whether one stands still, and a sign of life in the sink.
    pub(super) fn measure(&self) {
        let now = self.shared.clock.now();
        let last = self.shared.board.lock().generations.values().map(|progress| progress.measured.1).max();
        let waited = last.map_or(MEASURE, |last| now.as_micros().saturating_sub(last.as_micros()).abs());
        if waited < MEASURE {
            return;
        }
        let store = self.shared.store.clone();
        let asked = self.shared.supervisor.wait(store.head(), Some(PATIENCE));
        let head = match asked {
            Waited::Ready(Ok(head)) => Some(head.position),
            Waited::Ready(Err(_)) | Waited::Tick | Waited::Halted => None,
        };
        let patience = i64::try_from(self.shared.settings.stalled_after.as_micros()).unwrap_or(i64::MAX);
        self.shared.change(|board| {
            board.looked |= head.is_some();
            board.head = head.unwrap_or(board.head);
            let head = board.head;
            for progress in board.generations.values_mut() {
                let position = Position::number(progress.applied());
                let (before, since) = progress.measured;
                let seconds = now.as_micros().saturating_sub(since.as_micros()).max(1) as f64 / 1e6;
                progress.rate = position.saturating_sub(before) as f64 / seconds;
                progress.measured = (position, now);
                if before < position || head <= progress.applied() {
                    progress.advanced_at = now;
                }
                let still = now.as_micros().saturating_sub(progress.advanced_at.as_micros());
                progress.stalled = matches!(progress.condition(), Condition::Running | Condition::Elsewhere)
                    && progress.applied() < head
                    && patience <= still;
            }
        });
        self.shared.count_owed();
        self.sign();
    }

    /// A sign of life: once a second, and whenever it was told to do something, so that it is seen at once.
    pub(super) fn sign(&self) {
        // One that cannot be written is one that is missing, which is what it is for.
        let _ = self.shared.target.write(self.heartbeat());
    }

    fn heartbeat(&self) -> Control {
        let mut control = Control::default();
        let status = self.shared.status.borrow().clone();
        let (state, problem) = words(&status.state);
        let now = self.shared.clock.now();
        for generation in &status.generations {
            let head = self.shared.board.lock().head;
            let behind = if generation.applied < head { self.waits_since(generation.applied) } else { None };
            let behind =
                behind.map(|since| now.as_micros().saturating_sub(since.as_micros()).max(0) / 1_000_000);
            let board = self.shared.board.lock();
            let Some(progress) = board.generations.get(&generation.number) else { continue };
            // Another version's program tells of its own generation.
            if !self.shared.is_mine(&progress.row) {
                continue;
            }
            let row = json!({
                "state": state,
                "problem": problem,
                "applied": generation.applied.map(Position::get),
                "head": board.head.map(Position::get),
                "rate": generation.rate,
                "remaining_seconds": generation.remaining.map(|time| time.as_secs()),
                "behind_seconds": if generation.applied < head { behind } else { Some(0) },
                "advanced_at": progress.advanced_at.as_micros(),
                "built": progress.built,
                "by_hand": self.shared.settings.switch == Switch::ByHand,
                "parked": status.parked,
                "unread": status.unread,
                "effects_owed": status.effects_owed,
                "effects_problem": status.effects_problem,
                "at": now.as_micros(),
                "owner": self.shared.owner,
            });
            control.put(format!("status/{:08}", generation.number), Some(row.to_string()));
        }
        control
    }

    /// When the first event that is not applied was recorded, if the store says so soon.
    fn waits_since(&self, applied: Option<Position>) -> Option<Timestamp> {
        let options = ReadOptions::default().after(applied).limit(1);
        let mut events = self.shared.store.read(Query::All, options);
        match self.shared.supervisor.wait(events.next(), Some(PATIENCE)) {
            Waited::Ready(Some(Ok(event))) => Some(event.recorded_at),
            Waited::Ready(Some(Err(_)) | None) | Waited::Tick | Waited::Halted => None,
        }
    }
}

/// A state as a word, and what is wrong.
fn words(state: &ProjectionState) -> (&'static str, Option<String>) {
    match state {
        ProjectionState::CatchingUp => ("catching up", None),
        ProjectionState::Live => ("live", None),
        ProjectionState::Rebuilding => ("rebuilding", None),
        ProjectionState::Paused => ("paused", None),
        ProjectionState::Stalled { since } => ("stalled", Some(format!("it has not advanced since {since}"))),
        ProjectionState::Waiting(error) => ("waiting", Some(error.to_string())),
        ProjectionState::Failed(error) => ("failed", Some(error.to_string())),
        ProjectionState::Stopped => ("stopped", None),
    }
}
