//! What a crash leaves of several groups under way: a prefix, and what is cut off never comes back.

use std::path::Path;
use std::sync::Arc;

use factlog_core::{Append, EventStore, ReadOptions, SystemClock};
use tempfile::TempDir;

use super::pipeline::{begin, head, held};
use super::{close, event, fill, open, read, small};
use crate::manifest::FILES;
use crate::storage::faulty::{Faults, FaultyDisk};
use crate::{Engine, Settings};

/// A copy of a store as a crash leaves it: without the end that a stop puts there.
fn image(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().expect("a directory");
    for folder in ["", "wal", "segments", "index"] {
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

/// A crash with frames behind a torn one, which is replaced; then all so far is sealed, while the frame behind it never
/// reaches the disk. With the manifest as it was before, as long as nothing was sealed.
fn sealed_in_front_of_what_was_cut_off(torn: u64) -> (TempDir, Vec<u64>, [Vec<u8>; 2]) {
    let dir = tempfile::tempdir().expect("a directory");
    let (engine, faults) = held(dir.path(), &small());
    for n in 1..torn {
        let answer = begin(&engine, &faults, &(n..=n), n - 1).pop().expect("one");
        faults.script.release(n);
        pollster::block_on(answer).expect("append");
    }
    let answers = begin(&engine, &faults, &(torn..=torn + 2), torn - 1);
    faults.script.settle();
    let crashed = image(dir.path());
    (torn..=torn + 2).for_each(|number| faults.script.release(number));
    answers.into_iter().for_each(|answer| drop(pollster::block_on(answer)));
    tear(crashed.path(), torn, 8);

    let faults = Arc::new(Faults::default());
    let settings = Settings { segment_events: torn, ..small() };
    let disk = Arc::new(FaultyDisk(faults.clone()));
    let engine = Engine::open_on(disk, crashed.path(), settings, Arc::new(SystemClock)).expect("open");
    pollster::block_on(engine.append(Append::new([event(100)]))).expect("append");
    let manifest = FILES.map(|name| std::fs::read(crashed.path().join(name)).expect("read"));
    faults.script.fail(2);
    pollster::block_on(engine.append(Append::new([event(101)]))).expect_err("in doubt");
    drop(engine);
    assert_eq!(std::fs::read_dir(crashed.path().join("segments")).expect("list").count(), 1, "it is sealed");
    (crashed, (1..torn).chain([100]).collect(), manifest)
}

#[test]
fn what_was_cut_off_never_stands_at_the_front_of_the_log() {
    // What was cut off would follow exactly. It stands at the front of the next file, or behind the frame that was replaced.
    // And the manifest is the newest, or an older one that does not know that all in front is sealed.
    for torn in [4, 14, 15] {
        for older in [false, true] {
            let what = format!("{torn} is torn, an older manifest: {older}");
            let (crashed, mut expected, manifest) = sealed_in_front_of_what_was_cut_off(torn);
            if older {
                for (name, bytes) in FILES.iter().zip(manifest) {
                    std::fs::write(crashed.path().join(name), bytes).expect("write");
                }
            }
            let engine = open(crashed.path(), small());
            assert_eq!(content(&engine), expected, "{what}");
            pollster::block_on(engine.append(Append::new([event(102)]))).expect("append");
            close(&engine);
            drop(engine);
            expected.push(102);
            assert_eq!(content(&open(crashed.path(), small())), expected, "{what}");
        }
    }
}

#[test]
fn a_frame_whose_events_are_sealed_takes_nothing_behind_it_along() {
    let (crashed, mut expected, manifest) = sealed_in_front_of_what_was_cut_off(4);
    for (name, bytes) in FILES.iter().zip(manifest) {
        std::fs::write(crashed.path().join(name), bytes).expect("write");
    }
    let engine = open(crashed.path(), small());
    pollster::block_on(engine.append(Append::new([event(102)]))).expect("append");
    expected.push(102);
    // In the same file, as the crash came before the manifest; and nothing vouches for it yet.
    for torn in [&[][..], &[4], &[3, 4], &[1, 2, 3, 4], &[2]] {
        let crashed = image(crashed.path());
        torn.iter().for_each(|&frame| tear(crashed.path(), frame, 8));
        assert_eq!(content(&open(crashed.path(), small())), expected, "{torn:?} are torn");
    }
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
    // What follows an acknowledged one without a gap is of the log; what does not is shown only if it is when all is whole.
    for (lost, torn, behind) in
        [(3, &[4, 5][..], &[][..]), (2, &[4, 5], &[3]), (3, &[5], &[4]), (3, &[], &[4, 5, 6])]
    {
        let crashed = image(dir.path());
        let (name, _) = place(1);
        torn.iter().for_each(|&frame| tear(crashed.path(), frame, 8));
        let restored = std::fs::read(crashed.path().join(&name)).expect("read");
        tear(crashed.path(), lost, 8);
        let engine = open(crashed.path(), small());
        assert_eq!(engine.damage().len(), 1, "{:?}", engine.damage());
        assert_eq!(engine.damage()[0].lost(), Some((lost, lost)));
        let (events, error) = read(&engine, ReadOptions::default().backwards());
        let mut events: Vec<u64> = events.iter().map(|recorded| recorded.position.get()).collect();
        events.reverse();
        assert_eq!((&events[..], error.is_some()), (behind, true));
        drop(engine);
        std::fs::write(crashed.path().join(&name), restored).expect("write");
        let shown = behind.last().map_or(lost, |&last| last);
        assert_eq!(content(&open(crashed.path(), small())), (1..=shown).collect::<Vec<_>>());
    }
    (4..=6).for_each(|number| faults.script.release(number));
    answers.into_iter().for_each(|answer| drop(pollster::block_on(answer)));
}
