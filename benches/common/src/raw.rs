//! The machine's own limits: what the disk, the file cache and the memory do without any store.
//!
//! * `growing`: append 4 KiB to a growing file, then `fdatasync`.
//! * `overwriting`: write 4 KiB over zeros written before, then `fdatasync`: no metadata to write.
//! * `dsync`: the same as one call, `pwritev2` with `RWF_DSYNC`. The least a durable write can cost here.
//! * `bulk`: the same with 384 KiB, about what 1,000 events take.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::io::{ReadWriteFlags, pwritev2};

use crate::clock::{Stopwatch, per_second};
use crate::facts::mix;
use crate::footprint;
use crate::latency::Latency;

const BLOCK: usize = 4096;
/// Bytes of one bulk write.
pub const BULK: usize = 384 << 10;
/// Bytes of the zero-filled file, written over in turn.
const ZEROED: u64 = 6 << 20;
/// Bytes read at once.
const READ: usize = 256 << 10;

/// Synchronous writes a second of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncRates {
    /// 4 KiB to a growing file, then `fdatasync`.
    pub growing: f64,
    /// 4 KiB over zeros, then `fdatasync`.
    pub overwriting: f64,
    /// 4 KiB over zeros with `RWF_DSYNC`.
    pub dsync: f64,
    /// [`BULK`] bytes over zeros with `RWF_DSYNC`.
    pub bulk: f64,
}

/// Measures each kind for this long in a file of the directory, which is removed afterwards.
pub fn sync_rates(dir: &Path, each: Duration) -> Result<SyncRates> {
    let path = dir.join("raw-probe");
    let rates = in_file(&path, each).context("the raw disk could not be measured");
    std::fs::remove_file(&path).context("the probe file could not be removed")?;
    rates
}

fn in_file(path: &Path, each: Duration) -> io::Result<SyncRates> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    let block = vec![0x5a; BULK];
    let growing = rate(each, |_| {
        file.write_all(&block[..BLOCK])?;
        file.sync_data()
    })?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&vec![0; ZEROED as usize])?;
    file.sync_all()?;
    let at = |count: u64, length: usize| (count * length as u64) % ZEROED;
    let overwriting = rate(each, |count| {
        file.write_all_at(&block[..BLOCK], at(count, BLOCK))?;
        file.sync_data()
    })?;
    let dsync = rate(each, |count| durable_write(&file, &block[..BLOCK], at(count, BLOCK)))?;
    let bulk = rate(each, |count| durable_write(&file, &block, at(count, BULK)))?;
    Ok(SyncRates { growing, overwriting, dsync, bulk })
}

fn durable_write(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let written = pwritev2(file, &[IoSlice::new(bytes)], at, ReadWriteFlags::DSYNC)?;
    if written == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

fn rate(each: Duration, mut step: impl FnMut(u64) -> io::Result<()>) -> io::Result<f64> {
    let watch = Stopwatch::start();
    let mut count = 0;
    loop {
        step(count)?;
        count += 1;
        let time = watch.elapsed();
        if each <= time {
            return Ok(per_second(count, time));
        }
    }
}

/// Bytes a second that one thread reads from the file cache, 256 KiB a call, over the files of a directory.
pub fn sequential_read(dir: &Path) -> Result<f64> {
    let mut buffer = vec![0; READ];
    let mut best: f64 = 0.0;
    for _ in 0..3 {
        let watch = Stopwatch::start();
        let mut bytes = 0;
        for entry in std::fs::read_dir(dir).context("the files could not be listed")? {
            let mut file = File::open(entry?.path())?;
            loop {
                let read = file.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                bytes += black_box(read) as u64;
            }
        }
        best = best.max(per_second(bytes, watch.elapsed()));
    }
    Ok(best)
}

/// The median time of one read of 4 KiB at some place of the files of a directory, from the file cache or, `cold`,
/// from the disk.
pub fn random_read(dir: &Path, cold: bool) -> Result<Duration> {
    const READS: u64 = 200;
    let entries = std::fs::read_dir(dir).context("the files could not be listed")?;
    let files: Vec<File> = entries.map(|entry| File::open(entry?.path())).collect::<io::Result<_>>()?;
    let mut latency = Latency::default();
    let mut block = [0; BLOCK];
    for turn in 0..if cold { 1 } else { 2 } {
        for read in 0..READS {
            let drawn = mix(read);
            let file = &files[drawn as usize % files.len()];
            let blocks = (file.metadata()?.len() / BLOCK as u64).max(1);
            let at = (drawn >> 16) % blocks * BLOCK as u64;
            if cold {
                footprint::forget_cached(dir)?;
            }
            let watch = Stopwatch::start();
            black_box(file.read_at(&mut block, at)?);
            // Warm is what has been read before.
            if cold || turn == 1 {
                latency.record(watch.elapsed());
            }
        }
    }
    Ok(Duration::from_secs_f64(latency.micros(0.5) / 1e6))
}

/// Bytes a second that one thread copies within memory, 64 MiB at a time.
pub fn memory_copy() -> f64 {
    let from = vec![1_u8; 64 << 20];
    let mut to = vec![0_u8; from.len()];
    let mut best: f64 = 0.0;
    for _ in 0..5 {
        let watch = Stopwatch::start();
        black_box(&mut to).copy_from_slice(black_box(&from));
        best = best.max(per_second(from.len() as u64, watch.elapsed()));
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if a kind were not measured at all: ratios to it would be infinite.
    #[test]
    fn every_limit_is_measured_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let rates = sync_rates(dir.path(), Duration::from_millis(5)).unwrap();
        for rate in [rates.growing, rates.overwriting, rates.dsync, rates.bulk, memory_copy()] {
            assert!(rate > 0.0, "{rates:?}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        std::fs::write(dir.path().join("file"), [0; 5000]).unwrap();
        assert!(sequential_read(dir.path()).unwrap() > 0.0);
        assert!(random_read(dir.path(), false).unwrap() > Duration::ZERO);
        assert!(random_read(dir.path(), true).unwrap() > Duration::ZERO);
    }
}
