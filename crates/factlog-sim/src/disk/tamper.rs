//! Damage by hand: what rots, what cannot be read, what an operator does. It is durable at once and no call is told.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::SimDisk;
use super::content::{Content, sectors};

impl SimDisk {
    /// Turns a bit of a file.
    ///
    /// # Errors
    /// There is no such file, as for all of these.
    pub fn turn_bit(&self, path: &Path, offset: u64, bit: u8) -> io::Result<()> {
        self.change(path, |content| content.turn_bit(offset, bit))
    }

    /// Puts bytes over what is there: an old sector, one of elsewhere. The file does not grow.
    ///
    /// # Errors
    /// There is no such file.
    pub fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(path, |content| content.overwrite(bytes, offset))
    }

    /// Cuts a file off. Nothing of it is pending afterwards.
    ///
    /// # Errors
    /// There is no such file.
    pub fn cut(&self, path: &Path, length: u64) -> io::Result<()> {
        self.change(path, |content| content.cut(length))
    }

    /// The sectors of this range cannot be read, until they are wholly written again.
    ///
    /// # Errors
    /// There is no such file.
    pub fn set_unreadable(&self, path: &Path, range: Range<u64>) -> io::Result<()> {
        let sectors = sectors(range.start, range.end.saturating_sub(range.start));
        self.change(path, |content| content.unreadable.extend(sectors))
    }

    /// All of a file can be read again.
    ///
    /// # Errors
    /// There is no such file.
    pub fn set_readable(&self, path: &Path) -> io::Result<()> {
        self.change(path, |content| content.unreadable.clear())
    }

    /// Takes a file away.
    ///
    /// # Errors
    /// There is no such file.
    pub fn take_away(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.0.machine();
        machine.tree.remove(path)?;
        let (directory, _) = machine.tree.find_parent(path)?;
        let directory = machine.tree.directory_mut(directory)?;
        directory.sync(directory.pending.len());
        machine.trace.note("take away", &path.to_string_lossy(), [0; 2], Ok(0));
        Ok(())
    }

    /// Drops what the system has cached, so that reads see what a failed sync left on the disk.
    pub fn drop_caches(&self) {
        let mut machine = self.0.machine();
        for node in machine.tree.nodes.values_mut() {
            node.drop_cache();
        }
        machine.trace.note("drop caches", "", [0; 2], Ok(0));
    }

    fn change(&self, path: &Path, change: impl FnOnce(&mut Content)) -> io::Result<()> {
        let mut machine = self.0.machine();
        let id = machine.tree.find_file(path)?;
        let content = machine.tree.file_mut(id)?;
        change(content);
        let digest = super::trace::digest(&content.current);
        machine.trace.note("tamper", &path.to_string_lossy(), [0; 2], Ok(digest));
        Ok(())
    }
}
