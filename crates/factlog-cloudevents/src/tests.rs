//! What goes out comes in again as the same event, whatever it holds; what comes in goes out as it was written.

use std::borrow::Cow;

use factlog_core::{
    ContentType, Event, EventId, EventType, Position, RecordedEvent, StreamId, Tags, Timestamp,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::incoming::Origin;

const STORE: Uuid = Uuid::from_bytes([7; 16]);

fn recorded(event: Event) -> RecordedEvent {
    let position = Position::new(17).unwrap();
    RecordedEvent {
        position,
        recorded_at: Timestamp::from_micros(1_700_000_000_000_000),
        revision: None,
        event,
    }
}

fn read(line: &[u8]) -> Incoming {
    from_line(line).unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(line)))
}

/// The line, imported and exported again.
fn again(line: &str) -> String {
    String::from_utf8(to_line(&recorded(read(line.as_bytes()).event), Source::Store(STORE))).unwrap()
}

fn refused(line: &str) -> String {
    let error = from_line(line.as_bytes()).expect_err("a bad line");
    format!("byte {}: {}", error.byte, error.reason)
}

#[test]
fn a_loan_event_keeps_its_source_and_time_as_attributes() {
    let line = r#"{"specversion":"1.0","id":"4000d4e9-32ed-5d13-a2ca-ba9245cc3b97","source":"bpic2012","type":"A_SUBMITTED.COMPLETE","subject":"loan-173688","time":"2011-10-01T00:38:44.546+02:00","datacontenttype":"application/json","data":{"resource":"112","amount_requested":20000}}"#;
    let event = read(line.as_bytes()).event;
    assert_eq!(event.id.to_string(), "4000d4e9-32ed-5d13-a2ca-ba9245cc3b97");
    assert_eq!(event.metadata, r#"{"source":"bpic2012","time":"2011-10-01T00:38:44.546+02:00"}"#);
    assert_eq!(event.data, r#"{"resource":"112","amount_requested":20000}"#);
    insta::assert_snapshot!(again(line));
}

#[test]
fn an_id_that_is_no_uuid_comes_back_as_it_was() {
    let line = r#"{"specversion":"1.0","id":"row 1","source":"/bank","type":"t","data":1.10,"traceparent":"00-ab","rank":3}"#;
    insta::assert_snapshot!(again(line));
    assert_eq!(read(again(line).as_bytes()).event, read(line.as_bytes()).event);
    let other_source = line.replace("/bank", "/shop");
    assert_ne!(read(other_source.as_bytes()).event.id, read(line.as_bytes()).event.id);
}

#[test]
fn metadata_that_attributes_cannot_say_goes_out_whole() {
    let event = Event::new(EventType::new("t").unwrap(), "{}")
        .with_id(EventId::from_bytes([1; 16]))
        .tagged(Tags::new(["account:42", "a,\"b"]).unwrap())
        .with_metadata(r#"{"user":{"name":"Ada"},"correlationid":"c-1"}"#);
    let line = to_line(&recorded(event.clone()), Source::Store(STORE));
    insta::assert_snapshot!(String::from_utf8(line.clone()).unwrap());
    let origin = Origin { store: STORE, position: Position::new(17).unwrap() };
    assert_eq!(read(&line), Incoming { event, origin: Some(origin) });
}

/// Would fail if an edit of an exported line were dropped in silence.
#[test]
fn an_attribute_that_the_whole_metadata_does_not_know_is_refused() {
    let event = Event::new(EventType::new("t").unwrap(), "{}").with_metadata(r#"{"user":{}}"#);
    let line = String::from_utf8(to_line(&recorded(event), Source::Store(STORE))).unwrap();
    let edited = line.replacen('{', r#"{"reviewer":"Bob","#, 1);
    assert_eq!(
        refused(&edited),
        "byte 0: attribute `reviewer` would be lost: `factlogmeta` is the whole metadata and says otherwise"
    );
}

#[test]
fn what_is_wrong_with_a_line_is_said_with_its_place() {
    let good = r#"{"specversion":"1.0","id":"1","source":"s","type":"t"}"#;
    let cases = [
        "".to_owned(),
        "[]".into(),
        r#"{"specversion":"1.0","id":"#.into(),
        good.replace(r#""id":"1","#, ""),
        good.replace(r#""1.0""#, r#""0.3""#),
        good.replace(r#""t""#, "5"),
        good.replace(r#""t""#, r#""""#),
        good.replace(r#""s""#, r#""s","source":"s""#),
        good.replace(r#""s""#, r#""s","data":1,"data_base64":"MQ==""#),
        good.replace(r#""s""#, r#""s","data_base64":"?""#),
        good.replace(r#""t""#, &format!("{:?}", "x".repeat(256))),
    ];
    let reasons: Vec<String> = cases.iter().map(|line| refused(line)).collect();
    insta::assert_snapshot!(reasons.join("\n"));
    assert_eq!(from_line(b"{\"a\xff").expect_err("no UTF-8").byte, 3);
}

#[test]
fn data_of_every_kind_is_read_as_the_format_says() {
    let with = |more: &str| format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t"{more}}}"#);
    let cases = [
        (r#","data":null"#, "application/json", "null"),
        ("", "application/json", ""),
        (r#","datacontenttype":"text/plain","data":"a\nb""#, "text/plain", "a\nb"),
        (r#","datacontenttype":"text/plain","data":{"a":1}"#, "text/plain", r#"{"a":1}"#),
        (r#","data":"a""#, "application/json", r#""a""#),
        (r#","data_base64":"YQ==""#, "application/octet-stream", "a"),
        (r#","datacontenttype":"application/json","data_base64":"eyAKfQ==""#, "application/json", "{ \n}"),
        (r#","subject":null,"tags":["b","a"],"data":1"#, "application/json", "1"),
    ];
    for (more, content_type, data) in cases {
        let event = read(with(more).as_bytes()).event;
        assert_eq!((event.content_type.as_str(), &event.data[..]), (content_type, data.as_bytes()), "{more}");
    }
}

fn simple_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from)
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]{1,8}",
        prop::sample::select(
            &["id", "source", "time", "type", "tags", "sequence", "storeid", "factlogmeta", "data_base64"][..]
        )
        .prop_map(str::to_owned),
        ".{0,6}",
    ]
}

fn metadata() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        4 => simple_value(),
        1 => Just(json!(null)),
        1 => vec(any::<i32>(), 0..3).prop_map(Value::from),
    ];
    let object = vec((name(), value), 0..5).prop_map(|members| {
        let text: Vec<String> =
            members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        format!("{{{}}}", text.join(",")).into_bytes()
    });
    let source_of_the_store = store_source(STORE);
    let named = vec(simple_value(), 3).prop_map(move |values| {
        format!(r#"{{"id":{},"source":{},"time":{}}}"#, values[0], json!(source_of_the_store), values[2])
            .into_bytes()
    });
    prop_oneof![Just(Vec::new()), object, named, vec(any::<u8>(), 0..20)]
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..20),
        any::<String>().prop_map(String::into_bytes),
        simple_value().prop_map(|value| value.to_string().into_bytes()),
        Just(b"{\"amount\": 1.10, \"n\": 123456789012345678901234567890, \"e\": 1E+2}".to_vec()),
        Just(b" {\n} ".to_vec()),
    ]
}

fn content_type() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            &[
                "application/json",
                "text/plain",
                "application/xml",
                "Application/X+JSON; v=1",
                "application/octet-stream",
                "json"
            ][..]
        )
        .prop_map(str::to_owned),
        ".{1,20}",
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let stream = prop::option::of(".{1,12}");
    (any::<[u8; 16]>(), ".{1,12}", vec(".{1,8}", 0..4), stream, content_type(), data(), metadata()).prop_map(
        |(id, event_type, tags, stream, content_type, data, metadata)| Event {
            id: EventId::from_bytes(id),
            event_type: EventType::new(event_type).unwrap(),
            tags: Tags::new(tags).unwrap(),
            data: data.into(),
            metadata: metadata.into(),
            content_type: ContentType::new(&content_type).unwrap(),
            stream: stream.map(|stream| StreamId::new(stream).unwrap()),
        },
    )
}

/// A line as somebody else may have written it.
fn foreign_line() -> impl Strategy<Value = String> {
    let more = vec((name(), prop_oneof![simple_value(), Just(json!(null))]), 0..5);
    (prop_oneof![any::<[u8; 16]>().prop_map(|id| Uuid::from_bytes(id).to_string()), ".{1,8}"], ".{1,8}", more)
        .prop_map(|(id, source, more)| {
            let mut object = serde_json::Map::new();
            object.extend(more.into_iter().filter(|(name, _)| {
                !["data_base64", "factlogmeta", "storeid", "tags"].contains(&name.as_str())
            }));
            for (name, value) in [
                ("specversion", json!("1.0")),
                ("id", json!(id)),
                ("source", json!(source)),
                ("type", json!("t")),
            ] {
                object.insert(name.into(), value);
            }
            Value::Object(object).to_string()
        })
}

proptest! {
    /// Would fail if an export lost or changed a byte of an event, so that importing it again made another one.
    #[test]
    fn every_event_survives_the_way_out_and_in(event in event()) {
        let line = to_line(&recorded(event.clone()), Source::Store(STORE));
        prop_assert!(!line.contains(&b'\n'), "a line break in the line");
        serde_json::from_slice::<Value>(&line).expect("the line is JSON");
        let incoming = from_line(&line).map_err(|error| TestCaseError::fail(error.reason))?;
        prop_assert_eq!(incoming.event, event);
        prop_assert_eq!(incoming.origin.map(|origin| origin.position.get()), Some(17));
    }

    /// Would fail if an attribute of somebody else's event were lost on the way in and out.
    #[test]
    fn every_attribute_of_a_foreign_event_survives_the_way_in_and_out(line in foreign_line()) {
        let event = read(line.as_bytes()).event;
        let out = to_line(&recorded(event.clone()), Source::Store(STORE));
        prop_assert_eq!(&read(&out).event, &event);
        let before: serde_json::Map<String, Value> = serde_json::from_str(&line).unwrap();
        let after: serde_json::Map<String, Value> = serde_json::from_slice(&out).unwrap();
        let kept: Members<'_> = serde_json::from_slice(&event.metadata).unwrap_or_default();
        for (name, value) in before.iter().filter(|(_, value)| !value.is_null()) {
            let in_metadata = kept.get(name).map(|raw| serde_json::from_str::<Value>(raw.get()).unwrap());
            prop_assert!(after.get(name) == Some(value) || in_metadata.as_ref() == Some(value), "{} is lost", name);
        }
    }

    #[test]
    fn no_line_whatever_makes_it_panic(line in vec(any::<u8>(), 0..60)) {
        let _ = from_line(&line);
    }

    #[test]
    fn a_list_of_members_is_found_by_name(names in vec("[a-z]{1,3}", 0..6)) {
        let mut unique = names.clone();
        unique.sort();
        unique.dedup();
        let text = serde_json::to_string(&unique.iter().map(|name| (name.clone(), name.clone())).collect::<std::collections::BTreeMap<_, _>>()).unwrap();
        let members: Members<'_> = serde_json::from_str(&text).unwrap();
        for name in &unique {
            prop_assert_eq!(members.text(name), Some(Cow::Borrowed(name.as_str())));
        }
    }
}
