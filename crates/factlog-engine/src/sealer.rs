//! The sealer: writes frames of the tail into an immutable segment and frees their write-ahead files.
//!
//! Order matters: the segment is written and durable, then the manifest names it and no longer needs the files,
//! then readers see it, then the files are free. A crash between two steps leaves a store that opens as if the
//! step had not begun. A failed step is repeated from the start with a new file.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use factlog_core::{Error, Position, Result, TrackingSource};
use parking_lot::{Condvar, Mutex};

use crate::manifest::{ManifestFile, SegmentEntry};
use crate::records::Records;
use crate::segment::{self, Builder, Segment};
use crate::shared::Shared;
use crate::storage::{self, Disk, DiskFile};
use crate::wal_files::{self, FreeFiles};

/// Frames to seal, in order.
#[derive(Clone, Debug)]
pub(crate) struct SealJob {
    pub(crate) frames: Vec<Arc<Records>>,
    /// Tracking as of the last of them.
    pub(crate) tracking: HashMap<TrackingSource, Position>,
    /// The first write-ahead file that is needed afterwards.
    pub(crate) wal_first: u64,
}

/// What the sealer works with.
#[derive(Debug)]
pub(crate) struct Sealer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) manifest: Arc<ManifestFile>,
    pub(crate) free: FreeFiles,
}

#[derive(Debug, Default)]
struct Inner {
    job: Option<Arc<SealJob>>,
    failed: Option<Error>,
    stop: bool,
    /// The thread panicked: nothing is sealed any more.
    dead: bool,
}

/// The writer's side of the sealer.
#[derive(Debug)]
pub(crate) struct SealerHandle {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Desk {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl SealerHandle {
    /// Starts the sealer's thread.
    pub(crate) fn start(sealer: Sealer) -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let its_desk = desk.clone();
        let work = move || {
            let _end = End(&its_desk);
            its_desk.work(&sealer);
        };
        let thread = std::thread::Builder::new().name("factlog-sealer".into()).spawn(work)?;
        Ok(Self { desk, thread: Some(thread) })
    }

    /// Whether a job can be handed over. A failed one is tried again.
    pub(crate) fn is_idle(&self) -> bool {
        let mut inner = self.desk.inner.lock();
        if inner.failed.take().is_some() {
            self.desk.changed.notify_all();
        }
        inner.job.is_none() && !inner.dead
    }

    /// Waits until the job at hand is done.
    ///
    /// # Errors
    /// The failure of the last attempt; another one is under way.
    pub(crate) fn wait(&self) -> Result<()> {
        let mut inner = self.desk.inner.lock();
        inner.failed = None;
        self.desk.changed.notify_all();
        while inner.job.is_some() {
            if inner.dead {
                return Err(Error::unavailable(
                    "sealing panicked, so the log cannot grow; close the store and open it again",
                ));
            }
            if let Some(error) = &inner.failed {
                return Err(error.clone());
            }
            self.desk.changed.wait(&mut inner);
        }
        Ok(())
    }

    /// Hands over a job; the desk must be idle.
    pub(crate) fn seal(&self, job: SealJob) {
        let mut inner = self.desk.inner.lock();
        assert!(inner.job.is_none(), "one job at a time");
        inner.job = Some(Arc::new(job));
        self.desk.changed.notify_all();
    }

    /// Lets the job at hand end (or fail) and stops the thread.
    fn stop(&mut self) {
        self.desk.inner.lock().stop = true;
        self.desk.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook; the log itself still has all events.
            drop(thread.join());
        }
    }
}

impl Drop for SealerHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tells the writer when the sealer panics.
struct End<'a>(&'a Desk);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.inner.lock().dead = true;
            self.0.changed.notify_all();
        }
    }
}

impl Desk {
    fn work(&self, sealer: &Sealer) {
        loop {
            let job = {
                let mut inner = self.inner.lock();
                loop {
                    if let (Some(job), None) = (&inner.job, &inner.failed) {
                        break job.clone();
                    }
                    if inner.stop {
                        return;
                    }
                    self.changed.wait(&mut inner);
                }
            };
            let done = sealer.seal(&job);
            drop(job);
            let mut inner = self.inner.lock();
            match done {
                Ok(()) => inner.job = None,
                Err(error) => inner.failed = Some(error),
            }
            self.changed.notify_all();
        }
    }
}

impl Sealer {
    fn seal(&self, job: &SealJob) -> Result<()> {
        let (Some(first), Some(last)) = (job.frames.first(), job.frames.last()) else {
            return Ok(());
        };
        let (first, last) = (first.first, last.last());
        let dir = self.dir.join("segments");
        let path = dir.join(segment::file_name(first));
        let (bytes, blocks) =
            self.write(job, first).map_err(|cause| storage::failed("write the segment", &path, cause))?;
        let mut freed = 0..0;
        self.manifest.update(|manifest| {
            manifest.segments.push(SegmentEntry { first, last, bytes });
            freed = manifest.wal_first..job.wal_first;
            manifest.wal_first = job.wal_first;
            manifest.tracking =
                job.tracking.iter().map(|(source, position)| (source.clone(), *position)).collect();
        })?;
        let sealed = Arc::new(Segment::new(self.shared.store, first, blocks));
        let mut log = self.shared.log.write();
        log.segments.push(sealed);
        while log.frames.front().is_some_and(|frame| frame.last() <= last) {
            log.frames.pop_front();
        }
        drop(log);
        self.recycle(freed);
        Ok(())
    }

    /// Writes the segment's file under its final name, durably.
    fn write(&self, job: &SealJob, first: u64) -> io::Result<(u64, Vec<segment::BlockEntry>)> {
        let dir = self.dir.join("segments");
        let temporary = dir.join("next.tmp");
        let mut written = (0, Vec::new());
        storage::write_or_remove(&*self.disk, &temporary, |file| {
            written = self.fill(file, job, first)?;
            file.sync()
        })?;
        self.disk.rename(&temporary, &dir.join(segment::file_name(first)))?;
        self.disk.sync_dir(&dir)?;
        Ok(written)
    }

    /// Writes all parts of the segment.
    fn fill(
        &self,
        file: &dyn DiskFile,
        job: &SealJob,
        first: u64,
    ) -> io::Result<(u64, Vec<segment::BlockEntry>)> {
        let mut out = Output { file, buffer: Vec::with_capacity(1 << 20), offset: 0 };
        let (mut builder, header) = Builder::new(self.shared.store, first);
        out.write(&header)?;
        for frame in &job.frames {
            for position in frame.first..=frame.last() {
                let record = frame.record(position).map_err(|malformed| io::Error::other(malformed.0))?;
                if let Some(block) = builder.add(record) {
                    out.write(&block)?;
                }
            }
        }
        let (end, blocks) = builder.finish();
        out.write(&end)?;
        out.flush()?;
        Ok((out.offset, blocks))
    }

    /// Keeps files of the usual size for reuse and removes others. Failing costs space only.
    fn recycle(&self, numbers: std::ops::Range<u64>) {
        recycle(&*self.disk, &self.dir, self.shared.settings.wal_file_bytes, &self.free, numbers);
    }
}

/// Sorts files whose events are sealed into those to use again and those to remove.
pub(crate) fn recycle(
    disk: &dyn Disk,
    dir: &std::path::Path,
    usual: usize,
    free: &FreeFiles,
    numbers: impl Iterator<Item = u64>,
) {
    for number in numbers {
        let path = dir.join("wal").join(wal_files::file_name(number));
        match disk.open(&path).and_then(|file| file.length()) {
            Ok(length) if length == usual as u64 => free.lock().push(number),
            Ok(_) => drop(disk.remove(&path)),
            Err(_) => {}
        }
    }
}

/// A file written from front to back in large pieces.
struct Output<'a> {
    file: &'a dyn DiskFile,
    buffer: Vec<u8>,
    offset: u64,
}

impl Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < 1 << 20 { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(&self.buffer, self.offset)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
