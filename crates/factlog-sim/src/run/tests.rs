//! Many short runs: enough to notice a promise that breaks, and to know that runs do what they should.

use super::*;

const KINDS: [Kind; 4] = [Kind::Kill, Kind::PowerLoss, Kind::Errors, Kind::Damage];

#[test]
fn no_promise_breaks_whatever_crashes() {
    for kind in KINDS {
        let mut all = Summary::default();
        for seed in 0..150 {
            let one = run(Plan { kind, seed, steps: None }).unwrap_or_else(|failure| panic!("{failure}"));
            all.crashes += one.crashes;
            all.acknowledged += one.acknowledged;
            all.unknown += one.unknown;
            all.conflicts += one.conflicts;
            all.segments += one.segments;
        }
        let Summary { crashes, acknowledged, unknown, conflicts, segments, .. } = all;
        let enough =
            300 < crashes && 1_000 < acknowledged && 50 < unknown && 300 < conflicts && 100 < segments;
        assert!(enough, "runs that do too little prove nothing: {kind}, {all:?}");
    }
}

/// A beacon that was in the cache only (213), a directory (450) and a write-ahead file (837) whose names nobody synced
/// any more after an opening was killed. The seeds say so as long as runs are drawn as they are.
#[test]
fn what_runs_have_found_is_not_back() {
    for seed in [213, 450, 837] {
        run(Plan { kind: Kind::Errors, seed, steps: None }).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn a_seed_is_one_run() {
    for kind in KINDS {
        for seed in 1_000..1_020 {
            let plan = Plan { kind, seed, steps: None };
            let (one, other) = (run(plan).expect("sound"), run(plan).expect("sound"));
            assert_eq!(one, other, "{kind}, seed {seed}");
        }
    }
}
