//! The indexer: has lost runs built again (`rebuild.rs`) and merges runs, beside everything else.
//!
//! * A run's file is written under a temporary name, synced and renamed: under its own name it is whole.
//! * A merged run is shown before those it replaces are removed; a crash between leaves both, and opening removes
//!   what a larger run covers. No step touches the manifest: runs name themselves.
//! * Nothing waits for merging. Who needs a lost run builds it, or waits for the one who does.

use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use factlog_core::Result;
use parking_lot::{Condvar, Mutex};

use crate::run::{self, MergeError, Run, RunName, Wrong};
use crate::shared::Shared;
use crate::storage::{self, DiskFile};
use crate::view::{Slot, View};

/// Neighbouring runs of one level that are merged into one of the next.
const FAN: usize = 8;
/// Runs of this level are not merged any further: losing one costs the rebuilding of 512 segments at most.
const TOP: u32 = 3;
/// How long to wait after a failure before trying again.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells the indexer that there may be work.
#[derive(Debug, Default)]
pub(crate) struct Background {
    work: Mutex<bool>,
    changed: Condvar,
    stop: AtomicBool,
    /// Held while a lost run is rebuilt, so that it is done once, and while runs are replaced and their files
    /// removed, so that no file goes that was just built again under the same name.
    pub(crate) rebuilding: Mutex<()>,
    /// Segments that are damaged themselves, by first position.
    hopeless: Mutex<HashSet<u64>>,
}

impl Background {
    pub(crate) fn wake(&self) {
        *self.work.lock() = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_hopeless(&self, segment: u64) -> bool {
        self.hopeless.lock().contains(&segment)
    }

    pub(crate) fn give_up(&self, segment: u64) {
        self.hopeless.lock().insert(segment);
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Waits for work; after a failure only for a while.
    fn wait(&self, failed: bool) {
        let mut work = self.work.lock();
        while !*work && !self.is_stopping() {
            if !failed {
                self.changed.wait(&mut work);
            } else if self.changed.wait_for(&mut work, PAUSE).timed_out() {
                break;
            }
        }
        *work = false;
    }
}

/// The indexer's thread; dropping it stops what it is doing and waits for its end.
#[derive(Debug)]
pub(crate) struct Indexer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Indexer {
    pub(crate) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let its_shared = shared.clone();
        let work = move || its_shared.keep_index();
        let thread = std::thread::Builder::new().name("factlog-indexer".into()).spawn(work)?;
        shared.background.wake();
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        let background = &self.shared.background;
        background.stop.store(true, Ordering::Release);
        background.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook; the log itself is not concerned.
            drop(thread.join());
        }
    }
}

impl Shared {
    /// The indexer's work: rebuild what is lost, then merge, until it is told to stop.
    fn keep_index(&self) {
        // Appends and reads go first. Where the system refuses, nothing is lost but that.
        rustix::process::nice(5).ok();
        let mut failed = false;
        loop {
            self.background.wait(failed);
            failed = false;
            while !self.background.is_stopping() && !failed {
                match self.tend() {
                    Ok(ControlFlow::Break(())) => {}
                    Ok(ControlFlow::Continue(())) => break,
                    Err(_) => failed = true,
                }
            }
            if self.background.is_stopping() {
                return;
            }
        }
    }

    /// One piece of the indexer's work. `Break` if there was one.
    pub(crate) fn tend(&self) -> Result<ControlFlow<()>> {
        let mended = self.mend()?;
        if mended.is_break() { Ok(mended) } else { self.merge() }
    }

    /// Merges one group of neighbours. `Break` if there was one.
    fn merge(&self) -> Result<ControlFlow<()>> {
        let Some(runs) = mergeable(&self.view()) else { return Ok(ControlFlow::Continue(())) };
        let (first, last) = (runs[0].name(), runs[FAN - 1].name());
        let name = RunName { level: first.level + 1, first: first.first, last: last.last };
        let merged = self.write_run(name, |file| {
            let file = Interruptible { file, background: &self.background };
            run::merge(self.store, name.level, &runs, &file)
        });
        let merged = match merged {
            Err(MergeError::Input(at, wrong)) => {
                self.wound(&runs[at], &wrong)?;
                return Ok(ControlFlow::Break(()));
            }
            Err(MergeError::Differs) => {
                self.distrust_liars(&runs)?;
                return Ok(ControlFlow::Break(()));
            }
            Err(MergeError::Output(cause)) => {
                return Err(storage::failed(
                    "write the index",
                    &self.dir.join(run::relative_path(name)),
                    cause,
                ));
            }
            Ok(merged) => merged,
        };
        let _nobody_rebuilds = self.background.rebuilding.lock();
        self.change_view(|view| Some(view.with_slots(name.first, name.last, [Slot::ready(merged)])));
        runs.iter().for_each(|run| self.remove_run(run.name()));
        Ok(ControlFlow::Break(()))
    }

    /// Of runs that together do not hold what they say, finds those that do not; all of them if none stands out.
    fn distrust_liars(&self, runs: &[Arc<Run>]) -> Result<()> {
        let mut found = false;
        for run in runs {
            if let Err(wrong) = run::check(run, &mut |_| {}) {
                match wrong {
                    Wrong::Malformed { .. } => self.distrust(run),
                    Wrong::Io(_) => self.wound(run, &wrong)?,
                }
                found = true;
            }
        }
        runs.iter().filter(|_| !found).for_each(|run| self.distrust(run));
        Ok(())
    }
}

/// The oldest neighbours of one level that make up a run of the next.
fn mergeable(view: &View) -> Option<Vec<Arc<Run>>> {
    view.slots.windows(FAN).find_map(|slots| {
        let level = slots[0].run.as_ref()?.name().level;
        let same = slots
            .iter()
            .all(|slot| slot.is_whole() && slot.run.as_ref().is_some_and(|run| run.name().level == level));
        (same && level < TOP).then(|| slots.iter().filter_map(|slot| slot.run.clone()).collect())
    })
}

/// A file in the making that can no longer be written once the store is closing, so that closing does not wait.
#[derive(Debug)]
struct Interruptible<'a> {
    file: &'a dyn DiskFile,
    background: &'a Background,
}

impl Interruptible<'_> {
    fn pass(&self) -> io::Result<()> {
        if self.background.is_stopping() { Err(io::Error::other("the store is closing")) } else { Ok(()) }
    }
}

impl DiskFile for Interruptible<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.pass()?;
        self.file.write_at(bytes, offset)
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.pass()?;
        self.file.write_durably(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.pass()?;
        self.file.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}
