//! The engine under faults that a seed decides, and what must hold for any history, wherever it was recorded.
//!
//! * [`disk`]: a disk in memory that tells written from durable, and whose power can fail at any moment.
//! * [`history`]: what clients asked and were told, and when.
//! * [`check`]: the promises of the contract, held against a history.
//! * [`run`]: clients at work on a stepped engine over such a disk, with crashes at any moment.

pub mod check;
pub mod disk;
pub mod history;
pub mod run;
