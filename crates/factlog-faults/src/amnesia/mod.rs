//! A mounted file system that forgets what was not synced when its power fails.
//!
//! * It tells apart what was written and what is durable, for the bytes of each file and the names of each directory,
//!   and it is no kinder than the engine may expect: a name is durable after a sync of its directory only, a file's
//!   length after a sync of the file only, and a durable write makes durable only its own bytes, and these only within
//!   the durable length.
//! * Everything is in memory, in the process that mounts it. All that is left to chance is drawn from a seed; the calls
//!   come as the kernel sends them, so that a run is not repeatable to the letter.
//! * When the power fails, at a moment or at the n-th call that changes something, every call fails until it is back.
//!   What was open is lost; the file system stays mounted, and what a new process finds there is what survived.
//! * It can be full, and any call can be made to fail.
//! * The process that mounts it must not use it: see `survey`. Tests do, and last until they end.
//!
//! The promise is that of `crates/factlog-sim/src/disk`, which the same engine keeps to without a kernel.

mod content;
mod device;
mod faults;
mod loss;
mod machine;
mod names;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use fuser::{BackgroundSession, Config, MountOption};
use parking_lot::Mutex;
use rustix::mount::UnmountFlags;

pub(crate) use faults::{Call, Fault, Site};
pub(crate) use loss::Loss;

use device::Device;
use machine::{Machine, Risk};

/// How many requests of the kernel are worked on at once.
const THREADS: usize = 2;

/// What to do where nothing can be mounted.
const ADVICE: &str = "a FUSE file system needs /dev/fuse (`modprobe fuse`; in a container `--device /dev/fuse \
                      --cap-add SYS_ADMIN`), open to this user, and either root or the program `fusermount3` (Debian: \
                      `apt-get install fuse3`)";

/// The mounted file system; it is unmounted when this is dropped.
#[derive(Debug)]
pub(crate) struct Amnesia {
    machine: Arc<Mutex<Machine>>,
    path: PathBuf,
    session: Option<BackgroundSession>,
}

impl Amnesia {
    /// Mounts an empty one over a directory that exists.
    ///
    /// # Errors
    /// When this machine or this user cannot mount: what to install or allow.
    pub(crate) fn mount(path: &Path, seed: u64) -> Result<Self> {
        let machine = Arc::new(Mutex::new(Machine::new(seed)));
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("factlog-amnesia".into()),
            MountOption::NoDev,
            MountOption::NoSuid,
            MountOption::NoAtime,
        ];
        config.n_threads = Some(THREADS);
        let session = fuser::spawn_mount(Device(machine.clone()), path, &config);
        let session =
            session.map_err(|cause| anyhow!("cannot mount at {}: {cause}; {ADVICE}", path.display()));
        Ok(Self { machine, path: path.into(), session: Some(session?) })
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The power fails now.
    pub(crate) fn cut(&self, loss: Loss) {
        self.machine.lock().cut(loss);
    }

    /// The power fails when so many more calls have changed something.
    pub(crate) fn cut_after(&self, calls: u64, loss: Loss) {
        self.machine.lock().fuse = Some((calls, loss));
    }

    /// Whether the power is on.
    pub(crate) fn is_on(&self) -> bool {
        self.machine.lock().on
    }

    /// What was not durable when it failed last.
    pub(crate) fn at_risk(&self) -> Risk {
        self.machine.lock().risk
    }

    /// The power is back. Whoever lived before must be gone.
    pub(crate) fn power_on(&self) {
        let mut machine = self.machine.lock();
        machine.on = true;
        machine.fuse = None;
    }

    /// How many bytes files may take up from now on; `None` for as many as they like.
    pub(crate) fn set_capacity(&self, bytes: Option<u64>) {
        self.machine.lock().capacity = bytes;
    }

    /// How many more they may.
    pub(crate) fn free(&self) -> u64 {
        self.machine.lock().free()
    }

    /// How many bytes files take up.
    pub(crate) fn used(&self) -> u64 {
        self.machine.lock().tree.used()
    }

    /// The calls so far that were refused for lack of space, and how often.
    pub(crate) fn full(&self) -> BTreeMap<Site, u64> {
        self.machine.lock().full.clone()
    }

    /// Makes a call fail. Its calls are counted from now.
    pub(crate) fn add_fault(&self, fault: Fault) {
        self.machine.lock().faults.add(fault);
    }

    /// Forgets all faults.
    pub(crate) fn clear_faults(&self) {
        self.machine.lock().faults.clear();
    }

    /// The calls that failed because of a fault, so far.
    pub(crate) fn fired(&self) -> Vec<Site> {
        self.machine.lock().faults.fired().to_vec()
    }

    /// How often each call was made at each place so far.
    pub(crate) fn sites(&self) -> BTreeMap<Site, u64> {
        self.machine.lock().faults.sites()
    }

    /// How often each call was made so far.
    pub(crate) fn calls(&self) -> BTreeMap<Call, u64> {
        self.machine.lock().calls.clone()
    }

    /// Unmounts it, and says if it cannot be.
    pub(crate) fn unmount(mut self) -> Result<()> {
        let session = self.session.take();
        session.map_or(Ok(()), |session| {
            session.umount_and_join().with_context(|| format!("cannot unmount {}", self.path.display()))
        })
    }
}

impl Drop for Amnesia {
    /// Also while somebody still has something open there: nothing may be left mounted by who fails.
    fn drop(&mut self) {
        if self.session.is_some() {
            // Who is not root leaves it to `fusermount3`, which is asked when the session is dropped.
            let _ = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
        }
    }
}
