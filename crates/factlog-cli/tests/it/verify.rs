//! `factlog verify`: clean stores are clean, damage is found and ends with 7.

use crate::harness::{Home, events, find, redacted};

#[test]
fn a_whole_store_is_clean() {
    let home = Home::with_accounts();
    let report = redacted(home.json(&["verify"]));
    insta::assert_json_snapshot!(report);
    assert!(home.ok(&["verify"]).starts_with("clean: 3 events"));
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
