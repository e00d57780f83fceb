//! Files that the manifest does not name: what an interrupted step left behind, and what is none of the store's.
//!
//! Only what a step is known to leave behind is removed; anything else is refused by name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use factlog_core::{Error, Result};

use crate::manifest::Manifest;
use crate::sealer;
use crate::storage::{self, Disk};
use crate::wal_files::FreeFiles;

/// What an interrupted step left behind, and what can be used again.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    remove: Vec<PathBuf>,
    reusable: Vec<u64>,
}

/// Sorts the files that the manifest does not need. Nothing is changed. `goes_on` says whether the write-ahead log
/// has what follows the sealed log.
///
/// # Errors
/// `Corrupt` for a file that a newer manifest must have named, or that is not the store's.
pub(crate) fn find(disk: &dyn Disk, dir: &Path, manifest: &Manifest, goes_on: bool) -> Result<Leftovers> {
    let list = |path: &Path| disk.list(path).map_err(|cause| storage::failed("list", path, cause));
    let mut found = Leftovers::default();
    let segments = dir.join("segments");
    let name_of = crate::segment::file_name;
    let sealed: HashSet<_> = manifest.segments.iter().map(|entry| name_of(entry.first)).collect();
    for name in list(&segments)? {
        let path = segments.join(&name);
        if name.ends_with(".tmp") || (goes_on && name == name_of(manifest.sealed() + 1)) {
            found.remove.push(path);
        } else if !sealed.contains(&name) {
            return Err(unnamed(&path));
        }
    }
    let wal = dir.join("wal");
    for name in list(&wal)? {
        let path = wal.join(&name);
        match crate::wal_files::number_of(&name) {
            None if name.ends_with(".tmp") => found.remove.push(path),
            None => return Err(unnamed(&path)),
            Some(number) if number < manifest.wal_first => found.reusable.push(number),
            Some(number) if number <= manifest.wal_last => {}
            // It was made ready and not used: recovery would have found its first frame.
            Some(_) => found.remove.push(path),
        }
    }
    Ok(found)
}

impl Leftovers {
    /// Removes what an interrupted step left behind, and puts files that can be used again to those that are free.
    pub(crate) fn clean_up(
        self,
        disk: &dyn Disk,
        dir: &Path,
        useless_runs: &[PathBuf],
        usual: usize,
        free: &FreeFiles,
    ) -> Result<()> {
        for path in self.remove.iter().chain(useless_runs) {
            disk.remove(path).map_err(|cause| storage::failed("remove", path, cause))?;
        }
        sealer::recycle(disk, dir, usual, free, self.reusable.into_iter());
        Ok(())
    }
}

/// A file that nothing explains.
fn unnamed(path: &Path) -> Error {
    let path = path.display();
    Error::corrupt(format!(
        "MANIFEST does not know {path}: if it is the store's, MANIFEST is older than the log, so restore its newest copy; \
         if not, move the file elsewhere"
    ))
}
