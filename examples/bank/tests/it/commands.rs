//! The commands as people type them: answers, refusals, exit codes.

use serde_json::json;

use crate::harness::{Bank, finish, program};

#[test]
fn a_day_at_the_counter() {
    let bank = Bank::new();
    let day = "--on 1994-04-05";
    let lines = [
        format!("open 1 --overdraft-limit 100 {day}"),
        format!("open 2 {day}"),
        format!("deposit 1 50 {day}"),
        format!("withdraw 1 120.50 {day}"),
        format!("transfer 1 2 20 {day}"),
        format!("interest 2 0.35 {day}"),
        format!("fee 1 14.60 {day}"),
        format!("fee 1 3 --kind sanction-interest {day}"),
        format!("close 2 {day}"),
        "accounts".to_owned(),
        "statement 1".to_owned(),
        "statement 1 --month 1994-04".to_owned(),
        "history 2".to_owned(),
    ];
    let told: Vec<String> = lines.iter().map(|line| format!("$ bank {line}\n{}", bank.text(line))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn every_refusal_says_why_and_changes_nothing() {
    let bank = Bank::new();
    bank.text("open 1 --overdraft-limit 10");
    bank.text("open 2");
    bank.text("open 3");
    bank.text("close 3 --on 1994-04-05");
    let facts = bank.json("verify")["events"].clone();
    let lines = [
        "open 1",
        "open 4 --overdraft-limit=-1",
        "withdraw 1 10.01",
        "withdraw 2 0.01",
        "transfer 2 1 1",
        "transfer 1 1 1",
        "transfer 1 3 1",
        "transfer 1 9 1",
        "deposit 3 1",
        "deposit 9 1",
        "deposit 1 0",
        "deposit 1 -5",
        "deposit 1 1000000000.01",
        "balance 9",
        "statement 1 --month 1999-01",
        "history 9",
        "reconcile nowhere.csv",
    ];
    let told: Vec<String> = lines
        .iter()
        .map(|line| {
            let run = bank.run(line);
            assert_eq!(run.out, "", "{line}");
            format!("$ bank {line}\n{}exit code {}\n", run.err, run.code)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(bank.json("verify")["events"], facts);
}

#[test]
fn a_refusal_names_its_rule_to_a_program() {
    let bank = Bank::new();
    bank.text("open 1");
    let run = bank.run("withdraw 1 5 --json");
    let error: serde_json::Value = serde_json::from_str(&run.err).unwrap();
    assert_eq!(error["error"]["rule"], json!("insufficient-funds"));
    assert_eq!((run.code, &error["error"]["exit"]), (1, &json!(1)));
}

#[test]
fn what_cannot_be_understood_is_wrong_usage() {
    let bank = Bank::new();
    for line in
        ["", "deposit 1 ten", "balance a:b", "balance 1 --at 1994-02-30", "statement 1 --month 1994", "fly"]
    {
        assert_eq!(bank.run(line).code, 2, "bank {line}");
    }
}

#[test]
fn a_mistyped_directory_is_not_an_empty_bank() {
    let bank = Bank::new();
    for line in ["balance 1", "accounts", "history 1", "deposit 1 10", "rebuild", "verify"] {
        let run = bank.run(line);
        assert_eq!(run.code, 3, "bank {line}: {}", run.err);
        assert!(run.err.contains("there is no ledger in DIR/ledger"), "{}", run.err);
    }
    assert!(!bank.path().join("ledger").exists());
}

#[test]
fn the_directory_may_be_named_before_or_after_the_command() {
    let bank = Bank::new();
    bank.text("open 1");
    let data = bank.path().join("ledger");
    for line in [
        format!("--data {} balance 1 --json", data.display()),
        format!("balance 1 --json --data {}", data.display()),
    ] {
        let run = finish(program(&line), bank.path());
        assert!(run.out.contains("\"0.00\""), "{}{}", run.out, run.err);
    }
}

#[test]
fn the_same_key_books_once() {
    let bank = Bank::new();
    bank.text("open 1");
    let first = bank.json("deposit 1 10 --key salary-may");
    let again = bank.json("deposit 1 10 --key salary-may");
    assert_eq!((&first["replayed"], &again["replayed"]), (&json!(false), &json!(true)));
    assert_eq!(first["position"], again["position"]);
    assert_eq!(bank.json("balance 1")["balance"], json!("10.00"));
}

#[test]
fn the_ledger_tells_when_it_counted_from_when_it_was_known() {
    let bank = Bank::new();
    bank.text("open 1 --on 1994-01-01");
    bank.text("deposit 1 10 --on 1994-01-10");
    let before = bank.json("deposit 1 5 --on 1994-01-20")["position"].clone();
    bank.text("deposit 1 7 --on 1994-01-05"); // Learned of late.
    let balance = |question: &str| bank.json(&format!("balance 1 {question}"))["balance"].clone();
    assert_eq!(balance(""), json!("22.00"));
    assert_eq!(balance("--at 1994-01-04"), json!("0.00"));
    assert_eq!(balance("--at 1994-01-10"), json!("17.00"));
    assert_eq!(balance(&format!("--at 1994-01-10 --known-at {before}")), json!("10.00"));
    assert_eq!(balance(&format!("--known-at {before}")), json!("15.00"));
    assert_eq!(balance("--known-at 2999-01-01T00:00:00Z"), json!("22.00"));
    assert_eq!(balance("--known-at 1999-01-01T00:00:00Z"), json!("0.00"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let bank = Bank::new();
    bank.text("open 1");
    let mut command = bank.command("history 1");
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
}

/// Would fail if a script that reads JSON had to read English when it mistypes an option.
#[test]
fn with_json_every_answer_and_every_failure_is_one_line() {
    let bank = Bank::new();
    assert_eq!(bank.text("open 1 --json").lines().count(), 1);
    for (line, code) in [("balance 9 --json", 3), ("withdraw 1 5 --json", 1), ("--json balance --bogus", 2)] {
        let run = bank.run(line);
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{line}");
        let error: serde_json::Value = serde_json::from_str(&run.err).unwrap();
        assert_eq!(error["error"]["exit"], json!(code), "{line}");
    }
}
