//! What every store must do here: durable appends by several writers, exact conditions, reading everything back.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use bench_common::facts::Fact;

/// A store of one work, opened empty.
pub(crate) trait Store: Sync {
    /// One of its writers; each has a thread of its own.
    fn writer(&self) -> Result<Box<dyn Writer + '_>>;

    /// Reads every event with all that was recorded of it, in order, and counts them.
    fn scan(&self) -> Result<u64>;

    /// Processor time that another process has used for it so far.
    fn server_cpu(&self) -> Duration {
        Duration::ZERO
    }

    /// Bytes it has used on the disk, all its files and indexes, without space it took ahead of its events.
    fn disk_bytes(&self) -> Result<u64>;
}

/// One client that waits for each append.
pub(crate) trait Writer: Send {
    /// Appends these durably as one transaction and returns the position of the last. With `after`, only if no
    /// event above that position has both tags of the first of them.
    fn append(&mut self, facts: Vec<Fact>, after: Option<u64>) -> Result<u64>;
}

/// A way to open a store.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) open: Open,
}

/// Opens it empty in a directory.
pub(crate) type Open = Box<dyn Fn(&Path) -> Result<Box<dyn Store>>>;
