//! The board: how far each generation is and how its workers are, as this program knows.
//!
//! * It is data: workers write what they reached, the supervisor what the sink says of others. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use factlog_core::{Error, Position, Timestamp};

use super::effects::Outbox;
use super::rows::GenerationRow;
use super::{ProjectionError, lease};

#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) serving: Option<u64>,
    pub(super) generations: BTreeMap<u64, Progress>,
    pub(super) head: Option<Position>,
    /// Whether that was ever learned.
    pub(super) looked: bool,
    pub(super) paused: bool,
    /// Whether an operator wants what is built to be switched to as soon as it can be.
    pub(super) wanted: bool,
    pub(super) stopped: bool,
    /// Something that is wrong with the whole read model.
    pub(super) broken: Option<ProjectionError>,
    pub(super) events: u64,
    pub(super) unread: u64,
    pub(super) outbox: Outbox,
}

/// How one generation is.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) row: GenerationRow,
    /// By first partition: the first behind the range, and what is reached.
    pub(super) ranges: BTreeMap<u16, (u16, Option<Position>)>,
    /// How each of its workers in this program is, by its number. None: it is followed elsewhere, or not at all.
    pub(super) workers: BTreeMap<u16, Condition>,
    /// Ranges that had the whole log when last looked.
    pub(super) live: BTreeSet<u16>,
    /// Whether it has had the whole log at some moment.
    pub(super) built: bool,
    /// Whether it is known to be of this log.
    pub(super) proven: bool,
    /// How many keys each worker of this program has parked, by its number.
    pub(super) parked: BTreeMap<u16, usize>,
    pub(super) advanced_at: Timestamp,
    /// Position and time of the last measurement, and positions per second since the one before.
    pub(super) measured: (u64, Timestamp),
    pub(super) rate: f64,
    pub(super) stalled: bool,
}

/// How a worker of a generation is, in this program; the generation is as the worst of them.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// None of them is here.
    Elsewhere,
    Running,
    Waiting(Error),
    Failed(ProjectionError),
    /// Another program runs it now, which builds and switches as it likes.
    TakenOver,
}

impl Board {
    /// The head as last looked at, 0 for an empty log; `None` where it never was.
    pub(super) fn known_head(&self) -> Option<u64> {
        self.looked.then_some(Position::number(self.head))
    }
}

impl Condition {
    /// Why it does not go on by itself, if so.
    pub(super) fn problem(&self, name: &str) -> Option<ProjectionError> {
        match self {
            Self::Failed(error) => Some(error.clone()),
            Self::TakenOver => Some(lease::taken_over(name).into()),
            Self::Elsewhere | Self::Running | Self::Waiting(_) => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Elsewhere => 0,
            Self::Running => 1,
            Self::Waiting(_) => 2,
            Self::Failed(_) => 3,
            Self::TakenOver => 4,
        }
    }
}

impl Progress {
    pub(super) fn new(row: GenerationRow, now: Timestamp) -> Self {
        Self {
            row,
            ranges: BTreeMap::new(),
            workers: BTreeMap::new(),
            live: BTreeSet::new(),
            built: false,
            proven: false,
            parked: BTreeMap::new(),
            advanced_at: now,
            measured: (0, Timestamp::default()),
            rate: 0.0,
            stalled: false,
        }
    }

    pub(super) fn applied(&self) -> Option<Position> {
        self.ranges.values().map(|(_, position)| *position).min().flatten()
    }

    /// How far the furthest of its ranges is.
    pub(super) fn furthest(&self) -> Option<Position> {
        self.ranges.values().map(|(_, position)| *position).max().flatten()
    }

    /// How the worst of its workers is: one that goes on must not hide one that cannot.
    pub(super) fn condition(&self) -> &Condition {
        self.workers.values().max_by_key(|condition| condition.rank()).unwrap_or(&Condition::Elsewhere)
    }
}
