//! The sealed part of the log: which segments there are, those that a lost manifest knew among them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use factlog_core::Result;

use crate::damage::Damage;
use crate::manifest::Manifest;
use crate::segment::{self, Segment};
use crate::storage::{self, Disk};

/// Takes in whole segments that continue the sealed log though the manifest does not name them: a crash came before
/// the manifest, or its newest copy is lost.
pub(super) fn adopt(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &mut Manifest,
    notes: &mut Vec<Damage>,
) -> Result<()> {
    loop {
        let first = manifest.sealed() + 1;
        let path = dir.join("segments").join(segment::file_name(first));
        let file = match disk.open(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(storage::failed("open", &path, cause)),
        };
        let name = format!("segments/{}", segment::file_name(first));
        let found = Segment::describe(manifest.store, &*file).and_then(|description| {
            let entry = description.entry();
            let segment = Segment::new(manifest.store, entry);
            Ok((entry, segment.tracking(&*file)?))
        });
        match found {
            Ok((entry, tracking)) if entry.first == first => {
                manifest.segments.push(entry);
                manifest.tracking = Arc::new(tracking);
            }
            Ok(_) => {
                notes.push(Damage::new(name, 0, (1, 0), "it is another segment's file; it is not in use"));
                return Ok(());
            }
            Err(wrong) => {
                // Its events are in the write-ahead log still, or opening refuses it.
                let Damage { offset, what, .. } = wrong.to_damage(&name);
                notes.push(Damage::new(name, offset, (1, 0), format!("{what}; it is not in use")));
                return Ok(());
            }
        }
    }
}

/// The segments that the manifest names, and those of them whose files are missing.
pub(super) fn segments(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
) -> Result<(Vec<Segment>, Vec<Damage>)> {
    let path = dir.join("segments");
    let names = disk.list(&path).map_err(|cause| storage::failed("list", &path, cause))?;
    let names: HashSet<_> = names.into_iter().collect();
    let mut damage = Vec::new();
    let mut segments = Vec::with_capacity(manifest.segments.len());
    for entry in &manifest.segments {
        let name = segment::file_name(entry.first);
        if !names.contains(&name) {
            let lost = (entry.first, entry.last);
            damage.push(Damage::new(format!("segments/{name}"), 0, lost, "the file is missing"));
        }
        segments.push(Segment::new(manifest.store, *entry));
    }
    Ok((segments, damage))
}
