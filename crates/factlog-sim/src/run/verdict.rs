//! What harm excuses, and what it does not: judged by the harm that is there and by what it hit.
//!
//! * An error is excused if it says that stored bytes are wrong or cannot be read, and names a file that is harmed and
//!   the place in it. Harm to index files and to one copy of the manifest excuses none.
//! * The *floor* is what must never be lost without a word: what is sealed, and what a frame vouches for that is not
//!   harmed. What is above it was in frames, at the end of the log, of which some is harmed and for which nothing whole
//!   vouches: nobody can tell that from a torn write.
//! * A verification must name every harmed file that is in use, and every lost frame below the floor.

use std::path::{Path, PathBuf};

use factlog_core::{Error, ErrorKind};
use factlog_engine::{Damage, Report};

use super::stored::{Frame, MANIFESTS, Stored, segment_path};
use super::world::DIR;
use crate::disk::{Harmed, SimDisk};

/// The harm at a moment, and the store that it hit.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    pub(super) harmed: Harmed,
    pub(super) stored: Stored,
    /// Copies of the manifest that are whole, but older than they should be: nobody can tell, and they cost nothing.
    older: Vec<PathBuf>,
}

impl Verdict {
    pub(super) fn of(disk: &SimDisk) -> Self {
        let (harmed, stored) = (disk.harmed(), Stored::of(&disk.meant()));
        let copies = MANIFESTS.map(|name| Path::new(DIR).join(name));
        let is_older = |path: &PathBuf| {
            harmed.contains_key(path)
                && disk.files().get(path).is_some_and(|bytes| stored.is_copy(path, bytes))
        };
        Self { older: copies.into_iter().filter(is_older).collect(), harmed, stored }
    }

    /// The same with the harm that has been done since.
    pub(super) fn since(mut self, disk: &SimDisk) -> Self {
        for (path, places) in disk.harmed() {
            self.harmed.entry(path).or_default().extend(places);
        }
        self
    }

    /// Whether the file of a segment is as it was written, and found.
    pub(super) fn is_whole(&self, segment: (u64, u64)) -> bool {
        !self.harmed.contains_key(&segment_path(segment.0)) && self.is_found(segment.0)
    }

    /// Whether the segment with this first position must be found: with a copy of the manifest harmed it may be one that
    /// no copy names, and those are found one behind the other.
    fn is_found(&self, segment: u64) -> bool {
        let in_front =
            self.stored.segments.iter().map(|(first, _)| *first).take_while(|&first| first < segment);
        !self.is_manifest_harmed() || !in_front.map(segment_path).any(|path| self.harmed.contains_key(&path))
    }

    fn is_manifest_harmed(&self) -> bool {
        MANIFESTS.iter().any(|name| self.harmed.contains_key(&Path::new(DIR).join(name)))
    }

    /// Whether a frame is as it was written.
    pub(super) fn is_intact(&self, frame: &Frame) -> bool {
        let places = self.harmed.get(&frame.file).map_or(&[][..], Vec::as_slice);
        places.iter().all(|place| place.end <= frame.place.start || frame.place.end <= place.start)
    }

    /// The last position that must not be lost without a word.
    pub(super) fn floor(&self) -> u64 {
        let whole = self.stored.frames.iter().filter(|frame| self.is_intact(frame));
        whole.map(|frame| frame.acknowledged).max().unwrap_or(0).max(self.stored.sealed())
    }

    /// Whether an answer may have been this error; with `placed` it must say where the harm is.
    pub(super) fn excuses(&self, error: &Error, placed: bool) -> Result<(), String> {
        let text = error.to_string();
        if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unavailable) {
            return Err(format!("harm was told as {:?}: {text}", error.kind()));
        }
        if !self.names_harm(&text) {
            return Err(format!("an error that names no harmed file of the log: {text}; {}", self.told()));
        }
        if placed && !text.contains(" at offset ") {
            return Err(format!("an error that does not say where: {text}"));
        }
        Ok(())
    }

    /// Whether damage that an opening tells of is there, or why it is not.
    pub(super) fn explains(&self, damage: &Damage) -> Result<(), String> {
        let text = format!("{} {}", damage.file, damage.what);
        if self.names_harm(&text) {
            return Ok(());
        }
        Err(format!("told of damage that was not done: {damage}; {}", self.told()))
    }

    /// Whether a text names a harmed file that the log or the store itself is in. A write-ahead file may be named for
    /// the one behind it, whose first frame should follow it.
    fn names_harm(&self, text: &str) -> bool {
        // What a lost copy of the manifest knew behind a harmed segment, and so what is the first file that is needed.
        let unknown = ["MANIFEST does not know", "the write-ahead file is missing"];
        if !self.is_found(u64::MAX) && unknown.iter().any(|what| text.contains(what)) {
            return true;
        }
        self.harmed.keys().filter(|path| !is_derived(path)).any(|path| {
            let name = relative(path);
            text.contains(&name) || (name.starts_with("wal/") && text.contains("wal/"))
        })
    }

    /// What a verification did not find, or made up.
    pub(super) fn judge(&self, report: &Report) -> Result<(), String> {
        let named = |name: &str| {
            let named = |damage: &Damage| damage.file == name || damage.what.contains(name);
            report.damage.iter().chain(&report.mendable).any(named)
        };
        if named("STORE") && self.harmed.contains_key(&Path::new(DIR).join("STORE")) {
            // Without its identity nothing of a store can be checked.
            return Ok(());
        }
        // A segment that nothing names and that is damaged itself is not adopted, nor is its run then.
        let all_in_use = !report.mendable.iter().any(|damage| damage.what.ends_with("not in use"));
        for path in self.in_use() {
            let name = relative(&path);
            if !named(&name) && (all_in_use || !name.starts_with("index/")) {
                let places = &self.harmed[&path];
                return Err(format!("verifying did not find {name} harmed at {places:?}: {report:?}"));
            }
        }
        let floor = self.floor();
        let sealed = self.stored.sealed();
        let due = self.stored.frames.iter().filter(|frame| sealed < frame.first && frame.last <= floor);
        for frame in due.filter(|frame| frame.first <= frame.last && !self.is_intact(frame)) {
            let covers = |damage: &Damage| {
                damage.first.is_some_and(|first| first.get() <= frame.first)
                    && damage.last.is_some_and(|last| frame.last <= last.get())
            };
            if !report.damage.iter().any(covers) {
                return Err(format!("verifying did not find the frame {frame:?} harmed: {report:?}"));
            }
        }
        report.damage.iter().try_for_each(|damage| self.explains(damage))
    }

    /// The harmed files of which every byte matters.
    fn in_use(&self) -> Vec<PathBuf> {
        let segments = self.stored.segments.iter().map(|(first, _)| *first);
        let segments = segments.filter(|&first| self.is_found(first)).map(segment_path);
        let copies = ["STORE", MANIFESTS[0], MANIFESTS[1]].map(|name| Path::new(DIR).join(name));
        let files = segments.chain(self.stored.runs.iter().cloned()).chain(copies);
        files.filter(|path| self.harmed.contains_key(path) && !self.older.contains(path)).collect()
    }

    fn told(&self) -> String {
        let harmed = self.harmed.iter().map(|(path, places)| format!("{} {places:?}", relative(path)));
        format!("harmed: {}", harmed.collect::<Vec<_>>().join(", "))
    }
}

/// Whether a file can be made again from others: harm to it costs nothing.
pub(super) fn is_derived(path: &Path) -> bool {
    let name = relative(path);
    name.starts_with("index/") || name.starts_with("MANIFEST.") || name.ends_with(".tmp")
}

/// A path within the store's directory.
fn relative(path: &Path) -> String {
    path.strip_prefix(DIR).unwrap_or(path).to_string_lossy().into_owned()
}
