//! The faults at the size of the gate: real processes, killed and misused. Each test is a run of the program, whose own
//! words are the report.

mod disks;

use std::process::Command;

/// Runs the program, which must be content; what it said.
fn faults(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_factlog-faults")).args(arguments).output();
    let output = output.expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} ended with {}:\n{said}\n{errors}", output.status);
    said
}

#[test]
fn nothing_that_was_acknowledged_is_lost_or_doubled_when_processes_are_killed() {
    let said = faults(&["kill", "--cycles", "50", "--check-every", "10"]);
    let last = said.lines().last().expect("a summary");
    assert!(last.starts_with("kill: 50 cycles") && last.ends_with("0 violations"), "{said}");
}

#[test]
fn a_history_that_was_recorded_is_judged_the_same_again_and_one_with_a_lie_in_it_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let there = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (all, lie) = (there("all"), there("lie.jsonl"));
    faults(&["kill", "--cycles", "4", "--seed", "3", "--dir", &all]);
    let (history, store) = (format!("{all}/history.jsonl"), format!("{all}/store"));
    faults(&["check", "--history", &history, "--store", &store]);
    let told = std::fs::read_to_string(&history).expect("it was recorded");
    let line = told.lines().find(|line| line.contains(r#""deduplicated":false"#)).expect("an append");
    std::fs::write(&lie, told.replacen(line, &line.replacen(r#""first":"#, r#""first":1"#, 1), 1))
        .expect("write");
    let judged = Command::new(env!("CARGO_BIN_EXE_factlog-faults"))
        .args(["check", "--history", &lie, "--store", &store])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(!judged.status.success() && said.contains("violations"), "{said}");
}

/// A test for each case of the battery, named by words that its name begins with.
macro_rules! misuse {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                let said = faults(&["misuse", "--only", $name]);
                assert!(said.ends_with("misuse: 1 cases passed\n"), "{said}");
            }
        )*

        #[test]
        fn every_case_of_the_battery_is_run_here() {
            let said = faults(&["misuse", "--list"]);
            let run = [$($name),*];
            assert_eq!(said.lines().count(), run.len(), "{said}");
            assert!(said.lines().all(|name| run.iter().any(|run| name.starts_with(run))), "{said}");
        }
    };
}

misuse! {
    a_second_process_is_refused: "a second process",
    a_stopped_process_goes_on: "a process that is stopped",
    a_terminated_process_loses_nothing: "SIGTERM",
    a_copy_made_while_writing_serves_nothing_wrong: "a copy made while writing",
    a_copy_of_a_closed_store_is_whole: "a copy of a closed store",
    missing_files_are_named_and_can_be_put_back: "a missing file or folder",
    halves_of_files_are_named_and_can_be_put_back: "half a file",
    an_empty_directory_becomes_a_store: "an empty directory",
    a_foreign_directory_is_left_alone: "a foreign directory",
    files_and_folders_in_each_others_places_are_named: "a file in place of a folder",
    a_store_of_somebody_else_is_left_alone: "a store of somebody else",
    clocks_do_not_turn_times_back: "recorded times never go back",
    a_log_may_be_larger_than_memory: "a log larger than the memory",
    too_few_open_files_lose_nothing: "too few open files",
    files_that_may_not_grow_lose_nothing: "a limit on the size of files",
}
