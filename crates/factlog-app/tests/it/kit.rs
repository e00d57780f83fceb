//! The kit itself: it passes what is right and says what is wrong.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};

use factlog::{Context, Decide, Events, Result, Timestamp, given, given_nothing};

use crate::bank::{
    Account, AccountEvent, InsufficientFunds, Record, Transfer, Withdraw, deposited, opened, withdrawn,
};

#[test]
fn given_when_then_reads_like_the_rule() {
    let withdraw = |amount| Withdraw { account: 1, amount };
    given([opened(1), deposited(1, 10)]).when(withdraw(4)).then([withdrawn(1, 4)]);
    given([opened(1)]).when(withdraw(4)).rejected(InsufficientFunds);
    given_nothing().when(Record(Vec::new())).then_nothing();
    assert_eq!(given([deposited(1, 3)]).and([deposited(1, 4)]).view::<Account>(&1).balance, 7);
}

/// A kit that hands every event to every view would hide a forgotten tag until production.
#[test]
fn a_view_sees_only_the_given_events_inside_its_boundary() {
    given([opened(2), deposited(2, 10)]).when(Withdraw { account: 1, amount: 4 }).rejected(InsufficientFunds);
    given([deposited(1, 5), opened(2), deposited(2, 100)])
        .when(Transfer { from: 1, to: 2, amount: 6 })
        .rejected(InsufficientFunds);
}

/// Deposits the hour it is told.
struct DepositHour;

impl Decide for DepositHour {
    type Model = ();
    type Event = AccountEvent;
    type Error = InsufficientFunds;
    fn boundary(&self) {}
    fn decide(&self, (): &(), context: &Context) -> Result<Events<AccountEvent>, InsufficientFunds> {
        let hour = u64::try_from(context.now().as_micros()).unwrap() / 3_600_000_000;
        Ok(Events::one(deposited(1, hour)))
    }
}

#[test]
fn the_time_of_a_command_is_given() {
    let ten = "1970-01-01T10:00:00Z".parse::<Timestamp>().unwrap();
    given_nothing().at(ten).when(DepositHour).then([deposited(1, 10)]);
}

/// Counts how often it was asked: not a function of its facts.
struct Impure(AtomicU64);

impl Decide for Impure {
    type Model = ();
    type Event = AccountEvent;
    type Error = InsufficientFunds;
    fn boundary(&self) {}
    fn decide(&self, (): &(), _: &Context) -> Result<Events<AccountEvent>, InsufficientFunds> {
        Ok(Events::one(deposited(1, self.0.fetch_add(1, Ordering::Relaxed))))
    }
}

fn failure(test: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = catch_unwind(test).expect_err("the kit must fail here");
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.unwrap_or_else(|| panic.downcast_ref::<String>().expect("a message").clone())
}

/// Trap 9: a decision that differs when run again would act twice after a lost race.
#[test]
fn what_is_wrong_is_said_so_that_it_can_be_corrected() {
    let both = || Record(vec![opened(1), deposited(1, 5), withdrawn(1, 2)]);
    let failures = [
        failure(|| given_nothing().when(both()).then([opened(1), deposited(1, 6), withdrawn(1, 2)])),
        failure(|| given_nothing().when(both()).rejected(InsufficientFunds)),
        failure(|| given_nothing().when(Withdraw { account: 1, amount: 1 }).then_nothing()),
        failure(|| given_nothing().when(Impure(AtomicU64::new(0))).then([deposited(1, 0)])),
    ];
    insta::assert_snapshot!(failures.join("\n----\n"));
}
