//! The README's first command: a newcomer's first minute must work, also the second time.

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
