//! A disk in memory for one machine, whose calls go wrong, whose processes are killed and whose power fails.
//!
//! * It tells apart what was written and what is durable, for the bytes of each file and the names of each directory.
//! * All that is left to chance is drawn from a seed, in the order of the calls. There is no clock and no thread.
//!   [`SimDisk::trace_hash`] says whether two runs were the same.
//! * It is meaner than most disks and never meaner than what the seam promises: a name is durable after a sync of its
//!   directory only, a file's length after a sync of the file only, and a durable write makes durable only its own
//!   bytes, and these only within the durable length.
//! * It knows nothing of what the bytes mean.
//!
//! A process gets the disk by [`SimDisk::mount`]. [`SimDisk::kill`] and [`SimDisk::power_loss`] end its life; every
//! handle it had fails from then on, and another process mounts the disk as it was left.

mod content;
mod directory;
mod errno;
mod faults;
mod harm;
mod judge;
mod lanes;
mod machine;
mod mount;
mod orphans;
mod pipeline;
mod survival;
mod tamper;
#[cfg(test)]
mod tests;
mod trace;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use faults::{Call, Cause, Effect, Fault, Odds};
pub use harm::Harmed;
pub use mount::Mount;
pub use survival::{Names, Profile};

use lanes::UnderWay;
use machine::{Machine, Shared};
use tree::{Kind, Tree};

/// A machine's disk, for whoever decides what happens to it.
#[derive(Clone, Debug)]
pub struct SimDisk(Shared);

/// A disk at a moment, with what was under way, to go on from more than once.
#[derive(Clone)]
pub struct Image {
    tree: Tree,
    under_way: Vec<UnderWay>,
}

impl Image {
    /// A disk of its own that is what this one was, with nothing under way. Files share their bytes until one of them is
    /// written, so that it costs little.
    ///
    /// # Panics
    /// When writes were under way.
    pub fn disk(&self, seed: u64) -> SimDisk {
        assert!(self.under_way.is_empty(), "what becomes of writes under way is for `SimDisk::restore`");
        let mut machine = Machine::new(seed);
        machine.tree = self.tree.clone();
        for node in machine.tree.nodes.values_mut() {
            node.handles = 0;
        }
        SimDisk(Shared::new(machine))
    }
}

impl SimDisk {
    /// An empty disk. Whatever chance decides, this seed does.
    pub fn new(seed: u64) -> Self {
        Self(Shared::new(Machine::new(seed)))
    }

    /// From now on this seed decides.
    pub fn reseed(&self, seed: u64) {
        self.0.machine().rng = fastrand::Rng::with_seed(seed);
    }

    /// The disk for a process. Several processes may live at once; they die together.
    ///
    /// # Panics
    /// When a process has died in a call and nobody has said by [`SimDisk::kill`] or [`SimDisk::power_loss`] how.
    pub fn mount(&self) -> Arc<Mount> {
        let machine = self.0.machine();
        assert!(
            !machine.dead,
            "after a death the process is killed or the power fails, before another begins"
        );
        Arc::new(Mount::new(self.0.clone(), machine.life))
    }

    /// Whether a process has died in a call, by [`Cause::Death`]. Until [`SimDisk::kill`] or
    /// [`SimDisk::power_loss`] says what that was, its calls fail and nothing else happens.
    pub fn is_dead(&self) -> bool {
        self.0.machine().dead
    }

    /// Ends all processes as `kill -9` does. What was written stays, durable or not. Durable writes under way happened
    /// wholly, in part or not at all; those that are the kernel's may still happen, until
    /// [`factlog_engine::simulation::Disk::settled`] has waited for them. Faults that last go on.
    pub fn kill(&self) {
        let mut machine = self.0.machine();
        machine.abandon();
        machine.begin_life("kill");
    }

    /// Ends all processes and loses what was not durable, or some of it.
    pub fn power_loss(&self, profile: Profile) {
        let mut machine = self.0.machine();
        machine.cut_off();
        machine.lose_power(profile);
        machine.begin_life("power loss");
    }

    /// The disk as it is, with the writes under way.
    pub fn image(&self) -> Image {
        let machine = self.0.machine();
        let under_way = machine.under_way.iter().cloned().map(UnderWay::orphaned).collect();
        Image { tree: machine.tree.clone(), under_way }
    }

    /// Ends all processes and makes the disk what it was, with the writes under way that were. [`SimDisk::kill`] or
    /// [`SimDisk::power_loss`] then ends them one way or another. Faults, odds and the trace go on.
    pub fn restore(&self, image: &Image) {
        let mut machine = self.0.machine();
        machine.tree = image.tree.clone();
        machine.under_way = image.under_way.clone();
        machine.lanes.clear();
        machine.begin_life("restore");
    }

    /// All files and their bytes as a process would read them.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let machine = self.0.machine();
        let files = machine.tree.files(|directory| &directory.current).into_iter();
        files.map(|(path, content)| (path, content.current.to_vec())).collect()
    }

    /// All files and their bytes as they are if the power fails and nothing survives that was not synced.
    pub fn durable_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let machine = self.0.machine();
        let files = machine.tree.files(|directory| &directory.durable).into_iter();
        files.map(|(path, content)| (path, content.durable.to_vec())).collect()
    }

    /// Adds a fault. Its calls are counted from now.
    pub fn add_fault(&self, fault: Fault) {
        self.0.machine().faults.wanted.push(fault);
    }

    /// Forgets all faults; the odds stay.
    pub fn clear_faults(&self) {
        self.0.machine().faults.wanted.clear();
    }

    /// How often things go wrong by themselves from now on.
    pub fn set_odds(&self, odds: Odds) {
        self.0.machine().faults.odds = odds;
    }

    /// How many calls went wrong so far.
    pub fn fired(&self) -> u64 {
        self.0.machine().faults.fired
    }

    /// How often each call was made at each place. A place is the last directory and the name, with numbers as `#`.
    pub fn places(&self) -> BTreeMap<(Call, String), u64> {
        let machine = self.0.machine();
        let places = machine.faults.places.iter();
        places.map(|((call, place), count)| ((*call, place.to_string()), *count)).collect()
    }

    /// Durable writes under way may end after so many looks at most.
    pub fn set_latency(&self, looks: u32) {
        self.0.machine().latency = looks;
    }

    /// How many bytes files may take up; `None` for as many as they like.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.machine().capacity = bytes;
    }

    /// How many bytes files take up, also those that were removed and are still open.
    pub fn used(&self) -> u64 {
        self.0.machine().tree.used()
    }

    /// A hash over all calls so far, what they answered, and all that happened between them.
    pub fn trace_hash(&self) -> u64 {
        self.0.machine().trace.digest()
    }

    /// How many calls there were so far.
    pub fn calls(&self) -> u64 {
        self.0.machine().trace.calls
    }

    /// Keeps what is asked from now on, for [`SimDisk::trace`].
    pub fn keep_trace(&self) {
        self.0.machine().trace.lines.get_or_insert_default();
    }

    /// The calls that were kept, one a line: number, call, path, what it was about, and what it answered in short.
    pub fn trace(&self) -> Vec<String> {
        self.0.machine().trace.lines.clone().unwrap_or_default()
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("under_way", &self.under_way.len()).finish_non_exhaustive()
    }
}

impl Machine {
    /// The processes are gone, with all they had open.
    fn begin_life(&mut self, what: &str) {
        self.life += 1;
        self.dead = false;
        self.locks.clear();
        for node in self.tree.nodes.values_mut() {
            node.handles = 0;
        }
        for write in &self.under_way {
            self.tree.opened(write.id);
        }
        self.tree.sweep();
        let files = self.tree.files(|directory| &directory.current).into_iter();
        let left: Vec<_> = files.map(|(path, content)| (path, trace::digest(&content.current))).collect();
        for (path, digest) in left {
            self.trace.note(what, &path.to_string_lossy(), [self.life, 0], Ok(digest));
        }
    }

    fn lose_power(&mut self, profile: Profile) {
        let contents = self.tree.nodes.values().filter_map(|node| Some(node.as_file()?.current.clone()));
        let contents: Vec<_> = contents.collect();
        for node in self.tree.nodes.values_mut() {
            match &mut node.kind {
                Kind::Directory(directory) => directory.lose_power(profile.names, &mut self.rng),
                Kind::File(content) => {
                    let garbage = profile.garbage.then(|| &contents[self.rng.usize(..contents.len())]);
                    content.lose_power(garbage.map(|bytes| bytes.as_slice()), &mut self.rng);
                }
            }
        }
    }
}
