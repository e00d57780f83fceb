//! The suite itself: complete, and hard enough on the one race that the whole project is about.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use factlog_core::conformance::{ALL, block_on, conditions};

use crate::memory::in_memory;

/// A promise that is written but not in the list would be checked by nobody.
#[test]
fn every_scenario_written_is_in_the_list() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let mut written = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the suite's folder") {
        let path = entry.expect("an entry").path();
        let about = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a source file");
        let names = text.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        written.extend(names.map(|rest| (about.clone(), rest.split('(').next().expect("a name").to_owned())));
    }
    let listed: BTreeSet<_> =
        ALL.iter().map(|scenario| (scenario.about.to_owned(), scenario.name.to_owned())).collect();
    assert_eq!(listed, written);
    assert_eq!(listed.len(), ALL.len(), "none is listed twice");
}

/// One lucky run says little about a race.
#[test]
fn exactly_ten_of_sixteen_win_a_hundred_times() {
    for _ in 0..100 {
        block_on(conditions::sixteen_racers_withdraw_what_is_there(&in_memory()));
    }
}

/// Those who run the suite without the macro, one after the other, check the same.
#[test]
fn the_list_runs_without_the_macro() {
    for scenario in ALL.iter().filter(|scenario| scenario.about == "time") {
        block_on((scenario.run)(&in_memory()));
    }
}
