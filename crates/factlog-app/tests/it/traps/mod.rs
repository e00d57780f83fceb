//! The tests that `docs/traps.md` says were worth writing first: each body runs over what is right and over twins that
//! are wrong on purpose, and has to catch every one of them.

mod committers;
mod over;
mod racers;

pub(crate) use over::Over;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The twin fails the test's body, for the reason that begins with these words.
#[track_caller]
pub(crate) fn caught(twin: &str, because: &str, body: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(body)) else { panic!("{twin} is not caught") };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let said = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    assert!(said.contains(because), "{twin} failed for another reason: {said}");
}
