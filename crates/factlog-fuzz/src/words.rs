//! Names, times and queries that people and programs send as text: the words of `factlog-core`.

use std::fmt::Display;
use std::str::FromStr;

use factlog_core::{
    Category, ContentType, Event, EventId, EventType, Position, Query, QueryItem, Revision, StreamFilter,
    StreamId, Tag, Tags, Timestamp, TrackingSource,
};
use factlog_engine::fuzzing::Row;

pub(crate) const TARGETS: &[Row] = &[("words", words, words_seeds), ("query", query, query_seeds)];

fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    as_it_is::<EventType>(text);
    as_it_is::<Tag>(text);
    as_it_is::<StreamId>(text);
    as_it_is::<Category>(text);
    as_it_is::<TrackingSource>(text);
    again::<Position>(text);
    again::<Revision>(text);
    again::<EventId>(text);
    again::<Timestamp>(text);
    if let Ok(content_type) = ContentType::new(text) {
        assert_eq!(content_type.as_str(), text);
    }
    if let Ok(stream) = StreamId::new(text) {
        assert!(text.starts_with(stream.category()) && !stream.category().contains('-'));
    }
}

/// A name is the text that it was made of.
fn as_it_is<T: FromStr + AsRef<str> + Display>(text: &str) {
    if let Ok(name) = text.parse::<T>() {
        assert_eq!((name.as_ref(), name.to_string().as_str()), (text, text));
    }
}

/// What was read is shown in a form that is read as the same.
fn again<T: FromStr + Display + PartialEq + std::fmt::Debug>(text: &str)
where
    T::Err: std::fmt::Debug,
{
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().expect("what is shown can be read"), value);
    }
}

fn words_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let texts = [
        ("stream", "account-42"),
        ("id", "4000d4e9-32ed-5d13-a2ca-ba9245cc3b97"),
        ("position", "18446744073709551615"),
        ("time", "1994-03-31T12:00:00.123456+02:00"),
        ("early", "-009999-01-02T01:59:59Z"),
    ];
    texts.into_iter().map(|(name, text)| (name, text.as_bytes().to_vec())).collect()
}

/// Lines: items of a query (`t` a type, `g` a tag, `s` a stream, `c` a category; an empty line begins another item),
/// then behind a line `=` the same words for an event.
fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (asked, said) = text.split_once("\n=\n").unwrap_or((text, ""));
    let Ok(items) = asked.split("\n\n").map(item).collect::<Result<Vec<_>, _>>() else { return };
    let Ok(event) = item(said) else { return };
    let stream = event.stream.and_then(|filter| match filter {
        StreamFilter::Id(id) => Some(id),
        StreamFilter::Category(_) => None,
    });
    let Some(event_type) = event.types.first() else { return };
    let mut event =
        Event::new(event_type.clone(), "").tagged(event.tags).with_id(EventId::from_bytes([7; 16]));
    event.stream = stream;
    let Ok(query) = Query::any_of(items.clone()) else { return };
    let by_hand = items.iter().any(|item| {
        let of_type = item.types.is_empty() || item.types.contains(&event.event_type);
        let tagged = item.tags.iter().all(|tag| event.tags.iter().any(|own| own == tag));
        let within = match (&item.stream, &event.stream) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(StreamFilter::Id(id)), Some(own)) => id.as_str() == own.as_str(),
            (Some(StreamFilter::Category(wanted)), Some(own)) => {
                own.as_str().split('-').next() == Some(wanted.as_str())
            }
        };
        of_type && tagged && within
    });
    assert_eq!(query.matches(&event), by_hand);
}

fn item(text: &str) -> factlog_core::Result<QueryItem> {
    let mut item = QueryItem::default();
    let mut tags = Vec::new();
    for line in text.lines() {
        match line.split_at_checked(1) {
            Some(("t", name)) => item.types.push(EventType::new(name)?),
            Some(("g", name)) => tags.push(Tag::new(name)?),
            Some(("s", name)) => item.stream = Some(StreamFilter::Id(StreamId::new(name)?)),
            Some(("c", name)) => item.stream = Some(StreamFilter::Category(Category::new(name)?)),
            Some(_) | None => {}
        }
    }
    item.tags = Tags::new(tags)?;
    Ok(item)
}

fn query_seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("tags", b"tpaid\ngorder:1\n\ngorder:2\n=\ntpaid\ngorder:1\ngorder:2\nsorder-1".to_vec()),
        ("category", b"corder\n\nscart\n=\ntpaid\nsorder-1-2".to_vec()),
    ]
}
