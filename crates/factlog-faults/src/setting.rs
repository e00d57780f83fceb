//! How a worker's store is set, as arguments of a command and drawn at random.

use factlog_engine::{Compression, JournalMode, Settings};
use fastrand::Rng;

/// The settings of a store that matter here, each an option of the command.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(crate) struct StoreArguments {
    /// How groups are made durable
    #[arg(long, value_enum, default_value_t = Journal::Auto)]
    pub(crate) journal: Journal,
    /// Groups that are written at once
    #[arg(long, default_value_t = 8)]
    pub(crate) groups: usize,
    /// Events of a segment
    #[arg(long, default_value_t = 500_000)]
    pub(crate) segment_events: u64,
    /// Bytes of a segment
    #[arg(long, default_value_t = 24 << 20)]
    pub(crate) segment_bytes: usize,
    /// Bytes of one write-ahead file
    #[arg(long, default_value_t = 16 << 20)]
    pub(crate) wal_file_bytes: usize,
    /// Bytes of write-ahead frames that are kept before they are sealed
    #[arg(long, default_value_t = 64 << 20)]
    pub(crate) wal_bytes: usize,
    /// Bytes of each cache
    #[arg(long, default_value_t = 16 << 20)]
    pub(crate) cache_bytes: u64,
    /// Seal without compression
    #[arg(long)]
    pub(crate) uncompressed: bool,
}

/// The contract's journal modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Journal {
    /// The fastest there is
    Auto,
    /// Through io_uring; it fails where there is none
    Uring,
    /// By a few threads
    Threads,
    /// By the writer itself
    Plain,
}

impl StoreArguments {
    /// So little of everything that most moments meet rolling, sealing or merging.
    pub(crate) fn tiny() -> Self {
        Self {
            journal: Journal::Auto,
            groups: 8,
            segment_events: 40,
            segment_bytes: 64 << 10,
            wal_file_bytes: 64 << 10,
            wal_bytes: 256 << 10,
            cache_bytes: 0,
            uncompressed: false,
        }
    }

    /// Another draw for every life.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let journals = [Journal::Auto, Journal::Auto, Journal::Threads, Journal::Plain];
        let wal_file_bytes = [64 << 10, 64 << 10, 1 << 20][rng.usize(..3)];
        Self {
            journal: journals[rng.usize(..journals.len())],
            groups: rng.usize(1..=8),
            segment_events: [20, 40, 200, 2_000][rng.usize(..4)],
            segment_bytes: [16 << 10, 64 << 10, 1 << 20][rng.usize(..3)],
            wal_file_bytes,
            wal_bytes: wal_file_bytes * rng.usize(2..6),
            cache_bytes: [0, 1 << 20][rng.usize(..2)],
            uncompressed: rng.u32(..4) == 0,
        }
    }

    /// The same for the engine.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            journal: match self.journal {
                Journal::Auto => JournalMode::Auto,
                Journal::Uring => JournalMode::Uring,
                Journal::Threads => JournalMode::Threads,
                Journal::Plain => JournalMode::Plain,
            },
            groups_in_flight: self.groups,
            segment_events: self.segment_events,
            segment_bytes: self.segment_bytes,
            wal_file_bytes: self.wal_file_bytes,
            wal_bytes: self.wal_bytes,
            cache_bytes: self.cache_bytes,
            index_cache_bytes: self.cache_bytes,
            filter_bytes: self.cache_bytes,
            compression: if self.uncompressed { Compression::None } else { Compression::Zstd },
            ..Settings::default()
        }
    }

    /// The same as words of a command.
    pub(crate) fn words(&self) -> Vec<String> {
        let journal = match self.journal {
            Journal::Auto => "auto",
            Journal::Uring => "uring",
            Journal::Threads => "threads",
            Journal::Plain => "plain",
        };
        let numbers = [
            ("--groups", self.groups as u64),
            ("--segment-events", self.segment_events),
            ("--segment-bytes", self.segment_bytes as u64),
            ("--wal-file-bytes", self.wal_file_bytes as u64),
            ("--wal-bytes", self.wal_bytes as u64),
            ("--cache-bytes", self.cache_bytes),
        ];
        let numbers = numbers.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]);
        let uncompressed = self.uncompressed.then(|| "--uncompressed".to_owned());
        ["--journal".to_owned(), journal.to_owned()].into_iter().chain(numbers).chain(uncompressed).collect()
    }
}
