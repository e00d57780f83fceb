//! Properties of the words: what a query means, and that what is shown can be read back. No store is involved.

use std::collections::BTreeSet;

use factlog_core::{
    Category, Event, EventId, EventType, Position, Query, QueryItem, ReadOptions, Revision, StartFrom,
    StreamFilter, StreamId, Tag, Tags, Timestamp,
};
use proptest::prelude::*;

/// One of few, so that names often meet.
fn few(prefix: &'static str) -> impl Strategy<Value = String> {
    (0..4_u8).prop_map(move |n| format!("{prefix}{n}"))
}

fn streams() -> impl Strategy<Value = String> {
    ("[ab]{1,2}", proptest::option::of("[-a1]{0,3}"))
        .prop_map(|(head, rest)| rest.map_or(head.clone(), |rest| format!("{head}-{rest}")))
}

/// Type, tags and stream of an event, as plain text.
type Facts = (String, BTreeSet<String>, Option<String>);

fn facts() -> impl Strategy<Value = Facts> {
    (few("type"), proptest::collection::btree_set(few("tag"), 0..4), proptest::option::of(streams()))
}

fn event((event_type, tags, stream): &Facts) -> Event {
    let event = Event::new(EventType::new(event_type.as_str()).expect("a type"), "")
        .tagged(Tags::new(tags.iter().map(String::as_str)).expect("few tags"));
    match stream {
        Some(stream) => event.in_stream(StreamId::new(stream.as_str()).expect("a stream")),
        None => event,
    }
}

/// What an item asks for, as plain text; the flag says that the last text is a category.
type Asked = (BTreeSet<String>, BTreeSet<String>, Option<(String, bool)>);

fn asked() -> impl Strategy<Value = Asked> {
    let within = prop_oneof![
        streams().prop_map(|stream| (stream, false)),
        "[ab]{1,2}".prop_map(|category| (category, true)),
    ];
    let names = |prefix| proptest::collection::btree_set(few(prefix), 0..3);
    (names("type"), names("tag"), proptest::option::of(within))
}

fn item((types, tags, within): &Asked) -> QueryItem {
    QueryItem {
        types: types.iter().map(|name| EventType::new(name.as_str()).expect("a type")).collect(),
        tags: Tags::new(tags.iter().map(String::as_str)).expect("few tags"),
        stream: within.as_ref().map(|(text, category)| match category {
            true => StreamFilter::Category(Category::new(text.as_str()).expect("a category")),
            false => StreamFilter::Id(StreamId::new(text.as_str()).expect("a stream")),
        }),
    }
}

/// The contract's sentence on queries, in sets of text.
fn says((types, tags, within): &Asked, (event_type, labels, stream): &Facts) -> bool {
    let lies_within = |text: &str, category: bool, stream: &str| match category {
        true => stream.split('-').next() == Some(text),
        false => stream == text,
    };
    (types.is_empty() || types.contains(event_type))
        && tags.is_subset(labels)
        && match (within, stream) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((text, category)), Some(stream)) => lies_within(text, *category, stream),
        }
}

proptest! {
    /// The oracle of every store's tests must itself be right.
    #[test]
    fn a_query_means_what_the_contract_says(
        facts in facts(),
        asked in proptest::collection::vec(asked(), 1..4),
    ) {
        let query = Query::any_of(asked.iter().map(item)).expect("within its bounds");
        let expected = asked.iter().any(|asked| says(asked, &facts));
        prop_assert_eq!(query.matches(&event(&facts)), expected);
    }

    /// Or only widens, an item that names nothing is all events.
    #[test]
    fn one_more_item_never_narrows(facts in facts(), one in asked(), more in asked()) {
        let event = event(&facts);
        let (narrow, wide) = (Query::AnyOf(vec![item(&one)]), Query::AnyOf(vec![item(&one), item(&more)]));
        prop_assert!(!narrow.matches(&event) || wide.matches(&event));
        prop_assert!(Query::All.matches(&event) && Query::AnyOf(vec![QueryItem::default()]).matches(&event));
    }

    /// A name is taken as it is or refused for its length, never changed.
    #[test]
    fn a_name_is_kept_as_it_is(text in "\\PC{0,100}|[a-zß🦀]{60,140}") {
        match Tag::new(text.as_str()) {
            Ok(tag) => prop_assert_eq!(tag.to_string(), text.clone()),
            Err(_) => prop_assert!(text.is_empty() || 255 < text.len()),
        }
        prop_assert_eq!(Tag::new(text.as_str()).is_ok(), text.parse::<EventType>().is_ok());
    }

    /// Tags are a set, in any order given.
    #[test]
    fn tags_are_a_set(given in proptest::collection::vec(few("tag"), 0..9), wanted in proptest::collection::vec(few("tag"), 0..3)) {
        let tags = |texts: &[String]| Tags::new(texts.iter().map(String::as_str)).expect("few tags");
        let (left, right): (BTreeSet<_>, BTreeSet<_>) = (given.iter().collect(), wanted.iter().collect());
        prop_assert_eq!(tags(&given).iter().map(Tag::to_string).collect::<Vec<_>>(), left.iter().map(|it| (*it).clone()).collect::<Vec<_>>());
        prop_assert_eq!(tags(&given).contains_all(&tags(&wanted)), right.is_subset(&left));
        let reversed: Vec<_> = given.iter().rev().cloned().collect();
        prop_assert_eq!(tags(&reversed), tags(&given));
    }

    /// What a log or a command line shows can be given back to the next command.
    #[test]
    fn what_is_shown_can_be_parsed(number in 1_u64.., micros in -62_000_000_000_000_000_i64..253_000_000_000_000_000, id: [u8; 16]) {
        let position = Position::new(number).expect("not zero");
        prop_assert_eq!(position.to_string().parse::<Position>().expect("a position"), position);
        let revision = Revision::new(number);
        prop_assert_eq!(revision.to_string().parse::<Revision>().expect("a revision"), revision);
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(time.to_string().parse::<Timestamp>().expect("a time"), time);
        let id = EventId::from_bytes(id);
        prop_assert_eq!(id.to_string().parse::<EventId>().expect("an id"), id);
    }

    /// A checkpoint is taken exactly up to the head: beyond it lies another store.
    #[test]
    fn a_checkpoint_is_valid_up_to_the_head(checkpoint in 0_u64..9, head in 0_u64..9) {
        let (checkpoint, head) = (Position::new(checkpoint), Position::new(head));
        match StartFrom::from(checkpoint).exclusive_bound(head) {
            Ok(after) => prop_assert!(after == checkpoint && checkpoint <= head),
            Err(_) => prop_assert!(head < checkpoint),
        }
        prop_assert_eq!(StartFrom::End.exclusive_bound(head).expect("always"), head);
    }

    /// `from_revision` needs the one stream that it counts in, in every item.
    #[test]
    fn from_revision_needs_one_stream(asked in proptest::collection::vec(asked(), 1..4)) {
        let query = Query::AnyOf(asked.iter().map(item).collect());
        let within: BTreeSet<_> = asked.iter().map(|(.., within)| within).collect();
        let one = matches!(within.iter().collect::<Vec<_>>()[..], [Some((_, false))]);
        let options = ReadOptions::default().from_revision(Revision::FIRST);
        prop_assert_eq!(options.validate(&query).is_ok(), one);
    }
}
