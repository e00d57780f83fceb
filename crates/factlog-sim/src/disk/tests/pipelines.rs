//! Durable writes under way: their ends, and what becomes of them when their process is gone.

use std::collections::BTreeSet;
use std::path::Path;

use factlog_engine::JournalMode;
use factlog_engine::simulation::{Disk, Pipeline};

use super::super::{Call, Cause, Effect, Fault, Mount, Profile};
use super::{at, disk, durable, errno, read};

const BLOCK: usize = 4096;

/// A pipeline turned to a durable file of eight blocks of zeros.
fn pipeline(mount: &Mount, mode: JournalMode) -> Box<dyn Pipeline> {
    drop(durable(mount, "wal", &[0; 8 * BLOCK]));
    let mut pipeline = mount.pipeline(Path::new("/store"), mode).expect("a pipeline");
    assert_eq!(pipeline.turn_to(&at("wal")).expect("turn"), 8 * BLOCK as u64);
    pipeline
}

/// Begins a write of one block of ones.
fn submit(pipeline: &mut dyn Pipeline, number: u64) {
    pipeline.submit(number, vec![1; BLOCK].into(), (number % 8) * BLOCK as u64);
}

#[test]
fn writes_end_in_any_order_each_once_and_durably() {
    let mut orders = BTreeSet::new();
    for seed in 0..50 {
        let (disk, mount) = disk(seed);
        let mut pipeline = pipeline(&mount, JournalMode::Auto);
        assert_eq!(pipeline.depth_max(), 8);
        for number in 0..8 {
            submit(&mut *pipeline, number);
        }
        let mut order = Vec::new();
        while order.len() < 8 {
            let done = pipeline.finished(true);
            assert!(!done.is_empty(), "who waits hears of one at least");
            for done in done {
                done.result.expect("durable");
                let at_it = BLOCK * usize::try_from(done.number).expect("small");
                assert_eq!(disk.durable_files()[&at("wal")][at_it..at_it + BLOCK], [1; BLOCK]);
                order.push(done.number);
            }
        }
        assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 8);
        assert!(pipeline.finished(true).is_empty(), "with none under way nobody sleeps");
        orders.insert(order);
    }
    assert!(40 < orders.len());
}

#[test]
fn a_bell_that_rang_is_heard_by_the_next_who_waits() {
    let mut empty = 0;
    for seed in 0..50 {
        let (disk, mount) = disk(seed);
        disk.set_latency(1000);
        let mut pipeline = pipeline(&mount, JournalMode::Auto);
        submit(&mut *pipeline, 1);
        pipeline.bell().ring();
        assert!(pipeline.finished(false).len() <= 1, "who does not wait hears no bell");
        empty += usize::from(pipeline.finished(true).is_empty());
        let is_under_way = !disk.0.machine().under_way.is_empty();
        assert_eq!(pipeline.finished(true).is_empty(), !is_under_way, "it rang once");
    }
    assert!(25 < empty, "the bell ends the wait: {empty}");
}

#[test]
fn latency_keeps_writes_under_way_for_those_who_do_not_wait() {
    let looks = |latency| {
        let (disk, mount) = disk(1);
        disk.set_latency(latency);
        let mut pipeline = pipeline(&mount, JournalMode::Auto);
        (0..100_u64)
            .map(|number| {
                submit(&mut *pipeline, number);
                (1..).find(|_| !pipeline.finished(false).is_empty()).expect("it ends")
            })
            .sum::<u64>()
    };
    assert!(2 * looks(0) < looks(20));
}

#[test]
fn a_write_that_has_to_wait_does_not_end_before() {
    for seed in 0..20 {
        let (disk, mount) = disk(seed);
        let mut pipeline = pipeline(&mount, JournalMode::Auto);
        submit(&mut *pipeline, 0);
        submit(&mut *pipeline, 1);
        disk.0.machine().under_way[0].steps = 100;
        let told = (0..50).flat_map(|_| pipeline.finished(false)).map(|done| done.number);
        assert_eq!(told.collect::<Vec<_>>(), [1]);
        assert_eq!(pipeline.finished(true).pop().expect("who waits hears of it").number, 0);
    }
}

#[test]
fn a_pipeline_has_bounds_and_says_what_it_cannot_do() {
    let (_disk, mount) = disk(1);
    assert_eq!(errno(mount.pipeline(&at("none"), JournalMode::Auto)), 2);
    let mut pipeline = pipeline(&mount, JournalMode::Auto);
    pipeline.write(1, vec![1; 100].into(), 0);
    assert_eq!(
        errno(pipeline.finished(true).pop().expect("an end").result),
        22,
        "direct writes are whole blocks"
    );
    for number in 0..9 {
        submit(&mut *pipeline, number);
    }
    let mut done = Vec::new();
    while done.len() < 9 {
        done.extend(pipeline.finished(true));
    }
    let busy: Vec<_> = done.iter().filter(|done| done.result.is_err()).map(|done| done.number).collect();
    assert_eq!(busy, [8], "no more than eight");
    assert_eq!(errno(pipeline.turn_to(&at("none"))), 2);
    submit(&mut *pipeline, 10);
    assert_eq!(errno(pipeline.finished(true).pop().expect("an end").result), 2, "it was turned away");
}

#[test]
fn every_mode_writes_the_same() {
    for mode in [JournalMode::Auto, JournalMode::Uring, JournalMode::Threads, JournalMode::Plain] {
        let (disk, mount) = disk(1);
        let mut pipeline = pipeline(&mount, mode);
        for number in 0..pipeline.depth_max() as u64 {
            submit(&mut *pipeline, number);
        }
        pipeline.write(100, vec![2; BLOCK].into(), 7 * BLOCK as u64);
        assert_eq!(disk.durable_files()[&at("wal")][7 * BLOCK..], [2; BLOCK], "done when it returns");
        let depth = pipeline.depth_max();
        drop(pipeline);
        let ones = disk.durable_files()[&at("wal")].iter().filter(|byte| **byte == 1).count();
        assert_eq!(ones, depth * BLOCK, "dropping it brings what was begun to its end");
    }
}

#[test]
fn a_failing_write_ends_with_its_error_and_others_are_no_worse() {
    let (disk, mount) = disk(1);
    let mut pipeline = pipeline(&mount, JournalMode::Auto);
    disk.add_fault(Fault::once(&[Call::WriteDurably], 2).doing(Effect::None));
    for number in 0..3 {
        submit(&mut *pipeline, number);
    }
    let mut done = Vec::new();
    while done.len() < 3 {
        done.extend(pipeline.finished(true));
    }
    let failed: Vec<_> = done.into_iter().filter(|done| done.result.is_err()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].number, 1);
    let bytes = read(&disk, "wal").expect("a file");
    assert_eq!((bytes[0], bytes[BLOCK], bytes[2 * BLOCK]), (1, 0, 1));
}

#[test]
fn a_write_under_way_when_the_process_is_killed_happens_wholly_in_part_or_not_at_all() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let (disk, mount) = disk(seed);
        let mut pipeline = pipeline(&mount, JournalMode::Threads);
        submit(&mut *pipeline, 0);
        disk.kill();
        let done = pipeline.finished(true);
        assert!(done.len() == 1 && done[0].result.is_err(), "nobody waits for ever");
        drop(pipeline);
        let bytes = read(&disk, "wal").expect("a file");
        assert!(bytes[..BLOCK].chunks(512).all(|sector| sector == [0; 512] || sector == [1; 512]));
        seen.insert((bytes[0], bytes[BLOCK - 1]));
        let (mount, before) = (disk.mount(), disk.files());
        for _ in 0..20 {
            mount.list(Path::new("/store")).expect("list");
        }
        assert_eq!(disk.files(), before, "threads end with their process");
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn a_direct_write_may_happen_after_its_process_is_gone_and_never_once_it_was_waited_for() {
    let mut later = 0;
    for seed in 0..200 {
        let (disk, mount) = disk(seed);
        let mut pipeline = pipeline(&mount, JournalMode::Uring);
        for number in 0..8 {
            submit(&mut *pipeline, number);
        }
        disk.kill();
        let (mount, before) = (disk.mount(), disk.files());
        for _ in 0..100 {
            drop(mount.open(&at("wal")).expect("open"));
        }
        later += usize::from(disk.files() != before);
        drop(mount.settled(&at("wal")).expect("settled"));
        let settled = disk.files();
        for _ in 0..50 {
            drop(mount.open(&at("wal")).expect("open"));
        }
        assert_eq!(disk.files(), settled);
    }
    assert!(20 < later, "{later} of 200");
}

#[test]
fn a_direct_pipeline_waits_for_former_writes_into_its_file_and_others_do_not() {
    for (mode, waits) in
        [(JournalMode::Uring, true), (JournalMode::Threads, false), (JournalMode::Plain, false)]
    {
        let (disk, mount) = disk(1);
        let mut old = pipeline(&mount, JournalMode::Uring);
        submit(&mut *old, 0);
        disk.restore(&disk.image());
        disk.0.machine().delay = 1_000_000;
        let mut new = disk.mount().pipeline(Path::new("/store"), mode).expect("a pipeline");
        new.turn_to(&at("wal")).expect("turn");
        assert_eq!(disk.0.machine().under_way.is_empty(), waits, "{mode:?}");
    }
}

#[test]
fn a_write_under_way_when_the_power_fails_is_torn_and_ended_ones_are_not() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let (disk, mount) = disk(seed);
        let mut pipeline = pipeline(&mount, JournalMode::Auto);
        submit(&mut *pipeline, 0);
        assert_eq!(pipeline.finished(true).len(), 1);
        submit(&mut *pipeline, 1);
        disk.power_loss(Profile::JOURNAL);
        let bytes = read(&disk, "wal").expect("a file");
        assert_eq!(bytes[..BLOCK], [1; BLOCK], "what was said to be durable is");
        seen.insert((bytes[BLOCK], bytes[2 * BLOCK - 1]));
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn a_process_can_die_beginning_a_write() {
    for effect in [Effect::None, Effect::Whole] {
        let (disk, mount) = disk(1);
        let mut pipeline = pipeline(&mount, JournalMode::Auto);
        disk.add_fault(Fault::once(&[Call::WriteDurably], 1).with(Cause::Death).doing(effect));
        submit(&mut *pipeline, 3);
        assert!(disk.is_dead());
        assert!(pipeline.finished(true).pop().is_some_and(|done| done.number == 3 && done.result.is_err()));
        assert_eq!(disk.0.machine().under_way.len(), usize::from(effect == Effect::Whole));
    }
}

#[test]
fn an_image_has_the_writes_under_way() {
    let (disk, mount) = disk(1);
    let mut pipeline = pipeline(&mount, JournalMode::Auto);
    submit(&mut *pipeline, 0);
    let image = disk.image();
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        disk.restore(&image);
        disk.power_loss(Profile::JOURNAL);
        let bytes = read(&disk, "wal").expect("a file");
        seen.insert((bytes[0], bytes[BLOCK - 1]));
    }
    assert_eq!(seen.len(), 4);
}
