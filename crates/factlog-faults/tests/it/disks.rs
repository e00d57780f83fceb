//! Disks that lose their power, are full or fail: mounted ones, under real processes.
//!
//! Where nothing can be mounted these tests fail and say what to install or allow.

use crate::faults;

/// The summary that a run ends with; everything in it was checked.
fn summary<'a>(said: &'a str, begin: &str) -> &'a str {
    let line = said.lines().find(|line| line.starts_with(begin));
    let line = line.unwrap_or_else(|| panic!("no line begins with {begin:?}:\n{said}"));
    assert!(line.ends_with("0 violations"), "{line}");
    line
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_power_fails() {
    let said = faults(&["amnesia", "--cycles", "20"]);
    let told = summary(&said, "amnesia: 20 losses of power over 1 stores");
    assert!(!told.contains("; 0 with bytes at risk"), "no loss hit anything: {told}");
    assert!(!told.contains("and 0 with names)"), "no loss hit anything: {told}");
}

#[test]
fn full_disks_refuse_appends_at_once_and_take_them_again_without_a_restart() {
    for kind in ["tmpfs", "fuse"] {
        let said = faults(&["full", "--on", kind, "--fills", "2", "--openings", "1", "--mebibytes", "32"]);
        summary(&said, &format!("full: {kind} of 32 MiB filled 2 times under one process"));
    }
}

#[test]
fn a_writer_acknowledges_nothing_after_its_durable_write_has_failed_and_the_next_process_goes_on() {
    let said = faults(&["failing", "--places", "4"]);
    let told = summary(&said, "failing: 8 calls failed");
    assert!(!told.contains("; 0 writers gave up"), "no durable write failed: {told}");
}
