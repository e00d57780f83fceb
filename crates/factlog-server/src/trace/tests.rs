//! Names of methods as the `.proto` files have them, and `traceparent` by the letter.

use std::path::Path;

use factlog_core::{Event, EventType};

use super::TraceParent;
use super::method::METHODS;

/// Would fail if a new call were counted and logged as unknown.
#[test]
fn every_call_of_the_proto_files_is_known_by_its_name() {
    assert!(METHODS.is_sorted());
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../factlog-proto/proto/factlog/v1");
    let mut seen = 0;
    for file in files.read_dir().expect("the proto files") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        let mut service = "";
        for line in text.lines().map(str::trim) {
            let word =
                |prefix: &str| line.strip_prefix(prefix).and_then(|rest| rest.split([' ', '(']).next());
            service = word("service ").unwrap_or(service);
            let Some(method) = word("rpc ") else { continue };
            let name = format!("factlog.v1.{service}/{method}");
            assert!(METHODS.contains(&name.as_str()), "{name} is not in METHODS");
            seen += 1;
        }
    }
    assert_eq!(seen, METHODS.iter().filter(|name| name.starts_with("factlog.")).count());
}

fn parsed(text: &str) -> Option<String> {
    let headers = [("traceparent", text)].map(|(name, value)| {
        (
            axum::http::HeaderName::from_static(name),
            value.parse::<axum::http::HeaderValue>().expect("a value"),
        )
    });
    TraceParent::of(&headers.into_iter().collect()).map(|parent| parent.as_str().to_owned())
}

const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_traceparent_is_what_the_w3c_says_or_nothing() {
    assert_eq!(parsed(GOOD).as_deref(), Some(GOOD));
    let unsampled = GOOD.replace("-01", "-00");
    assert_eq!(parsed(&unsampled), Some(unsampled));
    assert_eq!(parsed(&GOOD.replacen("00-", "cc-", 1)).as_deref(), Some(GOOD), "a later version");
    assert_eq!(parsed(&(GOOD.replacen("00-", "cc-", 1) + "-more")).as_deref(), Some(GOOD));
    for wrong in [
        "",
        "00",
        &GOOD[1..],
        &GOOD[..54],
        &GOOD.to_uppercase(),
        &(GOOD.to_owned() + "-more"),
        &(GOOD.replacen("00-", "cc-", 1) + "more"),
        &GOOD.replacen("00-", "ff-", 1),
        &GOOD.replacen("00-", "0g-", 1),
        &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
        &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
        &GOOD.replace('-', "_"),
        "\u{e9}0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        assert_eq!(parsed(wrong), None, "{wrong}");
    }
}

/// Would fail if somebody's metadata were lost, reordered or made invalid by a trace.
#[test]
fn it_is_put_beside_what_is_there_and_over_nothing() {
    let parent = TraceParent::parse(GOOD).expect("good");
    let stored = |metadata: &str| {
        let event = Event::new(EventType::new("t").expect("a type"), "").with_metadata(metadata.to_owned());
        let mut events = [event];
        parent.put_into(&mut events);
        String::from_utf8(events[0].metadata.to_vec()).expect("text")
    };
    let member = format!("\"traceparent\":\"{GOOD}\"");
    assert_eq!(stored(""), format!("{{{member}}}"));
    assert_eq!(stored("{}"), format!("{{{member}}}"));
    assert_eq!(stored("{\"a\":1.10}"), format!("{{\"a\":1.10,{member}}}"));
    assert_eq!(stored(" { \"a\" : {} } \n"), format!(" {{ \"a\" : {{}} ,{member}}}"));
    let full = format!("{{\"a\":\"{}\"}}", "x".repeat(65_500));
    for kept in ["{\"traceparent\":\"mine\"}", "[1]", "text", "{\"a\":1,\"a\":2}", "{", &full] {
        assert_eq!(stored(kept), kept);
    }
}

/// Would fail if a tracestate were stored without its traceparent, beside another's, or in what is no JSON.
#[test]
fn a_tracestate_is_stored_beside_its_traceparent_or_not_at_all() {
    let stored = |headers: &[(&'static str, &'static str)], metadata: &str| {
        let header = |(name, value): &(&'static str, &'static str)| {
            (axum::http::HeaderName::from_static(name), axum::http::HeaderValue::from_static(value))
        };
        let parent = TraceParent::of(&headers.iter().map(header).collect());
        let event = Event::new(EventType::new("t").expect("a type"), "").with_metadata(metadata.to_owned());
        let mut events = [event];
        if let Some(parent) = parent {
            parent.put_into(&mut events);
        }
        String::from_utf8(events[0].metadata.to_vec()).expect("text")
    };
    let (parent, state) = (("traceparent", GOOD), ("tracestate", "a=\"\\,b=c"));
    let member = format!("\"traceparent\":\"{GOOD}\"");
    let both = format!("{{{member},\"tracestate\":\"a=\\\"\\\\,b=c\"}}");
    assert_eq!(stored(&[parent, state], ""), both);
    assert_eq!(stored(&[state], ""), "", "it means nothing alone");
    assert_eq!(stored(&[("traceparent", "00-x"), state], ""), "");
    assert_eq!(stored(&[parent, ("tracestate", "a")], ""), format!("{{{member}}}"), "a malformed one");
    assert_eq!(stored(&[parent, state], "{\"tracestate\":1}"), "{\"tracestate\":1}", "that of another");
    let nearly = format!("{{\"a\":\"{}\"}}", "x".repeat(65_440));
    let put = stored(&[parent, state], &nearly);
    assert!(put.contains(&member) && !put.contains("tracestate"), "there is room for one");
    let told: serde_json::Value = serde_json::from_str(&both).expect("JSON");
    assert_eq!(told["tracestate"], "a=\"\\,b=c");
}
