//! That the disk fails as real ones do, and never worse than the seam says.

mod bytes;
mod deaths;
mod faults;
mod names;
mod pipelines;
mod reference;
mod space;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_engine::simulation::{Disk, DiskFile};

use super::{Mount, Profile, SimDisk};

const PROFILES: [Profile; 2] = [Profile::JOURNAL, Profile::WORST];

/// A path in the one directory that most tests need.
fn at(name: &str) -> PathBuf {
    Path::new("/store").join(name)
}

/// A disk with that directory, durable, and a mount of it.
fn disk(seed: u64) -> (SimDisk, Arc<Mount>) {
    let disk = SimDisk::new(seed);
    let mount = disk.mount();
    mount.create_dir(Path::new("/store")).expect("create directory");
    mount.sync_dir(Path::new("/")).expect("sync directory");
    (disk, mount)
}

/// A durable file of these bytes.
fn durable(mount: &Mount, name: &str, bytes: &[u8]) -> Box<dyn DiskFile> {
    let file = mount.create(&at(name)).expect("create");
    file.write_at(bytes, 0).expect("write");
    file.sync().expect("sync");
    mount.sync_dir(Path::new("/store")).expect("sync directory");
    file
}

/// The bytes of a file, if there is one.
fn read(disk: &SimDisk, name: &str) -> Option<Vec<u8>> {
    disk.files().remove(&at(name))
}

/// What is in a file after the power failed, for each of many seeds and both profiles.
fn after_power_loss(name: &str, act: impl Fn(&SimDisk, &Mount)) -> Vec<Option<Vec<u8>>> {
    let mut found = Vec::new();
    for profile in PROFILES {
        for seed in 0..200 {
            let (disk, mount) = disk(seed);
            act(&disk, &mount);
            disk.power_loss(profile);
            found.push(read(&disk, name));
        }
    }
    found
}

/// The number of the system's error.
fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.expect_err("a failure").raw_os_error().expect("the system's error")
}
