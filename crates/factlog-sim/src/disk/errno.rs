//! The errors that Linux gives, by their numbers, so that callers meet what they meet on a real disk.

use std::io;

pub(super) const NOT_FOUND: i32 = 2;
pub(super) const IO: i32 = 5;
pub(super) const BUSY: i32 = 16;
pub(super) const CROSSES_DEVICES: i32 = 18;
pub(super) const EXISTS: i32 = 17;
pub(super) const NOT_A_DIRECTORY: i32 = 20;
pub(super) const IS_A_DIRECTORY: i32 = 21;
pub(super) const INVALID: i32 = 22;
pub(super) const TOO_LARGE: i32 = 27;
pub(super) const FULL: i32 = 28;
pub(super) const NOT_EMPTY: i32 = 39;

/// The error of this number.
pub(super) fn error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// What every call of a process hears that was killed, or whose machine has lost its power.
pub(super) fn gone() -> io::Error {
    io::Error::other("the process that had this open is gone")
}

/// The number of an error, for the trace; those that are not the system's have none.
pub(super) fn number(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(-1)
}
