//! What reads lines and files that come from elsewhere, as functions of bytes with what must hold; see `factlog-fuzz`.

use std::io::{Cursor, Write};

use factlog_cloudevents::{Source, from_line, to_line};
use factlog_core::{Event, Position, RecordedEvent, Revision, Timestamp};
use flate2::Compression;
use flate2::write::GzEncoder;
use uuid::Uuid;

use crate::commands::append::input;
use crate::lines::Lines;
use crate::render::{Format, event as rendered};

/// A name, the function, and real encodings to begin with, each with a name.
pub type Row = (&'static str, fn(&[u8]), fn() -> Vec<(&'static str, Vec<u8>)>);

/// Every target of the command line.
pub const TARGETS: &[Row] = &[
    ("cloudevents", cloudevents, cloudevents_seeds),
    ("ndjson", ndjson, ndjson_seeds),
    ("lines", lines, lines_seeds),
];

const STORE: Uuid = Uuid::from_bytes([7; 16]);

fn recorded(event: Event) -> RecordedEvent {
    let revision = event.stream.is_some().then(|| Revision::new(4));
    let recorded_at = Timestamp::from_micros(1_700_000_000_000_000);
    RecordedEvent { position: Position::FIRST.next(), recorded_at, revision, event }
}

/// A line of an import: what comes in goes out as a line that comes in as the same.
fn cloudevents(line: &[u8]) {
    let incoming = match from_line(line) {
        Ok(incoming) => incoming,
        Err(error) => {
            assert!(error.byte <= line.len() as u64, "the place of an error is in the line");
            return;
        }
    };
    let recorded = recorded(incoming.event);
    let out = to_line(&recorded, Source::Store(STORE));
    assert!(!out.contains(&b'\n'), "a line has no line break");
    let again = from_line(&out).expect("what goes out comes in");
    assert_eq!(again.event, recorded.event, "what goes out comes in as the same");
    let origin = again.origin.expect("an export says where it was recorded");
    assert_eq!((origin.store, origin.position), (STORE, recorded.position));
    let named = to_line(&recorded, Source::Named("/bank"));
    assert!(!named.contains(&b'\n'), "a line has no line break");
    if let Ok(named) = from_line(&named) {
        assert_eq!(named.event.data, recorded.event.data, "what is published says the same");
    }
    for format in [Format::Table, Format::Ndjson, Format::Cloudevents] {
        assert!(!rendered(&recorded, format, STORE).contains(&b'\n'), "an event is shown in a line");
    }
}

fn cloudevents_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let line = |text: &str| text.as_bytes().to_vec();
    vec![
        (
            "plain",
            line(
                r#"{"specversion":"1.0","id":"4000d4e9-32ed-5d13-a2ca-ba9245cc3b97","source":"bpic2012","type":"A_SUBMITTED","subject":"loan-173688","time":"2011-10-01T00:38:44.546+02:00","datacontenttype":"application/json","data":{"resource":"112"}}"#,
            ),
        ),
        (
            "foreign-id",
            line(
                r#"{"specversion":"1.0","id":"row 1","source":"/bank","type":"t","data":1.10,"traceparent":"00-ab","tags":["a:1","b"]}"#,
            ),
        ),
        (
            "base64",
            line(
                r#"{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"image/png","data_base64":"AAEC/w==","tags":"[\"a:1\"]","factlogmeta":"{\"a\":[1]}"}"#,
            ),
        ),
        (
            "exported",
            line(
                r#"{"specversion":"1.0","id":"4000d4e9-32ed-5d13-a2ca-ba9245cc3b97","source":"urn:factlog:07070707-0707-0707-0707-070707070707","type":"t","datacontenttype":"text/plain","recordedtime":"2026-01-01T00:00:00Z","sequence":"00000000000000000009","storeid":"07070707-0707-0707-0707-070707070707","factlogmetabase64":"/w==","data":"a\nb"}"#,
            ),
        ),
    ]
}

/// A line of `factlog append`: what `factlog read` shows of it is read as the same.
fn ndjson(line: &[u8]) {
    let Ok(event) = input::event(line, None) else { return };
    let recorded = recorded(event);
    let out = rendered(&recorded, Format::Ndjson, STORE);
    assert_eq!(input::event(&out, None).as_ref(), Ok(&recorded.event), "what is shown is read as the same");
    let exported = from_line(&to_line(&recorded, Source::Store(STORE))).expect("what goes out comes in");
    assert_eq!(exported.event, recorded.event, "what is exported comes in as the same");
}

fn ndjson_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let line = |text: &str| text.as_bytes().to_vec();
    vec![
        (
            "plain",
            line(
                r#"{"type":"paid","stream":"order-1","id":"4000d4e9-32ed-5d13-a2ca-ba9245cc3b97","tags":["order:1"],"data":{"amount":1.10},"metadata":{"user":"ada"}}"#,
            ),
        ),
        (
            "base64",
            line(
                r#"{"type":"paid","content_type":"image/png","data_base64":"AAEC/w==","metadata_base64":"/w==","position":3,"revision":1,"recorded_at":"x"}"#,
            ),
        ),
        ("text", line(r#"{"type":"paid","content_type":"text/plain","data":"a\u0000b\ud83d\ude00"}"#)),
    ]
}

/// A file of lines, plain or gzip.
fn lines(bytes: &[u8]) {
    read_all(bytes, None);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes all");
    read_all(&packed, Some(bytes));
}

/// `content` is what the lines must have, where it is known.
fn read_all(bytes: &[u8], content: Option<&[u8]>) {
    let Ok(mut lines) = Lines::new(Cursor::new(bytes.to_vec())) else { return };
    let content = content.or((!bytes.starts_with(&[0x1f, 0x8b])).then_some(bytes));
    let (mut number, mut until) = (0, 0);
    loop {
        match lines.next() {
            Ok(Some(line)) => {
                number += 1;
                assert_eq!((line.number, line.byte), (number, until), "lines follow each other");
                assert!(!line.text.contains(&b'\n'), "a line has no line break");
                if let Some(content) = content {
                    let from = usize::try_from(line.byte).expect("it is in memory");
                    assert!(content[from..].starts_with(line.text), "a line is where it says");
                }
                until = lines.place().1;
            }
            Ok(None) => break,
            Err(_) => {
                assert!(content.is_none(), "memory can be read");
                return;
            }
        }
    }
    assert!(content.is_none_or(|content| content.len() as u64 == until), "nothing is left over");
}

fn lines_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let gzip = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes all")
    };
    let both = [gzip(b"one\ntw"), gzip(b"o\nthree\n")].concat();
    vec![("plain", b"one\r\n\nthree".to_vec()), ("gzip", gzip(b"one\ntwo\n")), ("members", both)]
}
