//! The engine under faults that a seed decides.
//!
//! * [`disk`]: a disk in memory that tells written from durable, and whose power can fail at any moment.
//! * [`harm`]: the log cut at every byte, every bit of a small store turned; nothing wrong is ever served.
//! * [`run`]: clients at work on a stepped engine over such a disk, with crashes at any moment. What they asked and were
//!   told is held against the promises of the contract by [`factlog_check`].

pub mod disk;
pub mod harm;
pub mod run;
