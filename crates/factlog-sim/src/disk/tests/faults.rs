//! Single faults, odds, and disks that lie.

use std::collections::BTreeMap;
use std::path::Path;

use factlog_engine::simulation::{Disk, DiskFile};

use super::super::{Call, Cause, Effect, Fault, Mount, Odds, Profile};
use super::{at, disk, durable, errno, read};

/// Makes a call of each kind.
fn call(mount: &Mount, file: &dyn DiskFile, call: Call) -> std::io::Result<()> {
    match call {
        Call::CreateDir => mount.create_dir(&at("more")),
        Call::List => mount.list(Path::new("/store")).map(drop),
        Call::Open => mount.open(&at("a")).map(drop),
        Call::Create => mount.create(&at("b")).map(drop),
        Call::Rename => {
            mount.create(&at("c"))?;
            mount.rename(&at("c"), &at("d"))
        }
        Call::Remove => {
            mount.create(&at("e"))?;
            mount.remove(&at("e"))
        }
        Call::SyncDir => mount.sync_dir(Path::new("/store")),
        Call::Lock => mount.lock(&at("LOCK")).map(drop),
        Call::Read => file.read_at(&mut [0; 10], 0).map(drop),
        Call::Write => file.write_at(&[1], 0),
        Call::WriteDurably => file.write_durably(&[1], 0),
        Call::Sync => file.sync(),
        Call::Length => file.length().map(drop),
    }
}

#[test]
fn the_nth_call_of_every_kind_can_fail_once_or_from_then_on() {
    for which in [Call::CHANGING, Call::LOOKING, &[Call::Lock]].concat() {
        let calls: &'static [Call] = match which {
            Call::CreateDir => &[Call::CreateDir],
            Call::List => &[Call::List],
            Call::Open => &[Call::Open],
            Call::Create => &[Call::Create],
            Call::Rename => &[Call::Rename],
            Call::Remove => &[Call::Remove],
            Call::SyncDir => &[Call::SyncDir],
            Call::Lock => &[Call::Lock],
            Call::Read => &[Call::Read],
            Call::Write => &[Call::Write],
            Call::WriteDurably => &[Call::WriteDurably],
            Call::Sync => &[Call::Sync],
            Call::Length => &[Call::Length],
        };
        let (disk, mount) = disk(1);
        let file = durable(&mount, "a", &[0; 10]);
        disk.add_fault(Fault::once(calls, 2).doing(Effect::None));
        let results: Vec<_> = (0..4).map(|_| call(&mount, &*file, which)).collect();
        let failed: Vec<_> = results.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, true, false, false], "{which:?}");
        assert_eq!(results[1].as_ref().expect_err("it failed").raw_os_error(), Some(5));
        assert_eq!(disk.fired(), 1);
        disk.clear_faults();
        disk.add_fault(Fault::from_then_on(calls, 2).with(Cause::Full).doing(Effect::None));
        let results: Vec<_> = (0..3).map(|_| call(&mount, &*file, which)).collect();
        assert_eq!(results.iter().map(Result::is_err).collect::<Vec<_>>(), [false, true, true], "{which:?}");
        assert_eq!(results[1].as_ref().expect_err("it failed").raw_os_error(), Some(28));
    }
}

#[test]
fn a_fault_can_be_at_one_place_only_and_places_are_counted() {
    let (disk, mount) = disk(1);
    for name in ["17-a.tmp", "00000001", "00000002", "0-1-5.idx", "1-1-5.idx"] {
        mount.create(&at(name)).expect("create");
    }
    let places = disk.places();
    let count = |place: &str| places.get(&(Call::Create, place.to_owned())).copied();
    assert_eq!(count("store/#"), Some(2));
    assert_eq!(count("store/0-#-#.idx"), Some(1), "levels are told apart");
    assert_eq!(count("store/1-#-#.idx"), Some(1));
    assert_eq!(count("store/17-a.tmp"), Some(1));
    disk.add_fault(Fault::once(&[Call::Create], 2).at("store/#"));
    mount.create(&at("00000003")).expect("the first there");
    mount.create(&at("1-1-9.idx")).expect("somewhere else");
    assert_eq!(errno(mount.create(&at("00000004"))), 5);
    mount.create(&at("00000004")).expect("once only");
}

#[test]
fn a_failing_write_has_happened_wholly_in_part_or_not_at_all() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let (disk, mount) = disk(seed);
        let file = durable(&mount, "a", &[0; 1024]);
        disk.add_fault(Fault::once(&[Call::Write], 1));
        assert_eq!(errno(file.write_at(&[1; 1024], 0)), 5);
        let bytes = read(&disk, "a").expect("a file");
        seen.insert((bytes[0], bytes[1023]));
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn nobody_knows_whether_a_failed_durable_write_is_durable() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let (disk, mount) = disk(seed);
        let file = durable(&mount, "a", &[0; 512]);
        disk.add_fault(Fault::once(&[Call::WriteDurably], 1).doing(Effect::Whole));
        assert_eq!(errno(file.write_durably(&[1; 512], 0)), 5);
        let reads = read(&disk, "a").expect("a file")[0];
        disk.power_loss(Profile::JOURNAL);
        seen.insert((reads, read(&disk, "a").expect("a file")[0]));
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [(1, 0), (1, 1)],
        "it reads as written, and can be lost"
    );
}

#[test]
fn after_a_failed_sync_another_one_says_ok_and_makes_nothing_durable() {
    for seed in 0..50 {
        let (disk, mount) = disk(seed);
        let file = durable(&mount, "a", &[1; 1024]);
        file.write_at(&[2; 2048], 0).expect("write");
        disk.add_fault(Fault::once(&[Call::Sync], 1).doing(Effect::Dropped));
        assert_eq!(errno(file.sync()), 5);
        assert_eq!(read(&disk, "a"), Some(vec![2; 2048]), "it reads as if it were there");
        file.sync().expect("the system takes it for written");
        file.write_at(&[3; 512], 0).expect("write");
        file.sync().expect("sync");
        disk.power_loss(Profile::WORST);
        let mut expected = vec![1; 1024];
        expected[..512].fill(3);
        expected.resize(2048, 0);
        assert_eq!(
            read(&disk, "a"),
            Some(expected),
            "what is written afterwards is durable, and nothing else"
        );
    }
}

#[test]
fn a_failed_sync_may_have_made_some_sectors_durable_and_forgets_the_others() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let (disk, mount) = disk(seed);
        let file = durable(&mount, "a", &[1; 1024]);
        file.write_at(&[2; 1024], 0).expect("write");
        disk.add_fault(Fault::once(&[Call::Sync], 1).doing(Effect::Part));
        assert_eq!(errno(file.sync()), 5);
        file.sync().expect("the system takes it for written");
        disk.power_loss(Profile::WORST);
        let bytes = read(&disk, "a").expect("a file");
        seen.insert((bytes[0], bytes[1023]));
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn what_a_failed_sync_has_dropped_is_gone_with_the_cache() {
    let (disk, mount) = disk(1);
    let file = durable(&mount, "a", &[1; 512]);
    file.write_at(&[2; 512], 0).expect("write");
    disk.add_fault(Fault::once(&[Call::Sync], 1).doing(Effect::Dropped));
    assert_eq!(errno(file.sync()), 5);
    disk.drop_caches();
    assert_eq!(read(&disk, "a"), Some(vec![1; 512]));
}

#[test]
fn a_failed_sync_of_a_directory_has_made_some_names_durable() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let (disk, mount) = disk(seed);
        for name in ["a", "b"] {
            mount.create(&at(name)).expect("create");
        }
        disk.add_fault(Fault::once(&[Call::SyncDir], 1));
        assert_eq!(errno(mount.sync_dir(Path::new("/store"))), 5);
        seen.insert(disk.durable_files().len());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_durable_write_can_be_lost_or_stand_elsewhere_and_say_ok() {
    let (disk, mount) = disk(1);
    let file = durable(&mount, "a", &[0; 8192]);
    drop(durable(&mount, "b", &[0; 8192]));
    disk.add_fault(Fault::once(&[Call::WriteDurably], 1).with(Cause::Stale));
    file.write_durably(&[1; 4096], 0).expect("it says so");
    assert_eq!(read(&disk, "a"), Some(vec![0; 8192]));
    let to = Some((at("b"), 4096));
    disk.add_fault(Fault::once(&[Call::WriteDurably], 1).with(Cause::Misdirected(to)));
    file.write_durably(&[1; 4096], 0).expect("it says so");
    assert_eq!(read(&disk, "a"), Some(vec![0; 8192]));
    assert_eq!(disk.durable_files()[&at("b")][4096..], [1; 4096]);
    file.write_durably(&[2; 4096], 0).expect("write durably");
    assert_eq!(read(&disk, "a").expect("a file")[..4096], [2; 4096]);
}

#[test]
fn a_short_read_is_shorter_than_the_file() {
    let (disk, mount) = disk(1);
    let file = durable(&mount, "a", &[1; 100]);
    disk.add_fault(Fault::once(&[Call::Read], 1).with(Cause::Short));
    assert!(file.read_at(&mut [0; 100], 0).expect("read") < 100);
    assert_eq!(file.read_at(&mut [0; 100], 0).expect("read"), 100);
}

#[test]
fn odds_bring_about_every_kind_of_trouble() {
    let (disk, mount) = disk(1);
    let file = durable(&mount, "a", &[0; 8192]);
    let often = 200_000;
    let failing = BTreeMap::from([(Call::Length, often)]);
    disk.set_odds(Odds { failing, rot: often, short: often, stale: often, misdirected: often });
    let failed = (0..100).filter(|_| file.length().is_err()).count();
    assert!((1..60).contains(&failed), "{failed} of a hundred");
    let mut buffer = [0; 4096];
    let short = (0..100).filter(|_| file.read_at(&mut buffer, 4096).expect("read") < 4096).count();
    assert!((1..60).contains(&short), "{short} of a hundred");
    let rotten = disk.durable_files()[&at("a")][4096..].iter().filter(|byte| **byte != 0).count();
    assert!(1 < rotten, "{rotten} bytes");
    let lost = |_: &usize| {
        file.write_durably(&[0; 4096], 0).expect("write durably");
        file.write_durably(&[1; 4096], 0).expect("write durably");
        read(&disk, "a").expect("a file")[..4096] != [1; 4096]
    };
    let lost = (0..50).filter(lost).count();
    assert!((1..50).contains(&lost), "{lost} of fifty");
    disk.set_odds(Odds::default());
    let fired = disk.fired();
    file.write_durably(&[1; 4096], 0).expect("write durably");
    assert_eq!(disk.fired(), fired, "without odds nothing goes wrong");
}
