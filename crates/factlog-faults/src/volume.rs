//! Small file systems that can be filled to the last byte, and freed again while somebody works on them.
//!
//! They are mounted in the mount namespace of this process, and gone with it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::mount::{MountFlags, UnmountFlags};

use crate::amnesia::Amnesia;

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// In memory, with a bound
    Tmpfs,
    /// On a file that is mounted as a disk; only for root
    Ext4,
    /// The forgetful one, whose size is changed under it
    Fuse,
}

/// One of them, mounted.
#[derive(Debug)]
pub(crate) struct Volume {
    path: PathBuf,
    how: How,
}

#[derive(Debug)]
enum How {
    Mounted,
    /// And how much it holds when it is not full.
    Bounded(Amnesia, u64),
}

/// What takes up the space; it is not in the store's directory.
const BALLAST: &str = "ballast";

impl Volume {
    /// Mounts one that holds so much, below a directory that is this process's own.
    pub(crate) fn mount(kind: Kind, bytes: u64, below: &Path, seed: u64) -> Result<Self> {
        let path = below.join(format!("{kind}"));
        fs::create_dir(&path).context("the mount point cannot be made")?;
        let how = match kind {
            Kind::Tmpfs => {
                let options = std::ffi::CString::new(format!("size={bytes}"))?;
                rustix::mount::mount("tmpfs", &path, "tmpfs", MountFlags::empty(), Some(&*options))
                    .context("a tmpfs cannot be mounted; run as root, or allow user namespaces")?;
                How::Mounted
            }
            Kind::Ext4 => {
                let image = below.join("ext4.image");
                File::create(&image)?.set_len(bytes)?;
                let image = image.to_string_lossy().into_owned();
                run(
                    "mkfs.ext4",
                    &["-q", "-F", &image],
                    "install e2fsprogs (Debian: `apt-get install e2fsprogs`)",
                )?;
                let advice =
                    "mounting a file as a disk needs root, /dev/loop-control (`modprobe loop`) and ext4";
                run("mount", &["-t", "ext4", "-o", "loop", &image, &path.to_string_lossy()], advice)?;
                How::Mounted
            }
            Kind::Fuse => {
                let disk = Amnesia::mount(&path, seed)?;
                disk.set_capacity(Some(bytes));
                How::Bounded(disk, bytes)
            }
        };
        Ok(Self { path, how })
    }

    /// Where stores may be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes up all that is left, but for so much.
    pub(crate) fn fill(&self, but: u64) -> Result<()> {
        match &self.how {
            How::Mounted => self.take_up(but).context("the ballast cannot be written"),
            How::Bounded(disk, _) => {
                disk.set_capacity(Some(disk.used() + but));
                Ok(())
            }
        }
    }

    fn take_up(&self, but: u64) -> Result<()> {
        let mut ballast = File::options().create(true).append(true).open(self.path.join(BALLAST))?;
        // To the last byte if nothing is to be left. Whoever writes meanwhile takes part in it.
        let mut left = if but == 0 { u64::MAX } else { self.free()?.saturating_sub(but) };
        let zeros = vec![0; 64 << 10];
        let mut piece = zeros.len();
        while 0 < piece && 0 < left {
            let length = piece.min(usize::try_from(left).unwrap_or(piece));
            match ballast.write(&zeros[..length]) {
                Ok(written) => left -= written as u64,
                Err(cause) if cause.kind() == io::ErrorKind::StorageFull => piece /= 16,
                Err(cause) => return Err(cause.into()),
            }
        }
        Ok(())
    }

    /// Gives back what was taken up.
    pub(crate) fn relieve(&self) -> Result<()> {
        match &self.how {
            How::Mounted => fs::remove_file(self.path.join(BALLAST)).context("the ballast cannot be removed"),
            How::Bounded(disk, bytes) => {
                disk.set_capacity(Some(*bytes));
                Ok(())
            }
        }
    }

    /// The calls that were refused for lack of space, where that is known.
    pub(crate) fn full_at(&self) -> Option<String> {
        match &self.how {
            How::Mounted => None,
            How::Bounded(disk, _) => {
                let sites = disk.full().into_iter();
                let sites = sites.map(|((call, place), count)| format!("{call} {place} ({count})"));
                Some(sites.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Bytes that are left.
    pub(crate) fn free(&self) -> Result<u64> {
        match &self.how {
            How::Mounted => {
                let space = rustix::fs::statvfs(&self.path).context("how full it is")?;
                Ok(space.f_bavail * space.f_frsize)
            }
            How::Bounded(disk, _) => Ok(disk.free()),
        }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if let How::Mounted = self.how {
            // Whoever is still there keeps it for as long as the namespace lasts.
            let _ = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tmpfs => "tmpfs",
            Self::Ext4 => "ext4",
            Self::Fuse => "fuse",
        })
    }
}

/// Runs a program of the system; where it fails, what to do.
fn run(program: &str, arguments: &[&str], advice: &str) -> Result<()> {
    let done = Command::new(program).args(arguments).output();
    let done = done.with_context(|| format!("`{program}` does not start; {advice}"))?;
    if !done.status.success() {
        let error = String::from_utf8_lossy(&done.stderr);
        bail!("`{program}` failed: {}; {advice}", error.trim());
    }
    Ok(())
}
