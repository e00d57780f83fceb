//! The same through the kernel: what a program is told is durable must be what the disk keeps, and nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::ReadWriteFlags;
use tempfile::TempDir;

use crate::amnesia::{Amnesia, Call, Fault, Loss};

/// Mounted over a directory of its own.
struct Mounted {
    disk: Amnesia,
    _directory: TempDir,
}

fn mounted() -> Mounted {
    let directory = tempfile::tempdir().unwrap();
    let disk = Amnesia::mount(directory.path(), 1).expect("FUSE file systems can be mounted here");
    Mounted { disk, _directory: directory }
}

impl Mounted {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.disk.path().join(name)
    }

    fn lose_all(&self) {
        self.disk.cut(Loss::All);
        self.disk.power_on();
    }

    fn sync_root(&self) {
        File::open(self.disk.path()).unwrap().sync_all().unwrap();
    }

    fn counted(&self, call: Call) -> u64 {
        self.disk.calls().get(&call).copied().unwrap_or(0)
    }
}

fn open(path: &Path, flags: OFlags) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(flags.bits().cast_signed()).open(path).unwrap()
}

#[test]
fn a_file_that_was_synced_with_its_directory_survives_and_others_do_not() {
    let mounted = mounted();
    let write = |name: &str, sync: bool| {
        let file = File::create(mounted.path(name)).unwrap();
        file.write_all_at(&[1; 5000], 0).unwrap();
        if sync {
            file.sync_all().unwrap();
        }
    };
    write("synced", true);
    write("only-named", false);
    mounted.sync_root();
    write("unnamed", true);
    assert_eq!(fs::read(mounted.path("unnamed")).unwrap().len(), 5000);
    mounted.lose_all();
    assert_eq!(fs::read(mounted.path("synced")).unwrap(), [1; 5000]);
    assert!(fs::read(mounted.path("only-named")).unwrap().is_empty());
    let names = fs::read_dir(mounted.disk.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["only-named", "synced"]);
    mounted.disk.unmount().unwrap();
}

/// How the kernel tells of durable writes is what all of this stands on.
#[test]
fn every_kind_of_durable_write_comes_as_one_durable_write_and_survives() {
    let mounted = mounted();
    let path = mounted.path("log");
    let file = File::create(&path).unwrap();
    file.write_all_at(&[0; 4 * 4096], 0).unwrap();
    file.sync_data().unwrap();
    mounted.sync_root();
    let (writes, syncs) = (mounted.counted(Call::Write), mounted.counted(Call::Sync));

    let of_one_write = [IoSlice::new(&[1; 4096])];
    rustix::io::pwritev2(&file, &of_one_write, 0, ReadWriteFlags::DSYNC).unwrap();
    open(&path, OFlags::DSYNC).write_all_at(&[2; 4096], 4096).unwrap();
    open(&path, OFlags::SYNC).write_all_at(&[3; 4096], 2 * 4096).unwrap();
    assert_eq!(mounted.counted(Call::WriteDurably), 3);
    assert_eq!((mounted.counted(Call::Write), mounted.counted(Call::Sync)), (writes, syncs));

    file.write_all_at(&[4; 4096], 3 * 4096).unwrap();
    assert_eq!(mounted.counted(Call::WriteDurably), 3);
    drop(file);
    mounted.lose_all();
    let expected = [[1; 4096], [2; 4096], [3; 4096], [0; 4096]].concat();
    assert_eq!(fs::read(&path).unwrap(), expected);
    mounted.disk.unmount().unwrap();
}

#[test]
fn a_rename_is_durable_with_its_directory_and_the_replaced_file_is_there_until_then() {
    let mounted = mounted();
    let write = |name: &str, byte: u8| {
        let file = File::create(mounted.path(name)).unwrap();
        file.write_all_at(&[byte; 10], 0).unwrap();
        file.sync_all().unwrap();
    };
    write("manifest", 1);
    mounted.sync_root();
    for durable in [false, true] {
        write("manifest.tmp", 2);
        fs::rename(mounted.path("manifest.tmp"), mounted.path("manifest")).unwrap();
        assert_eq!(fs::read(mounted.path("manifest")).unwrap(), [2; 10]);
        if durable {
            mounted.sync_root();
        }
        mounted.lose_all();
        assert_eq!(fs::read(mounted.path("manifest")).unwrap(), [if durable { 2 } else { 1 }; 10]);
    }
    fs::remove_file(mounted.path("manifest")).unwrap();
    mounted.lose_all();
    assert_eq!(fs::read(mounted.path("manifest")).unwrap(), [2; 10], "its removal was not durable");
    mounted.disk.unmount().unwrap();
}

#[test]
fn what_was_open_when_the_power_failed_is_of_no_use_when_it_is_back() {
    let mounted = mounted();
    let file = File::create(mounted.path("file")).unwrap();
    file.write_all_at(&[0; 4096], 0).unwrap();
    file.sync_all().unwrap();
    mounted.sync_root();
    mounted.disk.cut_after(1, Loss::All);
    file.write_all_at(&[1; 4096], 0).unwrap();
    assert!(mounted.disk.is_on());
    assert!(file.write_all_at(&[2; 4096], 0).is_err());
    assert!(!mounted.disk.is_on() && fs::read(mounted.path("file")).is_err());
    mounted.disk.power_on();
    assert!(file.write_all_at(&[3; 4096], 0).is_err() && file.sync_all().is_err());
    assert_eq!(fs::read(mounted.path("file")).unwrap(), [0; 4096]);
    drop(file);
    mounted.disk.unmount().unwrap();
}

#[test]
fn a_full_disk_refuses_what_is_new_takes_what_is_there_and_has_room_again_when_something_is_removed() {
    let mounted = mounted();
    mounted.disk.set_capacity(Some(10_000));
    let ballast = mounted.path("ballast");
    fs::write(&ballast, [0; 8000]).unwrap();
    let file = File::create(mounted.path("file")).unwrap();
    assert_eq!(file.write_at(&[1; 4096], 0).unwrap(), 2000, "what fits is written");
    let full = |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::StorageFull;
    assert!(full(file.write_all_at(&[1; 10], 2000)));
    assert!(full(File::create(mounted.path("other")).map(drop)));
    assert!(full(file.set_len(2001)));
    file.write_all_at(&[2; 2000], 0).unwrap();
    assert_eq!(mounted.disk.used(), 10_000);
    fs::remove_file(&ballast).unwrap();
    // The kernel tells of the last close of a file when it likes.
    for _ in 0..1000 {
        if mounted.disk.used() == 2000 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    file.write_all_at(&[1; 8000], 2000).unwrap();
    mounted.disk.set_capacity(None);
    file.write_all_at(&[1; 8000], 10_000).unwrap();
    drop(file);
    mounted.disk.unmount().unwrap();
}

#[test]
fn the_call_that_was_asked_for_fails_once_and_no_other_does() {
    let mounted = mounted();
    fs::create_dir(mounted.path("wal")).unwrap();
    let file = File::create(mounted.path("wal/00000017")).unwrap();
    file.sync_all().unwrap();
    let site = (Call::Sync, "wal/#".to_owned());
    assert_eq!(mounted.disk.sites().get(&site), Some(&1));
    mounted.disk.add_fault(Fault { site: site.clone(), nth: 2, errno: fuser::Errno::EIO });
    file.sync_all().unwrap();
    assert_eq!(file.sync_all().unwrap_err().raw_os_error(), Some(5));
    file.sync_all().unwrap();
    assert_eq!(mounted.disk.fired(), [site]);
    drop(file);
    mounted.disk.unmount().unwrap();
}

#[test]
fn a_lock_is_held_by_one_and_given_back_with_its_file() {
    let mounted = mounted();
    let path = mounted.path("LOCK");
    let first = File::create(&path).unwrap();
    let lock = |file: &File| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive);
    lock(&first).unwrap();
    let second = open(&path, OFlags::empty());
    assert!(lock(&second).is_err());
    drop(first);
    lock(&second).unwrap();
    drop(second);
    mounted.disk.unmount().unwrap();
}
