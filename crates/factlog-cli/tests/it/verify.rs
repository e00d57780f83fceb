//! `factlog verify`: clean stores are clean, damage is found and ends with 7.

use crate::harness::{Home, events, find, redacted};

#[test]
fn a_whole_store_is_clean() {
    let home = Home::with_accounts();
    let report = redacted(home.json(&["verify"]));
    insta::assert_json_snapshot!(report);
    assert!(home.ok(&["verify"]).starts_with("clean: 3 events"));
}

/// Would fail if a sample were refused, read nothing, or passed for the whole.
#[test]
fn a_sample_says_that_it_is_one() {
    let home = Home::new();
    assert_eq!(home.run_with(&["import", "-"], events(2_000)).code, 0);
    let report = home.json(&["verify", "--sample", "10%", "--seed", "7"]);
    assert_eq!((&report["sample_percent"], &report["seed"]), (&10.0.into(), &7.into()));
    assert!(report["bytes"].as_u64().is_some_and(|bytes| 0 < bytes), "{report}");
    assert!(home.ok(&["verify", "--sample", "10"]).contains("a sample of 10 %"));
    for wrong in [&["verify", "--sample", "0"][..], &["verify", "--seed", "7"]] {
        assert_eq!(home.run(wrong).code, 2, "{wrong:?}");
    }
}

/// Would fail if a lost copy of the manifest passed unnoticed, passed for lost events, or were not mended by opening.
#[test]
fn what_takes_no_event_away_ends_with_nine_until_an_opening_has_mended_it() {
    let home = Home::with_accounts();
    std::fs::remove_file(home.store().join("MANIFEST.0")).expect("it is there");

    let ran = home.run(&["verify", "--json"]);
    assert_eq!(ran.code, 9, "{ran:?}");
    let report = ran.json();
    assert_eq!((&report["clean"], &report["events"]), (&false.into(), &3.into()));
    assert_eq!(report["damage"], serde_json::json!([]));
    assert_eq!(report["mendable"][0]["file"], "MANIFEST.0");
    assert_eq!((&ran.error()["code"], &ran.error()["exit"]), (&"F0012".into(), &9.into()));
    let text = home.run(&["verify"]);
    assert!(text.out.starts_with("no event is lost: 3 events"), "{text:?}");
    assert!(text.out.contains("the next opening mends:\n  MANIFEST.0"), "{text:?}");

    let mended = home.run(&["verify", "--mend", "--json"]);
    assert_eq!((mended.code, &mended.json()["index_files_removed"]), (0, &0.into()), "{mended:?}");
    let appended = home.run(&["append", "account-1", "--type", "t"]);
    assert_eq!(appended.code, 0, "{appended:?}");
    assert!(appended.err.contains("no event is lost, it is mended"), "{appended:?}");
    let again = home.run(&["append", "account-1", "--type", "t"]);
    assert_eq!((again.code, again.err.as_str()), (0, ""), "mended by now");
    assert!(home.ok(&["verify"]).starts_with("clean: 5 events"));
}

/// Would fail if a flipped bit passed, or were reported in a way that a script cannot act on.
#[test]
fn damage_is_named_with_its_place_and_ends_with_seven() {
    let home = Home::new();
    assert_eq!(home.run_with(&["import", "-"], events(2_000)).code, 0);
    let wal = find(&home.store().join("wal"), |_| true).expect("a write-ahead file");
    let mut bytes = std::fs::read(&wal).expect("it can be read");
    let row = bytes.windows(8).position(|window| window == b"\"row-10\"").expect("row 10 is in the log");
    bytes[row + 1] ^= 0x20;
    std::fs::write(&wal, bytes).expect("it can be written");

    let ran = home.run(&["verify", "--json"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    let report = ran.json();
    assert_eq!(report["clean"], false);
    let damage = &report["damage"][0];
    assert!(damage["file"].as_str().is_some_and(|file| file.contains("wal")), "{damage}");
    assert!(damage["offset"].is_u64() && damage["what"].is_string(), "{damage}");
    assert_eq!(ran.error()["code"], "F0007");
    assert_eq!(home.run(&["append", "s", "--type", "t"]).code, 7);
}
