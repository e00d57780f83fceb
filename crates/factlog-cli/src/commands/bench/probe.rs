//! The machine's own synchronous write rate: what a store that syncs every append can be compared with.
//!
//! * `growing`: append 4 KiB to a growing file, then `fdatasync`.
//! * `overwriting`: write 4 KiB into a file zero-filled before, then `fdatasync`: no metadata to write.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use crate::numbers::rate;
use crate::stopwatch::Stopwatch;

const BLOCK: [u8; 4096] = [0x5a; 4096];
/// Blocks of the zero-filled file, written over in turn.
const BLOCKS: u64 = 4_096;

/// What the disk did, each way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawSync {
    pub(super) growing: Syncs,
    pub(super) overwriting: Syncs,
}

/// Synchronous writes and the time they took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Syncs {
    count: u64,
    time: Duration,
}

impl RawSync {
    /// All of these as one measurement.
    pub(super) fn sum(measured: &[Self]) -> Self {
        measured.iter().fold(Self::default(), |sum, one| Self {
            growing: sum.growing.and(one.growing),
            overwriting: sum.overwriting.and(one.overwriting),
        })
    }
}

impl Syncs {
    pub(super) fn per_second(self) -> f64 {
        rate(self.count, self.time)
    }

    fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, time: self.time + other.time }
    }
}

/// Measures each way for about this long, in a file of this name that is removed afterwards.
pub(super) fn measure(path: &Path, each: Duration) -> io::Result<RawSync> {
    let result = both(path, each);
    std::fs::remove_file(path)?;
    result
}

fn both(path: &Path, each: Duration) -> io::Result<RawSync> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let growing = syncs(&mut file, each, u64::MAX)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    for _ in 0..BLOCKS {
        file.write_all(&[0; BLOCK.len()])?;
    }
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let overwriting = syncs(&mut file, each, BLOCKS)?;
    Ok(RawSync { growing, overwriting })
}

/// Writes a block and syncs, again and again, beginning anew after `turn` blocks.
fn syncs(file: &mut File, each: Duration, turn: u64) -> io::Result<Syncs> {
    let watch = Stopwatch::start();
    let mut count = 0;
    loop {
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        count += 1;
        let time = watch.elapsed();
        if each <= time {
            return Ok(Syncs { count, time });
        }
        if count.is_multiple_of(turn) {
            file.seek(SeekFrom::Start(0))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_are_measured_and_nothing_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let raw = measure(&directory.path().join("probe"), Duration::from_millis(20)).unwrap();
        let twice = RawSync::sum(&[raw, raw]);
        assert!(0 < raw.growing.count && 0 < raw.overwriting.count, "{raw:?}");
        assert_eq!(twice.growing.count, 2 * raw.growing.count);
        assert!((twice.growing.per_second() - raw.growing.per_second()).abs() < 1.0, "{twice:?}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
