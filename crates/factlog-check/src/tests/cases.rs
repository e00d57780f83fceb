//! Histories by hand in which the instant matters: each is right, and wrong once one moment is another.

use factlog_core::{
    Append, AppendCondition, Appended, Conflict, Event, ExpectedRevision, FailedCondition, Query,
    ReadOptions, RecordedEvent, Revision, StreamRevision, Timestamp,
};

use super::{Property, broken, check, event, position, stream, tagged, tags, told, tracking};
use crate::history::{History, Moment, Operation, Outcome, What};
use crate::wgl;

/// A history that is being written down.
#[derive(Clone, Default)]
pub(super) struct Tale(pub(super) History);

impl Tale {
    pub(super) fn ask(&mut self, begun: Moment, ended: Moment, what: What) {
        self.0.operations.push(Operation { client: 0, begun, ended: Some(ended), what });
    }

    /// An append that is recorded at the end of the log and told so.
    pub(super) fn append(&mut self, begun: Moment, ended: Moment, append: Append) {
        let first = self.0.log.len() as u64 + 1;
        let mut revisions = Vec::new();
        for event in &append.events {
            let at = position(self.0.log.len() as u64 + 1);
            let revision = event.stream.as_ref().map(|stream| {
                let of_stream = |it: &&RecordedEvent| it.event.stream.as_ref() == Some(stream);
                let revision = Revision::new(self.0.log.iter().filter(of_stream).count() as u64);
                revisions.push(StreamRevision { stream: stream.clone(), revision });
                revision
            });
            let recorded_at = Timestamp::from_micros(first as i64);
            self.0.log.push(RecordedEvent { position: at, recorded_at, revision, event: event.clone() });
        }
        let last = position(self.0.log.len() as u64);
        let outcome =
            Outcome::Appended(Appended { first: position(first), last, revisions, deduplicated: false });
        self.ask(begun, ended, What::Append { append, outcome });
    }

    pub(super) fn conflict(
        &mut self,
        begun: Moment,
        ended: Moment,
        append: Append,
        failed: Vec<FailedCondition>,
    ) {
        self.ask(begun, ended, What::Append { append, outcome: Outcome::Conflict(Conflict { failed }) });
    }

    pub(super) fn passes(&self) {
        let found = check(&self.0);
        assert!(found.is_empty(), "{}", told(&found));
        assert!(wgl::order(&self.0).is_some(), "the search finds no order");
    }

    pub(super) fn breaks(&self, property: Property) {
        assert_eq!(broken(&self.0), [property], "{}", told(&check(&self.0)));
        let is_order = property != Property::Subscriptions;
        assert!(!is_order || wgl::order(&self.0).is_none(), "the search finds an order");
    }
}

pub(super) fn one(number: u64) -> Append {
    Append::new([event(number, "a").tagged(tags(&["x:1"]))])
}

pub(super) fn in_stream(number: u64) -> Event {
    event(number, "a").in_stream(stream("s-1")).tagged(tags(&["x:1"]))
}

pub(super) fn none_match(index: usize, at: u64) -> FailedCondition {
    FailedCondition::NoneMatch { index, position: position(at) }
}

pub(super) fn guarded(number: u64) -> Append {
    one(number).when(AppendCondition::none_match(tagged("x:1"), None))
}

#[test]
fn a_conflict_cannot_be_about_what_is_asked_for_later() {
    let tale = |begun| {
        let mut tale = Tale::default();
        tale.append(1, 2, one(1));
        tale.conflict(3, 4, guarded(9), vec![none_match(0, 2)]);
        tale.append(begun, 9, one(2));
        tale
    };
    tale(4).passes();
    tale(5).breaks(Property::Conditions);
}

#[test]
fn a_conflict_names_the_newest_event_of_its_instant() {
    let tale = |ended| {
        let mut tale = Tale::default();
        tale.append(1, 2, one(1));
        tale.append(3, ended, one(2));
        tale.conflict(6, 7, guarded(9), vec![none_match(0, 1)]);
        tale
    };
    tale(6).passes();
    tale(5).breaks(Property::Conditions);
}

#[test]
fn a_conflict_names_every_condition_that_was_broken_all_the_time() {
    let both = || guarded(9).when(AppendCondition::none_match(Query::All, None));
    let mut tale = Tale::default();
    tale.append(1, 2, one(1));
    let mut partial = tale.clone();
    tale.conflict(3, 4, both(), vec![none_match(0, 1), none_match(1, 1)]);
    tale.passes();
    partial.conflict(3, 4, both(), vec![none_match(1, 1)]);
    partial.breaks(Property::Conditions);
}

/// Each of the two is true of some instant of the window, but of none both.
#[test]
fn what_a_conflict_names_was_broken_at_one_instant() {
    let tale = |actual, newest| {
        let mut tale = Tale::default();
        tale.append(1, 2, Append::new([in_stream(1)]));
        tale.append(3, 9, Append::new([in_stream(2)]));
        let (stream, expected) = (stream("s-1"), ExpectedRevision::NoStream);
        let append = guarded(9).when(AppendCondition::revision(stream.clone(), expected));
        let actual = Some(Revision::new(actual));
        let revision = FailedCondition::Revision { index: 1, stream, expected, actual };
        tale.conflict(4, 8, append, vec![none_match(0, newest), revision]);
        tale
    };
    tale(0, 1).passes();
    tale(1, 2).passes();
    tale(0, 2).breaks(Property::Conditions);
    tale(1, 1).breaks(Property::Conditions);
}

/// The first saw the second event, so the one after it cannot have missed it.
#[test]
fn the_instants_of_conflicts_never_go_back() {
    let tale = |begun| {
        let mut tale = Tale::default();
        tale.append(1, 2, one(1));
        tale.append(3, 20, one(2));
        tale.conflict(4, 8, guarded(8), vec![none_match(0, 2)]);
        tale.conflict(begun, 15, guarded(9), vec![none_match(0, 1)]);
        tale
    };
    tale(8).passes();
    tale(9).breaks(Property::Conditions);
}

#[test]
fn a_stale_tracking_is_refused_by_what_is_recorded_then() {
    let tale = |recorded| {
        let mut tale = Tale::default();
        tale.append(1, 2, one(1).tracking(tracking("p", 5)));
        tale.append(3, 4, one(2).tracking(tracking("p", 7)));
        let stale = tracking("p", 4);
        let failed = FailedCondition::Tracking { stale: stale.clone(), recorded: position(recorded) };
        tale.conflict(5, 6, one(9).tracking(stale), vec![failed]);
        tale
    };
    tale(7).passes();
    tale(5).breaks(Property::Conditions);
    tale(6).breaks(Property::Conditions);
}

#[test]
fn tracking_that_does_not_grow_is_not_accepted() {
    let tale = |to| {
        let mut tale = Tale::default();
        tale.append(1, 2, one(1).tracking(tracking("p", 5)));
        tale.append(3, 4, one(2).tracking(tracking("p", to)));
        tale
    };
    tale(6).passes();
    tale(5).breaks(Property::Conditions);
}

/// Both answers lie in their window; only their order is wrong.
#[test]
fn tracking_answers_never_go_back() {
    let tale = |begun| {
        let source = || tracking("p", 1).source;
        let mut tale = Tale::default();
        tale.append(1, 2, one(1).tracking(tracking("p", 5)));
        tale.append(3, 20, one(2).tracking(tracking("p", 7)));
        tale.ask(4, 8, What::Tracking { source: source(), found: Some(position(7)) });
        tale.ask(begun, 15, What::Tracking { source: source(), found: Some(position(5)) });
        tale
    };
    tale(8).passes();
    tale(9).breaks(Property::Tracking);
}

#[test]
fn heads_never_go_back_even_where_no_answer_is_known() {
    let tale = |begun| {
        let mut tale = Tale::default();
        tale.append(1, 20, one(1));
        tale.ask(2, 3, What::Head { found: Some(position(1)) });
        tale.ask(begun, 9, What::Head { found: None });
        tale
    };
    tale(3).passes();
    tale(4).breaks(Property::RealTime);
}

/// What a reader saw survives a power failure, or the read was of something that was not durable.
#[test]
fn what_was_read_is_not_lost_in_a_crash() {
    let mut tale = Tale::default();
    tale.append(1, 9, one(1));
    let (found, head) = (tale.0.log.clone(), Some(position(1)));
    tale.0.operations[0].ended = None;
    if let What::Append { outcome, .. } = &mut tale.0.operations[0].what {
        *outcome = Outcome::Unknown;
    }
    tale.ask(2, 3, What::Read { query: Query::All, options: ReadOptions::default(), head, found });
    tale.passes();
    tale.0.log.clear();
    let found = broken(&tale.0);
    assert_eq!(found, [Property::RealTime, Property::Reads], "{}", told(&check(&tale.0)));
    assert!(wgl::order(&tale.0).is_none());
}

/// Nobody knows of either, and the log has it: the one whose condition held wrote it.
#[test]
fn of_two_lost_repeats_the_one_that_could_is_the_writer() {
    let tale = |begun| {
        let mut tale = Tale::default();
        tale.append(1, 2, one(1));
        tale.append(3, 4, one(2));
        for (append, begun) in [(guarded(2), 3), (one(2), begun)] {
            tale.ask(begun, 9, What::Append { append, outcome: Outcome::Unknown });
        }
        tale.0.operations.remove(1);
        tale.ask(5, 6, What::Head { found: Some(position(2)) });
        tale
    };
    tale(6).passes();
    tale(7).breaks(Property::RealTime);
}

/// A checker that is quadratic would need hours for this: 30,000 appends with conditions, as many conflicts and reads.
#[test]
fn long_histories_are_checked_in_time_and_one_wrong_answer_is_found() {
    let count = 30_000;
    let mut tale = Tale::default();
    for n in 1..=count {
        let (after, moment) = (super::Position::new(n - 1), n * 10);
        let condition = AppendCondition::none_match(tagged("x:1"), after);
        tale.append(moment, moment + 2, one(n).when(condition.clone()));
        let failed = vec![none_match(0, n)];
        tale.conflict(moment + 1, moment + 5, one(count + n).when(condition), failed);
        let options = ReadOptions::default().after(after);
        let found = vec![tale.0.log[n as usize - 1].clone()];
        tale.ask(
            moment + 3,
            moment + 4,
            What::Read { query: tagged("x:1"), options, head: Some(position(n)), found },
        );
    }
    let found = check(&tale.0);
    assert!(found.is_empty(), "{}", told(&found));
    let at = tale.0.operations.len() - 3_000;
    assert!(matches!(tale.0.operations[at].what, What::Append { .. }));
    tale.0.operations[at + 2].begun -= 1_000;
    tale.0.operations[at + 2].ended = Some(tale.0.operations[at].begun - 1);
    assert_eq!(broken(&tale.0), [Property::RealTime], "one read of the future");
}
