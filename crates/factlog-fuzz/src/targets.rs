//! The table of all targets, and the memory that each may take.

use std::sync::LazyLock;

use factlog_cli::fuzzing as cli;
use factlog_engine::fuzzing;
use factlog_proto::fuzzing as proto;
use factlog_server::fuzzing as server;

use crate::{facts, words};

/// One decoder, or some that take the same bytes, with what must hold.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its directory in the corpus.
    pub name: &'static str,
    /// Decodes, and panics if something does not hold.
    pub run: fn(&[u8]),
    /// Real encodings, each with a name.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
    /// What one run may allocate, all its allocations added up.
    pub memory: Memory,
    /// One run is as much work as so many runs of the smallest targets, of which there are so many more.
    pub work: u64,
}

/// A bound on allocations.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Whatever the input.
    pub bytes: usize,
    /// And for each byte of the input.
    pub per_byte: usize,
}

impl Memory {
    /// The most bytes for an input of this length.
    pub fn most(self, length: usize) -> usize {
        self.bytes + self.per_byte * length
    }
}

/// A page of 4096 bytes is made of the shortest input.
const USUAL: (Memory, u64) = (Memory { bytes: 256 << 10, per_byte: 64 }, 1);

/// What takes more memory, and why; and how many runs of others are as much work.
const MORE: [(&str, Memory, u64); 6] = [
    // Every four compressed bytes may stand for 128 KiB of columns, and those for six times as many of records.
    ("segment_block", Memory { bytes: 4 << 20, per_byte: 256 << 10 }, 2),
    // A file of 256 KiB may be packed in a few bytes; it is read in several ways, block by block.
    ("segment_file", Memory { bytes: 64 << 20, per_byte: 256 << 10 }, 20),
    ("run_file", Memory { bytes: 32 << 20, per_byte: 1 << 10 }, 20),
    // gzip packs a thousand bytes into one, and reading has two buffers of 256 KiB.
    ("lines", Memory { bytes: 4 << 20, per_byte: 8 << 10 }, 20),
    // A frame without its padding takes 72 bytes at least, and with it 4096; the tail's index is made in large pieces.
    ("recovery", Memory { bytes: 16 << 20, per_byte: 4 << 10 }, 20),
    // The same as of one file, for 512 KiB of files.
    ("store", Memory { bytes: 64 << 20, per_byte: 256 << 10 }, 50),
];

/// Every target, in the order of their names.
pub static TARGETS: LazyLock<Vec<Target>> = LazyLock::new(|| {
    let local = fuzzing::TARGETS.iter().chain(cli::TARGETS).chain(facts::TARGETS).chain(words::TARGETS);
    let rows = local.chain(proto::TARGETS).chain(server::TARGETS);
    let mut targets: Vec<Target> = rows
        .map(|&(name, run, seeds)| {
            let more = MORE.iter().find(|(more, ..)| *more == name);
            let (memory, work) = more.map_or(USUAL, |&(_, memory, work)| (memory, work));
            Target { name, run, seeds, memory, work }
        })
        .collect();
    targets.sort_unstable_by_key(|target| target.name);
    targets
});
