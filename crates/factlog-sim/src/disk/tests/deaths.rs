//! Processes that end in the middle of a call, and runs that can be repeated.

use std::collections::BTreeSet;
use std::path::Path;

use factlog_engine::JournalMode;
use factlog_engine::simulation::Disk;
use fastrand::Rng;

use super::super::{Call, Cause, Effect, Fault, Mount, Odds, Profile, SimDisk};
use super::{at, disk, durable, read};

/// Any calls, as many as go.
fn work(mount: &Mount, rng: &mut Rng) {
    let name = |rng: &mut Rng| at(["a", "b", "c", "d"][rng.usize(..4)]);
    let Ok(mut pipeline) = mount.pipeline(Path::new("/store"), JournalMode::Auto) else { return };
    for number in 0..60 {
        match rng.u8(..9) {
            0 => drop(mount.create(&name(rng))),
            1 => drop(mount.rename(&name(rng), &name(rng))),
            2 => drop(mount.remove(&name(rng))),
            3 => drop(mount.sync_dir(Path::new("/store"))),
            4 => drop(pipeline.turn_to(&name(rng))),
            5 => pipeline.submit(number, vec![rng.u8(..); 4096].into(), 4096 * rng.u64(..4)),
            6 => drop(pipeline.finished(rng.bool())),
            _ => {
                let Ok(file) = mount.open(&name(rng)) else { continue };
                drop(file.write_at(&vec![rng.u8(..); rng.usize(..3000)], rng.u64(..9000)));
                drop(file.read_at(&mut [0; 5000], rng.u64(..5000)));
                if rng.bool() {
                    drop(file.sync());
                }
            }
        }
    }
}

fn run(seed: u64) -> (u64, Vec<String>, SimDisk) {
    let (disk, mount) = disk(seed);
    disk.keep_trace();
    let failing = Call::CHANGING.iter().map(|call| (*call, 20_000)).collect();
    disk.set_odds(Odds { failing, rot: 10_000, short: 10_000, stale: 10_000, misdirected: 10_000 });
    disk.set_latency(3);
    let mut rng = Rng::with_seed(!seed);
    for crash in 0..4 {
        let mount = if crash == 0 { mount.clone() } else { disk.mount() };
        work(&mount, &mut rng);
        if rng.bool() { disk.kill() } else { disk.power_loss(Profile::WORST) }
    }
    (disk.trace_hash(), disk.trace(), disk)
}

#[test]
fn a_seed_is_one_history_and_another_seed_another() {
    let mut hashes = BTreeSet::new();
    for seed in 0..30 {
        let (hash, trace, disk) = run(seed);
        let (again, trace_again, disk_again) = run(seed);
        let differs = trace.iter().zip(&trace_again).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(hash, again);
        assert_eq!(disk.files(), disk_again.files());
        assert_eq!(disk.places(), disk_again.places());
        hashes.insert(hash);
    }
    assert_eq!(hashes.len(), 30);
}

#[test]
fn a_hash_tells_what_was_answered_and_not_only_what_was_asked() {
    let hash = |rot| {
        let (disk, mount) = disk(1);
        let file = durable(&mount, "a", &[0; 10]);
        disk.set_odds(Odds { rot, ..Odds::default() });
        assert_eq!(file.read_at(&mut [0; 10], 0).expect("read"), 10);
        disk.trace_hash()
    };
    assert_ne!(hash(0), hash(1_000_000));
}

#[test]
fn a_process_that_dies_in_a_sync_makes_nobody_forget_what_it_wrote() {
    for seed in 0..100 {
        let (disk, mount) = disk(seed);
        let file = durable(&mount, "a", &[1; 1024]);
        file.write_at(&[2; 1024], 0).expect("write");
        disk.add_fault(Fault::once(&[Call::Sync], 1).with(Cause::Death));
        assert!(file.sync().is_err());
        disk.kill();
        disk.mount().open(&at("a")).expect("open").sync().expect("sync");
        disk.power_loss(Profile::WORST);
        assert_eq!(read(&disk, "a"), Some(vec![2; 1024]));
    }
}

#[test]
fn a_hash_tells_one_changed_byte() {
    let hash = |byte| {
        let (disk, mount) = disk(1);
        drop(durable(&mount, "a", &[byte; 10]));
        disk.trace_hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn kill_loses_nothing_that_was_written() {
    for seed in 0..50 {
        let (disk, mount) = disk(seed);
        let mut rng = Rng::with_seed(seed);
        work(&mount, &mut rng);
        let before = disk.files();
        disk.kill();
        assert_eq!(disk.files(), before, "its pipeline was dropped, so nothing was under way");
    }
}

#[test]
fn a_process_can_die_in_every_changing_call_before_after_and_halfway() {
    let act = |mount: &Mount| -> std::io::Result<()> {
        let file = mount.create(&at("a.tmp"))?;
        file.write_at(&[1; 1024], 0)?;
        file.sync()?;
        mount.rename(&at("a.tmp"), &at("a"))?;
        mount.sync_dir(Path::new("/store"))?;
        file.write_durably(&[2; 1024], 0)?;
        mount.remove(&at("a"))
    };
    let mut left = BTreeSet::new();
    for nth in 1..=8 {
        for seed in 0..40 {
            let (disk, mount) = disk(seed);
            disk.add_fault(Fault::once(Call::CHANGING, nth).with(Cause::Death));
            let done = act(&mount);
            assert_eq!(done.is_err(), nth <= 7);
            assert_eq!(disk.is_dead(), nth <= 7, "call {nth}");
            if disk.is_dead() {
                assert!(mount.list(Path::new("/store")).is_err(), "nobody goes on");
            }
            disk.kill();
            assert!(!disk.is_dead());
            disk.mount().list(Path::new("/store")).expect("another process does");
            left.insert((nth, read(&disk, "a.tmp"), read(&disk, "a")));
        }
    }
    let torn = |bytes: &Option<Vec<u8>>, one, other| {
        bytes.as_ref().is_some_and(|bytes| bytes.len() == 1024 && bytes[0] == one && bytes[1023] == other)
    };
    assert!(left.contains(&(1, None, None)) && left.contains(&(1, Some(Vec::new()), None)), "create");
    assert!(left.iter().any(|(nth, tmp, _)| *nth == 2 && torn(tmp, 0, 1)), "half a write");
    assert!(left.contains(&(4, Some(vec![1; 1024]), None)) && left.contains(&(4, None, Some(vec![1; 1024]))));
    assert!(left.iter().any(|(nth, _, a)| *nth == 6 && torn(a, 1, 2)), "half a durable write");
    assert!(left.contains(&(7, None, None)) && left.contains(&(7, None, Some(vec![2; 1024]))), "remove");
}

#[test]
#[should_panic(expected = "after a death")]
fn nobody_begins_before_it_is_said_how_the_other_died() {
    let (disk, mount) = disk(1);
    disk.add_fault(Fault::once(&[Call::Create], 1).with(Cause::Death).doing(Effect::None));
    drop(mount.create(&at("a")));
    disk.mount();
}
