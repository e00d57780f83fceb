//! The engine without threads, over a disk that somebody else makes up: for simulators, and nobody else.
//!
//! Whoever holds a [`Stepped`] decides who does the next piece of work, so that one seed is one history.

pub use crate::storage::{Bell, Disk, DiskFile, Done, Pipeline};
