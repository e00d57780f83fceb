//! A disk that is full, and one that cannot be read.

use std::path::Path;

use factlog_engine::simulation::Disk;

use super::{at, disk, durable, errno, read};

#[test]
fn a_full_disk_takes_what_fits_and_rewrites_what_it_has() {
    let (disk, mount) = disk(1);
    let file = durable(&mount, "a", &[1; 1000]);
    disk.set_capacity(Some(1500));
    assert_eq!(errno(file.write_at(&[2; 1000], 1000)), 28);
    assert_eq!(file.length().expect("length"), 1500, "what fitted was written");
    assert_eq!(errno(mount.create(&at("b"))), 28);
    assert_eq!(errno(mount.create(&at("none/b"))), 2, "what is missing is told before");
    file.write_at(&[3; 1500], 0).expect("what a file has it can be given again");
    file.write_durably(&[4; 1000], 0).expect("durably too");
    assert_eq!(errno(file.write_durably(&[5; 2000], 0)), 28);
    file.sync().expect("sync");
    mount.rename(&at("a"), &at("b")).expect("a rename needs no room");
    disk.set_capacity(Some(2500));
    file.write_at(&[2; 1000], 1500).expect("there is room again");
}

#[test]
fn space_comes_back_when_a_file_is_removed_and_closed() {
    let (disk, mount) = disk(1);
    disk.set_capacity(Some(1000));
    let file = durable(&mount, "a", &[1; 1000]);
    assert_eq!(disk.used(), 1000);
    mount.remove(&at("a")).expect("remove");
    assert_eq!(errno(mount.create(&at("b"))), 28, "it is still open");
    drop(file);
    assert_eq!(disk.used(), 0);
    mount.create(&at("b")).expect("create").write_at(&[2; 1000], 0).expect("write");
    mount.create(&at("b")).expect("emptying needs no room");
    assert_eq!(disk.used(), 0);
}

#[test]
fn a_removed_file_that_is_open_lives_as_long_as_its_process() {
    let (disk, mount) = disk(1);
    let file = durable(&mount, "a", &[1; 1000]);
    mount.remove(&at("a")).expect("remove");
    mount.sync_dir(Path::new("/store")).expect("sync directory");
    assert_eq!(file.read_at(&mut [0; 2000], 0).expect("read"), 1000);
    file.write_at(&[2; 1000], 1000).expect("write");
    assert_eq!(disk.used(), 2000);
    disk.kill();
    assert_eq!(disk.used(), 0, "nobody has it open any more");
}

#[test]
fn what_was_removed_for_good_takes_no_memory() {
    let (disk, mount) = disk(1);
    for _ in 0..10 {
        drop(durable(&mount, "a", &[1; 1000]));
        mount.remove(&at("a")).expect("remove");
        mount.sync_dir(Path::new("/store")).expect("sync directory");
    }
    assert_eq!(disk.0.machine().tree.nodes.len(), 2, "the root and the directory");
}

#[test]
fn an_unreadable_range_fails_until_it_is_written_again() {
    let (disk, mount) = disk(1);
    let file = durable(&mount, "a", &[1; 4096]);
    disk.set_unreadable(&at("a"), 600..700).expect("a file");
    let mut buffer = [0; 512];
    assert_eq!(errno(file.read_at(&mut buffer, 512)), 5);
    assert_eq!(errno(file.read_at(&mut buffer, 1023)), 5, "all of a sector");
    assert_eq!(errno(file.read_at(&mut [0; 4096], 0)), 5);
    assert_eq!(file.read_at(&mut buffer, 0).expect("before it"), 512);
    assert_eq!(file.read_at(&mut buffer, 1024).expect("behind it"), 512);
    file.write_at(&[2; 100], 600).expect("write");
    assert_eq!(errno(file.read_at(&mut buffer, 512)), 5, "a part of a sector heals nothing");
    disk.kill();
    let file = disk.mount().open(&at("a")).expect("open");
    assert_eq!(errno(file.read_at(&mut buffer, 512)), 5, "another process fares no better");
    file.write_durably(&[3; 512], 512).expect("write durably");
    assert_eq!(file.read_at(&mut buffer, 512).expect("read"), 512);
    disk.set_unreadable(&at("a"), 0..4096).expect("a file");
    disk.set_readable(&at("a")).expect("a file");
    assert_eq!(file.read_at(&mut [0; 4096], 0).expect("read"), 4096);
}

#[test]
fn damage_by_hand_is_there_at_once_and_after_a_loss_of_power() {
    let (disk, mount) = disk(1);
    drop(durable(&mount, "a", &[0; 1024]));
    drop(durable(&mount, "b", &[0; 1024]));
    disk.turn_bit(&at("a"), 1000, 3).expect("a file");
    disk.overwrite(&at("a"), 512, &[7; 100]).expect("a file");
    disk.cut(&at("a"), 1010).expect("a file");
    disk.take_away(&at("b")).expect("a file");
    let mut expected = vec![0; 1010];
    expected[1000] = 8;
    expected[512..612].fill(7);
    assert_eq!(read(&disk, "a"), Some(expected.clone()));
    assert_eq!(disk.durable_files().into_iter().collect::<Vec<_>>(), [(at("a"), expected)]);
    assert!(disk.turn_bit(&at("b"), 0, 0).is_err());
}
