//! A run answers as a naive model does, and a merged run as one that was made in one go.

use std::collections::BTreeMap;

use factlog_core::{Category, Direction, EventType, StreamId, Tag};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::super::{Counts, MergeError, check, file_name, merge, parse_name};
use super::*;

const TAGS: [&str; 7] = ["a", "a\0", "a\0\0\0\0\0\0\0\0", "ab", "customer:1", "customer:12", "é"];

fn names() -> impl Strategy<Value = Named> {
    let stream = prop_oneof![
        Just(None),
        (0..5_u64).prop_map(|n| Some(format!("order-{n}"))),
        (0..300_u64).prop_map(|n| Some(format!("{}-{n:03}", "long".repeat(110)))),
        Just(Some("-nameless".to_owned())),
    ];
    let tags = subsequence(&TAGS[..], 0..4);
    (stream, "[ab]{1,2}", tags, any::<bool>()).prop_map(|(stream, event_type, tags, first)| Named {
        stream,
        event_type,
        tags: tags.into_iter().map(str::to_owned).collect(),
        first,
    })
}

fn assert_like(run: &Arc<Run>, model: &Model) {
    assert_eq!(&contents(run).expect("a whole run"), model, "iteration");
    check(run, &mut |_| {}).expect("a whole run");
    let (first, last) = (run.name().first, run.name().last);
    for (key, (base, postings)) in &model.keys {
        let found = run.find(key).expect("a whole run").expect("the key is there");
        assert_eq!((found.base, found.count), (*base, postings.len() as u64));
        let mut cursor = run.cursor(&found);
        let step = (postings.len() / 40).max(1);
        for near in postings.iter().copied().step_by(step).chain([
            first,
            last,
            u64::MAX,
            postings[postings.len() - 1],
        ]) {
            for from in near.saturating_sub(1)..=near.saturating_add(1) {
                let above = postings.iter().copied().find(|&position| from <= position);
                let below = postings.iter().rev().copied().find(|&position| position <= from);
                assert_eq!(cursor.seek(from, Direction::Forwards).expect("whole"), above, "{from} up");
                assert_eq!(cursor.seek(from, Direction::Backwards).expect("whole"), below, "{from} down");
            }
        }
        for n in (0..postings.len() + 2).step_by(step) {
            assert_eq!(run.nth(&found, n as u64).expect("whole"), postings.get(n).copied());
        }
        let mut absent = key.clone();
        absent.push(b'!');
        assert!(run.find(&absent).expect("whole").is_none(), "a longer key is another key");
        for from in [key, &absent] {
            let rest: Vec<_> = run.keys(from).take(3).map(|next| next.expect("whole").0).collect();
            let expected: Vec<_> =
                model.keys.range(from.clone()..).take(3).map(|(key, _)| key.clone()).collect();
            assert_eq!(rest, expected, "keys from one on");
        }
    }
    for &(hash, _) in &model.ids {
        let same: Vec<_> = model.ids.iter().filter(|id| id.0 == hash).map(|id| id.1).collect();
        assert_eq!(run.ids(hash).expect("whole"), same);
        assert_eq!(run.ids(hash ^ 1).expect("whole"), []);
    }
}

fn whole(events: &[Named], first: u64) -> (Arc<Run>, Model) {
    let (file, built, model) = gather(events, first, &mut BTreeMap::new());
    let name = RunName { level: 0, first, last: first + events.len() as u64 - 1 };
    let run = open(&file, name).expect("a whole run");
    assert_eq!(
        (built.bytes, built.counts, built.fingerprint),
        (run.bytes(), run.counts(), run.fingerprint())
    );
    (run, model)
}

/// The parts of events as runs of level 0, and all of them as one merged run.
fn merged(events: &[Named], parts: usize, first: u64) -> Result<Arc<Run>, MergeError> {
    let (mut revisions, mut at, mut runs) = (BTreeMap::new(), first, Vec::new());
    for part in events.chunks(events.len().div_ceil(parts)) {
        let (file, ..) = gather(part, at, &mut revisions);
        let name = RunName { level: 0, first: at, last: at + part.len() as u64 - 1 };
        runs.push(open(&file, name).expect("a whole run"));
        at = name.last + 1;
    }
    let file = Memory::default();
    merge(STORE, 1, &runs, &file)?;
    Ok(open(&file, RunName { level: 1, first, last: at - 1 }).expect("a whole run"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_run_answers_as_the_model(events in vec(names(), 1..250), first in 1..1_u64 << 60) {
        let (run, model) = whole(&events, first);
        assert_like(&run, &model);
    }

    #[test]
    fn merging_is_the_same_as_writing_at_once(events in vec(names(), 1..250), parts in 1..9_usize) {
        let (run, model) = whole(&events, 1);
        let merged = merged(&events, parts, 1).expect("runs that are whole");
        assert_like(&merged, &model);
        prop_assert_eq!(merged.fingerprint(), run.fingerprint());
        prop_assert_eq!(merged.counts(), run.counts());
    }

    #[test]
    fn a_file_has_one_name(level in 0..5_u32, first in 1..1_u64 << 40, more in 0..1_u64 << 40) {
        let name = RunName { level, first, last: first + more };
        prop_assert_eq!(parse_name(&file_name(name)), Some(name));
    }

    #[test]
    fn other_names_are_refused(text in "[0-9]{0,2}-?[0-9]{18,21}-[0-9]{18,21}(.idx|.tmp)?") {
        prop_assert!(parse_name(&text).is_none_or(|name| file_name(name) == text));
    }
}

/// Trees of several levels, filters of several pages, and ids in many leaves.
#[test]
fn a_large_run_answers_as_the_model() {
    let event = |n: u64| Named {
        stream: Some(format!("{}-{}", "s".repeat(200), n / 3)),
        event_type: format!("type{}", n % 3),
        tags: vec![format!("t:{}", n % 4001)],
        first: n.is_multiple_of(2),
    };
    let events: Vec<_> = (0..9_000).map(event).collect();
    let (run, model) = whole(&events, 77);
    let from_all = contents(&run).expect("whole");
    assert!(from_all == model, "iteration");
    check(&run, &mut |_| {}).expect("whole");
    assert!(1 < run.footer.key_filter.pages && 1 < run.footer.id_filter.pages);
    for (key, (base, postings)) in model.keys.iter().step_by(7) {
        let found = run.find(key).expect("whole").expect("there");
        assert_eq!((found.base, found.count), (*base, postings.len() as u64));
    }
    for &(hash, position) in model.ids.iter().step_by(5) {
        assert!(run.ids(hash).expect("whole").contains(&position));
    }
    let again = merged(&events, 8, 77).expect("whole");
    assert!(contents(&again).expect("whole") == model, "merged");
    assert_eq!(again.fingerprint(), run.fingerprint());
    let blocks = |run: &Run| run.footer.key_filter.count + run.footer.id_filter.count;
    assert!(blocks(&again) < 2 * blocks(&run), "a filter made for too many keys is folded");
}

/// A filter that let everything pass would be right, and useless.
#[test]
fn filters_keep_nearly_all_absent_keys_away() {
    let (run, _) = whole(&some_events(2_000), 1);
    let file =
        Memory::of((0..run.footer.pages).flat_map(|n| run.read_page(n).expect("a page").to_vec()).collect());
    let pages = Arc::new(Pages::new(1 << 20, 1 << 20));
    let resident = Run::open(STORE, run.name(), Box::new(file), pages.clone()).expect("the same file");
    let mut passed = 0;
    for n in 0..10_000_u64 {
        let key = keys::key(keys::TAG, &format!("absent:{n}"));
        let answers = (run.may_have_key(&key).expect("whole"), resident.may_have_key(&key).expect("whole"));
        assert_eq!(answers.0, answers.1, "memory and pages say the same");
        let id = keys::id_hash(keys::seed(STORE), &id(1_000_000 + n));
        assert_eq!(run.may_have_id(id).expect("whole"), resident.may_have_id(id).expect("whole"));
        passed += u32::from(answers.0) + u32::from(run.may_have_id(id).expect("whole"));
    }
    assert!(!pages.take_filter_room(1 << 20), "the filters have their room");
    drop(resident);
    assert!(pages.take_filter_room(1 << 20), "and give it back");
    assert!(passed < 20_000 / 40, "{passed} of 20,000 absent keys passed");
}

/// Ids whose hashes are equal are all found, even where they fill leaves.
#[test]
fn equal_hashes_of_ids_are_all_found() {
    let file = Memory::default();
    let name = RunName { level: 0, first: 1, last: 5_000 };
    let mut builder = super::super::RunBuilder::new(STORE, name, 0, 5_000, &file);
    for position in 1..=5_000 {
        builder.id([7, 1 << 39][usize::from(2_000 < position)], position).expect("memory");
    }
    builder.finish().expect("memory");
    let run = open(&file, name).expect("whole");
    assert_eq!(run.ids(7).expect("whole"), (1..=2_000).collect::<Vec<_>>());
    assert_eq!(run.ids(1 << 39).expect("whole"), (2_001..=5_000).collect::<Vec<_>>());
    assert_eq!(run.ids(8).expect("whole"), []);
    check(&run, &mut |_| {}).expect("whole");
}

/// What is asked by the names of the contract is what was gathered from text, over positions with gaps too.
#[test]
fn typed_names_find_what_was_gathered() {
    let mut gather = Gather::new(STORE, 5);
    for (revision, position) in [5, 9, 70_000].into_iter().enumerate() {
        gather.add(Entry {
            position,
            revision: 7 + revision as u64,
            stream: Some("order-1-2"),
            event_type: "order.paid",
            tags: ["customer:1"],
            first_id: None,
        });
    }
    let (file, name) = (Memory::default(), RunName { level: 0, first: 5, last: 70_001 });
    gather.write(name.last, &file).expect("memory");
    let run = open(&file, name).expect("whole");
    let stream = StreamId::new("order-1-2").expect("a stream");
    let asked = [
        (keys::stream(&stream), 7),
        (keys::category(&Category::new(stream.category()).expect("a category")), 0),
        (keys::event_type(&EventType::new("order.paid").expect("a type")), 0),
        (keys::tag(&Tag::new("customer:1").expect("a tag")), 0),
    ];
    for (key, base) in asked {
        let found = run.find(&key).expect("whole").expect("it was gathered");
        assert_eq!((found.base, found.count), (base, 3));
        let mut cursor = run.cursor(&found);
        assert_eq!(cursor.seek(10, Direction::Forwards).expect("whole"), Some(70_000));
    }
    assert_eq!(run.counts(), Counts { keys: [1; 4], new_streams: 0, postings: 12, ids: 0 });
}

/// Readers on several threads share a run and its cache.
#[test]
fn a_run_is_read_from_several_threads() {
    let (run, model) = whole(&some_events(600), 1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(contents(&run).expect("whole") == model));
        }
    });
}
