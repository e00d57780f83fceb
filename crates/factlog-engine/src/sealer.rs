//! The sealer: writes a generation into an immutable segment with its index run and frees its write-ahead files.
//!
//! Order matters: the run and the segment are written and durable, then the manifest names the segment and no longer
//! needs the files, then readers see it, then both copies of the manifest are so, then the files are free. A crash
//! between two steps leaves a store whose next opening finishes the step, or undoes it. A failed step is repeated from
//! the start with a new file.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use factlog_core::{Error, Position, Result, TrackingSource};
use parking_lot::{Condvar, Mutex};

use crate::fields::Malformed;
use crate::manifest::{ManifestFile, SegmentEntry};
use crate::run::{self, Built, RunBuilder, RunName, keys};
use crate::segment::{self, Builder, Codec, DictionaryPolicy, FileSink, Segment};
use crate::settings::Compression;
use crate::shared::Shared;
use crate::storage::{self, Disk, DiskFile};
use crate::tail::{Generation, Kind};
use crate::view::Slot;
use crate::wal_files::{self, FreeFiles};

/// How long to wait after a failure before trying again, unless somebody waits for it.
const PAUSE: Duration = Duration::from_secs(1);

/// A generation to seal.
#[derive(Clone, Debug)]
pub(crate) struct SealJob {
    pub(crate) generation: Arc<Generation>,
    /// Tracking as of its last event.
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
    /// The dictionary of the last segment; empty if it had none.
    pub(crate) dictionary: Mutex<Bytes>,
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
    /// The sealer itself, where it has no thread.
    stepped: Option<Sealer>,
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
        Ok(Self { desk, thread: Some(thread), stepped: None })
    }

    /// A sealer without a thread, which works when it is told to.
    #[cfg(feature = "simulation")]
    pub(crate) fn stepped(sealer: Sealer) -> Self {
        Self { desk: Arc::default(), thread: None, stepped: Some(sealer) }
    }

    /// Does the job at hand, if there is one and no thread does it. Says whether there was.
    pub(crate) fn step(&self) -> bool {
        let job = self.desk.inner.lock().job.clone();
        match (&self.stepped, job) {
            (Some(sealer), Some(job)) => {
                self.desk.work_on(sealer, job);
                true
            }
            (None, _) | (_, None) => false,
        }
    }

    /// Whether a job can be handed over.
    pub(crate) fn is_idle(&self) -> bool {
        let inner = self.desk.inner.lock();
        inner.job.is_none() && !inner.dead
    }

    /// Waits until the job at hand is done. One that failed is tried again at once.
    ///
    /// # Errors
    /// The failure of the last attempt; another one is under way.
    pub(crate) fn wait(&self) -> Result<()> {
        self.desk.inner.lock().failed = None;
        self.desk.changed.notify_all();
        self.step();
        let mut inner = self.desk.inner.lock();
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
                    if inner.failed.is_none() {
                        self.changed.wait(&mut inner);
                    } else if self.changed.wait_for(&mut inner, PAUSE).timed_out() {
                        inner.failed = None;
                    }
                }
            };
            self.work_on(sealer, job);
        }
    }

    fn work_on(&self, sealer: &Sealer, job: Arc<SealJob>) {
        let done = sealer.seal(&job);
        drop(job);
        let mut inner = self.inner.lock();
        match done {
            Ok(()) => {
                inner.job = None;
                sealer.shared.sealing.store(false, Ordering::Release);
            }
            Err(error) => inner.failed = Some(error),
        }
        self.changed.notify_all();
    }
}

impl Sealer {
    fn seal(&self, job: &SealJob) -> Result<()> {
        let generation = &*job.generation;
        let (first, last) = (generation.first(), generation.last());
        if last < first {
            return Ok(());
        }
        let path = self.dir.join("segments").join(segment::file_name(first));
        let tracking: Arc<BTreeMap<_, _>> =
            Arc::new(job.tracking.iter().map(|(source, &position)| (source.clone(), position)).collect());
        let entry = self
            .write_segment(generation, &tracking, &path)
            .map_err(|cause| storage::failed("write the segment", &path, cause))?;
        let name = RunName { level: 0, first, last };
        let run = self.shared.write_run(name, |file| self.fill_run(generation, name, file));
        let run = run.map_err(|cause| {
            storage::failed("write the index", &self.dir.join(run::relative_path(name)), cause)
        })?;
        let mut freed = 0..0;
        self.manifest.update(|manifest| {
            manifest.segments.push(entry);
            freed = manifest.wal_first..job.wal_first;
            manifest.wal_first = job.wal_first + u64::from(planted!(FreeOneFileTooMany));
            if planted!(TrackingNotSealed) {
                return;
            }
            manifest.tracking = tracking.clone();
        })?;
        let segment = Segment::new(self.shared.store, entry);
        self.shared.change_view(|view| Some(view.with_sealed(segment, Slot::ready(run))));
        self.shared.background.wake();
        // The other copy still names the files: who has only that one must find them. Failing costs space only.
        if self.manifest.update(|_| {}).is_ok() {
            self.recycle(freed);
        }
        Ok(())
    }

    /// Writes the segment's file under its final name, durably.
    fn write_segment(
        &self,
        generation: &Generation,
        tracking: &BTreeMap<TrackingSource, Position>,
        path: &Path,
    ) -> io::Result<SegmentEntry> {
        let dir = self.dir.join("segments");
        let temporary = dir.join("next.tmp");
        let mut written = None;
        storage::write_or_remove(&*self.disk, &temporary, |file| {
            let sink = FileSink::new(file);
            let first = generation.first();
            let mut builder = Builder::new(self.shared.store, first, self.segment_settings(), sink);
            for (frame, _) in generation.frames() {
                for position in frame.first..=frame.last() {
                    let malformed = |what: Malformed| io::Error::other(what.0);
                    let record = frame.record(position).map_err(malformed)?;
                    builder.add(record)?;
                }
            }
            let description = builder.finish(tracking)?;
            let segment = Segment::new(self.shared.store, description.entry());
            // A segment that cannot give its dictionary back is not whole, and is written again.
            let dictionary = segment.dictionary_bytes(file, &description);
            *self.dictionary.lock() =
                dictionary.map_err(|wrong| io::Error::other(format!("{wrong:?}")))?.into();
            written = Some(description);
            if planted!(SkipSegmentSync) { Ok(()) } else { file.sync() }
        })?;
        self.disk.rename(&temporary, path)?;
        if !planted!(SkipSegmentDirectorySync) {
            self.disk.sync_dir(&dir)?;
        }
        written.map(|description| description.entry()).ok_or_else(|| io::Error::other("nothing was written"))
    }

    /// Writes the index run of a generation, as a rebuild from its segment would.
    fn fill_run(&self, generation: &Generation, name: RunName, file: &dyn DiskFile) -> io::Result<Built> {
        let mut ids: Vec<_> = generation
            .commits()
            .map(|(id, commit)| (keys::id_hash(keys::seed(self.shared.store), &id), commit.first))
            .collect();
        ids.sort_unstable();
        let kinds = [Kind::Stream, Kind::Category, Kind::Type, Kind::Tag];
        let expected = kinds.iter().map(|&kind| generation.distinct(kind, generation.last())).sum();
        let mut builder = RunBuilder::new(self.shared.store, name, expected, ids.len() as u64, file);
        generation.visit_keys(|key, base, positions| {
            if planted!(SealForgetsTags) && key.first() == Some(&keys::TAG) {
                return Ok(());
            }
            builder.key(key, base, positions.iter().map(|&position| Ok::<_, io::Error>(position)))
        })?;
        ids.into_iter().try_for_each(|(hash, position)| builder.id(hash, position))?;
        builder.finish()
    }

    fn segment_settings(&self) -> segment::Settings {
        let codec = match self.shared.settings.compression {
            Compression::Zstd => Codec::Dense,
            Compression::None => Codec::Raw,
        };
        // Learning a dictionary takes as long as compressing does; what the segment before had will usually do.
        let before = self.dictionary.lock().clone();
        let dictionary =
            if before.is_empty() { DictionaryPolicy::Train } else { DictionaryPolicy::Reuse(before) };
        segment::Settings { codec, dictionary, ..segment::Settings::default() }
    }

    /// Keeps files of the usual size for reuse and removes others. Failing costs space only.
    fn recycle(&self, numbers: std::ops::Range<u64>) {
        recycle(&*self.disk, &self.dir, self.shared.settings.wal_file_bytes, &self.free, numbers);
    }
}

/// Sorts files whose events are sealed into those to use again and those to remove.
pub(crate) fn recycle(
    disk: &dyn Disk,
    dir: &Path,
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
