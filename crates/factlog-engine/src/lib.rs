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
//! * `Ok` from an append means durable: written with a synchronous write over space the file already had.
//! * One process at a time; a second one is told so.
//! * Opening reads the whole log and keeps its index in memory: about 100 bytes and 8 bytes a key for an event.
//! * The bounds are those of [`factlog_core::limits`] and of [`Settings`].
//!
//! The files are described byte by byte in `docs/format.md`. Begin reading at [`Engine`], then `writer`.

mod admin;
mod checksum;
mod damage;
mod decide;
mod doctor;
mod engine;
mod fields;
mod frame;
mod identity;
mod indexer;
mod interner;
mod know;
mod ledger;
mod leftovers;
mod listing;
mod manifest;
mod open;
mod pieces;
mod plan;
mod queue;
mod reader;
mod record;
mod records;
mod recovery;
mod run;
mod sealer;
mod search;
mod segment;
mod settings;
mod shared;
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
pub use verify::{Extent, Progress, Report, verify};
