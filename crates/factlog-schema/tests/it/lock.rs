//! The file: its text, what is refused, and what a raise of the version or another name means.

use factlog_schema::{Change, Event, Lock, Shape, Verdict, compare};
use serde_json::{Value, json};

fn shape(fields: &[&str]) -> Shape {
    let properties: serde_json::Map<String, Value> = fields
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "type": "string", "description": "D." })))
        .collect();
    Shape::same(&json!({ "title": "T", "type": "object", "properties": properties, "required": fields }))
}

fn lock(events: impl IntoIterator<Item = Event>) -> Lock {
    Lock::new(events).unwrap()
}

fn moved(version: u32) -> Event {
    let mut event = Event::new("money.moved", version, shape(&["amount"]));
    for older in 1..version {
        event.shapes.insert(older, shape(&[&format!("amount_{older}")]));
    }
    event.former_names.insert("debit".to_owned());
    event
}

/// The form is committed by users: another one is a change of the format.
#[test]
fn the_text_is_what_the_format_document_says() {
    let lock =
        lock([moved(2), Event::new("a.opened", 1, Shape::new(&json!(true), &json!({ "type": "null" })))]);
    let text = lock.to_text();
    assert_eq!(text, include_str!("events.lock"));
    assert_eq!(Lock::parse(&text).unwrap(), lock);
}

/// A lock that was edited by hand, or merged line by line, may say what no program does.
#[test]
fn a_text_that_is_no_lock_is_refused_with_the_reason() {
    let text = lock([moved(1)]).to_text();
    for (from, to, reason) in [
        ("{", "", "it is no JSON"),
        ("\"events_lock\": 1", "\"events_lock\": 2", "it is of form 2"),
        ("events_lock", "lock", "it has no number as `events_lock`"),
        ("\"events\"", "\"event\"", "it has no object as `events`"),
        ("\"amount\": {", "\"sum\": {", "event money.moved: its fingerprint is not that of its shapes"),
        ("\"debit\"", "\"credit\"", "event money.moved: its fingerprint is not that of its shapes"),
        ("[\"debit\"]", "[1]", "event money.moved: `former_names` is no list of names"),
        (
            "\"version\": 1\n    }",
            "\"version\": 2\n    }",
            "event money.moved: the shape of its `version` is not the last",
        ),
        ("\"reads\"", "\"raeds\"", "event money.moved: a shape has no `reads`"),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        let error = Lock::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{from} -> {to}: {error}");
    }
}

/// A corrected doc comment is no change; two shapes under one name are an error.
#[test]
fn descriptions_do_not_count_and_a_name_belongs_to_one_event() {
    let described =
        |words: &str| Event::new("a.b", 1, Shape::same(&json!({ "type": "null", "description": words })));
    assert!(lock([described("one")]).is_same_as(&lock([described("two")])));
    assert_eq!(compare(&lock([described("one")]), &lock([described("two")])).changed().count(), 0);
    let twice = Lock::new([Event::new("a.b", 1, shape(&["x"])), Event::new("a.b", 1, shape(&["y"]))]);
    assert!(twice.unwrap_err().to_string().starts_with("two types are stored under the name a.b and differ"));
    let stolen = Lock::new([moved(1), Event::new("debit", 1, shape(&[]))]);
    assert_eq!(
        stolen.unwrap_err().to_string(),
        "the name debit belongs to debit and to money.moved; each name belongs to one event"
    );
}

/// Traps 19 and 20: versions and names of what is stored must still be read and asked for.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn versions_and_names_decide_before_shapes_do() {
    let renamed = |from: &str| {
        let mut event = Event::new("money.shifted", 1, shape(&["amount"]));
        event.former_names.insert(from.to_owned());
        event.former_names.insert("debit".to_owned());
        event
    };
    let mut without_first = moved(2);
    without_first.shapes.remove(&1);
    let mut forgotten = moved(1);
    forgotten.former_names.clear();
    let mut split = moved(1);
    split.split_into.insert("money.sent".to_owned());
    let cases = [
        ("the same", moved(2), moved(2), Change::Same, Verdict::Full, ""),
        (
            "a raise with an upcast, whatever the shape",
            moved(1),
            Event {
                version: 2,
                shapes: [(1, shape(&["amount"])), (2, shape(&["other"]))].into(),
                ..moved(1)
            },
            Change::Version { from: 1 },
            Verdict::Backward,
            "the version changed from 1 to 2, which older programs refuse",
        ),
        (
            "a raise whose older struct was changed on the way",
            moved(1),
            moved(2),
            Change::Version { from: 1 },
            Verdict::Breaking,
            "amount_1: required field added without default",
        ),
        (
            "a version less",
            moved(2),
            without_first.clone(),
            Change::Changed,
            Verdict::Forward,
            "version 1 is no longer read: keep its struct and the upcast from it",
        ),
        (
            "a version back",
            moved(2),
            Event { version: 1, shapes: [(1, shape(&["amount_1"]))].into(), ..moved(1) },
            Change::Version { from: 2 },
            Verdict::Forward,
            "the version went back: 2 is stored, and 1 is the last known",
        ),
        (
            "a former name less",
            moved(1),
            forgotten,
            Change::Changed,
            Verdict::Forward,
            "the former name debit is no longer asked for: what is stored under it is missed",
        ),
        (
            "another name",
            moved(1),
            renamed("money.moved"),
            Change::Renamed { from: "money.moved".to_owned() },
            Verdict::Backward,
            "it is stored under money.shifted now, which older programs do not ask for",
        ),
        (
            "split",
            moved(1),
            split,
            Change::Split,
            Verdict::Backward,
            "it is written as money.sent now, which older programs do not read as this",
        ),
        (
            "gone",
            moved(1),
            Event::new("x.y", 1, shape(&[])),
            Change::Removed,
            Verdict::Forward,
            "the event is gone: what is stored of it is no longer read",
        ),
    ];
    for (what, old, new, change, verdict, problem) in cases {
        let comparison = compare(&lock([old]), &lock([new]));
        let event = &comparison.events[0];
        assert_eq!((&event.change, event.verdict()), (&change, verdict), "{what}: {event:?}");
        let first =
            event.backward.iter().chain(&event.forward).next().map(ToString::to_string).unwrap_or_default();
        assert_eq!(first, problem, "{what}");
    }
    let added = compare(&lock([]), &lock([moved(1)]));
    assert_eq!((&added.events[0].change, added.verdict()), (&Change::Added, Verdict::Full));
}
