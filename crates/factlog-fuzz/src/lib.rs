//! Fuzzing: every decoder of bytes that come from disk or network, under real encodings that were tampered with.
//!
//! A [`Target`] is a function of bytes that panics if something does not hold. Two drivers run the same targets over the
//! same corpus, `fuzz/corpus/<target>` in the repository:
//!
//! * this crate, on the stable toolchain: the whole corpus, then mutations that a seed decides ([`drive`]). The gate
//!   runs it as a test; `factlog-fuzz` is the program.
//! * `cargo fuzz` with libFuzzer, guided by coverage: the package in `fuzz/`, outside the workspace.
//!
//! The decoders are private to their crates, which show the targets under their feature `fuzzing`. `docs/fuzzing.md`
//! says how to run all this, and how to add a target.

// The derives name the framework as its facade does.
extern crate factlog_app as factlog;

pub mod corpus;
pub mod drive;
mod facts;
mod mutate;
mod targets;
mod words;

pub use mutate::Mutator;
pub use targets::{TARGETS, Target};

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
