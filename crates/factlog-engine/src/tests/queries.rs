//! Queries against a scan: 100,000 reads of random parts of random logs, each compared with `Query::matches` on every
//! event of a list in memory.
//!
//! * Everything is drawn from the number of the log, which a failure names, so that it can be asked again.
//! * The logs are in the tail, sealed, merged and mixed; runs are lost and damaged while they are asked.
//! * Conditions ask other parts of the same index: some questions are asked of them too.

mod ask;
mod logs;
mod random;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use factlog_core::{
    Append, AppendCondition, Direction, EventStore, FailedCondition, Position, Query, RecordedEvent,
};
use parking_lot::Mutex;

use super::{do_all, event};
use crate::Engine;
use ask::Question;
use logs::{Log, Shape};
use random::Random;

/// Logs, and questions asked of each; of a large one, which takes long to scan, only a few.
const LOGS: u64 = 50;
const QUESTIONS: u64 = 2_100;
const FEW_QUESTIONS: u64 = 250;

/// What was asked and met.
#[derive(Debug, Default)]
struct Tally {
    asked: AtomicU64,
    /// Reads that delivered something, but not every event of the range.
    some: AtomicU64,
    conditions: AtomicU64,
    conflicts: AtomicU64,
    /// What a view had when it was asked.
    met: Mutex<BTreeMap<&'static str, u64>>,
}

impl Tally {
    fn meet(&self, engine: &Engine) {
        let view = engine.shared().view();
        let level = |level| {
            view.slots.iter().filter_map(|slot| slot.run.as_ref()).any(|run| run.name().level == level)
        };
        let tail = view.generations.iter().any(|generation| generation.first() <= generation.last());
        let met = [
            ("the tail", tail),
            ("no tail", !tail),
            ("no sealed events", view.segments.is_empty()),
            ("sealed events and a tail", tail && !view.segments.is_empty()),
            ("a run of one segment", level(0)),
            ("a merged run", level(1)),
            ("a run merged twice", level(2)),
            ("runs of three levels", level(0) && level(1) && level(2)),
            ("a lost run", view.slots.iter().any(|slot| slot.run.is_none())),
            ("a wounded run", view.slots.iter().any(|slot| slot.wounded)),
        ];
        let mut counts = self.met.lock();
        met.iter().for_each(|(name, met)| *counts.entry(name).or_default() += u64::from(*met));
    }
}

#[test]
fn whatever_is_asked_of_whatever_log_is_answered_as_a_scan_would() {
    let tally = Tally::default();
    let seeds: Vec<_> = (0..LOGS).collect();
    do_all(&seeds, |&seed| examine(seed, &tally));
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let asked = count(&tally.asked);
    assert!(100_000 <= asked, "{asked} questions");
    assert!(asked / 4 <= count(&tally.some), "most answers are empty: {tally:?}");
    assert!(4_000 <= count(&tally.conditions), "{tally:?}");
    let conflicts = count(&tally.conflicts);
    assert!(1_000 <= conflicts && conflicts + 500 <= count(&tally.conditions), "{tally:?}");
    for (name, met) in tally.met.lock().iter() {
        assert!(20 <= *met, "{name} was hardly ever met: {tally:?}");
    }
}

/// Builds a log and asks it; one that grows is asked in between.
fn examine(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let mut log = Log::new(seed, &mut random);
    let stages = log.stages();
    let questions = if log.shape == Shape::Large { FEW_QUESTIONS } else { QUESTIONS };
    for stage in 0..stages {
        log.grow(&mut random);
        for n in 0..questions / stages {
            if log.shape == Shape::Wounded && n % 40 == 0 {
                log.wound(&mut random);
            }
            if n % 20 == 0 {
                tally.meet(&log.engine);
            }
            let question = Question::new(&mut random, &log);
            let told = format!("log {seed} ({:?}), stage {stage}, question {n}: {question:?}", log.shape);
            check(&log, &question, &told, tally);
            if n % 20 == 7 && !log.events.is_empty() {
                check_condition(&log, &question, &told, tally);
            }
        }
    }
}

/// What a question's range holds, by its positions and times.
fn range<'a>(log: &'a Log, question: &Question) -> Vec<&'a RecordedEvent> {
    let options = &question.options;
    let since = |event: &&RecordedEvent| {
        options.after.is_none_or(|after| after < event.position)
            && question.after_time.is_none_or(|time| time < event.recorded_at)
    };
    let until = |event: &&RecordedEvent| {
        options.until.is_none_or(|until| event.position <= until)
            && question.until_time.is_none_or(|time| event.recorded_at <= time)
    };
    log.events.iter().filter(since).filter(until).collect()
}

fn check(log: &Log, question: &Question, told: &str, tally: &Tally) {
    let range = range(log, question);
    let options = question.options;
    let matching = range.iter().copied().filter(|event| {
        question.query.matches(&event.event)
            && options.from_revision.is_none_or(|from| event.revision.is_some_and(|at| from <= at))
    });
    let limit = usize::try_from(options.limit.unwrap_or(u64::MAX)).expect("64 bits");
    let expected: Vec<_> = match options.direction {
        Direction::Forwards => matching.take(limit).collect(),
        Direction::Backwards => matching.rev().take(limit).collect(),
    };
    let options = question.by_position(&log.engine, told);
    let read = log.engine.read(question.query.clone(), options);
    let read = pollster::block_on(read.collect()).unwrap_or_else(|error| panic!("{told}: {error}"));
    assert_eq!(read.head, Position::new(log.events.len() as u64), "{told}");
    if !read.events.iter().eq(expected.iter().copied()) {
        let found: Vec<_> = read.events.iter().map(|event| event.position.get()).collect();
        let expected: Vec<_> = expected.iter().map(|event| event.position.get()).collect();
        panic!("{told}: found {found:?} in place of {expected:?}");
    }
    tally.asked.fetch_add(1, Ordering::Relaxed);
    if !expected.is_empty() && expected.len() < range.len() {
        tally.some.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asks a condition, together with one that never holds, so that nothing is appended.
fn check_condition(log: &Log, question: &Question, told: &str, tally: &Tally) {
    let head = log.events.len() as u64;
    let after = match question.options.limit {
        // What was decided on lately is asked about most often.
        Some(limit) => Position::new(head.saturating_sub(limit % 9)),
        None => question.options.after,
    };
    let newest = log.events.iter().rev().find(|recorded| question.query.matches(&recorded.event));
    let newest = newest.map(|recorded| recorded.position).filter(|&position| after < Some(position));
    let append = Append::new([event(u64::MAX)])
        .when(AppendCondition::none_match(question.query.clone(), after))
        .when(AppendCondition::none_match(Query::All, None));
    let error = pollster::block_on(log.engine.append(append)).expect_err("the second never holds");
    let failed = &error.conflict().unwrap_or_else(|| panic!("{told}: {error}")).failed;
    let expected = newest.map(|position| FailedCondition::NoneMatch { index: 0, position });
    let found =
        failed.iter().find(|condition| matches!(condition, FailedCondition::NoneMatch { index: 0, .. }));
    assert_eq!(found, expected.as_ref(), "{told}, as a condition");
    tally.conditions.fetch_add(1, Ordering::Relaxed);
    tally.conflicts.fetch_add(u64::from(newest.is_some()), Ordering::Relaxed);
}
