//! Promise 4: conditions are exact, and a lost race is told with the facts.
//!
//! What a repeat does to conditions is in `idempotency`.

use super::Subject;
use super::drive::{Started, block_on, race, start};
use super::harness::{
    append, around_a_restart, assert_failed, conflict, event, everything, expect_revision, head, in_stream,
    name, none_match, of_type, position, read, record, restarted, stream, tag_query, tagged, tags, tracking,
    type_query,
};
use crate::{
    Append, AppendCondition, AppendError, Category, EventStore, ExpectedRevision, FailedCondition, Position,
    Query, QueryItem, Read, ReadOptions, RecordedEvent, Revision, StreamFilter,
};

/// `NoneMatch` is refused when a matching event lies above `after`, told with that event's position, and goes
/// through when none does.
///
/// Without it two decisions on the same facts would both be recorded: one seat sold twice.
pub async fn stale_boundary_conflicts(subject: &dyn Subject) {
    let store = subject.store();
    let seat = || tag_query(&["seat:1"]);
    record(&*store, [tagged("seat.reserved", &["seat:1"])]).await;
    let stale = || Append::new([tagged("seat.reserved", &["seat:1"])]).when(none_match(seat(), 0));
    let failed = conflict(&*store, stale()).await;
    let newest = FailedCondition::NoneMatch { index: 0, position: position(1) };
    assert_eq!(failed, [newest]);

    let store = restarted(subject).await;
    assert_eq!(conflict(&*store, stale()).await, failed, "the same after a restart");
    assert_eq!(head(&*store).await, 1, "a refused append writes nothing");
    let fresh = Append::new([tagged("seat.freed", &["seat:1"])]).when(none_match(seat(), 1));
    append(&*store, fresh).await;
}

/// For queries by type, tag, several tags, stream, category, all and any of these, and for every `after`:
/// the condition fails if and only if a matching event lies above, and names the newest.
///
/// Without it decisions would be refused for events they never asked about, or recorded in spite of one.
pub async fn a_boundary_is_exact(subject: &dyn Subject) {
    let store = subject.store();
    record(&*store, [in_stream("a", "s-1").tagged(tags(&["x", "y"])), event("b")]).await;
    record(&*store, [tagged("a", &["x"]), in_stream("c", "s-2"), in_stream("a", "t-1")]).await;
    record(&*store, [tagged("c", &["y"]), in_stream("b", "s").tagged(tags(&["x", "y", "z"]))]).await;
    around_a_restart(subject, |store| {
        let recorded = block_on(everything(store));
        // This one fails by itself, so that no probe writes.
        let never = || expect_revision("nobody-1", ExpectedRevision::Exists);
        for query in boundaries() {
            for after in 0..=recorded.len() as u64 + 2 {
                let probe =
                    Append::new([event("probe")]).when(none_match(query.clone(), after)).when(never());
                let failed = block_on(conflict(store, probe));
                let found = failed.iter().find_map(|failed| match failed {
                    FailedCondition::NoneMatch { position, .. } => Some(position.get()),
                    _ => None,
                });
                assert_eq!(found, newest_above(&recorded, &query, after), "above {after}: {query:?}");
                assert_eq!(failed.len(), 1 + usize::from(found.is_some()));
            }
        }
    })
    .await;
    let store = subject.store();
    let itself = Append::new([event("new"), event("new")]).when(none_match(type_query("new"), 0));
    append(&*store, itself).await;
    assert_eq!(head(&*store).await, 9, "an append's own events do not break its condition");
}

fn boundaries() -> Vec<Query> {
    let types = |types: &[&str]| QueryItem::of_types(types.iter().map(|text| name(text)));
    let tagged = |labels: &[&str]| QueryItem::tagged(tags(labels));
    let within = |filter| QueryItem { stream: Some(filter), ..QueryItem::default() };
    let category = |text| within(StreamFilter::Category(Category::new(text).expect("a category")));
    let id = |text| within(StreamFilter::Id(stream(text)));
    let all_three = QueryItem { types: vec![name("a")], tags: tags(&["x"]), ..id("s-1") };
    let alternatives = [
        vec![types(&["a"])],
        vec![types(&["b", "c"])],
        vec![types(&["unknown"])],
        vec![tagged(&["x"])],
        vec![tagged(&["x", "y"])],
        vec![tagged(&["x", "y", "z", "unknown"])],
        vec![id("s-1")],
        vec![id("s")],
        vec![id("unknown-1")],
        vec![category("s")],
        vec![category("t")],
        vec![category("s-1")],
        vec![all_three.clone()],
        vec![QueryItem { types: vec![name("c")], ..tagged(&["x"]) }],
        vec![tagged(&["z"]), all_three],
        vec![types(&["unknown"]), category("t"), tagged(&["y"])],
        vec![QueryItem::default()],
    ];
    alternatives.into_iter().map(Query::AnyOf).chain([Query::All]).collect()
}

fn newest_above(recorded: &[RecordedEvent], query: &Query, after: u64) -> Option<u64> {
    let above = |recorded: &&RecordedEvent| after < recorded.position.get();
    let found = recorded.iter().rev().filter(above).find(|recorded| query.matches(&recorded.event));
    found.map(|found| found.position.get())
}

/// Appends that are in flight together see each other: a later one loses against an earlier one that goes
/// through, and not against one that was itself refused.
///
/// Without it a group commit would let both halves of a race win, or lose.
pub async fn conditions_count_appends_in_flight(subject: &dyn Subject) {
    let mut side = 0;
    around_a_restart(subject, |store| {
        side += 1;
        let (label, id) = (format!("round:{side}"), format!("race-{side}"));
        let boundary = || none_match(tag_query(&[&label]), 0);
        let entrant = || Append::new([in_stream("entered", &id).tagged(tags(&[&label]))]);
        let before = block_on(head(store));
        let calls = [
            entrant().when(boundary()),
            entrant().when(boundary()),
            Append::new([event(&label)]).when(expect_revision(&id, ExpectedRevision::At(Revision::new(5)))),
            Append::new([event("other")]).when(none_match(type_query(&label), 0)),
            entrant().when(expect_revision(&id, ExpectedRevision::NoStream)),
            entrant().when(expect_revision(&id, ExpectedRevision::At(Revision::FIRST))),
        ];
        let started: Vec<_> = calls.map(|call| start(store.append(call))).into_iter().collect();
        let answers: Vec<_> = started.into_iter().map(|call| block_on(Started::finish(call))).collect();
        let [first, second, third, fourth, fifth, sixth] = answers.try_into().expect("six answers");
        let won =
            |answer: Result<crate::Appended, AppendError>| answer.expect("its condition holds").first.get();
        assert_eq!(won(first), before + 1);
        let beaten = FailedCondition::NoneMatch { index: 0, position: position(before + 1) };
        assert_failed(subject, second, &[beaten]);
        let elsewhere = |expected| FailedCondition::Revision {
            index: 0,
            stream: stream(&id),
            expected,
            actual: Some(Revision::FIRST),
        };
        assert_failed(subject, third, &[elsewhere(ExpectedRevision::At(Revision::new(5)))]);
        assert_eq!(won(fourth), before + 2, "a refused append breaks nobody's condition");
        assert_failed(subject, fifth, &[elsewhere(ExpectedRevision::NoStream)]);
        assert_eq!(won(sixth), before + 3);
    })
    .await;
}

/// `Any`, `NoStream`, `Exists` and `At` hold in exactly the states they name, and a failure names the actual one.
///
/// Without it two writers of one aggregate would both believe they came first.
pub async fn each_expected_revision_is_exact(subject: &dyn Subject) {
    let store = subject.store();
    record(&*store, [in_stream("a", "one-1"), in_stream("a", "three-1"), in_stream("a", "three-1")]).await;
    let store = restarted(subject).await;
    record(&*store, [in_stream("a", "three-1")]).await;
    let at = |revision| ExpectedRevision::At(Revision::new(revision));
    for (id, events) in [("none-1", 0_u64), ("one-1", 1), ("three-1", 3)] {
        let cases = [
            (ExpectedRevision::Any, true),
            (ExpectedRevision::NoStream, events == 0),
            (ExpectedRevision::Exists, events != 0),
            (at(0), events == 1),
            (at(1), false),
            (at(2), events == 3),
            (at(3), false),
            (at(u64::MAX), false),
        ];
        for (expected, holds) in cases {
            let tried = Append::new([event("elsewhere")]).when(expect_revision(id, expected));
            if holds {
                append(&*store, tried).await;
                continue;
            }
            let actual = events.checked_sub(1).map(Revision::new);
            let told = FailedCondition::Revision { index: 0, stream: stream(id), expected, actual };
            assert_eq!(conflict(&*store, tried).await, [told]);
        }
    }
}

/// One answer names every condition that failed, in the order of the append, the tracking last.
///
/// Without it a caller would repair one cause, run into the next, and never know how far off it was.
pub async fn all_failed_conditions_are_told_in_order(subject: &dyn Subject) {
    let store = subject.store();
    let base = [in_stream("a", "s-1"), tagged("b", &["x"]), tagged("b", &["x"])];
    append(&*store, Append::new(base).tracking(tracking("upstream", 5))).await;
    let store = restarted(subject).await;
    let revision = |id, expected| AppendCondition::revision(stream(id), expected);
    let tried = Append::new([event("c")])
        .when(none_match(tag_query(&["x"]), 0))
        .when(none_match(tag_query(&["x"]), 3))
        .when(revision("s-1", ExpectedRevision::NoStream))
        .when(revision("s-1", ExpectedRevision::Exists))
        .when(none_match(Query::stream(stream("s-1")), 0))
        .when(revision("s-2", ExpectedRevision::Exists))
        .tracking(tracking("upstream", 5));
    let failed = FailedCondition::NoneMatch { index: 0, position: position(3) };
    let exists = FailedCondition::Revision {
        index: 2,
        stream: stream("s-1"),
        expected: ExpectedRevision::NoStream,
        actual: Some(Revision::FIRST),
    };
    let in_the_stream = FailedCondition::NoneMatch { index: 4, position: position(1) };
    let missing = FailedCondition::Revision {
        index: 5,
        stream: stream("s-2"),
        expected: ExpectedRevision::Exists,
        actual: None,
    };
    let stale = FailedCondition::Tracking { stale: tracking("upstream", 5), recorded: position(5) };
    assert_eq!(conflict(&*store, tried).await, [failed, exists, in_the_stream, missing, stale]);
}

/// Sixteen racers withdraw 10 each from an account of 100, reading, deciding and trying again until they are
/// told no: exactly ten succeed. So too when half of them come after a restart.
///
/// Without it the account would be overdrawn, or somebody refused while there is money left.
pub async fn sixteen_racers_withdraw_what_is_there(subject: &dyn Subject) {
    let store = subject.store();
    for account in ["account:both", "account:early"] {
        record(&*store, [tagged("deposited", &[account])]).await;
    }
    let winners = |store: &dyn EventStore, racers, account: &str| {
        // Every other racer decides first on what was so before the race.
        let before = block_on(read(store, tag_query(&[account]), ReadOptions::default()));
        let stale = |racer: usize| racer.is_multiple_of(2).then(|| before.clone());
        let won = race(racers, |racer| block_on(withdraw(store, account, stale(racer))));
        won.into_iter().filter(|won| *won).count()
    };
    assert_eq!(winners(&*store, 16, "account:early"), 10);
    assert_eq!(winners(&*store, 8, "account:both"), 8);
    drop(store);

    let store = restarted(subject).await;
    assert_eq!(winners(&*store, 8, "account:both"), 2);
    record(&*store, [tagged("deposited", &["account:late"])]).await;
    assert_eq!(winners(&*store, 16, "account:late"), 10);
    assert_eq!(of_type(&*store, "withdrawn").await.len(), 30);
}

/// Whether there was enough. The first decision is on `known`, if given.
async fn withdraw(store: &dyn EventStore, account: &str, mut known: Option<Read>) -> bool {
    let boundary = || tag_query(&[account]);
    loop {
        let facts = match known.take() {
            Some(known) => known,
            None => read(store, boundary(), ReadOptions::default()).await,
        };
        let moved = |recorded: &RecordedEvent| match recorded.event.event_type.as_str() {
            "deposited" => 100,
            _ => -10,
        };
        let balance: i32 = facts.events.iter().map(moved).sum();
        assert!(0 <= balance, "{account} is overdrawn: {balance}");
        if balance < 10 {
            return false;
        }
        let decided = Append::new([tagged("withdrawn", &[account])])
            .when(AppendCondition::none_match(boundary(), facts.head));
        match store.append(decided).await {
            Ok(_) => return true,
            Err(AppendError::Conflict(conflict)) => assert_above(&conflict.failed, facts.head),
            Err(AppendError::Failed(error)) => panic!("a withdrawal failed: {error}"),
        }
    }
}

/// A conflict must come from what the decision had not seen.
fn assert_above(failed: &[FailedCondition], read: Option<Position>) {
    match failed {
        [FailedCondition::NoneMatch { position, .. }] => {
            assert!(read < Some(*position), "{position} was read");
        }
        other => panic!("one boundary, so one failed condition, not {other:?}"),
    }
}

/// Of racers that expect the same revision one wins; trying again, all come through, each at its own revision.
///
/// Without it an aggregate would be changed by somebody who had not seen its last change.
pub async fn racers_on_one_revision_have_one_winner(subject: &dyn Subject) {
    let (mut side, racers, turns) = (0, 8, 4);
    around_a_restart(subject, |store| {
        let id = format!("contended-{side}");
        side += 1;
        let enter = |_| {
            let first = Append::new([in_stream("entered", &id)]);
            block_on(store.append(first.when(expect_revision(&id, ExpectedRevision::NoStream)))).is_ok()
        };
        assert_eq!(race(racers, enter).into_iter().filter(|won| *won).count(), 1, "one opens the stream");
        let take_turns = |_| (0..turns).map(|_| block_on(increment(store, &id))).collect();
        let mut revisions: Vec<u64> =
            race(racers, take_turns).into_iter().flat_map(|own: Vec<u64>| own).collect();
        revisions.sort_unstable();
        assert_eq!(revisions, (1..=racers as u64 * turns).collect::<Vec<_>>(), "each revision once");
    })
    .await;
}

async fn increment(store: &dyn EventStore, id: &str) -> u64 {
    let mut expected = Revision::FIRST;
    loop {
        let next = Append::new([in_stream("incremented", id)]);
        match store.append(next.when(expect_revision(id, ExpectedRevision::At(expected)))).await {
            Ok(appended) => {
                assert_eq!(appended.revisions[0].revision, expected.next());
                return expected.next().get();
            }
            Err(AppendError::Conflict(conflict)) => match &conflict.failed[..] {
                [FailedCondition::Revision { actual: Some(actual), .. }] if expected < *actual => {
                    expected = *actual;
                }
                other => panic!("expected revision {expected} was passed by somebody, not {other:?}"),
            },
            Err(AppendError::Failed(error)) => panic!("an increment failed: {error}"),
        }
    }
}

/// Two racers each record a fact that the other must not have seen: exactly one wins, every time.
///
/// Without it both doctors on call would go home, each having checked that the other is there.
pub async fn crossing_boundaries_have_one_winner(subject: &dyn Subject) {
    let mut round = 0;
    around_a_restart(subject, |store| {
        for _ in 0..15 {
            round += 1;
            let after = block_on(head(store));
            let sides = [format!("left:{round}"), format!("right:{round}")];
            let cross = |racer: usize| {
                let (own, other) = (&sides[racer], &sides[1 - racer]);
                let leave =
                    Append::new([tagged("left", &[own])]).when(none_match(tag_query(&[other]), after));
                block_on(store.append(leave)).is_ok()
            };
            assert_eq!(race(2, cross).into_iter().filter(|won| *won).count(), 1, "in round {round}");
        }
    })
    .await;
}

/// Racers on different boundaries never stand in each other's way, not even once.
///
/// Without it unrelated decisions would be refused under load, and throughput would die of retries.
pub async fn disjoint_boundaries_never_conflict(subject: &dyn Subject) {
    let checkpoints = parking_lot::Mutex::new([0; 8]);
    around_a_restart(subject, |store| {
        let go_on = |racer: usize| {
            let own = format!("own:{racer}");
            for _ in 0..8 {
                let after = checkpoints.lock()[racer];
                let next = Append::new([tagged("moved", &[&own, "shared"])]);
                let appended = block_on(append(store, next.when(none_match(tag_query(&[&own]), after))));
                checkpoints.lock()[racer] = appended.last.get();
            }
        };
        race(8, go_on);
    })
    .await;
}
