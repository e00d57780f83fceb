//! Promise 6: an append can be repeated for ever, and is recorded once.

use bytes::Bytes;

use super::Subject;
use super::drive::{Started, block_on, race, start};
use super::harness::{
    append, around_a_restart, assert_kind, assert_new, event, events, everything, expect_revision, head,
    in_stream, none_match, record, refused, restarted, tagged, tags, tracking,
};
use crate::{Append, AppendError, Appended, ContentType, ErrorKind, Event, EventId, ExpectedRevision, Query};

/// A repeat answers the original positions and revisions, however much later, whatever its conditions say by
/// then, and after a restart; the same facts under new ids are recorded anew.
///
/// Without it a client that lost an answer could not tell whether to try again: money would move twice.
pub async fn a_repeat_answers_where_the_events_are(subject: &dyn Subject) {
    let store = subject.store();
    record(&*store, [event("before")]).await;
    let given = [in_stream("a", "s-1"), in_stream("b", "t-1"), in_stream("c", "s-1"), event("d")];
    let original = Append::new(given.clone())
        .when(none_match(Query::All, 1))
        .when(expect_revision("s-1", ExpectedRevision::NoStream));
    let first = append(&*store, original.clone()).await;
    let repeated = Appended { deduplicated: true, ..first.clone() };
    assert_new(subject, &first);
    let revisions: Vec<_> =
        first.revisions.iter().map(|it| (it.stream.as_str(), it.revision.get())).collect();
    assert_eq!(revisions, [("s-1", 1), ("t-1", 0)], "each stream once, with its last revision");
    assert_eq!(append(&*store, original.clone()).await, repeated, "at once; its conditions fail by now");

    record(&*store, events("noise", 2_000)).await;
    for n in 0..20 {
        record(&*store, [in_stream("e", "s-1"), event(&format!("more.{n}"))]).await;
    }
    assert_eq!(append(&*store, original.clone()).await, repeated, "long after");
    let store = restarted(subject).await;
    assert_eq!(append(&*store, original.clone()).await, repeated, "after a restart");
    let other_conditions = Append::new(given.clone()).when(expect_revision("no-1", ExpectedRevision::Exists));
    assert_eq!(append(&*store, other_conditions).await, repeated, "under other conditions");
    assert_eq!(head(&*store).await, 2_045, "repeats write nothing");

    let anew = given.map(|event| event.with_id(EventId::generate()));
    let anew = record(&*store, anew).await;
    assert_new(subject, &anew);
    assert_eq!(anew.first.get(), 2_046, "new ids are new facts");
}

/// An append whose first id is recorded, but with anything else different, is `Invalid`.
///
/// Without it a caller that reuses an id by mistake would be told that its new fact is safe, and it is nowhere.
pub async fn a_first_id_with_other_content_is_invalid(subject: &dyn Subject) {
    let store = subject.store();
    let given = [in_stream("a", "s-1").tagged(tags(&["x"])), event("b"), event("c")];
    let first = record(&*store, given.clone()).await;
    let changed = |change: fn(Event) -> Event| {
        let [a, b, c] = given.clone();
        vec![change(a), b, c]
    };
    let [a, b, c] = given.clone();
    let others = [
        ("other data", changed(|a| Event { data: Bytes::from_static(b"other"), ..a })),
        ("other metadata", changed(|a| a.with_metadata("other"))),
        ("another type", changed(|a| Event { event_type: event("z").event_type, ..a })),
        ("other tags", changed(|a| a.tagged(tags(&["x", "y"])))),
        ("no stream", changed(|a| Event { stream: None, ..a })),
        ("another stream", changed(|a| Event { stream: in_stream("a", "s-2").stream, ..a })),
        ("another content type", changed(|a| a.with_content_type(ContentType::BYTES))),
        ("fewer events", vec![a.clone(), b.clone()]),
        ("more events", vec![a.clone(), b.clone(), c.clone(), event("d")]),
        ("another order", vec![a.clone(), c, b.clone()]),
        ("another second id", vec![a, b.with_id(EventId::generate()), event("c")]),
    ];
    around_a_restart(subject, |store| {
        for (what, other) in &others {
            block_on(refused(store, &format!("a recorded id with {what}"), Append::new(other.clone())));
        }
        let (flown, other) = (event("flown"), Bytes::from_static(b"other"));
        let first_of_two = start(store.append(Append::new([flown.clone()])));
        let second_of_two = start(store.append(Append::new([Event { data: other, ..flown }])));
        block_on(first_of_two.finish()).expect("a new id");
        match block_on(second_of_two.finish()) {
            Err(AppendError::Failed(error)) => assert_kind("an id in flight", &error, ErrorKind::Invalid),
            answer => panic!("an id in flight with other data must be Invalid, not {answer:?}"),
        }
        let repeat = block_on(record(store, given.clone()));
        assert_eq!((repeat.first, repeat.deduplicated), (first.first, true), "the original stays");
    })
    .await;
}

/// However many threads append the same events at once, and however often, they are recorded once and all are
/// told the same place; one of them wrote.
///
/// Without it a retry that overtakes its original would record the fact twice.
pub async fn racing_repeats_record_once(subject: &dyn Subject) {
    let mut side = 0;
    around_a_restart(subject, |store| {
        for _ in 0..10 {
            let given = || Append::new([in_stream("a", "s-1"), event("b")]);
            let same = given();
            let answers = race(6, |_| block_on(append(store, same.clone())));
            check_one_wrote(subject, &answers);
            let pipelined = given();
            let started: Vec<_> = (0..3).map(|_| start(store.append(pipelined.clone()))).collect();
            let answers: Vec<_> = started.into_iter().map(|call| block_on(Started::finish(call))).collect();
            let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("a repeat")).collect();
            check_one_wrote(subject, &answers);
        }
        side += 1;
        assert_eq!(block_on(everything(store)).len(), side * 40, "each append once");
    })
    .await;
}

fn check_one_wrote(subject: &dyn Subject, answers: &[Appended]) {
    let wrote = answers.iter().filter(|answer| !answer.deduplicated).count();
    assert!(wrote == 1 || (wrote == 0 && subject.sends_again()), "one wrote, the others repeated: {wrote}");
    for answer in answers {
        let place = |answer: &Appended| (answer.first, answer.last, answer.revisions.clone());
        assert_eq!(place(answer), place(&answers[0]), "all are told the same place");
    }
}

/// A repeat is answered although its tracking is stale by then, and does not move it.
///
/// Without it a consumer that repeats its last step after a crash would conflict with itself, or set itself back.
pub async fn a_repeat_leaves_tracking_alone(subject: &dyn Subject) {
    let store = subject.store();
    let step = |at| Append::new([tagged("step", &["x"])]).tracking(tracking("upstream", at));
    let second = step(2);
    append(&*store, step(1)).await;
    append(&*store, second.clone()).await;
    append(&*store, step(3)).await;
    let store = restarted(subject).await;
    for at in [2, 3, 9] {
        let repeat = append(&*store, second.clone().tracking(tracking("upstream", at))).await;
        assert_eq!((repeat.first.get(), repeat.deduplicated), (2, true));
    }
    let tracked = store.tracking("upstream").await.expect("tracking");
    assert_eq!(tracked.map(crate::Position::get), Some(3), "a repeat does not move the tracking");
}
