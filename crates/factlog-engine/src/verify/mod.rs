//! Verifying a store: its checksums and orders, without opening it for writing.
//!
//! A full verification reads every byte, and holds the log against the index: a sum over all postings that the
//! records give must be the sum that the runs keep, and the revisions that records say must be those that the index
//! counts. A sample reads some blocks of every segment and looks their events up. Memory does not grow with the log.

mod index;
mod log;
mod sample;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use factlog_core::{Error, ErrorKind, Position, Result};

use crate::damage::Damage;
use crate::identity;
use crate::leftovers;
use crate::open::{self, lock};
use crate::recovery::{self, Recovered};
use crate::run::Pages;
use crate::storage::{self, Disk, LocalDisk};

/// Pages of the index kept in memory, in bytes.
const PAGES_BYTES: u64 = 16 << 20;

/// How far a long scan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read so far.
    pub bytes_done: u64,
    /// Bytes there are to read, as far as is known.
    pub bytes_total: u64,
}

/// How much of a store is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extent {
    /// Every byte.
    Full,
    /// All that opening reads, and some blocks of every segment with their place in the index.
    Sample {
        /// How many of a segment's blocks, in hundredths: above 0, at most 100. At least one is read.
        percent: f64,
        /// Which ones: another seed reads others.
        seed: u64,
    },
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Events that can be served, as far as was looked.
    pub events: u64,
    /// The last position.
    pub head: Option<Position>,
    /// Sealed segments.
    pub segments: u64,
    /// Index files.
    pub runs: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Every damaged place that takes events away or keeps the store from being written, in the order of the log.
    pub damage: Vec<Damage>,
    /// What is damaged or missing and takes nothing away: the next opening mends it from the rest of the store, of index
    /// files that are there after [`mend`] has removed them.
    pub mendable: Vec<Damage>,
}

impl Report {
    /// Whether everything is as it was written.
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty() && self.mendable.is_empty()
    }
}

/// Checks a store: checksums of every part that is read, dense positions, revisions and times in order, and that the
/// index says what the log says.
///
/// It changes no file but LOCK, which it holds while it runs.
///
/// # Errors
/// `Unavailable` when another process has the store open or files cannot be read; `Invalid` when the directory is no
/// store, or a sample is not above 0 and at most 100 percent. Damage is no error: it is in the report.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// use factlog_engine::{Engine, Extent, Settings, verify};
/// drop(Engine::open(dir.path(), Settings::default())?);
/// let report = verify(dir.path(), Extent::Full, &mut |_progress| {})?;
/// assert!(report.is_clean());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify(dir: &Path, extent: Extent, progress: &mut dyn FnMut(Progress)) -> Result<Report> {
    if let Extent::Sample { percent, .. } = extent
        && !(0.0 < percent && percent <= 100.0)
    {
        return Err(Error::invalid(format!(
            "a sample of {percent} percent; it must be above 0, and at most 100"
        )));
    }
    verify_on(&LocalDisk, dir, extent, progress)
}

/// The same on any disk.
pub(crate) fn verify_on(
    disk: &dyn Disk,
    dir: &Path,
    extent: Extent,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report> {
    if !open::is_store(disk, dir)? {
        if !["wal", "segments"]
            .iter()
            .any(|name| disk.list(&dir.join(name)).is_ok_and(|names| !names.is_empty()))
        {
            return Err(Error::invalid(format!("{} is no factlog store", dir.display())));
        }
        return Ok(unreadable("the file is missing; restore it from a copy".to_owned()));
    }
    let _lock = lock(disk, dir)?;
    match identity::read(disk, dir) {
        Ok(_) => Check::new(disk, dir, progress)?.run(extent),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(unreadable(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Removes the index files that a verification found to be damaged or wrong; the next opening for writing builds them
/// again from the log. Everything else in [`Report::mendable`] the next opening puts right by itself.
///
/// Returns how many files it removed. `Ok` promises that they are gone for good. The log is not touched.
///
/// # Errors
/// `Invalid` for a report with damage, since an index cannot be built from a damaged log: restore the log first.
/// `Unavailable` when another process has the store open, or the disk refuses.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// use factlog_engine::{Engine, Extent, Settings, mend, verify};
/// drop(Engine::open(dir.path(), Settings::default())?);
/// let report = verify(dir.path(), Extent::Full, &mut |_progress| {})?;
/// assert_eq!(mend(dir.path(), &report)?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn mend(dir: &Path, report: &Report) -> Result<u64> {
    if let Some(damage) = report.damage.first() {
        return Err(Error::invalid(format!(
            "the log is damaged, and no index can be built from it: {damage}"
        )));
    }
    let disk = LocalDisk;
    let _lock = lock(&disk, dir)?;
    let index = dir.join("index");
    let known: HashSet<_> = report.mendable.iter().map(|damage| damage.file.as_str()).collect();
    let names = disk.list(&index).map_err(|cause| storage::failed("list", &index, cause))?;
    let mut removed = 0;
    for name in names.iter().filter(|name| known.contains(format!("index/{name}").as_str())) {
        let path = index.join(name);
        disk.remove(&path).map_err(|cause| storage::failed("remove", &path, cause))?;
        removed += 1;
    }
    disk.sync_dir(&index).map_err(|cause| storage::failed("make durable", &index, cause))?;
    Ok(removed)
}

/// The report of a store whose identity is lost.
fn unreadable(what: String) -> Report {
    Report { damage: vec![Damage::new("STORE", 0, (1, 0), what)], ..Report::default() }
}

/// A verification under way.
struct Check<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    recovered: Recovered,
    progress: &'a mut dyn FnMut(Progress),
    bytes_done: u64,
    bytes_total: u64,
}

impl<'a> Check<'a> {
    /// Reads what opening reads.
    fn new(disk: &'a dyn Disk, dir: &'a Path, progress: &'a mut dyn FnMut(Progress)) -> Result<Self> {
        let pages = Arc::new(Pages::new(PAGES_BYTES, 0));
        let mut bytes_done = 0;
        let recovered = recovery::load(disk, dir, &pages, &mut |now| bytes_done = now.bytes_done)?;
        let segments = recovered.view.segments.iter().map(|segment| segment.entry.bytes).sum::<u64>();
        let runs = recovered.view.slots.iter().filter_map(|slot| slot.run.as_ref());
        let bytes_total = bytes_done + segments + runs.map(|run| run.bytes()).sum::<u64>();
        Ok(Self { disk, dir, recovered, progress, bytes_done, bytes_total })
    }

    fn advance(&mut self, bytes: u64) {
        self.bytes_done += bytes;
        let (bytes_done, bytes_total) = (self.bytes_done, self.bytes_total.max(self.bytes_done));
        (self.progress)(Progress { bytes_done, bytes_total });
    }

    fn run(mut self, extent: Extent) -> Result<Report> {
        let goes_on = self.recovered.manifest.sealed() < self.recovered.head;
        if let Err(error) = leftovers::find(self.disk, self.dir, &self.recovered.manifest, goes_on) {
            self.recovered.damage.push(Damage::new("the directory", 0, (1, 0), error.to_string()));
        }
        match extent {
            Extent::Full => {
                self.index()?;
                self.log()?;
            }
            Extent::Sample { percent, seed } => self.sample(percent, seed)?,
        }
        let Recovered { view, head, mut damage, notes, .. } = self.recovered;
        damage.sort_by_key(|damage| damage.lost().map_or(0, |(first, _)| first));
        let lost = damage.iter().filter_map(Damage::lost).map(|(first, last)| last - first + 1);
        Ok(Report {
            events: head.saturating_sub(lost.sum()),
            head: Position::new(head),
            segments: view.segments.len() as u64,
            runs: view.slots.iter().filter(|slot| slot.run.is_some()).count() as u64,
            bytes: self.bytes_done,
            damage,
            mendable: notes,
        })
    }

    /// Opens a segment's file; `None` if it is missing, which recovery has told.
    fn segment_file(&self, segment: &crate::segment::Segment) -> Result<Option<Box<dyn storage::DiskFile>>> {
        let path = self.dir.join(segment.path());
        match self.disk.open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(storage::failed("open", &path, cause)),
        }
    }
}
