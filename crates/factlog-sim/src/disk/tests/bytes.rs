//! What becomes of the bytes of files when the power fails.

use std::path::Path;

use factlog_engine::simulation::Disk;

use super::super::{Profile, SimDisk};
use super::{after_power_loss, at, disk, durable, read};

/// Whether some of what was found is like this.
fn some(found: &[Option<Vec<u8>>], like: impl Fn(&[u8]) -> bool) -> bool {
    found.iter().flatten().any(|bytes| like(bytes))
}

#[test]
fn what_was_synced_with_its_name_is_never_lost() {
    let found = after_power_loss("a", |_, mount| drop(durable(mount, "a", &[7; 1500])));
    assert!(found.iter().all(|bytes| bytes.as_deref() == Some(&[7; 1500])));
}

#[test]
fn an_overwrite_that_was_not_synced_is_there_wholly_in_part_or_not_at_all() {
    let found = after_power_loss("a", |_, mount| {
        let file = durable(mount, "a", &[1; 4096]);
        file.write_at(&[2; 4096], 0).expect("write");
    });
    for bytes in found.iter().flatten() {
        assert_eq!(bytes.len(), 4096);
        assert!(
            bytes.chunks(512).all(|sector| sector == [1; 512] || sector == [2; 512]),
            "sectors are atomic"
        );
    }
    assert!(some(&found, |bytes| bytes == [1; 4096]), "it can be lost");
    assert!(some(&found, |bytes| bytes == [2; 4096]), "it can survive");
    assert!(
        some(&found, |bytes| bytes[0] == 1 && bytes[4095] == 2),
        "it can be torn, its end being there first"
    );
}

#[test]
fn a_later_write_may_be_there_without_an_earlier_one() {
    let found = after_power_loss("a", |_, mount| {
        let file = durable(mount, "a", &[0; 8192]);
        file.write_at(&[1; 4096], 0).expect("write");
        file.write_at(&[2; 4096], 4096).expect("write");
    });
    assert!(some(&found, |bytes| bytes[..4096] == [0; 4096] && bytes[4096..] == [2; 4096]));
    assert!(some(&found, |bytes| bytes[..4096] == [1; 4096] && bytes[4096..] == [0; 4096]));
}

#[test]
fn a_sector_never_has_a_later_byte_without_an_earlier_one() {
    let found = after_power_loss("a", |_, mount| {
        let file = durable(mount, "a", &[0; 512]);
        file.write_at(&[1; 100], 0).expect("write");
        file.write_at(&[2; 100], 100).expect("write");
    });
    let impossible = |bytes: &[u8]| bytes[0] == 0 && bytes[100] == 2;
    assert!(!some(&found, impossible), "a sector is written as it stands");
    assert!(some(&found, |bytes| bytes[0] == 1 && bytes[100] == 0));
}

#[test]
fn a_synced_name_does_not_make_the_bytes_durable() {
    let found = after_power_loss("a", |_, mount| {
        mount.create(&at("a")).expect("create").write_at(&[9; 2048], 0).expect("write");
        mount.sync_dir(Path::new("/store")).expect("sync directory");
    });
    assert!(found.iter().all(Option::is_some), "the name is durable");
    assert!(some(&found, <[u8]>::is_empty), "its length can be lost");
    assert!(some(&found, |bytes| bytes == [0; 2048]), "its length can be there without its bytes");
    assert!(some(&found, |bytes| bytes == [9; 2048]));
    assert!(some(&found, |bytes| !bytes.is_empty() && bytes.len() < 2048), "it can be half as long");
}

#[test]
fn what_a_file_gained_without_its_bytes_may_be_those_of_another_file() {
    let mut seen = false;
    for seed in 0..200 {
        let (disk, mount) = disk(seed);
        drop(durable(&mount, "old", &[5; 1024]));
        mount.create(&at("a")).expect("create").write_at(&[9; 1024], 0).expect("write");
        mount.sync_dir(Path::new("/store")).expect("sync directory");
        disk.power_loss(Profile::WORST);
        seen |= read(&disk, "a").is_some_and(|bytes| bytes.contains(&5));
    }
    assert!(seen);
}

#[test]
fn a_durable_write_survives_together_with_nothing_else() {
    let found = after_power_loss("a", |_, mount| {
        let file = durable(mount, "a", &[0; 12288]);
        file.write_at(&[1; 12288], 0).expect("write");
        file.write_durably(&[2; 4096], 4096).expect("write durably");
        file.write_at(&[3; 4096], 8192).expect("write");
    });
    assert!(
        found.iter().flatten().all(|bytes| bytes[4096..8192] == [2; 4096]),
        "nothing older comes after it"
    );
    assert!(some(&found, |bytes| bytes[..4096] == [0; 4096]), "it makes nothing else durable");
    assert!(some(&found, |bytes| bytes[8192..] == [0; 4096]));
}

#[test]
fn a_durable_write_beyond_the_durable_length_can_be_lost() {
    let found = after_power_loss("a", |_, mount| {
        let file = durable(mount, "a", &[0; 4096]);
        file.write_durably(&[2; 8192], 0).expect("write durably");
    });
    assert!(found.iter().flatten().all(|bytes| bytes[..4096] == [2; 4096]));
    assert!(some(&found, |bytes| bytes.len() == 4096), "the length was not synced");
    let found = after_power_loss("a", |_, mount| {
        durable(mount, "a", &[1; 4096]);
        let file = mount.create(&at("a")).expect("create");
        file.write_at(&[0; 4096], 0).expect("write");
        file.write_durably(&[2; 4096], 0).expect("write durably");
    });
    assert!(some(&found, |bytes| bytes == [1; 4096]), "nor was it after emptying the file");
}

#[test]
fn an_emptied_file_is_what_it_was_or_what_was_written_since() {
    let found = after_power_loss("a", |_, mount| {
        durable(mount, "a", &[1; 2048]);
        mount.create(&at("a")).expect("create").write_at(&[2; 1024], 0).expect("write");
    });
    for bytes in found.iter().flatten() {
        let is_new = bytes.len() <= 1024 && !bytes.contains(&1);
        assert!(is_new || *bytes == [1; 2048], "old and new bytes do not mix");
    }
    assert!(some(&found, |bytes| bytes == [1; 2048]));
    assert!(some(&found, <[u8]>::is_empty));
    assert!(some(&found, |bytes| bytes == [2; 1024]));
    let found = after_power_loss("a", |_, mount| {
        durable(mount, "a", &[1; 512]);
        for byte in [2, 3] {
            mount.create(&at("a")).expect("create").write_at(&[byte; 512], 0).expect("write");
        }
    });
    assert!(
        (1..=3).all(|byte| some(&found, |bytes| bytes == [byte; 512])),
        "whichever was the last to count"
    );
}

#[test]
fn a_second_loss_of_power_takes_nothing_that_survived_the_first() {
    for seed in 0..100 {
        let (disk, mount) = disk(seed);
        durable(&mount, "a", &[0; 4096]).write_at(&[1; 9000], 0).expect("write");
        mount.create(&at("b")).expect("create");
        disk.power_loss(Profile::WORST);
        let left = disk.files();
        assert_eq!(disk.durable_files(), left);
        disk.power_loss(Profile::WORST);
        assert_eq!(disk.files(), left);
    }
}

#[test]
fn durable_files_are_those_of_the_worst_loss() {
    let (disk, mount) = disk(1);
    let file = durable(&mount, "a", &[1; 100]);
    file.write_at(&[2; 200], 0).expect("write");
    mount.create(&at("b")).expect("create");
    assert_eq!(disk.durable_files().into_iter().collect::<Vec<_>>(), [(at("a"), vec![1; 100])]);
    assert_eq!(disk.files().len(), 2);
}

#[test]
fn several_outcomes_of_one_moment_can_be_looked_at() {
    let (disk, mount): (SimDisk, _) = disk(3);
    durable(&mount, "a", &[1; 4096]).write_at(&[2; 4096], 0).expect("write");
    let (image, before) = (disk.image(), disk.files());
    let mut outcomes = std::collections::BTreeSet::new();
    for _ in 0..50 {
        disk.restore(&image);
        assert_eq!(disk.files(), before, "an image is not changed by what is done to the disk");
        disk.power_loss(Profile::WORST);
        outcomes.insert(read(&disk, "a"));
    }
    assert!(2 < outcomes.len(), "they differ");
    disk.restore(&image);
    assert!(mount.list(Path::new("/store")).is_err(), "whoever lived before has no part in it");
}
