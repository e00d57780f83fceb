//! A machine with its disk: what all handles share behind one lock.
//!
//! * Every call goes through [`Machine::run`]: it is refused if its process is gone, judged, done and noted.
//! * Randomness comes from one generator in the order of the calls: who makes the same calls gets the same disk.
//! * A handle belongs to a life of the machine. When that ends, all its handles fail for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use parking_lot::{Mutex, MutexGuard};

use super::content::{LENGTH_MAX, SECTOR, position};
use super::errno;
use super::faults::{Call, Effect};
use super::judge::{self, Failure, Faults, How, Verdict};
use super::lanes::{Lane, UnderWay};
use super::survival::torn;
use super::trace::{Told, Trace};
use super::tree::{Id, Tree};

/// What a handle has of its machine.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Machine>>);

impl Shared {
    pub(super) fn new(machine: Machine) -> Self {
        Self(Arc::new(Mutex::new(machine)))
    }

    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.lock()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a simulated machine")
    }
}

/// What a call is about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) path: Arc<str>,
    place: Arc<str>,
}

impl Subject {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_string_lossy().into(), place: judge::place(path).into() }
    }
}

/// A machine.
pub(super) struct Machine {
    pub(super) tree: Tree,
    pub(super) rng: Rng,
    pub(super) faults: Faults,
    pub(super) trace: Trace,
    /// Which life this is. Handles of other lives are of no use.
    pub(super) life: u64,
    /// Whether the process ended in a call and nobody has cleared up yet.
    pub(super) dead: bool,
    /// The files whose lock somebody holds.
    pub(super) locks: BTreeSet<Id>,
    pub(super) lanes: BTreeMap<u64, Lane>,
    pub(super) lanes_made: u64,
    pub(super) under_way: Vec<UnderWay>,
    pub(super) latency: u32,
    /// At one call of so many an orphan happens.
    pub(super) delay: u32,
    pub(super) capacity: Option<u64>,
}

impl Machine {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            tree: Tree::new(),
            rng: Rng::with_seed(seed),
            faults: Faults::default(),
            trace: Trace::new(),
            life: 0,
            dead: false,
            locks: BTreeSet::new(),
            lanes: BTreeMap::new(),
            lanes_made: 0,
            under_way: Vec::new(),
            latency: 0,
            delay: 1,
            capacity: None,
        }
    }

    pub(super) fn is_alive(&self, life: u64) -> bool {
        self.life == life
    }

    /// The process that lives ends now.
    pub(super) fn die(&mut self) {
        self.life += 1;
        self.dead = true;
    }

    /// Does a call of a process.
    pub(super) fn run<T: Told>(
        &mut self,
        life: u64,
        call: Call,
        subject: &Subject,
        numbers: [u64; 2],
        act: impl FnOnce(&mut Self, &How) -> io::Result<T>,
    ) -> io::Result<T> {
        if !self.is_alive(life) {
            return Err(errno::gone());
        }
        self.land_some();
        let verdict = self.faults.judge(call, &subject.place, &mut self.rng);
        let mut done = match &verdict.how {
            Some(how) => act(self, how),
            None => Err(errno::error(errno::IO)),
        };
        if let Some(failure) = verdict.failure {
            done = Err(failure.error());
            if failure == Failure::Death {
                self.die();
            }
        }
        self.trace.note(call.name(), &subject.path, numbers, done.as_ref().map(Told::told));
        done
    }

    /// Judges a durable write that is done later.
    pub(super) fn judge_write(&mut self, subject: &Subject) -> Verdict {
        self.faults.judge(Call::WriteDurably, &subject.place, &mut self.rng)
    }

    /// Writes what there is room for.
    pub(super) fn write(&mut self, id: Id, bytes: &Bytes, offset: u64, how: &How) -> io::Result<()> {
        let bytes = self.with_room(id, bytes, offset)?;
        let content = self.tree.file_mut(id)?;
        match how {
            How::Failing(Effect::Part) => {
                for (at, piece) in torn(&bytes.fitting, offset, &mut self.rng) {
                    content.write(piece, at);
                }
            }
            How::Well | How::Short | How::Stale | How::Misdirected(_) | How::Failing(_) => {
                content.write(bytes.fitting, offset);
            }
        }
        if bytes.is_all { Ok(()) } else { Err(errno::error(errno::FULL)) }
    }

    /// Writes durably what there is room for.
    pub(super) fn write_durably(&mut self, id: Id, bytes: &Bytes, offset: u64, how: &How) -> io::Result<()> {
        match how {
            How::Stale => return self.tree.file_mut(id).map(|content| content.miss(bytes, offset)),
            How::Misdirected(to) => {
                self.tree.file_mut(id)?.miss(bytes, offset);
                let to = match to {
                    Some((path, at)) => Some((self.tree.find_file(path)?, *at)),
                    None => self.elsewhere(id, offset),
                };
                return to.map_or(Ok(()), |(id, at)| {
                    self.tree.file_mut(id)?.overwrite(bytes, at);
                    Ok(())
                });
            }
            How::Well => {}
            // Nobody knows whether a write is durable that is in the cache.
            How::Failing(Effect::Whole) if self.rng.bool() => {}
            How::Short | How::Failing(_) => return self.write(id, bytes, offset, how),
        }
        let room = self.with_room(id, bytes, offset)?;
        if !room.is_all {
            return self.write(id, bytes, offset, how);
        }
        self.tree.file_mut(id)?.write_durably(bytes, offset);
        Ok(())
    }

    /// Any other place where a write may end that was to go there; `None` if there is none.
    fn elsewhere(&mut self, id: Id, offset: u64) -> Option<(Id, u64)> {
        const BLOCK: u64 = 8 * SECTOR;
        let files = self.tree.nodes.iter().filter_map(|(id, node)| Some((*id, node.as_file()?.length())));
        let places = files.flat_map(|(id, length)| (0..length / BLOCK).map(move |block| (id, block * BLOCK)));
        let mut places: Vec<_> = places.filter(|place| *place != (id, offset)).collect();
        // The same file is as likely as all others.
        if self.rng.bool() && places.iter().any(|place| place.0 == id) {
            places.retain(|place| place.0 == id);
        }
        (!places.is_empty()).then(|| places[self.rng.usize(..places.len())])
    }

    /// What of a write the disk has room for.
    fn with_room(&self, id: Id, bytes: &Bytes, offset: u64) -> io::Result<Room> {
        let length = self.tree.file(id)?.length();
        let end = offset.saturating_add(bytes.len() as u64);
        if LENGTH_MAX < end {
            return Err(errno::error(errno::TOO_LARGE));
        }
        let free = self.free();
        let most = length.saturating_add(free).max(offset);
        let is_all = end <= length || end - length <= free;
        let fitting = if is_all { bytes.len() } else { position(most.min(end) - offset) };
        Ok(Room { fitting: bytes.slice(..fitting), is_all })
    }

    /// How many bytes files can take.
    pub(super) fn free(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.tree.used()))
    }
}

/// What of a write the disk has room for.
struct Room {
    fitting: Bytes,
    is_all: bool,
}
