//! More histories by hand: repeats and their originals, conditions that a conflict leaves out, and who is to blame.

use factlog_core::{Append, AppendCondition, Appended, ExpectedRevision, FailedCondition, Revision};

use super::cases::{Tale, guarded, in_stream, none_match, one};
use super::{At, Property, check, event, position, stream, tagged, tags, tracking};
use crate::history::{Moment, Outcome, What};

fn repeat(tale: &mut Tale, begun: Moment, ended: Moment, append: Append, first: u64) {
    let (first, last) = (position(first), position(first + append.events.len() as u64 - 1));
    let outcome = Outcome::Appended(Appended { first, last, revisions: Vec::new(), deduplicated: true });
    tale.ask(begun, ended, What::Append { append, outcome });
}

#[test]
fn a_repeat_is_not_answered_before_its_original_is_asked_for() {
    let tale = |begun| {
        let mut tale = Tale::default();
        repeat(&mut tale, 3, 5, one(1), 1);
        tale.append(begun, 9, one(1));
        tale
    };
    tale(5).passes();
    tale(6).breaks(Property::Repeats);
}

/// Whoever is told that it is recorded knows it before the original's client does.
#[test]
fn what_a_repeat_was_told_is_there_for_those_after_it() {
    let tale = |begun| {
        let mut tale = Tale::default();
        tale.append(1, 20, one(1));
        repeat(&mut tale, 2, 3, one(1), 1);
        tale.ask(begun, 9, What::Head { found: None });
        tale
    };
    tale(3).passes();
    tale(4).breaks(Property::RealTime);
}

/// Otherwise its client would decide anew and do twice what is done already.
#[test]
fn no_repeat_conflicts_with_its_own_original() {
    let tale = |newest| {
        let mut tale = Tale::default();
        tale.append(1, 2, one(1));
        tale.append(3, 9, one(2));
        tale.conflict(4, 8, guarded(2), vec![none_match(0, newest)]);
        tale
    };
    tale(1).passes();
    tale(2).breaks(Property::Conditions);
}

/// In the middle of the append the stream would be there and the tag not: nobody may have seen that.
#[test]
fn a_conflict_saw_whole_appends() {
    let tale = |failed: &[usize]| {
        let mut tale = Tale::default();
        let two = [event(1, "a").in_stream(stream("s-1")), event(2, "a").tagged(tags(&["x:1"]))];
        tale.append(1, 9, Append::new(two));
        let (stream, expected) = (stream("s-1"), ExpectedRevision::NoStream);
        let append = guarded(9).when(AppendCondition::revision(stream.clone(), expected));
        let actual = Some(Revision::FIRST);
        let all = [none_match(0, 2), FailedCondition::Revision { index: 1, stream, expected, actual }];
        tale.conflict(2, 8, append, failed.iter().map(|&at| all[at].clone()).collect());
        tale
    };
    tale(&[0, 1]).passes();
    tale(&[1]).breaks(Property::Conditions);
    tale(&[0]).breaks(Property::Conditions);
}

#[test]
fn what_a_conflict_leaves_out_held() {
    let tale = |also: &dyn Fn(Append) -> Append| {
        let mut tale = Tale::default();
        tale.append(1, 2, Append::new([in_stream(1)]).tracking(tracking("p", 5)));
        tale.conflict(3, 4, also(guarded(9)), vec![none_match(0, 1)]);
        tale
    };
    let revision = |name: &str, expected| {
        let condition = AppendCondition::revision(stream(name), expected);
        move |append: Append| append.when(condition.clone())
    };
    tale(&revision("t-1", ExpectedRevision::NoStream)).passes();
    tale(&revision("s-1", ExpectedRevision::NoStream)).breaks(Property::Conditions);
    tale(&revision("s-1", ExpectedRevision::Exists)).passes();
    tale(&revision("t-1", ExpectedRevision::Exists)).breaks(Property::Conditions);
    tale(&revision("s-1", ExpectedRevision::At(Revision::new(0)))).passes();
    tale(&revision("s-1", ExpectedRevision::At(Revision::new(1)))).breaks(Property::Conditions);
    tale(&revision("t-1", ExpectedRevision::At(Revision::new(0)))).breaks(Property::Conditions);
    tale(&|append| append.when(AppendCondition::none_match(tagged("x:1"), Some(position(1))))).passes();
    tale(&|append| append.tracking(tracking("p", 6))).passes();
    tale(&|append| append.tracking(tracking("p", 5))).breaks(Property::Conditions);
}

/// It began when the stream was not there yet, so that this held in part of its window; afterwards it did not.
#[test]
fn what_a_conflict_leaves_out_held_at_the_same_instant() {
    let tale = |newest| {
        let mut tale = Tale::default();
        tale.append(1, 2, one(1));
        tale.append(3, 9, Append::new([in_stream(2)]).tracking(tracking("p", 5)));
        let expected = AppendCondition::revision(stream("s-1"), ExpectedRevision::Exists);
        tale.conflict(4, 8, guarded(8).when(expected), vec![none_match(0, newest)]);
        tale
    };
    tale(2).passes();
    tale(1).breaks(Property::Conditions);
}

#[test]
fn who_saw_the_future_is_blamed_and_not_the_append_that_he_saw() {
    let mut tale = Tale::default();
    tale.ask(1, 2, What::Head { found: Some(position(1)) });
    tale.append(3, 4, one(1));
    let found = check(&tale.0);
    let at: Vec<_> = found.iter().map(|violation| (violation.property, violation.at)).collect();
    assert_eq!(at, [(Property::RealTime, At::Operation(0))]);
}
