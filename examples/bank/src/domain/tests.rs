//! The rules as examples (given these facts, when this is asked, then that happens) and as properties.

use std::sync::Barrier;

use factlog::engine::Settings;
use factlog::{App, Engine, ExecuteError, MemoryStore, given, given_nothing};
use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;

/// A changed field would make years of movements unreadable. What a change means is said by the failure; where it is
/// meant, `FACTLOG_EVENTS_LOCK=update` writes the file again.
#[test]
fn the_events_are_what_the_committed_file_says() -> Result<(), factlog::schema::CheckError> {
    factlog::schema::Catalog::new().with::<BankEvent>().check("events.lock").map(drop)
}

const DAY: Date = date(1994, 4, 5);

fn id(number: u32) -> AccountId {
    number.to_string().parse().unwrap()
}

fn crowns(amount: i64) -> Money {
    Money::from_minor(amount * 100)
}

fn opened(number: u32, limit: i64) -> BankEvent {
    AccountOpened { account_id: id(number), on: DAY, overdraft_limit: crowns(limit) }.into()
}

fn closed(number: u32) -> BankEvent {
    AccountClosed { account_id: id(number), on: DAY }.into()
}

fn deposited(number: u32, amount: i64) -> BankEvent {
    MoneyDeposited { account_id: id(number), amount: crowns(amount), booking: Booking::on(DAY) }.into()
}

fn withdrawn(number: u32, amount: i64) -> BankEvent {
    MoneyWithdrawn { account_id: id(number), amount: crowns(amount), booking: Booking::on(DAY) }.into()
}

fn open(number: u32, limit: i64) -> Open {
    Open { account_id: id(number), on: DAY, overdraft_limit: crowns(limit) }
}

fn deposit(number: u32, amount: i64) -> Deposit {
    Deposit { account_id: id(number), amount: crowns(amount), booking: Booking::on(DAY) }
}

fn withdraw(number: u32, amount: i64) -> Withdraw {
    Withdraw { account_id: id(number), amount: crowns(amount), booking: Booking::on(DAY) }
}

fn transfer(from: u32, to: u32, amount: i64) -> Transfer {
    Transfer { from: id(from), to: id(to), amount: crowns(amount), booking: Booking::on(DAY) }
}

fn interest(number: u32, amount: i64) -> CollectInterest {
    CollectInterest { account_id: id(number), amount: crowns(amount), booking: Booking::on(DAY) }
}

fn fee(number: u32, amount: i64, kind: FeeKind) -> ChargeFee {
    ChargeFee { account_id: id(number), amount: crowns(amount), kind, booking: Booking::on(DAY) }
}

fn short(number: u32, available: i64, amount: i64) -> Refusal {
    Refusal::InsufficientFunds { account: id(number), available: crowns(available), amount: crowns(amount) }
}

#[test]
fn an_account_is_opened_once() {
    given_nothing().when(open(1, 500)).then([opened(1, 500)]);
    given([opened(1, 500)]).when(open(1, 0)).rejected(Refusal::AlreadyOpened { account: id(1) });
    given([opened(2, 0)]).when(open(1, 0)).then([opened(1, 0)]);
}

#[test]
fn a_closed_account_is_not_opened_again() {
    given([opened(1, 0), closed(1)]).when(open(1, 0)).rejected(Refusal::AlreadyOpened { account: id(1) });
}

#[test]
fn an_overdraft_limit_is_not_negative() {
    given_nothing().when(open(1, -1)).rejected(Refusal::BadLimit { limit: crowns(-1) });
}

#[test]
fn a_withdrawal_stops_at_zero_without_a_limit() {
    given([opened(1, 0), deposited(1, 10)]).when(withdraw(1, 10)).then([withdrawn(1, 10)]);
    given([opened(1, 0), deposited(1, 10)]).when(withdraw(1, 11)).rejected(short(1, 10, 11));
    given([opened(1, 0), deposited(1, 10), withdrawn(1, 4)]).when(withdraw(1, 7)).rejected(short(1, 6, 7));
}

#[test]
fn a_withdrawal_goes_as_far_below_zero_as_agreed() {
    given([opened(1, 500), deposited(1, 10)]).when(withdraw(1, 510)).then([withdrawn(1, 510)]);
    given([opened(1, 500), deposited(1, 10)]).when(withdraw(1, 511)).rejected(short(1, 510, 511));
}

#[test]
fn the_money_of_another_account_is_not_available() {
    given([opened(1, 0), opened(2, 0), deposited(2, 100)]).when(withdraw(1, 1)).rejected(short(1, 0, 1));
}

#[test]
fn the_banks_own_charges_go_below_any_limit() {
    for kind in [FeeKind::Statement, FeeKind::SanctionInterest] {
        let charged = FeeCharged { account_id: id(1), amount: crowns(9), kind, booking: Booking::on(DAY) };
        given([opened(1, 0)]).when(fee(1, 9, kind)).then([BankEvent::from(charged.clone())]);
        let below = [opened(1, 0), charged.into(), deposited(1, 8)];
        given(below).when(withdraw(1, 1)).rejected(short(1, -1, 1));
    }
}

#[test]
fn interest_becomes_available() {
    let earned = InterestCollected { account_id: id(1), amount: crowns(3), booking: Booking::on(DAY) };
    given([opened(1, 0)]).when(interest(1, 3)).then([BankEvent::from(earned.clone())]);
    given([opened(1, 0), earned.into()]).when(withdraw(1, 3)).then([withdrawn(1, 3)]);
}

#[test]
fn nothing_moves_on_an_account_that_was_never_opened() {
    let refused = || Refusal::NotOpened { account: id(1) };
    given_nothing().when(deposit(1, 1)).rejected(refused());
    given_nothing().when(withdraw(1, 1)).rejected(refused());
    given_nothing().when(interest(1, 1)).rejected(refused());
    given_nothing().when(fee(1, 1, FeeKind::Statement)).rejected(refused());
    given_nothing().when(Close { account_id: id(1), on: DAY }).rejected(refused());
    given([opened(2, 0)]).when(transfer(2, 1, 1)).rejected(refused());
    given([opened(2, 0)]).when(transfer(1, 2, 1)).rejected(refused());
}

#[test]
fn nothing_moves_on_a_closed_account() {
    let refused = || Refusal::Closed { account: id(1), on: DAY };
    let facts = || [opened(1, 0), deposited(1, 10), closed(1), opened(2, 0), deposited(2, 10)];
    given(facts()).when(deposit(1, 1)).rejected(refused());
    given(facts()).when(withdraw(1, 1)).rejected(refused());
    given(facts()).when(interest(1, 1)).rejected(refused());
    given(facts()).when(fee(1, 1, FeeKind::SanctionInterest)).rejected(refused());
    given(facts()).when(transfer(1, 2, 1)).rejected(refused());
    given(facts()).when(transfer(2, 1, 1)).rejected(refused());
    given(facts()).when(Close { account_id: id(1), on: DAY }).rejected(refused());
}

#[test]
fn an_open_account_can_be_closed() {
    given([opened(1, 0)]).when(Close { account_id: id(1), on: DAY }).then([closed(1)]);
}

#[test]
fn amounts_are_positive_and_bounded() {
    for amount in [0, -1] {
        let refused = || Refusal::NotPositive { amount: crowns(amount) };
        let facts = || [opened(1, 0), opened(2, 0)];
        given(facts()).when(deposit(1, amount)).rejected(refused());
        given(facts()).when(withdraw(1, amount)).rejected(refused());
        given(facts()).when(interest(1, amount)).rejected(refused());
        given(facts()).when(fee(1, amount, FeeKind::Statement)).rejected(refused());
        given(facts()).when(transfer(1, 2, amount)).rejected(refused());
    }
    let most = 1_000_000_000;
    given([opened(1, 0)]).when(deposit(1, most)).then([deposited(1, most)]);
    given([opened(1, 0)]).when(deposit(1, most + 1)).rejected(Refusal::TooLarge { amount: crowns(most + 1) });
}

#[test]
fn a_transfer_is_two_facts_and_needs_the_payers_money() {
    let (amount, booking) = (crowns(7), Booking::on(DAY));
    let sent = TransferSent { account_id: id(1), to: id(2), amount, booking: booking.clone() };
    let received = TransferReceived { account_id: id(2), from: id(1), amount, booking };
    let facts = || [opened(1, 0), deposited(1, 7), opened(2, 0)];
    given(facts()).when(transfer(1, 2, 7)).then([BankEvent::from(sent.clone()), received.clone().into()]);
    given(facts()).when(transfer(1, 2, 8)).rejected(short(1, 7, 8));
    given(facts()).when(transfer(2, 1, 1)).rejected(short(2, 0, 1));
    given(facts()).when(transfer(1, 1, 1)).rejected(Refusal::SameAccount { account: id(1) });
}

#[test]
fn a_refused_movement_moves_nothing() {
    let refused = MovementRefused {
        account_id: id(1),
        movement: "withdrawal".into(),
        amount: crowns(5),
        rule: "insufficient-funds".into(),
        reason: "no".into(),
        booking: Booking::on(DAY),
    };
    assert_eq!(BankEvent::from(refused).change(), Money::ZERO);
}

#[test]
fn what_is_stored_never_changes_its_shape() {
    use factlog::EventSet as _;
    let booking = Booking {
        transaction_id: Some("232961".into()),
        operation: Some("collection-in".into()),
        purpose: Some("pension".into()),
        partner: Some(Partner { bank: Some("IJ".into()), account: None }),
        ..Booking::on(DAY)
    };
    let event =
        BankEvent::from(MoneyDeposited { account_id: id(793), amount: Money::from_minor(340_105), booking });
    let stored = event.encode().unwrap();
    assert_eq!(stored.name, "money.deposited");
    assert_eq!(stored.stream.unwrap().as_str(), "account-793");
    assert_eq!(stored.tags[0].as_str(), "account:793");
    insta::assert_snapshot!(String::from_utf8(stored.data.to_vec()).unwrap());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// How many of sixteen racing withdrawals of 10 from 100 are booked.
fn race(app: &App) -> usize {
    runtime().block_on(async {
        app.execute(open(1, 0)).await.unwrap();
        app.execute(deposit(1, 100)).await.unwrap();
    });
    let start = Barrier::new(16);
    let one = || {
        start.wait();
        runtime().block_on(app.execute(withdraw(1, 10)).into_future())
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..16).map(|_| scope.spawn(one)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let funds = runtime().block_on(app.load::<Funds>(&id(1)).into_future()).unwrap();
    assert_eq!(funds.state.balance, Money::ZERO);
    for lost in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert!(matches!(lost, ExecuteError::Rejected(Refusal::InsufficientFunds { .. })), "{lost}");
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

#[test]
fn of_sixteen_withdrawals_of_10_from_100_exactly_ten_win_in_memory() {
    for _ in 0..100 {
        assert_eq!(race(&App::new(MemoryStore::new())), 10);
    }
}

#[test]
fn of_sixteen_withdrawals_of_10_from_100_exactly_ten_win_on_disk() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(directory.path(), Settings::default()).unwrap();
        assert_eq!(race(&App::new(engine)), 10);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn transfers_neither_make_nor_lose_money(
        limits in prop::collection::vec(0_i64..50, 4),
        moves in prop::collection::vec((1_u32..=4, 1_u32..=4, -2_i64..80), 1..40),
    ) {
        let app = App::new(MemoryStore::new());
        let sum = runtime().block_on(async {
            for (number, limit) in (1..).zip(&limits) {
                app.execute(open(number, *limit)).await.unwrap();
                app.execute(deposit(number, 50)).await.unwrap();
            }
            for (from, to, amount) in moves {
                // Refused or not: neither may change the sum.
                let _ = app.execute(transfer(from, to, amount)).await;
            }
            let mut sum = Money::ZERO;
            for (number, limit) in (1..).zip(&limits) {
                let funds = app.load::<Funds>(&id(number)).await.unwrap().state;
                assert!(crowns(-limit) <= funds.balance, "account {number} fell below its limit");
                sum = sum + funds.balance;
            }
            sum
        });
        prop_assert_eq!(sum, crowns(200));
    }
}
