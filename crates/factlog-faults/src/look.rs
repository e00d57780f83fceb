//! Looking at a store that nobody has open, without touching it: it is verified in full, and opened as a copy.
//!
//! * The next worker must find what the last one left, not what an opening in between made of it. So what is opened is
//!   a copy: segments, which never change once they have their name, are linked, all others copied.
//! * Verifying comes first: it waits for writes that the system still does for the process that is gone.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use factlog_core::{EventStore, Position, Query, ReadOptions, RecordedEvent};
use factlog_engine::{Engine, Extent, Report, Settings, verify};

/// What is in a store.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) report: Report,
    pub(crate) log: Vec<RecordedEvent>,
}

/// Verifies a store, and reads all of a copy that is made at `copy` and removed again.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn look(store: &Path, copy: &Path) -> Result<Seen> {
    let report = verified(store)?;
    self::copy(store, copy)?;
    let log = read_all(copy).context("a copy of the store cannot be read")?;
    fs::remove_dir_all(copy).context("the copy cannot be removed")?;
    let head = Position::number(report.head);
    ensure!(head == log.len() as u64, "verify says the head is {head}, and {} events are read", log.len());
    Ok(Seen { report, log })
}

/// Verifies a store, which must have no damage.
pub(crate) fn verified(store: &Path) -> Result<Report> {
    let report = verify(store, Extent::Full, &mut |_| {}).context("the store cannot be verified")?;
    if let Some(damage) = report.damage.first() {
        anyhow::bail!("verifying found damage that nobody did: {damage}");
    }
    Ok(report)
}

/// Copies a store, in place of the copy there is.
pub(crate) fn copy(store: &Path, copy: &Path) -> Result<()> {
    if copy.exists() {
        fs::remove_dir_all(copy).context("the last copy is in the way")?;
    }
    reflect(store, copy).context("the store cannot be copied")
}

/// Opens a store, reads all of it, and closes it.
pub(crate) fn read_all(dir: &Path) -> factlog_core::Result<Vec<RecordedEvent>> {
    let engine = Engine::open(dir, Settings::default())?;
    let read = pollster::block_on(engine.read(Query::All, ReadOptions::default()).collect())?;
    pollster::block_on(engine.close())?;
    Ok(read.events)
}

/// What must hold of a log without any history: it is dense, nothing is in it twice, and what was in it once still is.
pub(crate) fn is_sound(log: &[RecordedEvent], before: &[RecordedEvent]) -> Result<()> {
    for (recorded, n) in log.iter().zip(1..) {
        ensure!(recorded.position.get() == n, "position {} stands at place {n}", recorded.position);
    }
    let different: HashSet<_> = log.iter().map(|recorded| recorded.event.id).collect();
    ensure!(
        different.len() == log.len(),
        "{} events, of which {} are there twice",
        log.len(),
        log.len() - different.len()
    );
    let count = before.len();
    ensure!(count <= log.len(), "there were {count} events, and now there are {}", log.len());
    let changed = before.iter().zip(log).find(|(before, now)| before != now);
    ensure!(changed.is_none(), "an event is not what it was: {changed:?}");
    Ok(())
}

/// Copies a store: what never changes is linked.
fn reflect(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            reflect(&entry.path(), &target)?;
        } else if is_fixed(&entry.path()) {
            // Not every file system has links, and none across to another.
            fs::hard_link(entry.path(), &target).or_else(|_| fs::copy(entry.path(), &target).map(drop))?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// A segment has its name only when it is whole, and is never written again.
fn is_fixed(path: &Path) -> bool {
    let parent = path.parent().and_then(Path::file_name);
    parent.is_some_and(|name| name == "segments") && path.extension().is_none_or(|end| end != "tmp")
}
