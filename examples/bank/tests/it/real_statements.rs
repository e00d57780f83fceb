//! The real statements, all of them, where they are at hand: figures that nobody here made up.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::balance_at::{Statements, compare};
use crate::harness::Bank;

/// The real statements, next to this checkout or where `BANK_STATEMENTS` says; or a word about their absence.
fn statements() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/bank/transactions.csv");
    let file = std::env::var_os("BANK_STATEMENTS").map_or(beside, PathBuf::from);
    if !file.exists() {
        say(&format!("skipped: the real statements are not in {}", file.display()));
        return None;
    }
    Some(file)
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn say(text: &str) {
    eprintln!("{text}");
}

#[test]
fn a_real_banks_fifteen_months_come_out_to_the_last_hundredth() {
    let Some(file) = statements() else { return };
    let bank = Bank::new();
    let imported = bank.json(&format!("import {} --overdraft-limit 6000", file.display()));
    assert_eq!(
        imported,
        json!({
            "rows": 49_102, "accounts": 1_229, "accepted": 49_102, "refused": 0, "added": 49_102,
            "total_balance": "39246142.80",
        })
    );
    let found = bank.json(&format!("reconcile {}", file.display()));
    assert_eq!((&found["rows"], &found["equal"]), (&json!(49_102), &json!(49_069)));
    assert_eq!((&found["accounts"], &found["accounts_off"]), (&json!(1_229), &json!(29)));
    assert_eq!(bank.json("rebuild")["equal"], json!(true));
    let again = bank.json(&format!("import {} --overdraft-limit 6000", file.display()));
    assert_eq!((&again["added"], &again["total_balance"]), (&json!(0), &imported["total_balance"]));
    assert_eq!(bank.json("verify")["clean"], json!(true));
    compare(&bank, &Statements::read(&file));
}
