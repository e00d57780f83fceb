//! What the threads of one read model share: its parts, and a board of how far each generation is.
//!
//! * Workers write what they reached, the supervisor what the sink says of others; from both the status is made that
//!   handles see. The board decides nothing: generations, leases and checkpoints are the sink's.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use factlog_core::{Clock, EventStore, EventType, Position, Query, Result};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::ProjectionStatus;
use super::board::{Board, Condition, Progress};
use super::lease::{self, Held};
use super::rows::{self, GenerationRow, PAUSED, Phase, ROWS_MAX, WANTED};
use super::settings::Settings;
use super::sink::SERVING;
use super::target::Target;
use super::waits::Halt;

pub(super) struct Shared<T: Target> {
    pub(super) target: Arc<T>,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) query: Query,
    /// The types the query asks for.
    pub(super) types: Arc<HashSet<EventType>>,
    pub(super) lease: Option<std::time::Duration>,
    /// Who this is among all programs.
    pub(super) owner: String,
    pub(super) settings: Settings,
    pub(super) supervisor: Arc<Halt>,
    pub(super) fingerprint: String,
    pub(super) status: watch::Sender<ProjectionStatus>,
    pub(super) board: Mutex<Board>,
}

impl<T: Target> Shared<T> {
    /// Whether a generation is of this program's version and events.
    pub(super) fn is_mine(&self, row: &GenerationRow) -> bool {
        row.version == T::VERSION && row.fingerprint == self.fingerprint
    }

    /// Changes the board and tells everybody who looks at the status.
    pub(super) fn change(&self, change: impl FnOnce(&mut Board)) {
        let mut board = self.board.lock();
        change(&mut board);
        self.status.send_modify(|status| self.show(&board, status));
    }

    pub(super) fn condition(&self, generation: u64, worker: u16, condition: Condition) {
        self.change(|board| {
            if let Some(progress) = board.generations.get_mut(&generation) {
                progress.workers.insert(worker, condition);
                progress.live.clear();
            }
        });
        self.wake_supervisor();
    }

    /// A generation is followed, by this worker if it holds any of it, and it is of this log.
    pub(super) fn begin(&self, generation: u64, worker: u16, holds: bool) {
        let condition = if holds { Condition::Running } else { Condition::Elsewhere };
        self.change(|board| {
            if let Some(progress) = board.generations.get_mut(&generation) {
                progress.workers.insert(worker, condition);
                progress.proven = true;
            }
        });
    }

    pub(super) fn is_proven(&self, generation: u64) -> bool {
        self.board.lock().generations.get(&generation).is_some_and(|progress| progress.proven)
    }

    /// A worker begins anew: what it held may be another program's now.
    pub(super) fn leave(&self, generation: u64, held: &[Held]) {
        if self.lease.is_none() || held.is_empty() {
            return;
        }
        self.change(|board| {
            if let Some(progress) = board.generations.get_mut(&generation) {
                progress.live.retain(|from| held.iter().all(|held| held.from != *from));
            }
        });
    }

    /// Whether a generation had the whole log when last looked. Ranges of other programs are held against the head as this
    /// one last saw it.
    pub(super) fn is_whole(&self, progress: &Progress, head: Option<u64>) -> bool {
        let elsewhere = |at: &Option<Position>| {
            self.lease.is_some() && head.is_some_and(|head| head <= Position::number(*at))
        };
        let whole =
            |(from, (_, at)): (&u16, &(u16, Option<Position>))| progress.live.contains(from) || elsewhere(at);
        !progress.ranges.is_empty() && progress.ranges.iter().all(whole)
    }

    /// A worker has so many parked keys; answers how many all of them have.
    pub(super) fn parked(&self, generation: u64, worker: u16, count: usize) -> usize {
        let mut all = count;
        self.change(|board| {
            if let Some(progress) = board.generations.get_mut(&generation) {
                progress.parked.insert(worker, count);
                all = progress.parked.values().sum();
            }
        });
        all
    }

    /// A worker has come so far. What is only in memory is not shown.
    pub(super) fn progress(
        &self,
        (generation, worker): (u64, u16),
        held: &[Held],
        (events, unread): (u64, u64),
        caught_up: bool,
        committed: bool,
    ) {
        let now = self.clock.now();
        let mut built = false;
        self.change(|board| {
            board.events += events;
            board.unread += unread;
            let head = board.known_head();
            let Some(progress) = board.generations.get_mut(&generation) else { return };
            progress.workers.insert(worker, Condition::Running);
            progress.advanced_at = now;
            progress.stalled = false;
            if !committed {
                return;
            }
            for held in held {
                progress.ranges.insert(held.from, (held.row.to, held.reached.position));
                if caught_up {
                    progress.live.insert(held.from);
                } else {
                    progress.live.remove(&held.from);
                }
            }
            progress.built |= self.is_whole(progress, head);
            // From then on every commit may be the one that can be switched at.
            built = progress.built && progress.row.phase == Phase::Building;
        });
        if built {
            self.wake_supervisor();
        }
    }

    /// Reads from the sink how far a generation is; what is known to be reached stays.
    pub(super) fn refresh(&self, generation: u64) -> Result<()> {
        let mut ranges = BTreeMap::new();
        for (name, text) in self.target.rows(&rows::ranges(generation), ROWS_MAX)? {
            let (from, row) = lease::parsed(&name, &text)?;
            ranges.insert(from, (row.to, row.position.and_then(Position::new)));
        }
        self.change(|board| {
            let head = board.known_head();
            let Some(progress) = board.generations.get_mut(&generation) else { return };
            for (from, (to, position)) in &mut ranges {
                if let Some((known_to, known)) = progress.ranges.get(from)
                    && known_to == to
                {
                    *position = (*position).max(*known);
                }
            }
            progress.ranges = ranges;
            // Where none of it is held here, no worker of this program tells.
            progress.built |= self.lease.is_some() && self.is_whole(progress, head);
        });
        Ok(())
    }

    /// Reads from the sink which generations there are.
    pub(super) fn look(&self) -> Result<()> {
        let serving = self.target.rows(SERVING, 1)?.remove(SERVING);
        let paused = !self.target.rows(PAUSED, 1)?.is_empty();
        let wanted = !self.target.rows(WANTED, 1)?.is_empty();
        let mut found = BTreeMap::new();
        for (name, text) in self.target.rows("generation/", ROWS_MAX)? {
            found.insert(rows::number(&name)?, rows::read::<GenerationRow>(&name, &text)?);
        }
        let now = self.clock.now();
        let numbers: Vec<u64> = found.keys().copied().collect();
        self.change(|board| {
            board.serving = serving.and_then(|serving| serving.parse().ok());
            board.paused = paused;
            board.wanted = wanted;
            board.generations.retain(|number, _| found.contains_key(number));
            for (number, row) in found {
                let known = board.generations.entry(number);
                match known {
                    Entry::Occupied(mut known) => known.get_mut().row = row,
                    Entry::Vacant(unknown) => {
                        unknown.insert(Progress::new(row, now));
                    }
                }
            }
        });
        numbers.into_iter().try_for_each(|number| self.refresh(number))
    }

    pub(super) fn wake_supervisor(&self) {
        self.supervisor.wake();
    }
}
