//! What becomes of names when the power fails, and who may hold a lock.

use std::collections::BTreeSet;
use std::path::Path;

use factlog_engine::simulation::Disk;

use super::super::{Mount, Names, Profile, SimDisk};
use super::{after_power_loss, at, disk, durable, read};

/// The names that are there after the power failed, and the sets of names that were seen.
fn names_after(profile: Profile, act: impl Fn(&Mount)) -> BTreeSet<Vec<String>> {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let (disk, mount) = disk(seed);
        act(&mount);
        disk.power_loss(profile);
        seen.insert(names(&disk));
    }
    seen
}

fn names(disk: &SimDisk) -> Vec<String> {
    let mut names = disk.mount().list(Path::new("/store")).expect("list");
    names.sort();
    names
}

#[test]
fn a_synced_file_without_a_synced_name_can_be_lost() {
    let found = after_power_loss("a", |_, mount| {
        let file = mount.create(&at("a")).expect("create");
        file.write_at(&[1; 10], 0).expect("write");
        file.sync().expect("sync");
    });
    assert!(found.contains(&None));
    assert!(found.contains(&Some(vec![1; 10])));
}

#[test]
fn a_directory_that_is_not_in_a_synced_one_can_be_lost_with_all_it_holds() {
    let mut lost = false;
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let mount = disk.mount();
        mount.create_dir(Path::new("/one/two")).expect("create directory");
        mount.create(Path::new("/one/two/a")).expect("create").sync().expect("sync");
        mount.sync_dir(Path::new("/one/two")).expect("sync directory");
        disk.power_loss(Profile::JOURNAL);
        lost |= disk.files().is_empty();
    }
    assert!(lost);
}

#[test]
fn a_rename_happens_wholly_or_not_at_all() {
    for profile in [Profile::JOURNAL, Profile::WORST] {
        let seen = names_after(profile, |mount| {
            durable(mount, "1", &[1]);
            mount.rename(&at("1"), &at("5")).expect("rename");
            mount.rename(&at("5"), &at("9")).expect("rename");
        });
        let one = |name: &str| vec![name.to_owned()];
        assert_eq!(seen, BTreeSet::from([one("1"), one("5"), one("9")]), "it has one name, whichever");
    }
}

#[test]
fn a_replaced_file_is_the_old_one_or_the_new_one() {
    let found = after_power_loss("a", |_, mount| {
        durable(mount, "a", &[1; 600]);
        let file = mount.create(&at("a.tmp")).expect("create");
        file.write_at(&[2; 700], 0).expect("write");
        file.sync().expect("sync");
        mount.rename(&at("a.tmp"), &at("a")).expect("rename");
    });
    assert!(
        found
            .iter()
            .all(|bytes| matches!(bytes.as_deref(), Some(bytes) if bytes == [1; 600] || bytes == [2; 700]))
    );
    assert!(found.contains(&Some(vec![1; 600])) && found.contains(&Some(vec![2; 700])));
}

#[test]
fn a_file_renamed_before_its_sync_can_stand_empty_under_its_new_name() {
    let found = after_power_loss("a", |_, mount| {
        durable(mount, "a", &[1; 600]);
        mount.create(&at("a.tmp")).expect("create").write_at(&[2; 700], 0).expect("write");
        mount.rename(&at("a.tmp"), &at("a")).expect("rename");
        mount.sync_dir(Path::new("/store")).expect("sync directory");
    });
    assert!(found.contains(&Some(Vec::new())));
}

#[test]
fn a_removed_file_can_come_back_until_its_directory_is_synced() {
    let removed = |mount: &Mount| {
        durable(mount, "a", &[1]);
        mount.remove(&at("a")).expect("remove");
    };
    let found = after_power_loss("a", |_, mount| removed(mount));
    assert!(found.contains(&None) && found.contains(&Some(vec![1])));
    let found = after_power_loss("a", |_, mount| {
        removed(mount);
        mount.sync_dir(Path::new("/store")).expect("sync directory");
    });
    assert!(found.iter().all(Option::is_none));
}

#[test]
fn names_survive_in_order_on_a_journal_and_in_any_on_others() {
    let act = |mount: &Mount| {
        for name in ["a", "b", "c"] {
            mount.create(&at(name)).expect("create");
        }
    };
    let ordered = names_after(Profile::JOURNAL, act);
    assert_eq!(ordered.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(ordered.iter().all(|names| names.iter().zip(["a", "b", "c"]).all(|(name, first)| name == first)));
    assert_eq!(
        names_after(Profile { names: Names::Any, garbage: false }, act).len(),
        8,
        "every set of three"
    );
}

#[test]
fn one_process_holds_a_lock_until_it_lets_go_or_dies() {
    let (disk, mount) = disk(1);
    let lock = mount.lock(&at("LOCK")).expect("lock").expect("it is free");
    assert!(disk.mount().lock(&at("LOCK")).expect("lock").is_none(), "another process");
    drop(mount.open(&at("LOCK")).expect("open"));
    assert!(mount.lock(&at("LOCK")).expect("lock").is_none(), "closing another handle does not free it");
    drop(lock);
    let old = mount.lock(&at("LOCK")).expect("lock").expect("it was given back");
    disk.kill();
    let mount = disk.mount();
    let new = mount.lock(&at("LOCK")).expect("lock").expect("its holder was killed");
    drop(old);
    assert!(mount.lock(&at("LOCK")).expect("lock").is_none(), "the dead cannot free what is another's");
    drop(new);
    assert!(mount.lock(&at("LOCK")).expect("lock").is_some());
}

#[test]
fn handles_of_a_former_life_fail_for_ever() {
    let (disk, mount) = disk(1);
    let file = durable(&mount, "a", &[1]);
    let crashes: [fn(&SimDisk); 2] = [SimDisk::kill, |disk| disk.power_loss(Profile::JOURNAL)];
    for crash in crashes {
        crash(&disk);
        assert!(
            file.write_at(&[2], 0).is_err() && file.write_durably(&[2], 0).is_err() && file.sync().is_err()
        );
        assert!(file.read_at(&mut [0], 0).is_err() && file.length().is_err());
        assert!(mount.create(&at("b")).is_err() && mount.lock(&at("LOCK")).is_err());
        assert!(mount.remove(&at("a")).is_err() && mount.rename(&at("a"), &at("b")).is_err());
        assert!(mount.sync_dir(Path::new("/store")).is_err() && mount.list(Path::new("/store")).is_err());
    }
    assert_eq!(read(&disk, "a"), Some(vec![1]));
}

#[test]
fn names_are_listed_in_no_order() {
    let (_disk, mount) = disk(1);
    for name in ["a", "b", "c", "d"] {
        mount.create(&at(name)).expect("create");
    }
    let list = || mount.list(Path::new("/store")).expect("list");
    let first = list();
    assert!((0..20).any(|_| list() != first), "nobody may rely on an order");
}
