//! Importing statements: every row once, whatever interrupts it, and none dropped.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Bank, sample};

fn import(bank: &Bank, limit: &str) -> Value {
    bank.json(&format!("import {} --overdraft-limit {limit}", sample().display()))
}

#[test]
fn the_sample_is_booked_whole_and_once() {
    let bank = Bank::new();
    let whole = json!({
        "rows": 476, "accounts": 9, "accepted": 476, "refused": 0, "added": 476, "total_balance": "183983.80",
    });
    assert_eq!(import(&bank, "6000"), whole);
    let facts = bank.json("verify")["events"].clone();
    assert_eq!(facts, json!(476 + 9));
    let again = import(&bank, "6000");
    assert_eq!(again["added"], json!(0));
    for figure in ["rows", "accounts", "accepted", "refused", "total_balance"] {
        assert_eq!(again[figure], whole[figure], "{figure}");
    }
    assert_eq!(bank.json("verify")["events"], facts);
}

#[test]
fn the_banks_own_balances_agree_but_for_the_cut_last_day() {
    let bank = Bank::new();
    import(&bank, "6000");
    let found = bank.json(&format!("reconcile {}", sample().display()));
    assert_eq!((&found["rows"], &found["equal"]), (&json!(476), &json!(472)));
    assert_eq!((&found["accounts"], &found["accounts_off"]), (&json!(9), &json!(3)));
    insta::assert_snapshot!(bank.text(&format!("reconcile {}", sample().display())));
}

/// A row that was refused must not be booked by the next import, when the money has come.
#[test]
fn a_refused_row_is_recorded_with_its_reason_and_stays_refused() {
    let bank = Bank::new();
    let first = import(&bank, "0");
    assert_eq!((&first["accepted"], &first["refused"]), (&json!(472), &json!(4)));
    assert_eq!(first["total_balance"], json!("209577.80"));
    let history = bank.json("history 1539");
    let facts = history["facts"].as_array().unwrap();
    let refused: Vec<&Value> = facts.iter().filter(|fact| fact["type"] == "movement.refused").collect();
    assert!(!refused.is_empty());
    insta::assert_snapshot!(serde_json::to_string_pretty(&refused[0]["data"]).unwrap());

    bank.text("deposit 1539 100000");
    let again = import(&bank, "6000");
    assert_eq!((&again["refused"], &again["added"]), (&json!(4), &json!(0)));
    let found = bank.json(&format!("reconcile {}", sample().display()));
    let missing =
        found["differences"].as_array().unwrap().iter().filter(|row| row["ledger"].is_null()).count();
    assert_eq!(missing, 4);
}

#[test]
fn a_rebuilt_read_model_equals_the_live_one_and_a_lost_one_comes_back() {
    let bank = Bank::new();
    import(&bank, "6000");
    let live = (bank.json("accounts"), bank.json("statement 1539 --month 1993-09"));
    assert_eq!(bank.json("rebuild")["equal"], json!(true));
    assert_eq!((bank.json("accounts"), bank.json("statement 1539 --month 1993-09")), live);
    fs::remove_dir_all(bank.path().join("ledger/read-models")).unwrap();
    assert_eq!((bank.json("accounts"), bank.json("statement 1539 --month 1993-09")), live);
}

#[test]
fn an_import_that_was_killed_is_finished_by_the_next() {
    let whole = Bank::new();
    import(&whole, "6000");
    let expected = whole.json("accounts");
    for delay in [0, 15, 30, 60, 90, 120, 160, 200] {
        let bank = Bank::new();
        let mut command = bank.command(&format!("import {} --overdraft-limit 6000", sample().display()));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(import(&bank, "6000")["accepted"], json!(476), "killed after {delay} ms");
        assert_eq!(bank.json("accounts"), expected, "killed after {delay} ms");
        let verified = bank.json("verify");
        assert_eq!(
            (&verified["clean"], &verified["events"]),
            (&json!(true), &json!(485)),
            "killed after {delay} ms"
        );
    }
}

#[test]
fn a_transaction_that_is_in_the_file_twice_is_not_dropped_in_silence() {
    let bank = Bank::new();
    let rows = fs::read_to_string(sample()).unwrap();
    let twice = format!("{rows}{}\n", rows.lines().nth(1).unwrap());
    let file = bank.path().join("twice.csv");
    fs::write(&file, twice).unwrap();
    for attempt in ["first", "second"] {
        let run = bank.run(&format!("import {} --overdraft-limit 6000", file.display()));
        assert_eq!(run.code, 1, "{attempt}");
        assert!(run.err.contains("is in the file twice"), "{attempt}: {}", run.err);
    }
}

#[test]
fn a_damaged_line_stops_the_import_and_says_where() {
    let bank = Bank::new();
    let rows =
        fs::read_to_string(sample()).unwrap().replacen("cash-deposit,,900.00", "cash-deposit,,9OO.00", 1);
    let file = bank.path().join("damaged.csv");
    fs::write(&file, rows).unwrap();
    let run = bank.run(&format!("import {} --overdraft-limit 6000", file.display()));
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run.err);
}

/// Would fail if a mistyped file were reported as booked, with nothing in it, and left an empty ledger behind.
#[test]
fn a_file_that_is_no_statement_is_refused_and_makes_no_ledger() {
    let bank = Bank::new();
    let file = bank.path().join("other.json");
    fs::write(&file, "{\"a\": 1}").unwrap();
    for name in [file.display().to_string(), bank.path().display().to_string()] {
        let run = bank.run(&format!("import {name}"));
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{}", run.err);
        assert!(run.err.contains("cannot be booked"), "{}", run.err);
        assert_eq!(bank.run(&format!("reconcile {name}")).code, 1);
    }
    assert!(!bank.path().join("ledger").exists());
}

#[test]
fn a_read_model_that_is_not_what_the_facts_say_is_found_and_replaced() {
    let bank = Bank::new();
    import(&bank, "6000");
    let true_accounts = bank.json("accounts");
    let file = rusqlite::Connection::open(bank.path().join("ledger/read-models/balances.sqlite")).unwrap();
    let tamper = "UPDATE factlog_documents SET document = replace(document, '18556.60', '99999.99')";
    assert_eq!(file.execute(&format!("{tamper} WHERE document LIKE '%18556.60%'"), []).unwrap(), 1);
    drop(file);
    let run = bank.run("rebuild");
    assert_eq!(run.code, 1);
    assert!(run.err.contains("the read models were not what the facts say"), "{}", run.err);
    assert_eq!(bank.json("accounts"), true_accounts);
}

#[test]
fn one_flipped_bit_in_the_log_is_damage_and_no_wrong_balance() {
    let bank = Bank::new();
    import(&bank, "6000");
    let wal = fs::read_dir(bank.path().join("ledger/wal")).unwrap().map(|file| file.unwrap().path());
    let amount = b"\"6500.00\"";
    let found = wal.into_iter().find_map(|file| {
        let bytes = fs::read(&file).unwrap();
        let at = bytes.windows(amount.len()).position(|window| window == amount)?;
        Some((file, bytes, at))
    });
    let (file, mut bytes, at) = found.expect("the sample has a withdrawal of 6500.00");
    bytes[at + 1] ^= 0x01;
    fs::write(file, bytes).unwrap();
    let verified = bank.run("verify");
    assert_eq!((verified.code, verified.out.as_str()), (7, ""), "{}", verified.err);
    assert!(verified.err.contains("is damaged at offset"), "{}", verified.err);
    let asked = bank.run("balance 1539 --at 1993-09-30");
    assert_eq!((asked.code, asked.out.as_str()), (7, ""), "{}", asked.err);
}
