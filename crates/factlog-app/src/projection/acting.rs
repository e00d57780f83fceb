//! What the supervisor does when it is told to, and when a generation is built: pause, rebuild, switch, back.

use std::time::Duration;

use factlog_core::Position;

use super::ProjectionError;
use super::board::{Condition, Progress};
use super::generations::{self, Course, Past, Switched};
use super::orders::{Act, Answer, Hand, refused};
use super::rows::{PAUSED, Phase, WANTED};
use super::settings::Switch;
use super::supervisor::Supervisor;
use super::target::{Control, Target};
use super::waits::Waited;

/// Positions that a generation may be behind for the one that is to be left to stand still for it: what it reads at once.
const NEAR: u64 = 10_000;
/// Switches tried at once while the generation to leave moves on.
const TRIES: u32 = 100;
/// How long the store may think about where it ends, and how often.
const MOMENT: Duration = Duration::from_millis(100);
const PATIENCE: u32 = 50;

impl<T: Target> Supervisor<T> {
    pub(super) fn take(&mut self, act: &Act, answer: Answer) {
        let done = self.act(act, Hand::EMPTY);
        if matches!(act, Act::Rebuild) && done.is_ok() {
            self.waiting.push((self.asked, answer));
            return self.tell();
        }
        // A caller that no longer waits needs no answer.
        let _ = answer.send(done);
    }

    pub(super) fn act(&mut self, act: &Act, hand: Hand<'_>) -> Result<String, ProjectionError> {
        self.shared.look()?;
        let done = match act {
            Act::Pause => self.pause(true, hand)?,
            Act::Resume => self.pause(false, hand)?,
            Act::Rebuild => self.rebuild(hand)?,
            Act::Switch => self.order_switch(hand)?,
            Act::Back => self.back(hand)?,
            Act::Retry { key } => self.shared.retry(self.parking()?, key, hand)?,
            Act::Skip { key, reason } => self.shared.skip(self.parking()?, key, reason, hand)?,
            Act::Edit { position, data } => self.shared.edit(self.parking()?, *position, data, hand)?,
            Act::Verify => return Err(refused("it is verified on a thread of its own".to_owned())),
            // Looking changes nothing.
            Act::Event { position } => return self.shared.event(*position),
        };
        for running in self.workers.values() {
            running.halt.reload();
        }
        Ok(done)
    }

    /// The generation whose parked keys are meant: the one readers see, or the newest that has any.
    fn parking(&self) -> Result<u64, ProjectionError> {
        let numbers: Vec<u64> = {
            let board = self.shared.board.lock();
            let mine = board.generations.iter().filter(|(_, progress)| self.shared.is_mine(&progress.row));
            mine.map(|(number, _)| *number).rev().collect()
        };
        for number in &numbers {
            if 0 < self.shared.parked_count(*number)? {
                return Ok(*number);
            }
        }
        numbers.first().copied().ok_or_else(|| refused("there is no generation of this version".to_owned()))
    }

    fn pause(&mut self, paused: bool, hand: Hand<'_>) -> Result<String, ProjectionError> {
        let mut control = Control::default();
        let done = if paused { "paused" } else { "resumed" };
        control.put(PAUSED.to_owned(), paused.then(String::new));
        hand.close(&mut control, done);
        self.shared.write_act(control)?;
        self.shared.change(|board| {
            board.paused = paused;
            for progress in board.generations.values_mut() {
                progress.workers.clear();
            }
        });
        self.ensure()?;
        Ok(done.to_owned())
    }

    /// Begins to build again; one that is asked for during another is that one.
    fn rebuild(&mut self, hand: Hand<'_>) -> Result<String, ProjectionError> {
        let under_way = self.building().filter(|(_, condition)| condition.problem(T::NAME).is_none());
        let number = match under_way {
            Some((number, _)) => number,
            None => {
                let now = self.shared.clock.now();
                let fingerprint = self.shared.fingerprint.clone();
                let (past, why) = (self.past()?, "it was asked for");
                let begun = generations::build(&*self.shared.target, &fingerprint, why, past, now, hand)?;
                begun.ok_or_else(|| refused("somebody else switched meanwhile; ask again".to_owned()))?
            }
        };
        self.asked = number;
        self.shared.look()?;
        self.ensure()?;
        Ok(generations::built(number))
    }

    /// Whether what readers see is known not to be of this log.
    fn is_foreign(&self) -> bool {
        let board = self.shared.board.lock();
        let served = board.serving.and_then(|serving| board.generations.get(&serving));
        served.is_some_and(|served| matches!(served.condition(), Condition::Failed(_)) && !served.proven)
    }

    fn past(&self) -> Result<Past, ProjectionError> {
        if !self.is_foreign() {
            return Ok(Past::Same);
        }
        // A wait may be shorter where something else happens.
        for _ in 0..PATIENCE {
            if let Waited::Ready(head) = self.shared.supervisor.wait(self.shared.store.head(), Some(MOMENT)) {
                return Ok(Past::Other { head: head?.position });
            }
        }
        Err(refused("the store does not say where it ends; ask again".to_owned()))
    }

    /// The generation of this version that is built, and how.
    pub(super) fn building(&self) -> Option<(u64, Condition)> {
        let board = self.shared.board.lock();
        let mut built = board.generations.iter().rev().filter(|(_, progress)| {
            progress.row.phase == Phase::Building && self.shared.is_mine(&progress.row)
        });
        built.next().map(|(number, progress)| (*number, progress.condition().clone()))
    }

    fn order_switch(&mut self, hand: Hand<'_>) -> Result<String, ProjectionError> {
        if self.building().is_some() {
            let done = "it is switched as soon as it has caught up";
            let mut control = Control::default();
            control.put(WANTED.to_owned(), Some(String::new()));
            hand.close(&mut control, done);
            self.shared.write_act(control)?;
            self.shared.change(|board| board.wanted = true);
            self.switch_if_due()?;
            return Ok(done.to_owned());
        }
        let newest = self.other(|number, serving| serving < number)?;
        self.switch_to(newest, Course::Back, hand)
    }

    fn back(&mut self, hand: Hand<'_>) -> Result<String, ProjectionError> {
        let kept = self.other(|number, serving| number < serving)?;
        self.switch_to(kept, Course::Back, hand)
    }

    /// The newest kept generation on one side of the one readers see.
    fn other(&self, side: impl Fn(u64, u64) -> bool) -> Result<u64, ProjectionError> {
        let board = self.shared.board.lock();
        let serving = board.serving.unwrap_or(0);
        let kept = board
            .generations
            .iter()
            .rev()
            .find(|(number, progress)| progress.row.phase == Phase::Kept && side(**number, serving));
        kept.map(|(number, _)| *number)
            .ok_or_else(|| refused("no other generation is kept to switch to".to_owned()))
    }

    fn switch_to(&mut self, to: u64, course: Course, hand: Hand<'_>) -> Result<String, ProjectionError> {
        let seen = {
            let board = self.shared.board.lock();
            board.serving.and_then(|serving| board.generations.get(&serving)?.applied())
        };
        for _ in 0..TRIES {
            match generations::switch(&*self.shared.target, to, course, seen, hand)? {
                Switched::Done => {
                    self.shared.look()?;
                    for running in self.workers.values() {
                        running.halt.reload();
                    }
                    self.ensure()?;
                    return Ok(generations::seen_now(to));
                }
                Switched::Behind => {
                    return Err(refused(format!("generation {to} has not come as far as what readers see")));
                }
                Switched::Moved => {}
            }
        }
        Err(refused("what readers see moved at every try; ask again".to_owned()))
    }

    /// Bids what readers see stand still where that lets a generation catch up with it: not where it is far behind, for that
    /// would be one stand-still after another.
    fn hold_for(&self, number: u64) -> Result<(), ProjectionError> {
        let (serving, behind) = {
            let board = self.shared.board.lock();
            let Some(serving) = board.serving else { return Ok(()) };
            let furthest = board.generations.get(&serving).and_then(Progress::furthest);
            let reached = board.generations.get(&number).and_then(Progress::applied);
            (serving, Position::number(furthest).saturating_sub(Position::number(reached)))
        };
        if behind <= NEAR {
            generations::hold(&*self.shared.target, serving, self.shared.clock.now())?;
        }
        Ok(())
    }

    pub(super) fn switch_if_due(&mut self) -> Result<(), ProjectionError> {
        let Some((number, Condition::Running)) = self.building() else { return Ok(()) };
        let (built, wanted) = {
            let board = self.shared.board.lock();
            (board.generations.get(&number).is_some_and(|progress| progress.built), board.wanted)
        };
        if !built {
            return Ok(());
        }
        if self.shared.settings.switch == Switch::WhenBuilt || wanted {
            // What is of another log is not the past of what was built.
            let course = if self.is_foreign() { Course::Away } else { Course::On };
            match self.switch_to(number, course, Hand::EMPTY) {
                Ok(_) => {}
                // It is tried again at its next commit, and meanwhile what it is behind of stands still.
                Err(ProjectionError::Refused(_)) => return self.hold_for(number),
                Err(error) => return Err(error),
            }
        }
        self.answer(number, &Ok(generations::built(number)));
        Ok(())
    }

    /// Tells who waits for a generation what became of it, whichever program switched to it or dropped it.
    pub(super) fn tell(&mut self) {
        let numbers: Vec<u64> = self.waiting.iter().map(|(number, _)| *number).collect();
        for number in numbers {
            let phase = {
                let board = self.shared.board.lock();
                board.generations.get(&number).map(|progress| progress.row.phase)
            };
            match phase {
                Some(Phase::Building) => {}
                Some(Phase::Serving | Phase::Kept) => self.answer(number, &Ok(generations::built(number))),
                None => {
                    let why =
                        format!("generation {number} was dropped before it was built, by another program");
                    self.answer(number, &Err(refused(why)));
                }
            }
        }
    }

    pub(super) fn answer(&mut self, number: u64, said: &Result<String, ProjectionError>) {
        for (_, answer) in self.waiting.extract_if(.., |(waited, _)| *waited == number) {
            // A caller that no longer waits needs no answer.
            let _ = answer.send(said.clone());
        }
    }
}
