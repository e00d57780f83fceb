//! Samples: enough to notice a promise that breaks, and to know that a broken one is noticed.

use super::{Choice, cuts, flips};

#[test]
fn no_cut_of_a_sample_leaves_half_a_group_or_takes_a_whole_one() {
    let summary = cuts::run(&Choice::sample(7, 4_001), 256 << 10);
    let summary = summary.unwrap_or_else(|broken| panic!("{broken}"));
    let damage: u64 = summary.ways.values().map(|counts| counts.damage).sum();
    assert!(200 < summary.cuts() && 20 < damage && summary.ways.len() == 4, "too little: {summary}");
}

#[test]
fn no_flip_of_a_sample_gives_a_wrong_answer() {
    let summary = flips::run(&Choice::sample(7, 12_007)).unwrap_or_else(|broken| panic!("{broken}"));
    let sum = |count: fn(&flips::Counts) -> u64| summary.files.values().map(count).sum::<u64>();
    let enough = 100 < summary.harms()
        && 40 < sum(|counts| counts.told)
        && 20 < sum(|counts| counts.corrupt)
        && 5 < sum(|counts| counts.mended);
    assert!(enough, "too little: {summary}");
}

#[test]
fn a_case_can_be_repeated_alone_by_its_name() {
    for only in ["STORE:0:0", "MANIFEST.0:30:7", "MANIFEST.1:3:2"] {
        let choice = Choice { only: Some(only.to_owned()), ..Choice::all(7) };
        let summary = flips::run(&choice).unwrap_or_else(|broken| panic!("{broken}"));
        assert_eq!(summary.harms(), 1, "{only}");
    }
}

#[test]
fn what_is_not_due_is_noticed() {
    for unnoticed in flips::unnoticed(7) {
        assert!(unnoticed.contains("Unused") || unnoticed.contains("LastBeacon"), "{unnoticed}");
    }
}
