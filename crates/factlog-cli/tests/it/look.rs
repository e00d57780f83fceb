//! Looking at a store: read, tail, streams, head, stats.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Home, events, piped, redacted};

/// Positions of the events that a command prints as JSON lines.
fn positions(home: &Home, arguments: &[&str]) -> Vec<u64> {
    let out = home.ok(&[arguments, &["--format", "ndjson"]].concat());
    let position =
        |line: &str| serde_json::from_str::<Value>(line).expect(line)["position"].as_u64().expect("a number");
    out.lines().map(position).collect()
}

#[test]
fn a_store_answers_with_its_numbers() {
    let home = Home::with_accounts();
    let answers = json!({
        "head": redacted(home.json(&["head"])),
        "stats": redacted(home.json(&["stats"])),
        "streams list": redacted(home.json(&["streams", "list"])),
        "streams info": redacted(home.json(&["streams", "info", "account-1"])),
    });
    insta::assert_json_snapshot!(answers);
    assert_eq!(
        home.json(&["streams", "list", "--prefix", "account-2"])["streams"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(
        home.json(&["streams", "list", "--limit", "1", "--after", "account-1"])["streams"][0]["stream"],
        "account-2"
    );
}

#[test]
fn people_read_tables() {
    let home = Home::with_accounts();
    let streams = home.ok(&["streams", "list"]) + &home.ok(&["streams", "info", "account-1"]);
    insta::assert_snapshot!(streams);
    let table = home.ok(&["read", "--all"]);
    assert!(
        table.lines().nth(2).is_some_and(|row| row.ends_with(r#"{"amount":1.10} #account:1"#)),
        "{table}"
    );
}

#[test]
fn each_filter_and_bound_selects_what_it_says() {
    let home = Home::with_accounts();
    for (arguments, expected) in [
        (&["read", "--all"][..], &[1, 2, 3][..]),
        (&["read", "account-1"], &[1, 2]),
        (&["read", "account-1", "--from-revision", "1"], &[2]),
        (&["read", "--category", "account", "--backwards"], &[3, 2, 1]),
        (&["read", "--all", "--type", "account.opened"], &[1, 3]),
        (&["read", "--all", "--type", "account.opened", "--type", "account.deposited"], &[1, 2, 3]),
        (&["read", "--all", "--tag", "account:1"], &[1, 2]),
        (&["read", "--all", "--tag", "account:1", "--tag", "account:2"], &[]),
        (&["read", "--all", "--after", "1", "--until", "2"], &[2]),
        (&["read", "--all", "--limit", "2"], &[1, 2]),
        (&["read", "--all", "--at", "2001-01-01T00:00:00Z"], &[]),
        (&["read", "--all", "--at", "2999-01-01T00:00:00Z"], &[1, 2, 3]),
        (&["tail", "--from", "beginning", "--until-caught-up"], &[1, 2, 3]),
        (&["tail", "--from", "2", "--limit", "1"], &[2]),
        (&["tail", "--from", "end", "--until-caught-up"], &[]),
        (&["tail", "account-2", "--from", "beginning", "--until-caught-up"], &[3]),
    ] {
        assert_eq!(positions(&home, arguments), expected, "{arguments:?}");
    }
}

/// Would fail if looking at a directory made a store of it, or if a mistyped name looked like an empty stream.
#[test]
fn what_is_not_there_is_not_found_and_not_made() {
    let home = Home::new();
    for arguments in [
        &["head"][..],
        &["stats"],
        &["verify"],
        &["read", "--all"],
        &["tail"],
        &["export"],
        &["streams", "list"],
    ] {
        let ran = home.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{arguments:?}: {ran:?}");
    }
    assert!(!home.store().exists());
    let home = Home::with_accounts();
    for arguments in
        [&["read", "account-9"][..], &["streams", "info", "account-9"], &["export", "--stream", "account-9"]]
    {
        assert_eq!(home.run(arguments).code, 3, "{arguments:?}");
    }
}

#[test]
fn a_store_in_use_is_unavailable_and_says_so() {
    let home = Home::with_accounts();
    let mut tail = piped(&mut home.command(&["tail", "--from", "beginning"]));
    let mut line = String::new();
    BufReader::new(tail.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("the heading or a row");
    let ran = home.run(&["head", "--json"]);
    tail.kill().expect("it runs");
    tail.wait().expect("it ends");
    assert_eq!(ran.code, 6, "{ran:?}");
    assert_eq!(ran.error()["code"], "F0006");
}

/// Would fail if an interrupted follower died by the signal, which scripts cannot tell from a crash.
#[test]
fn an_interrupt_ends_with_130_and_every_line_is_out_before() {
    let home = Home::with_accounts();
    let mut tail = piped(&mut home.command(&["tail", "--from", "beginning", "--format", "ndjson"]));
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    let seen: Vec<String> = lines.by_ref().take(3).map(|line| line.expect("a line")).collect();
    assert_eq!(seen.len(), 3);
    let kill = Command::new("kill").args(["-INT", &tail.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
    assert_eq!(tail.wait().expect("it ends").code(), Some(130));
}

/// Would fail if `factlog read | head` ended with an error or a panic.
#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let home = Home::new();
    home.run_with(&["import", "-"], events(20_000));
    for arguments in [&["read", "--all"][..], &["export"], &["completions", "bash"]] {
        let mut child = piped(home.command(arguments).stdin(Stdio::null()));
        let mut out = child.stdout.take().expect("a pipe");
        out.read_exact(&mut [0; 10]).expect("ten bytes");
        drop(out);
        let output = child.wait_with_output().expect("it ends");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}
