//! The OpenAPI document against its copy, against the routes, and against what handlers know.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use factlog_core::MemoryStore;
use factlog_proto::TABLE;
use serde_json::Value;

use crate::served::{Served, runtime};
use crate::web::{get, send};

/// What is told to everybody.
const OPEN: [&str; 2] = ["/health/live", "/health/ready"];

/// A method and a path of the document, with what is said about it.
struct Operation<'a> {
    method: String,
    path: &'a str,
    says: &'a Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, item)| {
        let item: &Value = item;
        let path: &String = path;
        let methods = item.as_object().expect("operations");
        methods.iter().map(move |(method, says)| Operation { method: method.to_uppercase(), path, says })
    };
    paths.iter().flat_map(of).collect()
}

/// Runs a test with the document and the address of the server that serves it.
fn with_document(test: impl AsyncFnOnce(Value, SocketAddr)) {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let document = get(served.address, "/v1/openapi.json").await;
        assert_eq!(document.header("content-type"), Some("application/json"));
        test(document.json(), served.address).await;
        served.stop().await;
    });
}

/// Would fail if the program answered otherwise than the copy says which other programs are made from.
#[test]
fn the_committed_document_is_the_one_served() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let document = get(served.address, "/v1/openapi.json").await.body;
        let copy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        if std::env::var_os("FACTLOG_UPDATE").is_some() {
            std::fs::write(&copy, &document).expect("write the copy");
        }
        let found = std::fs::read_to_string(&copy).expect("docs/openapi.json");
        assert!(
            found == document,
            "docs/openapi.json is not what is served: run this test with FACTLOG_UPDATE=1"
        );
        assert!(document.starts_with("{\n  \"openapi\": \"3.1."), "{}", &document[..60]);
        served.stop().await;
    });
}

/// The router itself says in `Allow` what it takes. Would fail if a path took a method that is not in the document, or did not
/// take one that is.
#[test]
fn every_path_takes_the_methods_of_the_document_and_no_others() {
    with_document(async |document, at| {
        let operations = operations(&document);
        let paths: BTreeSet<&str> = operations.iter().map(|operation| operation.path).collect();
        assert!(9 <= paths.len(), "{paths:?}");
        for path in paths {
            let refused =
                send(at, &format!("TRACE {}", path.replace("{id}", "a").replace("{name}", "a")), &[], "")
                    .await;
            assert_eq!(refused.status, 405, "{path}: {refused:?}");
            let allowed = refused.header("allow").expect("what it takes").split(',').map(str::trim);
            let allowed: BTreeSet<String> =
                allowed.map(str::to_owned).filter(|method| method != "HEAD").collect();
            let told = operations.iter().filter(|operation| operation.path == path);
            let told: BTreeSet<String> = told.map(|operation| operation.method.clone()).collect();
            assert_eq!(allowed, told, "{path}");
        }
    });
}

/// Would fail if a route were added past the table that the document is made from.
#[test]
fn the_table_is_the_only_way_to_a_route() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut directories = vec![source];
    let mut seen = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            if path.file_name().is_some_and(|name| name == "tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source file");
            seen += 1;
            for past in [".route(", ".route_service(", ".nest(", ".nest_service("] {
                let what = "routes go through `spec::Table`, where they are described";
                assert!(!text.contains(past), "{}: {past}: {what}", path.display());
            }
        }
    }
    assert!(10 < seen, "{seen} files");
}

/// A handler refuses what it does not know by name, and says what it knows. Would fail if the document left a parameter out, or
/// told of one that is not there.
#[test]
fn handlers_know_the_parameters_of_the_document() {
    with_document(async |document, at| {
        for Operation { method, path, says } in operations(&document) {
            if OPEN.contains(&path) || path == "/v1/openapi.json" {
                continue;
            }
            let line = format!("{method} {}?bogus=1", path.replace("{id}", "a").replace("{name}", "a"));
            let refused = send(at, &line, &["content-type: application/json"], "{\"type\":\"a\"}").await;
            assert_eq!(refused.status, 400, "{line}");
            let refused = refused.json();
            let detail = refused["detail"].as_str().expect("a sentence");
            let (_, known) = detail.split_once("; known: ").expect("what it knows");
            let known: BTreeSet<&str> = known.split(", ").filter(|name| *name != "none").collect();
            let told = says["parameters"].as_array().into_iter().flatten();
            let told = told.filter(|parameter| parameter["in"] == "query");
            let told: BTreeSet<&str> = told.filter_map(|parameter| parameter["name"].as_str()).collect();
            assert_eq!(known, told, "{line}");
        }
    });
}

/// Found by Schemathesis. Would fail if a follower that goes on could say what it likes in parameters that are not needed then.
#[test]
fn parameters_of_a_follower_are_held_beside_last_event_id() {
    with_document(async |_, at| {
        for wrong in ["from=", "from=start", "after=x", "from=end&after=1"] {
            let line = format!("GET /v1/subscribe?{wrong}");
            let refused = send(at, &line, &["last-event-id: 0"], "").await;
            assert_eq!(refused.status, 400, "{wrong}: {refused:?}");
        }
    });
}

/// Would fail if an answer had a member that the document does not tell: events and pages are written by hand.
#[test]
fn answers_have_no_member_that_is_not_told() {
    with_document(async |document, at| {
        let event = r#"{"type":"a","stream":"s","tags":["t"],"data":{"a":1},"metadata":{"b":2}}"#;
        let bytes =
            r#"{"type":"a","content_type":"image/png","data_base64":"AAAA","metadata_base64":"/w=="}"#;
        let headers = ["content-type: application/json"];
        let appended = send(at, "POST /v1/events", &headers, &format!("[{event},{bytes}]")).await;
        assert_eq!(appended.status, 201, "{appended:?}");
        let page = get(at, "/v1/events").await.json();
        let streams = get(at, "/v1/streams").await.json();
        let mut seen = vec![
            ("Appended", appended.json()),
            ("StreamRevision", appended.json()["revisions"][0].clone()),
            ("Page", page.clone()),
            ("Streams", streams.clone()),
            ("StreamInfo", streams["streams"][0].clone()),
            ("TypeInfo", get(at, "/v1/types").await.json()["types"][0].clone()),
            ("Head", get(at, "/v1/head").await.json()),
            ("Live", get(at, "/health/live").await.json()),
            ("Ready", get(at, "/health/ready").await.json()),
            ("AllProjections", get(at, "/health/projections").await.json()),
        ];
        seen.extend(
            page["events"].as_array().expect("events").iter().map(|event| ("RecordedEvent", event.clone())),
        );
        for (name, answer) in seen {
            let told = document["components"]["schemas"][name]["properties"].as_object().expect("members");
            let members = answer.as_object().unwrap_or_else(|| panic!("{name}: {answer}"));
            for member in members.keys() {
                assert!(told.contains_key(member), "{name} does not tell of {member}");
            }
        }
        assert!(page["events"][1]["metadata_base64"].is_string(), "{page}");
    });
}

/// Would fail if a reference led nowhere, a refusal of the table were missing, or something could be asked without a key that is
/// not there for those who look whether the server is well.
#[test]
fn the_document_is_whole() {
    with_document(async |document, _| {
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().expect("a pointer");
            assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
        }
        let codes = document.pointer("/components/schemas/Problem/properties/code/enum").expect("codes");
        for row in &TABLE {
            assert!(codes.as_array().is_some_and(|codes| codes.contains(&row.code.into())), "{}", row.code);
            let told =
                document["components"]["responses"][format!("Problem{}", row.http)]["description"].as_str();
            assert!(told.is_some_and(|told| told.contains(row.code)), "{}", row.code);
        }
        for Operation { method, path, says } in operations(&document) {
            let open = says["security"] == serde_json::json!([{}]);
            assert_eq!(open, OPEN.contains(&path), "{method} {path}");
            let responses = says["responses"].as_object().expect("answers");
            assert_eq!(responses.contains_key("401"), !open, "{method} {path}");
            assert!(responses.contains_key("403"), "{method} {path}");
        }
        assert_eq!(document["security"], serde_json::json!([{ "key": [] }]));
    });
}
