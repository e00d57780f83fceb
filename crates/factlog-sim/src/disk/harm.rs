//! What harm has been done to files, and what they would be without it.
//!
//! * Harm is what nobody asked for: a turned bit, a write that was lost or stands elsewhere, bytes put over others, a
//!   sector that cannot be read. A crash is no harm: what it takes away nobody was promised.
//! * A file that was harmed is kept twice: as it is, and as it is meant to be. Both have every write, sync and crash
//!   since, with the same draws, so that they differ by the harm that is left and nothing else.
//! * So harm is known to the byte, ends where it is written over, and can be undone by [`SimDisk::mend`] as by an
//!   operator who has a copy.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::SimDisk;
use super::content::{Change, Content, SECTOR, position};
use super::machine::Machine;
use super::tree::Id;

/// Files, and the places in them where they are not what was written, or cannot be read.
pub type Harmed = BTreeMap<PathBuf, Vec<Range<u64>>>;

impl Content {
    /// From now on it is kept as it is meant to be, too.
    pub(super) fn remember(&mut self) {
        if self.meant.is_none() {
            let meant = Self { unreadable: Default::default(), ..self.clone() };
            self.meant = Some(Box::new(meant));
        }
    }

    /// Does the same to what it is and to what it is meant to be.
    pub(super) fn twice(&mut self, act: impl Fn(&mut Self)) {
        let mut meant = self.meant.take();
        meant.iter_mut().for_each(|meant| act(meant));
        act(self);
        self.meant = meant;
    }

    /// A durable write that is nowhere.
    pub(super) fn miss(&mut self, bytes: &Bytes, offset: u64) {
        self.remember();
        self.meant.iter_mut().for_each(|meant| meant.write_durably(bytes, offset));
    }

    /// Harms what is on its way to the disk: of the bytes at an offset, those are kept that the first mask says, and
    /// changed by the second.
    pub(super) fn harm_pending(&mut self, harm: impl Fn(u64) -> Option<(u8, u8)>) {
        for change in &mut self.pending {
            let Change::Write { offset, bytes } = change else { continue };
            let harmed = bytes.iter().zip(*offset..).map(|(&byte, at)| match harm(at) {
                Some((kept, changed)) => (byte & kept) ^ changed,
                None => byte,
            });
            let harmed: Vec<u8> = harmed.collect();
            *bytes = Bytes::from(harmed);
        }
    }

    /// It is what it is meant to be, without unreadable places.
    fn mend(&mut self) {
        self.unreadable.clear();
        if let Some(meant) = self.meant.take() {
            *self = *meant;
        }
    }

    /// What it is in these places is from now on what it is meant to be.
    fn accept(&mut self, places: &[Range<u64>]) {
        // What cannot be read and is gone on without never comes back.
        for sector in self.unreadable.clone() {
            self.overwrite(&[0; SECTOR as usize], sector * SECTOR);
        }
        let Some(mut meant) = self.meant.take() else { return };
        for place in places {
            for (ours, theirs) in [(&self.current, &mut meant.current), (&self.durable, &mut meant.durable)] {
                let end = position(place.end).min(ours.len()).min(theirs.len());
                let start = position(place.start).min(end);
                Arc::make_mut(theirs)[start..end].copy_from_slice(&ours[start..end]);
            }
        }
        // Both have the same changes on their way.
        for changes in self.pending.iter().zip(&mut meant.pending) {
            if let (Change::Write { bytes: ours, .. }, Change::Write { offset, bytes: theirs }) = changes {
                let at = |(byte, at): (_, u64)| (byte, places.iter().any(|place| place.contains(&at)));
                let both = ours.iter().zip(theirs.iter()).zip(*offset..).map(at);
                *theirs = both.map(|((ours, theirs), harmed)| if harmed { *ours } else { *theirs }).collect();
            }
        }
        self.meant = Some(meant);
    }

    /// Where it is not what it is meant to be.
    fn harmed(&self) -> Vec<Range<u64>> {
        let unreadable = self.unreadable.iter().map(|sector| sector * SECTOR..(sector + 1) * SECTOR);
        let mut found: Vec<_> = unreadable.filter(|place| place.start < self.length()).collect();
        if let Some(meant) = &self.meant {
            found.extend(differences(&self.current, &meant.current));
        }
        found.sort_unstable_by_key(|place| (place.start, place.end));
        found
    }
}

/// The places in which bytes differ; where one side ends too early it does.
fn differences(one: &[u8], other: &[u8]) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    let common = one.len().min(other.len());
    let at = |index: usize| index as u64;
    for (chunk, start) in one[..common].chunks(4096).zip((0..).step_by(4096)) {
        let theirs = &other[start..start + chunk.len()];
        if chunk == theirs {
            continue;
        }
        for index in (0..chunk.len()).filter(|&index| chunk[index] != theirs[index]) {
            let here = at(start + index);
            match found.last_mut().filter(|last| last.end == here) {
                Some(last) => last.end += 1,
                None => found.push(here..here + 1),
            }
        }
    }
    if one.len() != other.len() {
        found.push(at(common)..at(one.len().max(other.len())));
    }
    found
}

impl Machine {
    /// All files that have a name.
    fn named(&self) -> Vec<(PathBuf, Id)> {
        let paths = self.tree.files(|directory| &directory.current).into_iter().map(|(path, _)| path);
        paths.filter_map(|path| self.tree.find_file(&path).ok().map(|id| (path, id))).collect()
    }
}

impl SimDisk {
    /// The harm that is in files which have a name.
    pub fn harmed(&self) -> Harmed {
        let machine = self.0.machine();
        let files = machine.tree.files(|directory| &directory.current).into_iter();
        let harmed = files.map(|(path, content)| (path, content.harmed()));
        harmed.filter(|(_, places)| !places.is_empty()).collect()
    }

    /// As [`SimDisk::files`], but without the harm.
    pub fn meant(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let machine = self.0.machine();
        let files = machine.tree.files(|directory| &directory.current).into_iter();
        let meant = |content: &Content| content.meant.as_ref().map(|meant| meant.current.to_vec());
        files
            .map(|(path, content)| (path, meant(content).unwrap_or_else(|| content.current.to_vec())))
            .collect()
    }

    /// Undoes the harm in files of these paths.
    pub fn mend(&self, of: impl Fn(&Path) -> bool) {
        let mut machine = self.0.machine();
        for (path, id) in machine.named() {
            if let (true, Ok(content)) = (of(&path), machine.tree.file_mut(id)) {
                content.mend();
            }
        }
        machine.trace.note("mend", "", [0; 2], Ok(0));
    }

    /// Takes harm for what should be there: somebody has looked at it and gone on from what he saw. Places that cannot
    /// be read stay harmed.
    pub fn accept(&self, harmed: &Harmed) {
        let mut machine = self.0.machine();
        for (path, places) in harmed {
            if let Ok(content) = machine.tree.find_file(path).and_then(|id| machine.tree.file_mut(id)) {
                content.accept(places);
            }
        }
    }
}
