//! The engine's settings: sizes and bounds, as data.

use std::time::Duration;

use factlog_core::{Error, Result};

use crate::storage::{ALIGNMENT, DEPTH_MAX};

/// How much the engine holds in memory and in files. The defaults suit a machine with 1 GiB to spare.
///
/// ```
/// use factlog_engine::Settings;
/// let small = Settings { segment_bytes: 1 << 20, ..Settings::default() };
/// small.validate()?;
/// # Ok::<(), factlog_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of records after which they are sealed into a segment: 24 MiB; 4 KiB to 1 GiB.
    pub segment_bytes: usize,
    /// Events after which they are sealed, whatever their size: 500,000; at most 1,000,000.
    pub segment_events: u64,
    /// Bytes of one write-ahead file, zero-filled once and recycled: 16 MiB; 64 KiB to 1 GiB, a multiple of 4 KiB.
    /// A group that is larger gets a file of its own.
    pub wal_file_bytes: usize,
    /// Bytes of write-ahead frames after which their events are sealed: 64 MiB; at least two files.
    pub wal_bytes: usize,
    /// Bytes of records written in one group: 8 MiB; at most 1 GiB. A single append may be larger.
    pub group_bytes: usize,
    /// Groups that are written at once, acknowledged in order: 8; 1 to 8. A way to write may be of use for fewer.
    pub groups_in_flight: usize,
    /// How groups are made durable: [`JournalMode::Auto`].
    pub journal: JournalMode,
    /// After this long without appends the head is vouched for by a frame of 4 KiB without events, so that damage to
    /// the last group can be told from a torn write: 10 ms. Nothing waits for it.
    pub vouch_after: Duration,
    /// Appends that may wait for the writer: 65,536. Beyond it callers wait to enter.
    pub queue_appends: usize,
    /// Bytes of appends that may wait for the writer: 64 MiB. Beyond it callers wait to enter.
    pub queue_bytes: usize,
    /// How sealed segments are written: compressed.
    pub compression: Compression,
    /// Bytes of decoded blocks kept in memory: 24 MiB.
    pub cache_bytes: u64,
    /// Bytes of index pages kept in memory: 16 MiB.
    pub index_cache_bytes: u64,
    /// Bytes of index filters kept in memory as a whole: 24 MiB. Others are read a page at a time.
    pub filter_bytes: u64,
}

/// How sealed segments are written. Any program reads both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Blocks of 4 KiB compressed with zstd and a dictionary learned from the events.
    #[default]
    Zstd,
    /// As they are: larger, and faster to seal and to read.
    None,
}

/// How groups are made durable. Every way keeps the same promises and writes the same bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JournalMode {
    /// The fastest that the kernel and the file system allow.
    #[default]
    Auto,
    /// Direct, synchronous writes through io_uring. Opening fails where there are none.
    Uring,
    /// Synchronous writes by a few threads.
    Threads,
    /// One synchronous write after the other by the writer itself, whatever `groups_in_flight` says.
    Plain,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 24 << 20,
            segment_events: 500_000,
            wal_file_bytes: 16 << 20,
            wal_bytes: 64 << 20,
            group_bytes: 8 << 20,
            groups_in_flight: DEPTH_MAX,
            journal: JournalMode::Auto,
            vouch_after: Duration::from_millis(10),
            queue_appends: 65_536,
            queue_bytes: 64 << 20,
            compression: Compression::Zstd,
            cache_bytes: 24 << 20,
            index_cache_bytes: 16 << 20,
            filter_bytes: 24 << 20,
        }
    }
}

impl Settings {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](factlog_core::ErrorKind::Invalid) with the setting, its value and its bound.
    pub fn validate(&self) -> Result<()> {
        at_least("segment_bytes", self.segment_bytes, 4096)?;
        at_least("segment_events", usize::try_from(self.segment_events).unwrap_or(usize::MAX), 1)?;
        at_least("wal_file_bytes", self.wal_file_bytes, 64 << 10)?;
        at_least("wal_bytes", self.wal_bytes, self.wal_file_bytes.saturating_mul(2))?;
        at_least("group_bytes", self.group_bytes, 1)?;
        at_least("groups_in_flight", self.groups_in_flight, 1)?;
        at_least("queue_appends", self.queue_appends, 1)?;
        at_least("queue_bytes", self.queue_bytes, 1)?;
        at_most("segment_events", usize::try_from(self.segment_events).unwrap_or(usize::MAX), 1_000_000)?;
        at_most("segment_bytes", self.segment_bytes, 1 << 30)?;
        at_most("wal_file_bytes", self.wal_file_bytes, 1 << 30)?;
        at_most("group_bytes", self.group_bytes, 1 << 30)?;
        at_most("groups_in_flight", self.groups_in_flight, DEPTH_MAX)?;
        if !self.wal_file_bytes.is_multiple_of(ALIGNMENT) {
            let bytes = self.wal_file_bytes;
            return Err(Error::invalid(format!("wal_file_bytes is {bytes}; it must be a multiple of 4096")));
        }
        Ok(())
    }
}

fn at_least(name: &str, value: usize, min: usize) -> Result<()> {
    if value < min {
        return Err(Error::invalid(format!("{name} is {value}; it must be at least {min}")));
    }
    Ok(())
}

fn at_most(name: &str, value: usize, max: usize) -> Result<()> {
    if max < value {
        return Err(Error::invalid(format!("{name} is {value}; it must be at most {max}")));
    }
    Ok(())
}
