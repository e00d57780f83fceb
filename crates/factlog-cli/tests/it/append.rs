//! `factlog append`: conditions, several events at once, repeating.

use serde_json::Value;

use crate::harness::Home;

const ID: &str = "4000d4e9-32ed-5d13-a2ca-ba9245cc3b97";

#[test]
fn an_append_answers_where_its_events_are() {
    let home = Home::new();
    assert_eq!(home.ok(&["append", "account-1", "--type", "t"]), "position 1, account-1@0\n");
    let answer = home.json(&[
        "append",
        "account-1",
        "--type",
        "t",
        "--id",
        ID,
        "--payload",
        "@/dev/null",
        "--content-type",
        "text/plain",
    ]);
    insta::assert_json_snapshot!(answer);
    assert_eq!(home.ok(&["append", "--no-stream", "--type", "t"]), "position 3\n");
}

/// Would fail if an append repeated after a crash wrote its event twice, or if another event could take its id.
#[test]
fn the_same_id_is_written_once_and_for_one_content_only() {
    let home = Home::new();
    let append = ["append", "s", "--type", "t", "--id", ID, "--expected", "none"];
    home.ok(&append);
    assert_eq!(home.ok(&append), "position 1, s@0 (already recorded)\n");
    let ran = home.run(&["append", "s", "--type", "other", "--id", ID, "--json"]);
    assert_eq!((ran.code, ran.error()["code"].as_str()), (1, Some("F0009")), "{ran:?}");
}

#[test]
fn a_failed_condition_is_a_conflict_with_its_facts() {
    let home = Home::with_accounts();
    let refused = |arguments: &[&str]| {
        let ran = home.run(&[&["append", "account-1", "--type", "t", "--json"], arguments].concat());
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{arguments:?}: {ran:?}");
        ran.error()["failed"].clone()
    };
    insta::assert_json_snapshot!([
        refused(&["--expected", "none"]),
        refused(&["--expected", "0"]),
        refused(&["--if-no-match-tag", "account:1", "--if-no-match-type", "account.opened"]),
        refused(&["--expected", "7", "--if-no-match-stream", "account-2", "--after", "2"]),
    ]);
    assert_eq!(home.json(&["head"])["position"], 3);
    let allowed = ["--expected", "1", "--if-no-match-tag", "account:1", "--after", "2"];
    home.ok(&[&["append", "account-1", "--type", "t"], &allowed[..]].concat());
}

#[test]
fn lines_on_standard_input_are_one_atomic_append() {
    let home = Home::new();
    let lines =
        format!("{{\"type\":\"a\",\"id\":\"{ID}\"}}\n\n{{\"type\":\"b\",\"stream\":\"s\",\"data\":1.10}}\n");
    let ran = home.run_with(&["append", "s", "--json"], &lines);
    assert_eq!(ran.code, 0, "{ran:?}");
    let answer = ran.json();
    assert_eq!(
        (&answer["first"], &answer["last"], &answer["ids"][0]),
        (&Value::from(1), &Value::from(2), &Value::from(ID))
    );
    let ran = home.run_with(&["append", "s"], "{\"type\":\"c\"}\n{\"type\":");
    assert_eq!((ran.code, ran.err.contains("line 2 of standard input")), (1, true), "{ran:?}");
    assert_eq!(home.json(&["head"])["position"], 2);
}

/// Would fail if copying a stream through a pipe changed an event.
#[test]
fn what_is_read_as_lines_can_be_appended_again() {
    let home = Home::with_accounts();
    let lines = home.ok(&["read", "--all", "--format", "ndjson"]);
    let copy = Home::new();
    assert_eq!(copy.run_with(&["append", "--no-stream"], &lines).code, 0);
    let without_time = |text: &str| {
        text.lines()
            .map(|line| line.split_once("\"stream\"").expect("a stream").1.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(without_time(&copy.ok(&["read", "--all", "--format", "ndjson"])), without_time(&lines));
}

#[test]
fn wrong_input_is_refused_before_a_store_is_made() {
    let home = Home::new();
    for (arguments, code) in [
        (&["append", "s", "--type", "t", "--payload", "{"][..], 2),
        (&["append", "s", "--type", "t", "--meta", "x"], 2),
        (&["append", "s", "--type", "t", "--payload", "@missing.json"], 3),
        (&["append", "s", "--type", ""], 2),
        (&["append", "s", "--type", "t", "--after", "3"], 2),
        (&["append", "--type", "t"], 2),
        (&["append", "s"], 2),
    ] {
        let ran = home.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{arguments:?}: {ran:?}");
    }
    assert!(!home.store().exists());
}
