//! Requests as bytes: a line, headers, an empty line, a body. What is read of them is the same as over gRPC, and what is
//! refused is refused with a problem that says where.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use factlog_core::{
    Append, Event, ExpectedRevision, Position, Query, ReadOptions, RecordedEvent, StartFrom, StreamId,
    Timestamp,
};
use factlog_proto::v1;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::append::etag;
use super::ids::{Ids, namespace};
use super::known::{Known, said};
use super::problem::Problem;
use super::{body, conditions, guard, json, lists, read, subscribe};
use crate::access::credential;
use crate::deadline;
use crate::fuzzing::Row;
use crate::trace::TraceParent;

/// Every target over HTTP.
pub(crate) const TARGETS: &[Row] = &[
    ("http_append", http_append, http_append_seeds),
    ("http_headers", http_headers, http_headers_seeds),
    ("http_read", http_read, http_read_seeds),
];

/// The first line, the headers that are some, and what stands behind them.
fn request(bytes: &[u8]) -> (&[u8], HeaderMap, &[u8]) {
    let (first, mut rest) = line(bytes);
    let mut headers = HeaderMap::new();
    while !rest.is_empty() {
        let (one, after) = line(rest);
        rest = after;
        if one.is_empty() {
            break;
        }
        let (name, value) = one.split_at(one.iter().position(|byte| *byte == b':').unwrap_or(one.len()));
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    (first, headers, rest)
}

fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

/// A refusal is the caller's fault, and says so in full.
fn refused(problem: &Problem) {
    let told = problem.json();
    let status = told["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).expect("a status");
    assert!(status.is_client_error(), "{told}");
    assert!(told["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{told}");
    assert_eq!(told["outcome"], "definite", "{told}");
}

/// The value, if there is one; else a refusal that was looked at.
fn taken<T>(result: Result<T, Problem>) -> Option<T> {
    result.inspect_err(refused).ok()
}

/// A page, a follower or a list: `/v1/events?limit=7` and headers.
fn http_read(bytes: &[u8]) {
    let (target, headers, _) = request(bytes);
    let Ok(target) = std::str::from_utf8(target) else { return };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let stream = path.strip_prefix("/v1/streams/").and_then(|path| path.strip_suffix("/events"));
    let asked = match stream.and_then(|stream| StreamId::new(stream).ok()) {
        Some(stream) => taken(read::Asked::of_stream(query, stream)),
        None => taken(read::Asked::of_log(query)),
    };
    if let Some(read::Asked { query, options, .. }) = asked {
        query.validate().expect("a query of one item is well");
        let same = v1::ReadRequest::from((query.clone(), options));
        assert_eq!(<(Query, ReadOptions)>::try_from(same).ok(), Some((query, options)));
    }
    if let Some((query, from)) = taken(subscribe::asked(query, &headers)) {
        let same = v1::SubscribeRequest::from((query.clone(), from));
        assert_eq!(<(Query, StartFrom)>::try_from(same).ok(), Some((query, from)));
    }
    taken(lists::Asked::of(query));
    taken(read::Form::of(&headers));
    parameters(query);
}

/// Parameters are read as whoever encodes them by the letter has meant them.
fn parameters(query: Option<&str>) {
    let known = ["after", "type", "tag", "prefix", "limit"];
    let Some(params) = taken(super::Params::parse(query, &known)) else { return };
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<_> = params.pairs().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let again = super::Params::parse(Some(&pairs.join("&")), &known).expect("it is encoded");
    assert!(again.pairs().eq(params.pairs()));
}

/// Whatever headers say besides: conditions, keys, traces, and who asks.
fn http_headers(bytes: &[u8]) {
    let (target, headers, _) = request(bytes);
    if let Some(Some(ExpectedRevision::At(revision))) = taken(conditions::expected(&headers)) {
        let again = HeaderMap::from_iter([(header::IF_MATCH, etag(revision))]);
        let again = conditions::expected(&again).expect("the ETag of a revision");
        assert_eq!(again, Some(ExpectedRevision::At(revision)));
    }
    if let Some(Some(Known::At(revisions))) = taken(Known::of(&headers))
        && !revisions.is_empty()
    {
        let again = HeaderMap::from_iter([(header::IF_NONE_MATCH, said(&revisions))]);
        assert_eq!(taken(Known::of(&again)).flatten(), Some(Known::At(revisions)));
    }
    let namespace = namespace(&[7; 32], &"orders".parse().expect("a principal"));
    for sender in [None, Some(namespace)] {
        let Some(ids) = taken(Ids::of(&headers, sender)) else { continue };
        if headers.contains_key("idempotency-key") {
            assert_eq!(ids.id(7), taken(Ids::of(&headers, sender)).expect("again").id(7));
            assert!(ids.id(7) != ids.id(17) && !ids.are_new(1));
        }
    }
    if let Some(parent) = TraceParent::of(&headers) {
        let value = |text: &str| HeaderValue::from_str(text).expect("plain text");
        let mut again =
            HeaderMap::from_iter([(HeaderName::from_static("traceparent"), value(parent.as_str()))]);
        if let Some(state) = parent.state() {
            assert!(state.len() <= 512);
            again.insert("tracestate", value(state));
        }
        assert_eq!(TraceParent::of(&again), Some(parent), "it is kept in the form that is known");
    }
    credential(&headers);
    deadline::read(&headers);
    let target = Uri::try_from(target).unwrap_or_default();
    let _ = guard::check_host(&target, &headers);
    let _ = guard::check_origin(&target, &headers);
}

/// An append over HTTP is one over gRPC, and its events go out as they came in.
fn http_append(bytes: &[u8]) {
    let (_, headers, text) = request(bytes);
    let Some(form) = taken(body::Form::of(&headers)) else { return };
    let Some(ids) = taken(Ids::of(&headers, None)) else { return };
    let Some(decoded) = taken(body::decode(form, text, &ids)) else { return };
    let body::Decoded { events, conditions, tracking } = decoded;
    let mut append = Append { events, conditions, tracking };
    for event in &append.events {
        comes_back(event);
    }
    let same = Append::try_from(v1::AppendRequest::from(append.clone())).expect("it is one over gRPC");
    assert_eq!(same, append, "it is the same over gRPC");
    if let Ok(Some(parent)) = TraceParent::to_store(&headers, true) {
        parent.put_into(&mut append.events);
        for (put, event) in append.events.iter().zip(same.events) {
            let left = Event { metadata: event.metadata.clone(), ..put.clone() };
            assert_eq!(left, event, "nothing but metadata has changed");
            let said = serde_json::from_slice::<serde_json::Value>(&put.metadata).ok();
            let traced = said.as_ref().is_some_and(|said| said.get("traceparent").is_some());
            assert!(traced || put.metadata == event.metadata, "metadata stays as it is, or has the trace");
        }
    }
}

fn comes_back(event: &Event) {
    let recorded = RecordedEvent {
        position: Position::FIRST,
        recorded_at: Timestamp::from_micros(1_700_000_000_000_000),
        revision: None,
        event: event.clone(),
    };
    let mut out = Vec::new();
    json::write(&mut out, &recorded);
    assert!(!out.contains(&b'\n'), "an event has no line break");
    let out = String::from_utf8(out).expect("text");
    let (_, said) = out.split_once(",\"id\":").expect("its id stands behind where it was recorded");
    let again = json::event(&format!("{{\"id\":{said}"), || unreachable!("it has an id"));
    assert_eq!(again.ok().as_ref(), Some(event), "what goes out comes in as the same");
}

fn http_read_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of = |text: &str| text.as_bytes().to_vec();
    vec![
        (
            "page",
            of(
                "/v1/events?after=7&until=9&limit=3&backwards&type=paid&tag=order%3A1&category=order\naccept: application/x-ndjson\n",
            ),
        ),
        (
            "stream",
            of(
                "/v1/streams/order-1/events?from_revision=18446744073709551615&type=a&type=b\nif-none-match: \"3\"\n",
            ),
        ),
        ("follow", of("/v1/subscribe?after=0&stream=order-1&tag=a+b\nlast-event-id: 12\n")),
        ("end", of("/v1/subscribe?from=end\n")),
        ("list", of("/v1/streams?prefix=order-&after=order-1&limit=1000\naccept: text/html, */*;q=0.1\n")),
    ]
}

fn http_headers_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of = |text: &str| text.as_bytes().to_vec();
    vec![
        ("match", of("/v1/streams/a/events\nif-match: \"7\"\nidempotency-key: \"order-17\"\n")),
        (
            "none",
            of(
                "/v1/streams/a/events\nif-none-match: *\ngrpc-timeout: 100m\nhost: localhost:4270\norigin: http://127.0.0.1:4270\n",
            ),
        ),
        ("trace", of("/\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n")),
        (
            "later",
            of(
                "/\ntraceparent: cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-more\nsec-fetch-site: none\ntracestate: rojo=00f067aa0ba902b7 , 1t@congo=t61\n",
            ),
        ),
        (
            "key",
            of(
                "http://[::1]:4270/\nauthorization: Bearer factlog_000102030405_000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fe7001b35\n",
            ),
        ),
    ]
}

fn http_append_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of =
        |kind: &str, body: &str| format!("\ncontent-type: application/{kind}\nidempotency-key: k\n\n{body}");
    let json = |body: &str| of("json", body).into_bytes();
    vec![
        (
            "one",
            json(
                r#"{"type":"paid","stream":"order-1","tags":["order:1"],"data":{"amount":1.10},"metadata":{"user":"ada"}}"#,
            ),
        ),
        (
            "base64",
            json(r#"[{"type":"paid","content_type":"image/png","data_base64":"AAEC/w==","metadata_base64":"/w=="}]"#),
        ),
        ("text", json(r#"[{"type":"said","content_type":"text/plain","data":"a\u0000b\ud83d\ude00"},{"type":"null","data":null}]"#)),
        ("null", json(r#"[{"type":"a","metadata":null,"data":{},"content_type":"text/plain"},{"type":"a","metadata":"text","tags":[]}]"#)),
        (
            "conditions",
            json(
                r#"{"events":[{"type":"a"}],"conditions":[{"stream":"s","expected":7},{"stream":"s","expected":"no_stream"},{"none_match":[{"types":["a"],"tags":["b:1"],"category":"c"}],"after":12}],"tracking":{"source":"shop","position":7}}"#,
            ),
        ),
        ("lines", of("x-ndjson; charset=utf-8", "{\"type\":\"a\"}\n\n{\"type\":\"b\",\"id\":\"4000d4e9-32ed-5d13-a2ca-ba9245cc3b97\"}\n").into_bytes()),
        (
            "cloudevent",
            format!(
                "\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n{}",
                &of("cloudevents+json", r#"{"specversion":"1.0","id":"17","source":"shop","type":"order.placed","subject":"order-17","data":{"total":5}}"#)[1..]
            )
            .into_bytes(),
        ),
    ]
}
