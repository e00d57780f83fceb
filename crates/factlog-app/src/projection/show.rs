//! The status that handles see, made of the board.

use std::time::Duration;

use factlog_core::Position;

use super::board::{Board, Condition, Progress};
use super::rows::Phase;
use super::shared::Shared;
use super::target::Target;
use super::{GenerationPhase, GenerationStatus, ProjectionState, ProjectionStatus};

impl<T: Target> Shared<T> {
    pub(super) fn show(&self, board: &Board, status: &mut ProjectionStatus) {
        let served = board.serving.and_then(|number| board.generations.get(&number));
        let mine = served.is_some_and(|served| self.is_mine(&served.row));
        status.applied = served.and_then(Progress::applied);
        status.advanced_at = served.filter(|_| board.looked).map(|served| served.advanced_at);
        status.ranges = served
            .map(|served| served.ranges.iter().map(|(from, (_, position))| (*from, *position)).collect())
            .unwrap_or_default();
        let shown = served.filter(|_| mine);
        status.proven = shown.is_some_and(|served| served.proven);
        status.events = board.events;
        status.unread = board.unread;
        status.effects_owed = board.outbox.owed;
        status.effects_problem.clone_from(&board.outbox.problem);
        let parked = board.generations.values().map(|progress| progress.parked.values().sum::<usize>());
        status.parked = parked.max().unwrap_or(0) as u64;
        status.state = self.state(board, shown);
        status.withheld = match shown.map(Progress::condition) {
            Some(condition) if !status.proven => condition.problem(T::NAME),
            Some(_) | None => None,
        };
        status.generations =
            board.generations.iter().map(|(number, progress)| shown_as(*number, progress, board)).collect();
    }

    fn state(&self, board: &Board, shown: Option<&Progress>) -> ProjectionState {
        if board.stopped {
            return ProjectionState::Stopped;
        }
        if let Some(error) = &board.broken {
            return ProjectionState::Failed(error.clone());
        }
        let here = || board.generations.values().filter(|progress| self.is_mine(&progress.row));
        let building = here().find(|progress| progress.row.phase == Phase::Building);
        for progress in shown.iter().copied().chain(building) {
            if let Condition::Waiting(error) = progress.condition() {
                return ProjectionState::Waiting(error.clone());
            }
        }
        if building.is_some_and(|building| building.condition().problem(T::NAME).is_none()) {
            return ProjectionState::Rebuilding;
        }
        let followed = shown.or_else(|| here().next_back());
        if let Some(error) = followed.and_then(|followed| followed.condition().problem(T::NAME)) {
            return ProjectionState::Failed(error);
        }
        match followed {
            _ if board.paused => ProjectionState::Paused,
            Some(followed) if followed.stalled => ProjectionState::Stalled { since: followed.advanced_at },
            Some(followed) if self.is_whole(followed, board.known_head()) => ProjectionState::Live,
            Some(_) | None => ProjectionState::CatchingUp,
        }
    }
}

fn shown_as(number: u64, progress: &Progress, board: &Board) -> GenerationStatus {
    let applied = progress.applied();
    let behind = Position::number(board.head).saturating_sub(Position::number(applied));
    let moving = 0.0 < progress.rate && 0 < behind;
    GenerationStatus {
        number,
        version: progress.row.version,
        phase: match progress.row.phase {
            Phase::Building => GenerationPhase::Building,
            Phase::Serving => GenerationPhase::Serving,
            Phase::Kept => GenerationPhase::Kept,
        },
        applied,
        rate: progress.rate,
        remaining: moving.then(|| Duration::try_from_secs_f64(behind as f64 / progress.rate).ok()).flatten(),
    }
}
