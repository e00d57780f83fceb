//! The rules and the process, without a store and in virtual time.

use std::time::Duration;

use factlog::{given, given_nothing, given_process};

use crate::fulfilment::Fulfilment;
use crate::rules::{Act, Do, Refusal, Stock};
use crate::*;

fn placed(article: &str) -> OrderEvent {
    Placed { order: 7, article: article.into(), pieces: 2, cents: 3_800 }.into()
}

fn reserved(article: &str) -> Reserved {
    Reserved { order: 7, article: article.into(), pieces: 2 }
}

fn paid() -> OrderEvent {
    Paid { order: 7, cents: 3_800 }.into()
}

fn to(act: Act, article: &str) -> Do {
    Do { order: 7, article: article.into(), act }
}

#[test]
fn pieces_are_put_aside_only_while_there_are_enough() {
    let shelf = |pieces| StockEvent::from(Restocked { article: "book".into(), pieces });
    let reserve = || to(Act::Reserve, "book");
    given([shelf(2)]).and([placed("book")]).when(reserve()).then([reserved("book")]);
    let sold_out = Refusal::SoldOut { article: "book".into(), left: 1 };
    given([shelf(1)]).and([placed("book")]).when(reserve()).rejected(sold_out);
    given([shelf(2)]).and([placed("book"), reserved("book").into()]).when(reserve()).then_nothing();
    given_nothing().when(reserve()).rejected(Refusal::Order(7, "was never placed"));
    let others = StockEvent::from(Reserved { order: 8, article: "book".into(), pieces: 1 });
    assert_eq!(given([shelf(5), others]).view::<Stock>(&"book".to_owned()), Stock(4));
}

#[test]
fn nothing_is_sent_unpaid_and_nothing_is_called_off_that_is_on_its_way() {
    let known = || given([placed("book"), reserved("book").into()]);
    known().when(to(Act::Ship, "book")).rejected(Refusal::Order(7, "is not paid"));
    known().and([paid()]).when(to(Act::Ship, "book")).then([Shipped { order: 7 }]);
    let on_its_way = known().and([paid(), Shipped { order: 7 }.into()]);
    on_its_way
        .clone()
        .when(to(Act::Cancel("why not".into()), "book"))
        .rejected(Refusal::Order(7, "is on its way"));
    on_its_way.when(to(Act::Deliver, "book")).then([Delivered { order: 7 }]);
}

#[test]
fn whoever_does_not_pay_in_time_has_lost_the_pieces() {
    let deadline = Fulfilment::default().deadline;
    given_process(Fulfilment::default())
        .when(placed("book"))
        .then([to(Act::Reserve, "book")])
        .when(OrderEvent::from(reserved("book")))
        .then_nothing()
        .advance(deadline - Duration::from_secs(1))
        .then_nothing()
        .advance(Duration::from_secs(1))
        .then([to(Act::Release, "book"), to(Act::Cancel("it was not paid in time".into()), "book")]);
}

#[test]
fn what_cannot_be_sent_is_undone_in_reverse() {
    given_process(Fulfilment::default())
        .when(placed("piano"))
        .then([to(Act::Reserve, "piano")])
        .when(OrderEvent::from(reserved("piano")))
        .then_nothing()
        .when(paid())
        .refused(to(Act::Ship, "piano"), "no parcel goes to where order 7 is to go")
        .then([
            to(Act::Refund, "piano"),
            to(Act::Release, "piano"),
            to(Act::Cancel("no parcel goes to where order 7 is to go".into()), "piano"),
        ]);
}

#[test]
fn whoever_pays_in_the_moment_it_is_called_off_gets_the_money_back() {
    let late = "it was not paid in time".to_owned();
    given_process(Fulfilment::default())
        .when(placed("book"))
        .when(OrderEvent::from(reserved("book")))
        .advance(Fulfilment::default().deadline)
        .then([to(Act::Reserve, "book"), to(Act::Release, "book"), to(Act::Cancel(late.clone()), "book")])
        .when(paid())
        .then([to(Act::Ship, "book")])
        .when(Cancelled { order: 7, reason: late })
        .then([to(Act::Refund, "book")])
        .completed("7");
}
