//! How long writes take: durable ones over zeros, as the write-ahead log does them, beside plain ones.
//!
//! The file they go to loses its name as soon as it is open, so that nothing is left behind whatever happens.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::{Errno, ReadWriteFlags};

const BLOCK: usize = 4096;
/// Blocks of the file, written over in turn.
const BLOCKS: u64 = 256;
/// The most writes of one kind.
const WRITES: usize = 512;
/// Writes of one kind end after this time, and after [`WRITES_MIN`].
const LONGEST: Duration = Duration::from_secs(1);
const WRITES_MIN: usize = 8;

/// The only clock of a checkup that measures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "measuring is what it is for; nothing of a store depends on it"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "measuring is what it is for; nothing of a store depends on it"
    )]
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// How long writes of one kind took: the times in growing order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that so many hundredths of the writes did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// How many there are in a second, one after the other.
    pub(crate) fn per_second(&self) -> f64 {
        let all: Duration = self.0.iter().sum();
        if all.is_zero() { 0.0 } else { self.0.len() as f64 / all.as_secs_f64() }
    }
}

/// Durable writes and plain ones, 4 KiB each, into a file of this directory that nobody sees.
pub(crate) fn latencies(dir: &Path) -> io::Result<(Latencies, Latencies)> {
    let file = nameless(dir, OFlags::empty())?;
    let zeros = vec![0; BLOCK * usize::try_from(BLOCKS).expect("a small number")];
    file.write_all_at(&zeros, 0)?;
    file.sync_all()?;
    let block = [0x5a; BLOCK];
    let plain = measure(|offset| file.write_all_at(&block, offset))?;
    file.sync_all()?;
    let durable = measure(|offset| write_durably(&file, &block, offset))?;
    Ok((durable, plain))
}

/// Whether the file system takes writes past its cache; `None` when it refuses them.
pub(crate) fn direct_writes(dir: &Path) -> io::Result<Option<Duration>> {
    let refused = |cause: &io::Error| {
        matches!(Errno::from_io_error(cause), Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS))
    };
    let file = match nameless(dir, OFlags::DIRECT) {
        Ok(file) => file,
        Err(cause) if refused(&cause) => return Ok(None),
        Err(cause) => return Err(cause),
    };
    let memory = vec![0; 2 * BLOCK];
    let start = memory.as_ptr().align_offset(BLOCK);
    let Some(block) = memory.get(start..start + BLOCK) else { return Ok(None) };
    let watch = Stopwatch::start();
    match file.write_all_at(block, 0) {
        Ok(()) => Ok(Some(watch.elapsed())),
        Err(cause) if refused(&cause) => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn measure(mut write: impl FnMut(u64) -> io::Result<()>) -> io::Result<Latencies> {
    let all = Stopwatch::start();
    let mut times = Vec::with_capacity(WRITES);
    while times.len() < WRITES && (times.len() < WRITES_MIN || all.elapsed() < LONGEST) {
        let offset = times.len() as u64 % BLOCKS * BLOCK as u64;
        let watch = Stopwatch::start();
        write(offset)?;
        times.push(watch.elapsed());
    }
    Ok(Latencies::of(times))
}

/// In one call where the system can, as the write-ahead log does it.
fn write_durably(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    match rustix::io::pwritev2(file, &[IoSlice::new(bytes)], offset, ReadWriteFlags::DSYNC) {
        Ok(written) if written == bytes.len() => Ok(()),
        Ok(_) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => {
            file.write_all_at(bytes, offset)?;
            file.sync_data()
        }
        Err(error) => Err(error.into()),
    }
}

/// A new file of a directory, of which the directory knows nothing any more.
fn nameless(dir: &Path, flags: OFlags) -> io::Result<File> {
    let path = dir.join(format!("doctor-{}.tmp", std::process::id()));
    let mut options = OpenOptions::new();
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let opened = options.read(true).write(true).create_new(true).custom_flags(flags).open(&path);
    // Some file systems create a file before they refuse the flags.
    if opened.as_ref().err().is_none_or(|cause| cause.kind() == io::ErrorKind::InvalidInput) {
        let removed = std::fs::remove_file(&path);
        if opened.is_ok() {
            removed?;
        }
    }
    opened
}
