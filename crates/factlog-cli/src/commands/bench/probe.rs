//! The machine's own synchronous write rate: what a store that syncs every append can be compared with.
//!
//! * `growing`: append 4 KiB to a growing file, then `fdatasync`.
//! * `overwriting`: write 4 KiB into a file zero-filled before, then `fdatasync`: no metadata to write.
//!
//! The first measurement takes a fixed time and every later one the same number of writes: a slow moment then weighs
//! as much here as it does in a load of so many appends, and neither looks better for it.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use crate::numbers::rate;
use crate::stopwatch::Stopwatch;

const BLOCK: [u8; 4096] = [0x5a; 4096];
/// Blocks of the zero-filled file, written over in turn.
const BLOCKS: u64 = 1_024;
/// How long the first measurement takes, each way.
const FIRST: Duration = Duration::from_millis(150);
/// How long a later one may take, each way.
const LONGEST: Duration = Duration::from_secs(1);

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

/// Measures each way in a file of this name that is removed afterwards, with as many writes as the first time.
pub(super) fn measure(path: &Path, first: Option<&RawSync>) -> io::Result<RawSync> {
    let result = both(path, first);
    std::fs::remove_file(path)?;
    result
}

fn both(path: &Path, first: Option<&RawSync>) -> io::Result<RawSync> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let growing = syncs(&mut file, first.map(|first| first.growing), u64::MAX)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    for _ in 0..BLOCKS {
        file.write_all(&[0; BLOCK.len()])?;
    }
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let overwriting = syncs(&mut file, first.map(|first| first.overwriting), BLOCKS)?;
    Ok(RawSync { growing, overwriting })
}

/// Writes a block and syncs, again and again, beginning anew after `turn` blocks.
fn syncs(file: &mut File, first: Option<Syncs>, turn: u64) -> io::Result<Syncs> {
    let (most, longest) = first.map_or((u64::MAX, FIRST), |first| (first.count, LONGEST));
    let watch = Stopwatch::start();
    let mut count = 0;
    loop {
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        count += 1;
        let time = watch.elapsed();
        if most <= count || longest <= time {
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

    /// Would fail if a later measurement counted more or less than the first, for all the noise of a shared disk.
    #[test]
    fn both_ways_are_measured_with_equal_weight_and_nothing_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("probe");
        let first = measure(&path, None).unwrap();
        assert!(0 < first.growing.count && 0 < first.overwriting.count, "{first:?}");
        let second = measure(&path, Some(&first)).unwrap();
        assert!(second.growing.count == first.growing.count || LONGEST <= second.growing.time, "{second:?}");
        assert!(second.overwriting.count <= first.overwriting.count, "{second:?}");
        let both = RawSync::sum(&[first, second]);
        assert_eq!(both.growing.count, first.growing.count + second.growing.count);
        assert_eq!(both.growing.time, first.growing.time + second.growing.time);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
