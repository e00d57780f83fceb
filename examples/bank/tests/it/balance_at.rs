//! A past balance is what adding up the statement file to that day gives, for accounts and days picked at random.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bank::domain::{AccountId, Days, Money};
use factlog::engine::Settings;
use factlog::{App, Engine, EventStore as _};
use jiff::civil::Date;

use crate::harness::{Bank, sample};

/// Sums of the statement file, in plain arithmetic that shares nothing with the program but [`Money`].
pub(crate) struct Statements {
    changes: BTreeMap<(String, Date), Money>,
    accounts: Vec<String>,
    days: Vec<Date>,
}

impl Statements {
    pub(crate) fn read(file: &Path) -> Self {
        let mut changes: BTreeMap<(String, Date), Money> = BTreeMap::new();
        for line in fs::read_to_string(file).unwrap().lines().skip(1) {
            let columns: Vec<&str> = line.split(',').collect();
            let amount: Money = columns[6].parse().unwrap();
            let change = if columns[3] == "credit" { amount } else { -amount };
            let sum = changes.entry((columns[1].to_owned(), columns[2].parse().unwrap())).or_default();
            *sum = *sum + change;
        }
        let mut accounts: Vec<String> = changes.keys().map(|(account, _)| account.clone()).collect();
        accounts.dedup();
        let mut days: Vec<Date> = changes.keys().map(|(_, day)| *day).collect();
        days.sort_unstable();
        days.dedup();
        Self { changes, accounts, days }
    }

    fn balance(&self, account: &str, day: Date) -> Money {
        let from = (account.to_owned(), Date::MIN);
        self.changes.range(from..=(account.to_owned(), day)).map(|(_, change)| *change).sum()
    }

    /// Pairs of an account and a day, the same in every run.
    fn pairs(&self, count: u64) -> impl Iterator<Item = (&str, Date)> {
        (1..=count).map(|number| {
            let random = number
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(29)
                .wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let pick = |among: usize, bits: u64| (bits % among as u64) as usize;
            (
                &*self.accounts[pick(self.accounts.len(), random >> 33)],
                self.days[pick(self.days.len(), random & 0xFFFF_FFFF)],
            )
        })
    }
}

/// Compares 200 pairs through the fold itself, and the first ten of them also through the program.
pub(crate) fn compare(bank: &Bank, statements: &Statements) {
    for (account, day) in statements.pairs(10) {
        let answer = bank.json(&format!("balance {account} --at {day}"));
        assert_eq!(
            answer["balance"],
            statements.balance(account, day).to_string(),
            "account {account} at {day}"
        );
    }
    let engine = Engine::open(bank.path().join("ledger"), Settings::default()).unwrap();
    let app = App::new(engine);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (account, day) in statements.pairs(200) {
            let id: AccountId = account.parse().unwrap();
            let days = app.load::<Days>(&id).await.unwrap().state;
            assert_eq!(
                days.balance(Some(day)),
                statements.balance(account, day),
                "account {account} at {day}"
            );
        }
        app.store().close().await.unwrap();
    });
}

#[test]
fn two_hundred_past_balances_of_the_sample() {
    let bank = Bank::new();
    bank.text(&format!("import {} --overdraft-limit 6000", sample().display()));
    compare(&bank, &Statements::read(&sample()));
}
