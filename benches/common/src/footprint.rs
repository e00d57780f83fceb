//! What a process and a directory take: memory from `/proc`, disk blocks, read calls.

use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::{Advice, fadvise};

/// Memory of this process in bytes.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct Memory {
    /// Resident now (`VmRSS`).
    pub resident: u64,
    /// The most that was ever resident (`VmHWM`), the program's own file pages included.
    pub peak: u64,
    /// Resident now and in no file: what the process itself holds (`RssAnon` and `RssShmem`).
    pub private: u64,
}

impl Memory {
    /// As the kernel tells it now.
    pub fn of_this_process() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
        let bytes = |name| field(&status, name).map_or(0, |kilobytes| kilobytes * 1024);
        let private = bytes("RssAnon:") + bytes("RssShmem:");
        Ok(Self { resident: bytes("VmRSS:"), peak: bytes("VmHWM:"), private })
    }
}

/// Read calls this process has made so far, and the bytes they took from the disk.
pub fn reads() -> Result<(u64, u64)> {
    let io = fs::read_to_string("/proc/self/io").context("cannot read /proc/self/io")?;
    Ok((field(&io, "syscr:").unwrap_or_default(), field(&io, "read_bytes:").unwrap_or_default()))
}

/// Processor time of a process and its children that live, each of one thread, as a server of processes is.
///
/// What those used that have ended is not in it: whoever takes a difference keeps them alive until then.
pub fn cpu_of_tree(root: u32) -> Duration {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let nanos = entries.filter_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        if !is_of(&stat, root) {
            return None;
        }
        // Nanoseconds; the times in `stat` are whole hundredths of a second, too coarse for many short-lived workers.
        let schedule = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        schedule.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Whether a line of `/proc/<pid>/stat` is of `root` or of one of its children.
fn is_of(stat: &str, root: u32) -> bool {
    let Some((pid, rest)) = stat.split_once(" (") else { return false };
    let parent = rest.rsplit_once(") ").and_then(|(_, rest)| rest.split_whitespace().nth(1));
    pid.parse() == Ok(root) || parent.is_some_and(|parent| parent.parse() == Ok(root))
}

/// Bytes that a directory takes on the disk, whole blocks, everything in it.
pub fn disk_bytes(path: &Path) -> io::Result<u64> {
    let metadata = match fs::symlink_metadata(path) {
        // Stores remove files while they are looked at.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    if !metadata.is_dir() {
        return Ok(metadata.blocks() * 512);
    }
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        sum += disk_bytes(&entry?.path())?;
    }
    Ok(sum)
}

/// Bytes of all files in a directory, each up to its last byte that is not zero: what a store has used of the space it
/// took ahead.
pub fn used_bytes(path: &Path) -> io::Result<u64> {
    const STEP: u64 = 1 << 20;
    if path.is_dir() {
        return fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + used_bytes(&entry?.path())?));
    }
    let file = fs::File::open(path)?;
    let mut end = file.metadata()?.len();
    let mut buffer = vec![0; STEP as usize];
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let part = &mut buffer[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// What lies in one place of a store's directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Place {
    /// The directory below the store's; empty for the files beside those.
    pub name: String,
    /// Files in it.
    pub files: u64,
    /// Their bytes, as [`used_bytes`] counts them.
    pub bytes: u64,
}

/// Files and bytes of a directory by what lies in it, in the order of the names.
pub fn places(dir: &Path) -> io::Result<Vec<Place>> {
    let mut places = vec![Place::default()];
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let bytes = used_bytes(&entry.path())?;
        if entry.path().is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            places.push(Place { name, files: files(&entry.path())?, bytes });
        } else {
            places[0].files += 1;
            places[0].bytes += bytes;
        }
    }
    places.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(places)
}

/// Bytes of the place with this name; none where there is none, for not every store has an `index`.
pub fn bytes_in(places: &[Place], name: &str) -> u64 {
    places.iter().filter(|place| place.name == name).map(|place| place.bytes).sum()
}

/// Files anywhere in a directory.
fn files(path: &Path) -> io::Result<u64> {
    if !path.is_dir() {
        return Ok(1);
    }
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + files(&entry?.path())?))
}

/// Asks the kernel to forget what it has cached of every file in a directory.
pub fn forget_cached(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return fs::read_dir(path)?.try_for_each(|entry| forget_cached(&entry?.path()));
    }
    let file = fs::File::open(path)?;
    file.sync_all()?;
    Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if the words behind a number, or a name within a name, were misread.
    #[test]
    fn fields_are_read_by_their_name() {
        let status = "VmPeak:\t  12 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(
            (field(status, "VmHWM:"), field(status, "VmRSS:"), field(status, "Vm:")),
            (Some(2048), Some(1024), None)
        );
        let memory = Memory::of_this_process().unwrap();
        assert!(0 < memory.private && memory.private <= memory.peak && 0 < memory.resident, "{memory:?}");
    }

    /// Would fail if a server's workers were left out, or if a process with spaces in its name broke the line.
    #[test]
    fn a_tree_is_the_process_and_its_children() {
        let line = |pid: u32, parent: u32| format!("{pid} (postgres: a) b) S {parent} 1 1 0 -1");
        assert!(is_of(&line(7, 1), 7) && is_of(&line(8, 7), 7) && !is_of(&line(9, 8), 7) && !is_of("", 7));
        assert!(cpu_of_tree(std::process::id()) > Duration::ZERO);
    }

    #[test]
    fn a_directory_takes_what_its_files_take() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("below")).unwrap();
        fs::write(dir.path().join("below/file"), vec![1; 10_000]).unwrap();
        let bytes = disk_bytes(dir.path()).unwrap();
        assert!((10_000..100_000).contains(&bytes), "{bytes}");
        assert_eq!(used_bytes(dir.path()).unwrap(), 10_000);
        let ahead = fs::File::create(dir.path().join("ahead")).unwrap();
        ahead.set_len(5 << 20).unwrap();
        ahead.write_all_at(&[7; 10], 3 << 20).unwrap();
        assert_eq!(used_bytes(dir.path()).unwrap(), 10_000 + (3 << 20) + 10);
        forget_cached(dir.path()).unwrap();
        let place = |name: &str, bytes| Place { name: name.to_owned(), files: 1, bytes };
        let places = places(dir.path()).unwrap();
        assert_eq!(places, [place("", (3 << 20) + 10), place("below", 10_000)]);
        assert_eq!((bytes_in(&places, "below"), bytes_in(&places, "index")), (10_000, 0));
    }
}
