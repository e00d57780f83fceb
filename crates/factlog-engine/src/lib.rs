//! The embedded log: an event store in a directory of this machine.
//!
//! Appends from any number of threads are decided and ordered by one writer, which makes a whole group of them
//! durable with one write. Reads and subscriptions never wait for a write. What is written is never changed; what was
//! damaged is noticed, named and never served.
//!
//! # What it is not
//!
//! It is no server and no framework: it knows bytes, positions and names, no sockets, no JSON, no domain. It needs no
//! runtime. It replicates nothing.
//!
//! # Guarantees and limits
//!
//! * `Ok` from an append means durable, with everything it was judged against: written with a synchronous write over
//!   space the file already had.
//! * One process at a time; a second one is told so.
//! * Opening reads what is not sealed, and of what is sealed only 40 bytes in the manifest for each segment and one
//!   page of each index run.
//! * Memory is what is not sealed (an event's record and some 200 bytes of index), twice that and more while sealing
//!   falls behind, and caches and filters within the bounds of [`Settings`].
//! * What is lost of the index, or of one copy of the manifest, is made again; damage to the log is named, costs the
//!   positions it hit, and is never repaired in silence.
//! * The bounds are those of [`factlog_core::limits`] and of [`Settings`].
//!
//! # A bird's eye view
//!
//! ```text
//! append   queue ── know ──> writer ── decide, ledger ──> wal, frame ──> storage::pipeline
//!                               │ shows groups in order, when they are durable
//! memory                        └──> tail: the generation that grows, its frames and their index
//! behind   sealer: generation ──> segment + run of level 0 ──> manifest ──> wal_files are free
//!          indexer: lost runs are rebuilt from segments, eight neighbours merged into one
//! read     reader ── search ──> plan over run, or tail ──> records of segment or tail
//! open     recovery: identity, manifest, sealed, index, wal ──> open: leftovers, threads
//! look     verify, doctor, damage
//! ```
//!
//! | modules | what they are |
//! |---|---|
//! | `engine`, `admin`, `open`, `settings`, `state` | the handle on the contract, and the life of an open store |
//! | `queue`, `know`, `writer`, `decide`, `ledger` | an append, from its caller's thread to its answer |
//! | `wal`, `wal_files`, `frame`, `record`, `records` | groups on their way to the disk, and what events are there |
//! | `tail` | what is not sealed: events and an index that only grows, read without a lock |
//! | `sealer`, `segment` | compressed blocks of records, written once |
//! | `indexer`, `run`, `pieces` | posting lists of streams, categories, types, tags; ids; filters; rebuilding |
//! | `view`, `shared`, `search`, `plan`, `reader`, `listing`, `times`, `interner` | reading, from one immutable view |
//! | `identity`, `manifest`, `recovery`, `leftovers` | what a directory holds, and what a crash left there |
//! | `checksum`, `fields`, `damage` | bytes that nobody vouches for |
//! | `storage` | the only place that touches files; `storage::uring` the only one with unsafe code |
//! | `verify`, `doctor` | looking a store, and its machine, over |
//!
//! Every byte on disk is described in `docs/format.md`; why things are as they are in `docs/decisions`, 0005 to 0009.
//! Begin reading at [`Engine`], then `writer`, `recovery`, `search`.

/// Whether a simulator has planted a bug here; never without the feature `simulation`.
macro_rules! planted {
    ($bug:ident) => {{
        #[cfg(feature = "simulation")]
        {
            crate::sabotage::is_planted(crate::sabotage::Bug::$bug)
        }
        #[cfg(not(feature = "simulation"))]
        {
            false
        }
    }};
}

mod admin;
mod checksum;
mod damage;
mod decide;
mod doctor;
mod engine;
mod fields;
mod frame;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod indexer;
mod interner;
mod know;
mod ledger;
mod leftovers;
mod listing;
mod lost;
mod manifest;
mod open;
mod pieces;
mod plan;
mod queue;
mod reader;
mod rebuild;
mod record;
mod records;
mod recovery;
mod run;
#[cfg(feature = "simulation")]
mod sabotage;
mod sealer;
mod search;
mod segment;
mod settings;
mod shared;
#[cfg(feature = "simulation")]
pub mod simulation;
mod state;
mod storage;
mod tail;
#[cfg(test)]
mod tests;
mod times;
mod verify;
mod view;
mod wal;
mod wal_files;
mod writer;

pub use damage::Damage;
pub use doctor::{Checkup, Finding, Level, doctor};
pub use engine::Engine;
pub use settings::{Compression, JournalMode, Settings};
pub use storage::DurableWrites;
pub use verify::{Extent, Progress, Report, mend, verify};
