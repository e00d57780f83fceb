//! `factlog import`: once, twice, killed in the middle, and with lines that are no events.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::{Home, events, piped, redacted};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Would fail if an import repeated wrote events twice.
#[test]
fn a_second_import_adds_nothing() {
    let home = Home::new();
    let file = home.write("events.ndjson.gz", gzip(&events(2_000)));
    let first = redacted(home.json(&["import", &file]));
    let second = redacted(home.json(&["import", &file]));
    insta::assert_json_snapshot!([first, second]);
    let stats = home.json(&["stats"]);
    assert_eq!(
        (stats["events"].as_u64(), stats["streams"].as_u64(), stats["types"].as_u64()),
        (Some(2_000), Some(100), Some(1))
    );
}

#[test]
fn events_stand_in_the_order_of_the_lines() {
    let home = Home::new();
    assert_eq!(home.run_with(&["import", "-"], events(3_000)).code, 0);
    let read = home.ok(&["read", "--all", "--format", "ndjson"]);
    for (n, line) in read.lines().enumerate() {
        assert!(line.contains(&format!("\"data\":{{\"n\":{n},")), "line {n}: {line}");
    }
    assert_eq!(read.lines().count(), 3_000);
}

/// Would fail if a killed import left half an event, lost an acknowledged one, or could not be continued.
#[test]
fn an_import_killed_anywhere_and_run_again_holds_every_event_once() {
    let file = events(20_000);
    for wait in [5, 30, 60, 120] {
        let home = Home::new();
        let path = home.write("events.ndjson", &file);
        let mut child = piped(&mut home.command(&["import", &path]));
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().expect("a signal is sent");
        child.wait().expect("it ends");
        let again = home.json(&["import", &path]);
        assert_eq!(again["read"], 20_000, "{again}");
        let [added, duplicates] = ["added", "duplicates"].map(|name| again[name].as_u64().expect("a number"));
        assert_eq!(added + duplicates, 20_000, "killed after {wait} ms: {again}");
        assert_eq!(home.json(&["stats"])["events"], 20_000);
        let verified = home.json(&["verify"]);
        assert_eq!((&verified["clean"], &verified["events"]), (&true.into(), &20_000.into()));
    }
}

#[test]
fn a_line_that_is_no_event_ends_the_import_and_what_was_before_is_kept() {
    let home = Home::new();
    let lines = events(3).replace("\"id\":\"row-1\",", "");
    home.write("broken.ndjson", &lines);
    let ran = home.run(&["import", "broken.ndjson"]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err);
    assert_eq!(home.json(&["head"])["position"], 1);
}

#[test]
fn with_keep_going_every_bad_line_is_named_and_the_rest_is_imported() {
    let home = Home::new();
    let good = events(2);
    let lines =
        format!("not json\n{good}\n{{\"specversion\":\"1.0\"}}\n{}", good.replace("account.moved", "other"));
    home.write("mixed.ndjson", &lines);
    let ran = home.run(&["import", "mixed.ndjson", "--keep-going", "--json"]);
    assert_eq!(ran.code, 8);
    insta::assert_json_snapshot!("mixed_answer", redacted(ran.json()));
    insta::assert_snapshot!("mixed_errors", ran.err);
}

/// Would fail if a download that broke off were imported as if it were whole.
#[test]
fn a_truncated_gzip_file_is_an_error_that_says_where() {
    let home = Home::new();
    let whole = gzip(&events(500));
    home.write("cut.ndjson.gz", &whole[..whole.len() - 9]);
    let ran = home.run(&["import", "cut.ndjson.gz"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("cannot read cut.ndjson.gz on at line"), "{}", ran.err);
    assert!(0 < home.json(&["head"])["position"].as_u64().expect("kept lines"));
}

#[test]
fn a_file_that_is_not_there_makes_no_store() {
    let home = Home::new();
    assert_eq!(home.run(&["import", "missing.ndjson"]).code, 3);
    assert!(!home.store().exists());
}
