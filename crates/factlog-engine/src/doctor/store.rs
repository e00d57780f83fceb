//! The store itself: is there one, who has it, what its files are, and what opening it would find.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Error, ErrorKind, Timestamp};

use super::words::{bytes, counted, grouped, nanos, time};
use super::{Finding, Level, Notes};
use crate::damage::Damage;
use crate::manifest::{self, Manifest};
use crate::recovery::{self, Recovered};
use crate::run::{self, Pages};
use crate::settings::Settings;
use crate::storage::LocalDisk;
use crate::storage::survey::{self, Held, Stopwatch};
use crate::{identity, leftovers, open};

/// Damaged places that are findings of their own; the rest is counted.
const PLACES: usize = 10;

/// What later checks need to know.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) events: u64,
    pub(super) bytes: u64,
    /// Index runs.
    pub(super) runs: u64,
    pub(super) last_recorded_at: Option<Timestamp>,
}

impl Known {
    /// What an event takes on the disk, without the write-ahead files, which are recycled.
    pub(super) fn bytes_per_event(&self) -> Option<f64> {
        (0 < self.events && 0 < self.bytes).then(|| self.bytes as f64 / self.events as f64)
    }
}

/// Names and sizes in a store's directories.
struct Files {
    wal: Vec<(String, u64)>,
    segments: Vec<(String, u64)>,
    index: Vec<(String, u64)>,
    temporary: u64,
}

/// Looks at the store in a directory, if there is one.
pub(super) fn look(dir: &Path, settings: &Settings, notes: &mut Notes<'_>) -> Known {
    let mut known = Known::default();
    if !there_is_one(dir, notes) {
        return known;
    }
    let lock = match survey::share_lock(&dir.join("LOCK")) {
        Ok(lock) => lock,
        Err(cause) => {
            notes.add(Finding::unknown("lock", "look whether the store is open", &cause));
            Held::Yes
        }
    };
    let open = matches!(lock, Held::Yes);
    if open {
        let found =
            "the store is open, here or in another process: what it does not say in its files was left out";
        notes.add(Finding::fine("lock", found).with([("open", 1)]));
    } else {
        notes.add(Finding::fine("lock", "nobody has the store open").with([("open", 0)]));
    }
    let Some(manifest) = identity_and_manifest(dir, notes) else { return known };
    let recovered = if open { None } else { recover(dir, settings, notes) };
    // Recovery knows what a lost copy of the manifest knew.
    let manifest = recovered.as_ref().map_or(&manifest, |found| &found.state.manifest);
    known.last_recorded_at =
        manifest.segments.last().map(|segment| Timestamp::from_micros(segment.last_recorded_at));
    known.events = manifest.sealed();
    match files(dir) {
        Ok(files) => sizes(&files, manifest, open, &mut known, notes),
        Err(cause) => notes.add(Finding::unknown("files", "list the files of the store", &cause)),
    }
    if let Some(found) = recovered {
        known.last_recorded_at = found.state.last_time.map(Timestamp::from_micros);
        opening(dir, &found, notes);
    } else if open {
        let found = "not looked at while the store is open: damage, and how long opening takes";
        let finding = Finding::new("opening", Level::Unknown, found);
        notes.add(finding.advise("ask again when it is closed"));
    }
    drop(lock);
    known
}

/// Whether there is a store, or why there is none.
fn there_is_one(dir: &Path, notes: &mut Notes<'_>) -> bool {
    const CHECK: &str = "store";
    if !survey::is_directory(dir) {
        notes.add(Finding::fine(CHECK, "there is none yet; opening makes one"));
        return false;
    }
    let names: Vec<String> = match survey::sizes(dir) {
        Ok(found) => found.into_iter().map(|(name, _)| name).collect(),
        Err(cause) => {
            notes.add(Finding::unknown(CHECK, "list the directory", &cause));
            return false;
        }
    };
    if identity::is_store(&names) {
        return true;
    }
    let has = |name: &str| survey::sizes(&dir.join(name)).is_ok_and(|found| !found.is_empty());
    notes.add(if let Some(foreign) = open::foreign(&names) {
        Finding::new(
            CHECK,
            Level::Problem,
            format!("there is none, and the directory is not empty ({foreign})"),
        )
        .advise("name another directory, or correct the name")
    } else if has("wal") || has("segments") {
        Finding::new(CHECK, Level::Problem, "there is a log, and the file STORE is missing")
            .advise("restore STORE from a copy of this store")
    } else {
        Finding::fine(CHECK, "there is none yet; opening makes one")
    });
    false
}

fn identity_and_manifest(dir: &Path, notes: &mut Notes<'_>) -> Option<Manifest> {
    let store = match identity::read(&LocalDisk, dir) {
        Ok(store) => store,
        Err(error) => {
            notes.add(failed("store", "read STORE", &error));
            return None;
        }
    };
    notes.add(Finding::fine("store", format!("{store}, format version 1")));
    match manifest::read(&LocalDisk, dir, store) {
        Ok((manifest, problems)) if problems.is_empty() => {
            let text = format!("both copies are whole, change {}", grouped(manifest.sequence));
            notes.add(Finding::fine("manifest", text).with([("sequence", manifest.sequence)]));
            Some(manifest)
        }
        Ok((manifest, problems)) => {
            for problem in &problems {
                notes.add(mendable("manifest", problem));
            }
            Some(manifest)
        }
        Err(error) => {
            notes.add(failed("manifest", "read the manifest", &error));
            None
        }
    }
}

fn files(dir: &Path) -> std::io::Result<Files> {
    let list = |name: &str| match survey::sizes(&dir.join(name)) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    };
    let (wal, segments, index) = (list("wal")?, list("segments")?, list("index")?);
    let top = survey::sizes(dir)?;
    let all = wal.iter().chain(&segments).chain(&index).chain(&top);
    let temporary = all.filter(|(name, _)| name.ends_with(".tmp")).count() as u64;
    Ok(Files { wal, segments, index, temporary })
}

/// How many files of each kind there are, and how large they are.
fn sizes(files: &Files, manifest: &Manifest, open: bool, known: &mut Known, notes: &mut Notes<'_>) {
    let sum = |files: &[(String, u64)]| files.iter().map(|(_, bytes)| bytes).sum::<u64>();
    let (segments, index, wal) = (sum(&files.segments), sum(&files.index), sum(&files.wal));
    let count = manifest.segments.len() as u64;
    let events = manifest.sealed();
    let text =
        format!("{} with {}, {}", counted(count, "segment"), counted(events, "event"), bytes(segments));
    let figures = [("segments", count), ("events", events), ("segment_bytes", segments)];
    notes.add(Finding::fine("segments", text).with(figures));

    known.runs = files.index.iter().filter(|(name, _)| run::parse_name(name).is_some()).count() as u64;
    let text = format!("{}, {}", counted(known.runs, "run"), bytes(index));
    notes.add(Finding::fine("index", text).with([("index_runs", known.runs), ("index_bytes", index)]));

    let text = format!("{}, {}", counted(files.wal.len() as u64, "file"), bytes(wal));
    let figures = [("wal_files", files.wal.len() as u64), ("wal_bytes", wal)];
    notes.add(Finding::fine("wal", text).with(figures));
    if 0 < files.temporary && !open {
        let text = format!(
            "{} of interrupted steps; the next opening removes them",
            counted(files.temporary, "file")
        );
        notes.add(Finding::fine("leftovers", text).with([("temporary_files", files.temporary)]));
    }
    known.bytes = segments + index;
}

/// What opening would find, and what finding it took.
struct Found {
    state: Recovered,
    took: Duration,
    read: u64,
}

/// Does what opening does up to its first write.
fn recover(dir: &Path, settings: &Settings, notes: &mut Notes<'_>) -> Option<Found> {
    let pages = Arc::new(Pages::new(settings.index_cache_bytes, settings.filter_bytes));
    let mut read = 0;
    let watch = Stopwatch::start();
    match recovery::load(&LocalDisk, dir, &pages, &mut |now| read = now.bytes_done) {
        Ok(state) => Some(Found { state, took: watch.elapsed(), read }),
        Err(error) => {
            notes.add(failed("opening", "read what opening reads", &error));
            None
        }
    }
}

/// Says what opening would find.
fn opening(dir: &Path, found: &Found, notes: &mut Notes<'_>) {
    let Found { took, read, state } = found;
    let Recovered { manifest, head, damage, notes: mendables, wal_bytes, .. } = state;
    let (took, read, head, wal_bytes) = (*took, *read, *head, *wal_bytes);
    let tail = head.saturating_sub(manifest.sealed());
    let text = format!(
        "takes {}: {} of write-ahead files with {} in {} not sealed yet",
        time(took),
        bytes(read),
        counted(tail, "event"),
        bytes(wal_bytes)
    );
    let figures =
        [("opening_ns", nanos(took)), ("read_bytes", read), ("tail_bytes", wal_bytes), ("tail_events", tail)];
    notes.add(Finding::fine("opening", text).with(figures));
    for place in damage.iter().take(PLACES) {
        notes.add(
            Finding::new("damage", Level::Problem, place.to_string())
                .advise("keep the directory as it is, run `factlog verify`, restore the file from a copy"),
        );
    }
    // The manifest's copies had their turn.
    let mendables: Vec<_> =
        mendables.iter().filter(|place| !manifest::FILES.contains(&place.file.as_str())).collect();
    mendables.iter().take(PLACES).for_each(|place| notes.add(mendable("mendable", place)));
    let more = damage.len().saturating_sub(PLACES) + mendables.len().saturating_sub(PLACES);
    if 0 < more {
        let text = format!("and {} besides", counted(more as u64, "place"));
        notes.add(Finding::new("mendable", Level::Warning, text).advise("`factlog verify` names them all"));
    }
    if let Err(error) = leftovers::find(&LocalDisk, dir, manifest, manifest.sealed() < head) {
        notes.add(failed("leftovers", "tell what all files are", &error));
    }
}

/// Damage that takes nothing away.
fn mendable(check: &'static str, place: &Damage) -> Finding {
    Finding::new(check, Level::Warning, place.to_string())
        .advise("open the store for writing, which mends it; where it comes back, replace the disk")
}

/// What an error means: damage is a problem, and a refusal leaves us without an answer.
fn failed(check: &'static str, tried: &str, error: &Error) -> Finding {
    match error.kind() {
        ErrorKind::Corrupt => Finding::new(check, Level::Problem, error.to_string())
            .advise("keep the directory as it is, and restore the file from a copy"),
        _ => Finding::unknown(check, tried, error),
    }
}
