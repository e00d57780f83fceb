//! The index over the sealed log: which runs there are, and where none is whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_core::Result;
use uuid::Uuid;

use crate::damage::Damage;
use crate::run::{self, Pages, Run, RunName, Wrong};
use crate::segment::Segment;
use crate::storage::{self, Disk};
use crate::view::Slot;

/// What was found.
pub(super) struct Index {
    /// One slot after the other over all segments.
    pub(super) slots: Vec<Slot>,
    /// Files inside what a larger run covers, and files that are not whole.
    pub(super) useless: Vec<PathBuf>,
    pub(super) notes: Vec<Damage>,
}

/// Opens the runs that cover the segments, the largest first.
pub(super) fn load(
    disk: &dyn Disk,
    dir: &Path,
    store: Uuid,
    segments: &[Segment],
    pages: &Arc<Pages>,
) -> Result<Index> {
    let dir = dir.join("index");
    let names = storage::list_if_any(disk, &dir)?;
    let mut found = Index { slots: Vec::new(), useless: Vec::new(), notes: Vec::new() };
    let mut runs: Vec<RunName> = Vec::new();
    for name in names {
        match run::parse_name(&name) {
            Some(name) => runs.push(name),
            None if name.ends_with(".tmp") => found.useless.push(dir.join(name)),
            // It is somebody's, and in nobody's way.
            None => {}
        }
    }
    runs.sort_unstable_by_key(|name| {
        (name.first, std::cmp::Reverse(name.last), std::cmp::Reverse(name.level))
    });
    let mut next = 1;
    for name in runs {
        let path = dir.join(run::file_name(name));
        if name.first < next || !is_aligned(name, segments) {
            found.useless.push(path);
            continue;
        }
        let file = disk.open(&path).map_err(|cause| storage::failed("open", &path, cause))?;
        match Run::open(store, name, file, pages.clone()) {
            Ok(run) => {
                found.fill(segments, next, name.first);
                next = name.last + 1;
                found.slots.push(Slot::ready(Arc::new(run)));
            }
            Err(Wrong::Io(cause)) => return Err(storage::failed("read", &path, cause)),
            Err(Wrong::Malformed { offset, what }) => {
                let what = format!("{what}; the index is built again from the log");
                found.notes.push(Damage::new(run::relative_path(name), offset, (1, 0), what));
                found.useless.push(path);
            }
        }
    }
    let end = segments.last().map_or(1, |segment| segment.entry.last + 1);
    found.fill(segments, next, end);
    Ok(found)
}

impl Index {
    /// Segments of `from..to` have no run.
    fn fill(&mut self, segments: &[Segment], from: u64, to: u64) {
        let lost = segments.iter().filter(|segment| from <= segment.entry.first && segment.entry.first < to);
        for segment in lost {
            self.slots.push(Slot::lost(segment.entry.first, segment.entry.last));
            let name = run::relative_path(RunName {
                level: 0,
                first: segment.entry.first,
                last: segment.entry.last,
            });
            let what = "no index covers these positions; it is built again from their segment";
            self.notes.push(Damage::new(name, 0, (1, 0), what));
        }
    }
}

/// Whether a run covers whole segments.
fn is_aligned(name: RunName, segments: &[Segment]) -> bool {
    let begins = segments.binary_search_by_key(&name.first, |segment| segment.entry.first).is_ok();
    begins && segments.binary_search_by_key(&name.last, |segment| segment.entry.last).is_ok()
}
