//! Real data, where it is at hand: 262,200 events of a Dutch bank's loan applications.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Home, piped};

#[test]
#[expect(clippy::print_stdout, reason = "a test that did nothing must say so")]
fn the_loans_are_imported_whole_and_once() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/loans/events.ndjson.gz");
    if !file.exists() {
        println!("skipped: {} is not there", file.display());
        return;
    }
    let home = Home::new();
    let file = file.display().to_string();
    let (first, peak) = import_watched(&home, &file);
    let second = home.json(&["import", &file]);
    assert_eq!((&first["added"], &first["refused"]), (&262_200.into(), &0.into()));
    assert_eq!((&second["added"], &second["duplicates"]), (&0.into(), &262_200.into()));
    let stats = home.json(&["stats"]);
    assert_eq!(
        (&stats["events"], &stats["streams"], &stats["types"]),
        (&262_200.into(), &13_087.into(), &36.into())
    );
    assert_eq!(home.ok(&["export", "--type", "A_APPROVED.COMPLETE"]).lines().count(), 2_246);
    assert_eq!(home.json(&["verify"])["clean"], true);
    assert!(peak < 256 << 10, "the import took {peak} KiB of memory");
}

/// What an import answers, and the most memory it ever held, in KiB, as far as Linux tells; 0 elsewhere.
fn import_watched(home: &Home, file: &str) -> (Value, u64) {
    let mut child = piped(&mut home.command(&["import", file, "--json"]));
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("it can be waited for").is_none() {
        let told = std::fs::read_to_string(&status).unwrap_or_default();
        let high = told
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(high.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("it has ended");
    (serde_json::from_slice(&output.stdout).expect("one document"), peak)
}
