//! Several groups under way: answered in order whatever the disk does first, and a crash leaves a prefix of them.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use factlog_core::{
    Append, AppendCondition, AppendError, Appended, BoxFuture, ErrorKind, EventStore, Position, Query,
    ReadOptions, SystemClock,
};
use tempfile::TempDir;

use super::{close, event, fill, open, read, small};
use crate::storage::faulty::{Faults, FaultyDisk};
use crate::{Engine, JournalMode, Settings};

type Answer<'a> = BoxFuture<'a, Result<Appended, AppendError>>;

/// An engine whose last write is not held back, whatever the test did.
struct Held {
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
fn held(dir: &Path, settings: &Settings) -> (Held, Arc<Faults>) {
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
fn begin<'a>(
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

fn head(engine: &Engine) -> u64 {
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

/// A copy of a store as a crash leaves it: without the end that a stop puts there.
fn image(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().expect("a directory");
    for folder in ["", "wal", "segments"] {
        std::fs::create_dir_all(copy.path().join(folder)).expect("create");
        for entry in std::fs::read_dir(dir.join(folder)).expect("list") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                // A file that was being made may be gone by now.
                let name = path.file_name().expect("a name");
                drop(std::fs::copy(&path, copy.path().join(folder).join(name)));
            }
        }
    }
    copy
}

/// Where the n-th frame lies if every frame is one block and the usual files are used.
fn place(frame: u64) -> (String, usize) {
    // The sixteenth block is kept for a beacon.
    (format!("wal/{:08}", 1 + (frame - 1) / 15), ((frame - 1) % 15 * 4096) as usize)
}

/// Takes a frame's bytes away: all, or those of one sector, as a crash does in the middle of a write.
fn tear(dir: &Path, frame: u64, sector: usize) {
    let (name, offset) = place(frame);
    let mut bytes = std::fs::read(dir.join(&name)).expect("read");
    let torn =
        if sector == 8 { offset..offset + 4096 } else { offset + sector * 512..offset + sector * 512 + 512 };
    if sector == 0 || bytes[torn.clone()].iter().any(|&byte| byte != 0) {
        bytes[torn].fill(0);
    } else {
        // There was nothing in it: no loss would be no tear.
        bytes[offset..offset + 4096].fill(0);
    }
    std::fs::write(dir.join(&name), bytes).expect("write");
}

fn content(engine: &Engine) -> Vec<u64> {
    let (events, error) = read(engine, ReadOptions::default());
    assert_eq!((engine.damage(), error.is_none()), (vec![], true));
    let numbers = events.iter().map(|recorded| {
        u64::from_be_bytes(recorded.event.id.as_bytes()[..8].try_into().expect("eight bytes"))
    });
    numbers.collect()
}

#[test]
fn a_crash_leaves_a_prefix_and_what_is_cut_off_never_comes_back() {
    // With 13 to 15 frames in front, those under way go on in the next file.
    for (acknowledged, under_way) in [(2, 4), (12, 4), (13, 3), (14, 4), (15, 3)] {
        let dir = tempfile::tempdir().expect("a directory");
        let (engine, faults) = held(dir.path(), &small());
        for n in 1..=acknowledged {
            let answer = begin(&engine, &faults, &(n..=n), n - 1).pop().expect("one");
            faults.script.release(n);
            pollster::block_on(answer).expect("append");
        }
        let answers = begin(&engine, &faults, &(acknowledged + 1..=acknowledged + under_way), acknowledged);
        faults.script.settle();
        for torn in 0..1_u64 << under_way {
            let crashed = image(dir.path());
            let torn_frames = (0..under_way).filter(|frame| torn & (1 << frame) != 0);
            torn_frames.for_each(|frame| {
                tear(crashed.path(), acknowledged + 1 + frame, ((torn + frame) % 9) as usize);
            });
            let whole = u64::from(torn.trailing_zeros()).min(under_way);
            goes_on(
                &crashed,
                (1..=acknowledged + whole).collect(),
                under_way,
                &format!("{acknowledged} and {torn:b}"),
            );
        }
        (acknowledged + 1..=acknowledged + under_way).for_each(|number| faults.script.release(number));
        answers.into_iter().for_each(|answer| drop(pollster::block_on(answer)));
    }
}

/// Opens what a crash left, appends groups that fit exactly over what was cut off, crashes and opens again.
fn goes_on(crashed: &TempDir, mut expected: Vec<u64>, more: u64, what: &str) {
    let mut crashed = image(crashed.path());
    for round in 0..3 {
        let engine = open(crashed.path(), small());
        assert_eq!(content(&engine), expected, "{what}, opening {round}");
        for n in 0..(more - 1).saturating_sub(round) {
            let new = 1000 * (round + 1) + n;
            pollster::block_on(engine.append(Append::new([event(new)]))).expect("append");
            expected.push(new);
            let image = image(crashed.path());
            assert_eq!(content(&open(image.path(), small())), expected, "{what}, {n} after opening {round}");
        }
        crashed = image(crashed.path());
    }
}

#[test]
fn what_was_cut_off_never_stands_at_the_front_of_the_log() {
    // The torn frame is the last of a file. It is replaced, all is sealed, and the next file begins with a frame
    // that would follow exactly.
    let dir = tempfile::tempdir().expect("a directory");
    let (engine, faults) = held(dir.path(), &small());
    for n in 1..=14 {
        let answer = begin(&engine, &faults, &(n..=n), n - 1).pop().expect("one");
        faults.script.release(n);
        pollster::block_on(answer).expect("append");
    }
    let answers = begin(&engine, &faults, &(15..=17), 14);
    faults.script.settle();
    let crashed = image(dir.path());
    (15..=17).for_each(|number| faults.script.release(number));
    answers.into_iter().for_each(|answer| drop(pollster::block_on(answer)));
    tear(crashed.path(), 15, 8);

    let faults = Arc::new(Faults::default());
    let settings = Settings { segment_events: 15, ..small() };
    let disk = Arc::new(FaultyDisk(faults.clone()));
    let engine = Engine::open_on(disk, crashed.path(), settings, Arc::new(SystemClock)).expect("open");
    pollster::block_on(engine.append(Append::new([event(100)]))).expect("append");
    // The next append has all so far sealed, and its own frame never reaches the disk.
    faults.script.fail(2);
    pollster::block_on(engine.append(Append::new([event(101)]))).expect_err("in doubt");
    drop(engine);
    assert_eq!(std::fs::read_dir(crashed.path().join("segments")).expect("list").count(), 1, "it is sealed");
    let engine = open(crashed.path(), small());
    assert_eq!(content(&engine), (1..=14).chain([100]).collect::<Vec<_>>());
    pollster::block_on(engine.append(Append::new([event(102)]))).expect("append");
    close(&engine);
    let engine = open(crashed.path(), small());
    assert_eq!(content(&engine), (1..=14).chain([100, 102]).collect::<Vec<_>>());
}

#[test]
fn all_groups_that_were_under_way_are_written_again_before_anything_builds_on_them() {
    for under_way in 1..=6 {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = open(dir.path(), small());
        let first = fill(&engine, 12) + 1;
        close(&engine);
        drop(engine);
        let (engine, faults) = held(dir.path(), &small());
        let answers = begin(&engine, &faults, &(first..=first + under_way - 1), 0);
        faults.script.settle();
        let crashed = image(dir.path());
        (1..=under_way).for_each(|number| faults.script.release(number));
        answers.into_iter().for_each(|answer| drop(pollster::block_on(answer)));

        let faults = Arc::new(Faults::default());
        let disk = Arc::new(FaultyDisk(faults.clone()));
        let engine =
            Engine::open_on(disk.clone(), crashed.path(), small(), Arc::new(SystemClock)).expect("open");
        assert_eq!((faults.durable_writes(), head(&engine)), (under_way, first + under_way - 1));
        drop(engine);
        // The stop wrote a beacon, which vouches for all of them and is now the last.
        let before = faults.durable_writes();
        drop(Engine::open_on(disk, crashed.path(), small(), Arc::new(SystemClock)).expect("open"));
        assert_eq!(faults.durable_writes(), before + 1);
    }
}

#[test]
fn a_frame_that_a_later_one_vouches_for_is_damage_even_with_others_torn_in_between() {
    let dir = tempfile::tempdir().expect("a directory");
    let (engine, faults) = held(dir.path(), &small());
    for n in 1..=3 {
        let answer = begin(&engine, &faults, &(n..=n), n - 1).pop().expect("one");
        faults.script.release(n);
        pollster::block_on(answer).expect("append");
    }
    let answers = begin(&engine, &faults, &(4..=6), 3);
    faults.script.settle();
    for lost in 1..=3 {
        let crashed = image(dir.path());
        [lost, 4, 5].into_iter().for_each(|frame| tear(crashed.path(), frame, 8));
        let engine = open(crashed.path(), small());
        assert_eq!(engine.damage().len(), 1, "{:?}", engine.damage());
        let (first, last) = engine.damage()[0].lost().expect("positions");
        assert!(first <= lost && lost <= last);
    }
    (4..=6).for_each(|number| faults.script.release(number));
    answers.into_iter().for_each(|answer| drop(pollster::block_on(answer)));
}
