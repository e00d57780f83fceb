//! Verifying a store: every byte read, every checksum and order checked, without opening it for writing.

use std::path::Path;

use factlog_core::{Error, ErrorKind, Position, Result};

use crate::damage::Damage;
use crate::manifest;
use crate::open::{self, lock};
use crate::recovery;
use crate::storage::{Disk, LocalDisk};

/// How far a long scan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read so far.
    pub bytes_done: u64,
    /// Bytes there are to read, as far as is known.
    pub bytes_total: u64,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Events that can be served.
    pub events: u64,
    /// The last position.
    pub head: Option<Position>,
    /// Sealed segments that could be read.
    pub segments: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Every damaged place, in the order of the log.
    pub damage: Vec<Damage>,
}

impl Report {
    /// Whether everything is as it was written.
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty()
    }
}

/// Reads and checks a whole store: checksums of every part, dense positions, revisions and times in order.
///
/// It changes no file but LOCK, which it holds while it runs.
///
/// # Errors
/// `Unavailable` when another process has the store open or files cannot be read; `Invalid` when the directory is no store.
/// Damage is no error: it is in the report.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// use factlog_engine::{Engine, Settings, verify};
/// drop(Engine::open(dir.path(), Settings::default())?);
/// let report = verify(dir.path(), &mut |_progress| {})?;
/// assert!(report.is_clean());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify(dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Report> {
    let disk = LocalDisk;
    if !open::is_store(&disk, dir)? {
        if !["wal", "segments"]
            .iter()
            .any(|name| disk.list(&dir.join(name)).is_ok_and(|names| !names.is_empty()))
        {
            return Err(Error::invalid(format!("{} is no factlog store", dir.display())));
        }
        let damage = vec![Damage::new("STORE", 0, (1, 0), "the file is missing; restore it from a copy")];
        return Ok(Report { damage, ..Report::default() });
    }
    let _lock = lock(&disk, dir)?;
    let mut bytes = 0;
    let mut watch = |now: Progress| {
        bytes = now.bytes_done;
        progress(now);
    };
    match recovery::load(&disk, dir, &mut watch) {
        Ok(mut recovered) => {
            if let Err(error) = open::leftovers(&disk, dir, &recovered.manifest) {
                recovered.damage.push(Damage::new("MANIFEST", 0, (1, 0), error.to_string()));
            }
            let lost = recovered.damage.iter().filter_map(Damage::lost).map(|(first, last)| last - first + 1);
            let head = recovered.index.last;
            Ok(Report {
                events: head.saturating_sub(lost.sum()),
                head: Position::new(head),
                segments: recovered.segments.len() as u64,
                bytes,
                damage: recovered.damage,
            })
        }
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            let file = if manifest::read_store(&disk, dir).is_err() { "STORE" } else { "MANIFEST" };
            let damage = vec![Damage::new(file, 0, (1, 0), error.to_string())];
            Ok(Report { damage, ..Report::default() })
        }
        Err(error) => Err(error),
    }
}
