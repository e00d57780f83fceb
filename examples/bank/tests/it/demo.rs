//! The README's first command: a newcomer's first minute must work, also the second time.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use crate::harness::{Bank, finish, program};

#[test]
fn the_story_is_told_the_same_every_time() {
    let bank = Bank::new();
    let first = finish(program("demo"), bank.path());
    let second = finish(program("demo"), bank.path());
    assert_eq!((first.code, second.code), (0, 0), "{}{}", first.err, second.err);
    let (first, second) = (without_order(&first.out), without_order(&second.out));
    insta::assert_snapshot!(first);
    assert_eq!(first, second);
}

#[test]
fn a_kept_story_can_be_told_again_and_gone_on_with() {
    let bank = Bank::new();
    assert_eq!(bank.run("demo").code, 0);
    let again = bank.run("demo");
    assert_eq!(again.code, 0, "{}", again.err);
    let mut go_on = program("accounts --json --data");
    go_on.arg(bank.path().join("ledger/ledger"));
    let accounts = finish(go_on, bank.path());
    assert!(accounts.out.contains("183983.80"), "{}{}", accounts.out, accounts.err);
}

/// Would fail if a blank in the directory's name tore a command line of the story, as a home directory's may.
#[test]
fn the_story_is_told_where_names_have_blanks_and_leaves_nothing_behind() {
    let bank = Bank::new();
    let place = bank.path().join("my files");
    fs::create_dir(&place).unwrap();
    let mut demo = program("demo");
    demo.env("TMPDIR", &place);
    let told = finish(demo, bank.path());
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "the demo left files behind");
}

/// Would fail if `--json` were passed over, or if a step of the story were not in it.
#[test]
fn the_story_is_one_document_where_json_is_asked_for() {
    let told = Bank::new().json("demo");
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(steps[0]["answer"]["total_balance"], "183983.80");
    assert_eq!(steps.iter().filter(|step| step["refused"].is_string()).count(), 1);
    assert_eq!(steps.last().unwrap()["answer"]["clean"], true);
}

/// Would fail if `bank demo | head -1` ended with an error.
#[test]
fn a_reader_that_goes_away_ends_the_story_quietly() {
    let mut demo = program("demo");
    let mut child = demo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 10]).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

/// Without the positions of imported facts: accounts are booked side by side, so their order among each other is free.
fn without_order(story: &str) -> String {
    let lines =
        story.lines().map(|line| match line.split_once(|character: char| character.is_ascii_digit()) {
            Some((blank, _)) if 3 < blank.len() && blank.trim().is_empty() && line.len() > 11 => {
                let (position, rest) = line.split_at(8);
                let imported = position.trim().parse::<u32>().is_ok_and(|position| position <= 485);
                if imported { format!("       N{rest}") } else { line.to_owned() }
            }
            _ => line.to_owned(),
        });
    lines.map(|line| line + "\n").collect()
}
