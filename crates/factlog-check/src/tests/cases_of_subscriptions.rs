//! Subscriptions by hand: where one that begins at the end begins, and what it may not leave out.

use factlog_core::{Append, StartFrom};

use super::cases::{Tale, one};
use super::{Property, event, position, tagged, tags};
use crate::history::{Moment, What};

fn deliveries(tale: &mut Tale, begun: Moment, ended: Moment, from: StartFrom, found: &[usize]) {
    let found = found.iter().map(|&at| tale.0.log[at - 1].clone()).collect();
    tale.ask(begun, ended, What::Deliveries { subscription: 1, query: tagged("x:1"), from, found });
}

#[test]
fn a_subscription_from_the_end_begins_at_an_end_of_its_window() {
    let tale = |begun, found: &[usize]| {
        let mut tale = Tale::default();
        for n in 1..=4 {
            tale.append(n * 2, n * 2 + 1, one(n));
        }
        deliveries(&mut tale, begun, 7, StartFrom::End, found);
        tale
    };
    tale(5, &[3]).passes();
    tale(4, &[2, 3]).passes();
    tale(4, &[3]).passes();
    tale(6, &[2, 3]).breaks(Property::Subscriptions);
    tale(3, &[1, 2]).passes();
    tale(4, &[1, 2]).breaks(Property::Subscriptions);
    tale(2, &[1, 3]).breaks(Property::Subscriptions);
    tale(5, &[3, 4]).breaks(Property::Subscriptions);
}

#[test]
fn a_subscription_goes_on_where_it_stopped_and_knows_when_it_has_caught_up() {
    let tale = |second: &[usize], caught_up: u64| {
        let mut tale = Tale::default();
        tale.append(1, 2, one(1));
        tale.append(3, 4, Append::new([event(2, "a"), event(3, "a").tagged(tags(&["x:1"]))]));
        tale.append(5, 6, one(4));
        deliveries(&mut tale, 7, 8, StartFrom::Beginning, &[1]);
        deliveries(&mut tale, 9, 10, StartFrom::Beginning, second);
        let found = Some(position(caught_up));
        tale.ask(11, 12, What::CaughtUp { subscription: 1, found });
        tale
    };
    tale(&[3, 4], 4).passes();
    tale(&[3], 3).passes();
    tale(&[], 1).passes();
    tale(&[4], 4).breaks(Property::Subscriptions);
    tale(&[1, 3], 3).breaks(Property::Subscriptions);
    tale(&[3], 4).breaks(Property::Subscriptions);
    tale(&[], 2).breaks(Property::Subscriptions);
    tale(&[3, 4], 3).breaks(Property::Subscriptions);
    tale(&[2, 3], 3).breaks(Property::Subscriptions);
}

/// It had begun by the time its first question was answered; what was asked for later was for it to deliver.
#[test]
fn a_subscription_from_the_end_that_found_nothing_leaves_nothing_out_later() {
    let tale = |begun| {
        let mut tale = Tale::default();
        tale.append(1, 2, one(1));
        deliveries(&mut tale, 3, 5, StartFrom::End, &[]);
        tale.append(begun, 8, one(2));
        tale.ask(9, 10, What::CaughtUp { subscription: 1, found: Some(position(2)) });
        tale
    };
    tale(5).passes();
    tale(6).breaks(Property::Subscriptions);
}
