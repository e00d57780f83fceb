//! The engine without threads, over a disk that somebody else makes up: for simulators, and nobody else.
//!
//! Whoever holds a [`Stepped`] decides who does the next piece of work, so that one seed is one history. The promises
//! of [`Engine`] hold as ever; only what its threads would do waits until it is told to.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use factlog_core::{Clock, Result};
use uuid::Uuid;

use crate::open::{self, Workers};
pub use crate::sabotage::{Bug, plant};
pub use crate::storage::{Bell, Disk, DiskFile, Done, Pipeline};
use crate::verify::verify_on;
use crate::writer::{End, Writer};
use crate::{Engine, Extent, Report, Settings};

/// Who may do a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// Takes appends in, decides and writes them, and answers those that are durable.
    Writer,
    /// Writes one segment.
    Sealer,
    /// Builds one lost run of the index, or merges some.
    Indexer,
}

/// An open store that does nothing by itself.
#[derive(Debug)]
pub struct Stepped {
    // In this order: the writer must be gone when the engine lets go of the lock.
    writer: Option<Writing>,
    engine: Engine,
}

struct Writing(Option<Writer>);

impl std::fmt::Debug for Writing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writing").finish_non_exhaustive()
    }
}

impl Writing {
    /// Ends the writer; without `finish` as a crash does.
    fn end(&mut self, finish: Option<Result<bool>>) {
        if let Some(mut writer) = self.0.take() {
            let shared = writer.shared.clone();
            let _end = End(&shared);
            if let Some(done) = finish {
                writer.finish(done);
            }
            drop(writer);
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.end(None);
    }
}

impl Stepped {
    /// Opens the store in a directory, or makes one with this identity.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: Settings,
        clock: Arc<dyn Clock>,
        id: Uuid,
    ) -> Result<Self> {
        let (shared, writer) = open::assemble(disk, dir, settings, clock, Workers::Stepped, || id)?;
        Ok(Self { writer: writer.map(|writer| Writing(Some(writer))), engine: Engine::of(shared) })
    }

    /// The store. What it is asked waits for steps where a thread would have to do something.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether it can be written: false with damage, and after a write failed.
    pub fn is_writable(&self) -> bool {
        self.writer.is_some()
    }

    /// Says whether appends are likely to come while the next group is written, which the writer else finds out by
    /// itself: then the group is written while the writer goes on, together with those that follow.
    pub fn expect_company(&mut self, company: bool) {
        if let Some(Writing(Some(writer))) = &mut self.writer {
            writer.lonely = !company;
        }
    }

    /// Does a piece of work; `false` if there was none.
    pub fn step(&mut self, worker: Worker) -> bool {
        let Some(Writing(Some(writer))) = &mut self.writer else { return false };
        match worker {
            Worker::Writer if writer.has_work() => {
                match writer.step() {
                    Ok(true) => {}
                    done => self.end_writer(done),
                }
                true
            }
            Worker::Writer => false,
            Worker::Sealer => writer.sealer.step(),
            // A failure is tried again by the next step.
            Worker::Indexer => matches!(self.engine.shared().tend(), Ok(ControlFlow::Break(()))),
        }
    }

    /// Closes the store as [`Engine`] does: what was begun is brought to an end.
    ///
    /// # Errors
    /// What poisoned the store.
    pub fn close(mut self) -> Result<()> {
        self.engine.shared().close();
        while let Some(Writing(Some(writer))) = &mut self.writer {
            match writer.step() {
                Ok(true) => {}
                done => self.end_writer(done),
            }
        }
        self.engine.shared().rest();
        self.engine.shared().life.release()
    }

    fn end_writer(&mut self, done: Result<bool>) {
        if let Some(mut writing) = self.writer.take() {
            if let Some(writer) = &writing.0 {
                // As closing does: the job at hand is done, or fails.
                writer.sealer.step();
            }
            writing.end(Some(done));
        }
    }
}

/// Verifies a store on any disk; see [`crate::verify`].
///
/// # Errors
/// As [`crate::verify`].
pub fn verify(disk: &dyn Disk, dir: &Path, extent: Extent) -> Result<Report> {
    verify_on(disk, dir, extent, &mut |_| {})
}
