//! Real data, where it is at hand: 262,200 events of a Dutch bank's loan applications.

use std::path::Path;

use crate::harness::Home;

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
    let first = home.json(&["import", &file]);
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
}
