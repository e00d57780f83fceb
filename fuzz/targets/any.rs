//! Any target under libFuzzer: the binary's name says which.
#![no_main]

use std::sync::LazyLock;

use factlog_fuzz::{Target, target};

static TARGET: LazyLock<&Target> =
    LazyLock::new(|| target(env!("CARGO_BIN_NAME")).expect("every binary here is called like a target"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
