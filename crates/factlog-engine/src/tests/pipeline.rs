//! Several groups under way: answered in order whatever the disk does first.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use factlog_core::{
    Append, AppendCondition, AppendError, Appended, BoxFuture, ErrorKind, EventStore, Position, Query,
    ReadOptions, SystemClock,
};

use super::{event, open, read, small};
use crate::storage::faulty::{Faults, FaultyDisk};
use crate::{Engine, JournalMode, Settings};

pub(super) type Answer<'a> = BoxFuture<'a, Result<Appended, AppendError>>;

/// An engine whose last write is not held back, whatever the test did.
pub(super) struct Held {
    engine: Engine,
    faults: Arc<Faults>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.faults.script.let_go();
    }
}

impl Deref for Held {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

/// A store whose writes of groups end when the test says so.
pub(super) fn held(dir: &Path, settings: &Settings) -> (Held, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let disk = Arc::new(FaultyDisk(faults.clone()));
    // Nothing is written but what the test begins.
    let settings = Settings { vouch_after: Duration::MAX, ..settings.clone() };
    let engine = Engine::open_on(disk, dir, settings, Arc::new(SystemClock)).expect("open");
    faults.script.hold();
    (Held { engine, faults: faults.clone() }, faults)
}

fn is_ready(answer: &mut Answer<'_>) -> bool {
    answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Begins appends of one event each, every one in a group of its own: numbers from `begun + 1` on.
pub(super) fn begin<'a>(
    engine: &'a Engine,
    faults: &Faults,
    events: &std::ops::RangeInclusive<u64>,
    begun: u64,
) -> Vec<Answer<'a>> {
    let mut answers = Vec::new();
    for (n, write) in events.clone().zip(begun + 1..) {
        let mut answer = engine.append(Append::new([event(n)]));
        assert!(!is_ready(&mut answer));
        faults.script.wait_for(write);
        answers.push(answer);
    }
    answers
}

pub(super) fn head(engine: &Engine) -> u64 {
    Position::number(pollster::block_on(engine.head()).expect("head").position)
}

fn kind(error: &AppendError) -> ErrorKind {
    error.failed().expect("an error").kind()
}

/// Every order of `1..=n`.
fn orders(n: u64) -> Vec<Vec<u64>> {
    if n == 0 {
        return vec![vec![]];
    }
    let shorter = orders(n - 1).into_iter();
    shorter
        .flat_map(|order| {
            (0..=order.len()).map(move |at| {
                let mut longer = order.clone();
                longer.insert(at, n);
                longer
            })
        })
        .collect()
}

#[test]
fn groups_are_shown_and_answered_in_order_whatever_order_they_are_durable_in() {
    for mode in [JournalMode::Auto, JournalMode::Threads] {
        for n in 1..=4 {
            for order in orders(n) {
                let dir = tempfile::tempdir().expect("a directory");
                let (engine, faults) = held(dir.path(), &Settings { journal: mode, ..small() });
                let mut answers = begin(&engine, &faults, &(1..=n), 0);
                let mut durable = vec![false; n as usize];
                for &number in &order {
                    faults.script.release(number);
                    durable[number as usize - 1] = true;
                    let prefix = durable.iter().take_while(|&&durable| durable).count();
                    if prefix < n as usize {
                        faults.script.settle();
                        assert_eq!(head(&engine), prefix as u64, "{order:?} after {number}");
                        // What was answered must not be asked again.
                        for (at, answer) in answers.iter_mut().enumerate().skip(prefix) {
                            assert!(!is_ready(answer), "{order:?}: {at} is not durable");
                        }
                    }
                }
                for (answer, n) in answers.into_iter().zip(1..) {
                    assert_eq!(pollster::block_on(answer).expect("durable").first.get(), n, "{order:?}");
                }
                assert_eq!(head(&engine), n);
                let (events, _) = read(&engine, ReadOptions::default());
                assert!(events.iter().zip(1..).all(|(recorded, n)| recorded.event == event(n)));
            }
        }
    }
}

#[test]
fn no_group_behind_one_that_failed_is_acknowledged() {
    for n in 1..=5 {
        for (k, after_the_write) in (1..=n).flat_map(|k| [(k, false), (k, true)]) {
            let dir = tempfile::tempdir().expect("a directory");
            let (engine, faults) = held(dir.path(), &small());
            faults.set_after_the_write(after_the_write);
            faults.script.fail(k);
            let answers = begin(&engine, &faults, &(1..=n), 0);
            // Those behind the failed one are durable first.
            (1..=n).rev().for_each(|number| faults.script.release(number));
            for (answer, number) in answers.into_iter().zip(1..) {
                match pollster::block_on(answer) {
                    Ok(appended) => assert_eq!((appended.first.get(), number < k), (number, true)),
                    Err(error) => {
                        assert!(k <= number, "{number} was durable, and all in front of it, when {k} failed");
                        assert_eq!(kind(&error), ErrorKind::Indeterminate);
                    }
                }
            }
            let later = pollster::block_on(engine.append(Append::new([event(n + 1)]))).expect_err("poisoned");
            assert_eq!((kind(&later), head(&engine)), (ErrorKind::Closed, k - 1));
            drop(engine);
            let engine = open(dir.path(), small());
            // What failed is there if its bytes are. Without it, nothing behind it is there.
            let expected = if after_the_write { n } else { k - 1 };
            assert_eq!((engine.damage(), head(&engine)), (vec![], expected), "{k} of {n}");
        }
    }
}

#[test]
fn what_was_judged_against_a_group_is_answered_after_it() {
    for fails in [false, true] {
        let dir = tempfile::tempdir().expect("a directory");
        let (engine, faults) = held(dir.path(), &small());
        if fails {
            faults.script.fail(1);
        }
        let mut first = begin(&engine, &faults, &(1..=1), 0).pop().expect("one");
        let mut again = engine.append(Append::new([event(1)]));
        let condition = AppendCondition::none_match(Query::All, None);
        let mut lost = engine.append(Append::new([event(2)]).when(condition));
        assert!(!is_ready(&mut again) && !is_ready(&mut lost) && !is_ready(&mut first));
        faults.script.settle();
        assert!(!is_ready(&mut again) && !is_ready(&mut lost), "the group is not durable");
        faults.script.release(1);
        let (again, lost) = (pollster::block_on(again), pollster::block_on(lost));
        if fails {
            assert_eq!(kind(&again.expect_err("in doubt")), ErrorKind::Indeterminate);
            assert_eq!(kind(&lost.expect_err("nothing was written")), ErrorKind::Closed);
        } else {
            assert!(again.expect("recorded").deduplicated);
            let conflict = lost.expect_err("lost");
            assert_eq!(conflict.conflict().expect("a conflict").failed.len(), 1);
        }
        assert_eq!(pollster::block_on(first).is_err(), fails);
    }
}
