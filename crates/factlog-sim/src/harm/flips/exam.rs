//! One harm: the store is verified, opened and asked everything; each answer is right or says what is damaged, and where.

use factlog_core::{
    Administration, Append, AppendError, Error, ErrorKind, EventStore, Position, Query, ReadOptions, Result,
};
use factlog_engine::{Damage as Named, Report};

use super::damage::{Damage, Due, When};
use super::layout::{Part, What};
use super::questions::{Ask, Outcome, Questions, Read, new_event};
use super::store::{SOURCES, Store};
use crate::disk::SimDisk;
use crate::harm::hand::{Hand, Ticking, verify};

/// What came of a harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// A verification names it.
    pub(super) told: bool,
    /// The store does not open.
    pub(super) refused: bool,
    /// Questions that were answered with `Corrupt`, since what they need is lost.
    pub(super) corrupt: u64,
    /// It was mended by itself.
    pub(super) mended: bool,
}

/// An examination under way.
#[derive(Debug)]
pub(super) struct Exam<'a> {
    pub(super) store: &'a Store,
    pub(super) questions: &'a Questions,
    pub(super) due: Due<'a>,
}

type Told<T = ()> = std::result::Result<T, String>;

impl Exam<'_> {
    pub(super) fn run(&self, damage: &Damage, bytes: &[u8]) -> Told<Verdict> {
        let disk = self.store.image.disk(0);
        let open = || Hand::open(&disk, &self.store.settings, &Ticking::new());
        let mut verdict = Verdict::default();
        let mut hand = match damage.when {
            When::Open => {
                let hand = open().map_err(|error| format!("the store does not open: {error}"))?;
                damage.apply(&disk, bytes);
                hand
            }
            When::Closed => {
                damage.apply(&disk, bytes);
                verdict.told = self.verified(&disk)?;
                match open() {
                    Err(error) if self.due.is_refused() => {
                        verdict.refused = true;
                        return self.is_told(&error, "STORE").map(|()| verdict);
                    }
                    Err(error) => return Err(format!("the store does not open: {error}")),
                    Ok(_) if self.due.is_refused() => return Err("the store opens".to_owned()),
                    Ok(hand) => hand,
                }
            }
        };
        verdict.corrupt = self.asked(&mut hand)?;
        hand.settle();
        hand.close().map_err(|error| format!("the store does not close: {error}"))?;
        if self.due.is_mended() {
            verdict.mended = is_whole(&disk)?;
        }
        // A run's footer and the write-ahead log are read when the store is opened, and not again.
        if (self.due.loses_run() || self.due.is_beacon()) && damage.when == When::Open && !verdict.mended {
            let mut hand = open().map_err(|error| format!("the store does not open again: {error}"))?;
            hand.settle();
            hand.close().map_err(|error| format!("the store does not close again: {error}"))?;
            verdict.mended = is_whole(&disk)?;
        }
        if self.due.is_mended() && !verdict.mended {
            return Err("it is not mended at the end".to_owned());
        }
        Ok(verdict)
    }

    /// Verifies: every part that is harmed is named, with an offset in it, and no other; all of the log but what is
    /// lost is counted. Says whether anything was named.
    fn verified(&self, disk: &SimDisk) -> Told<bool> {
        let report = verify(disk).map_err(|error| format!("it cannot be verified: {error}"))?;
        let Report { damage, mendable, events, .. } = &report;
        let named = if self.due.is_mended() { mendable } else { damage };
        if named.len() < damage.len() + mendable.len() {
            return Err(format!("verifying tells something else: {damage:?} {mendable:?}"));
        }
        let is_in =
            |part: &Part, offset: u64| part.range.contains(&(offset as usize)) && part.file == self.due.file;
        for part in self.due.told() {
            // Damage to neighbours may be told as one.
            let covers = |named: &Named| {
                let range = named.first.zip(named.last);
                let What::Events(first, last) = part.what else { return false };
                range.is_some_and(|(from, until)| from.get() <= first && last <= until.get())
            };
            if !named.iter().any(|named| is_in(part, named.offset) || covers(named)) {
                return Err(format!("verifying does not name {part:?}: {named:?}"));
            }
        }
        for named in named {
            let is_there = self.due.parts.iter().any(|part| is_in(part, named.offset));
            // A run without its footer is as good as gone, which is said of it as a whole.
            let is_gone = self.due.loses_run() && named.offset == 0;
            if named.file != self.due.file || !(is_there || is_gone) {
                return Err(format!("verifying names what was not harmed: {named:?} ({:?})", self.due));
            }
        }
        if self.due.loses_both_footers() {
            // All blocks are read as if nothing were lost, to name what else is.
            return Ok(true);
        }
        let mut lost: Vec<_> = named.iter().filter_map(|named| named.first.zip(named.last)).collect();
        lost.sort_unstable();
        let lost: Vec<_> = lost.into_iter().map(|(first, last)| (first.get(), last.get())).collect();
        let count = |ranges: &[(u64, u64)]| ranges.iter().map(|(first, last)| last - first + 1).sum::<u64>();
        let due = count(&self.due.lost);
        if count(&lost) != due
            || !lost.iter().all(|&(first, last)| !self.due.serves(first) && !self.due.serves(last))
        {
            return Err(format!("verifying says that {lost:?} is lost, and not {:?}", self.due.lost));
        }
        if !self.due.is_refused() && *events != self.store.events.len() as u64 - due {
            return Err(format!("verifying counts {events} events"));
        }
        Ok(!named.is_empty())
    }

    /// Asks everything; how much was answered with `Corrupt`.
    fn asked(&self, hand: &mut Hand) -> Told<u64> {
        self.stretches(hand)?;
        let mut corrupt = 0;
        for read in &self.questions.reads {
            corrupt += u64::from(self.read(hand, read)?);
        }
        corrupt += self.listed(hand)?;
        for ask in &self.questions.appends {
            corrupt += u64::from(self.append(hand, ask)?);
        }
        let done = hand.append(Append::new([new_event()]));
        let writable = !self.due.is_in_tail() || self.due.is_beacon() || self.due.told().next().is_none();
        match done {
            Ok(appended) if writable && appended.first.get() == self.store.events.len() as u64 + 1 => {}
            Err(AppendError::Failed(error)) if !writable => self.is_told(&error, self.due.file)?,
            other => return Err(format!("an append of something new: {other:?}")),
        }
        Ok(corrupt)
    }

    /// All that is whole is served by position, in both directions.
    fn stretches(&self, hand: &Hand) -> Told {
        let events = &self.store.events;
        let mut from = 0;
        let ends = self.due.lost.iter().copied().chain([(events.len() as u64 + 1, 0)]);
        for (first, last) in ends {
            let range = from..first - 1;
            let options = ReadOptions::default().after(Position::new(from)).until(Position::new(first - 1));
            for options in [options, options.backwards()].into_iter().filter(|_| !range.is_empty()) {
                let (mut found, error) = hand.read(Query::All, options);
                if options == options.backwards() {
                    found.reverse();
                }
                if error.is_some() || found != events[from as usize..first as usize - 1] {
                    let count = found.len();
                    return Err(format!("of the whole positions {range:?} come {count}, then {error:?}"));
                }
            }
            from = last;
        }
        Ok(())
    }

    /// One read; whether it ended with `Corrupt`.
    fn read(&self, hand: &Hand, read: &Read) -> Told<bool> {
        let (found, error) = hand.read(read.query.clone(), read.options);
        let due = read.due.iter().map(|&position| &self.store.events[position as usize - 1]);
        if !found.iter().eq(due.take(found.len())) {
            let found: Vec<_> = found.iter().map(|event| event.position.get()).collect();
            return Err(format!("a wrong answer: {found:?} where {:?} is due, to {read:?}", read.due));
        }
        let Some(error) = error else {
            if found.len() == read.due.len() {
                return Ok(false);
            }
            return Err(format!("an answer that is short: {} events to {read:?}", found.len()));
        };
        self.is_told(&error, self.due.file)?;
        let needed = if self.due.is_in_tail() {
            // The lost positions are passed over, and nobody knows what was there.
            let after = Position::number(read.options.after);
            self.due.lost.iter().any(|(_, last)| after < *last)
        } else {
            read.due.get(found.len()).is_some_and(|&next| !self.due.serves(next))
        };
        if needed {
            Ok(true)
        } else {
            Err(format!("refused though nothing it needs is lost: {error}, to {read:?}"))
        }
    }

    /// Streams, types, tracking and times.
    fn listed(&self, hand: &Hand) -> Told<u64> {
        let (engine, questions) = (hand.engine(), self.questions);
        let mut corrupt = self.right(pollster::block_on(engine.types()), &questions.types)?;
        corrupt += self.right(pollster::block_on(engine.streams("", None, 1000)), &questions.streams)?;
        for stream in &questions.streams {
            let found = pollster::block_on(engine.stream(stream.stream.clone()));
            corrupt += self.right(found, &Some(stream.clone()))?;
        }
        for source in SOURCES {
            corrupt +=
                self.right(pollster::block_on(engine.tracking(source)), &self.store.tracking(source))?;
        }
        for &(time, position) in &questions.times {
            let found = pollster::block_on(engine.position_at(time)).map(Position::number);
            corrupt += self.right(found, &position)?;
        }
        let head = pollster::block_on(engine.head()).map(|head| Position::number(head.position));
        corrupt += self.right(head, &(self.store.events.len() as u64))?;
        Ok(corrupt)
    }

    /// An answer is right, or says what is damaged.
    fn right<T: PartialEq + std::fmt::Debug>(&self, found: Result<T>, due: &T) -> Told<u64> {
        match found {
            Ok(found) if found == *due => Ok(0),
            Ok(found) => Err(format!("a wrong answer: {found:?} where {due:?} is due")),
            Err(error) if self.due.lost.is_empty() => Err(format!("refused though nothing is lost: {error}")),
            Err(error) => self.is_told(&error, self.due.file).map(|()| 1),
        }
    }

    /// An append that changes nothing; whether it was answered with `Corrupt`.
    fn append(&self, hand: &mut Hand, ask: &Ask) -> Told<bool> {
        match (hand.append(ask.append.clone()), &ask.due) {
            (Err(AppendError::Conflict(_)), Outcome::Conflict) => Ok(false),
            (Ok(appended), Outcome::Repeat(first, last))
                if appended.deduplicated
                    && (appended.first.get(), appended.last.get()) == (*first, *last) =>
            {
                Ok(false)
            }
            (Err(AppendError::Failed(error)), _) if error.kind() == ErrorKind::Corrupt => {
                if self.due.lost.is_empty() && !self.due.is_in_tail() {
                    return Err(format!("refused though nothing is lost: {error}, to {ask:?}"));
                }
                self.is_told(&error, self.due.file).map(|()| true)
            }
            (other, _) => Err(format!("a wrong answer: {other:?} to {ask:?}")),
        }
    }

    /// An error is `Corrupt`, and names the file and a place in a part that is harmed.
    fn is_told(&self, error: &Error, file: &str) -> Told {
        let text = error.to_string();
        let offset =
            text.split("offset ").nth(1).map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        let offset: Option<usize> = offset.flatten().and_then(|digits| digits.parse().ok());
        let is_there = self.due.is_refused()
            || offset.is_some_and(|offset| self.due.parts.iter().any(|part| part.range.contains(&offset)));
        if error.kind() == ErrorKind::Corrupt && text.contains(file) && is_there {
            return Ok(());
        }
        Err(format!("an error that does not say what is damaged and where: {:?}, {text}", error.kind()))
    }
}

/// Whether a verification finds nothing.
fn is_whole(disk: &SimDisk) -> Told<bool> {
    let report = verify(disk).map_err(|error| format!("it cannot be verified at the end: {error}"))?;
    Ok(report.is_clean())
}
