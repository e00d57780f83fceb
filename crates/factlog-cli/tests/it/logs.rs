//! What `factlog serve` logs: a line for every request, and never what callers keep secret.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::JoinHandle;

use factlog_client::RemoteStore;
use factlog_core::{Append, Event, EventStore as _, EventType, StreamId};
use serde_json::Value;

use crate::harness::Home;
use crate::server::Server;

/// A server whose log is read while it runs, so that it never waits for its reader.
pub(crate) struct Logged {
    server: Server,
    /// Host and port.
    pub(crate) at: String,
    /// The first key, where keys are asked for.
    pub(crate) key: Option<String>,
    log: JoinHandle<String>,
}

impl Logged {
    /// One that asks for no key.
    pub(crate) fn start(home: &Home, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::serve(home, &[&["--insecure"], arguments].concat(), variables)
    }

    pub(crate) fn serve(home: &Home, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command =
            home.command(&[&["serve", "--listen", "127.0.0.1:0", "--json"], arguments].concat());
        command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT").env_remove("FACTLOG_LOG_LEVEL");
        command.envs(variables.iter().copied());
        let mut server = Server::of(&mut command);
        let mut log = server.process.stderr.take().expect("a pipe");
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).expect("text");
            text
        });
        let at = server.told("http").strip_prefix("http://").expect("a url").to_owned();
        let key = server.said["admin_key"].as_str().map(str::to_owned);
        Self { server, at, key, log }
    }

    /// Sends a request of HTTP and reads the answer to its end.
    pub(crate) fn http(&self, line: &str, headers: &[&str], body: &str) -> String {
        let mut socket = TcpStream::connect(&self.at).expect("connect");
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}",
            self.at
        );
        socket.write_all(request.as_bytes()).expect("send");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// Stops it; what it has logged.
    pub(crate) fn stop(self) -> String {
        self.server.stop();
        self.log.join().expect("the log")
    }
}

pub(crate) const CANARY: &str = "c4n4ry";

/// Asks over HTTP and gRPC, with a secret in every place that callers fill.
fn ask(server: &Logged) {
    let event = format!("{{\"type\":\"t\",\"tags\":[\"name:{CANARY}\"],\"data\":{{\"iban\":\"{CANARY}\"}}}}");
    let secret = [
        "content-type: application/json",
        &format!("authorization: Bearer {CANARY}"),
        &format!("cookie: {CANARY}"),
        &format!("idempotency-key: {CANARY}"),
    ];
    let path = format!("/v1/streams/person-{CANARY}/events");
    assert!(server.http(&format!("POST {path}"), &secret, &event).starts_with("HTTP/1.1 201"));
    assert!(server.http(&format!("GET {path}?key={CANARY}"), &secret, "").starts_with("HTTP/1.1 400"));
    assert!(server.http(&format!("GET /{CANARY}?key={CANARY}"), &secret, "").starts_with("HTTP/1.1 404"));
    let foreign = format!("origin: http://{CANARY}.example");
    assert!(server.http("GET /v1/head", &[&foreign], "").starts_with("HTTP/1.1 403"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = RemoteStore::open(&format!("factlog://{}", server.at)).expect("a url");
        let stream = StreamId::new(format!("person-{CANARY}")).expect("a stream");
        let event = Event::new(EventType::new("t").expect("a type"), CANARY.to_owned()).in_stream(stream);
        store.append(Append::new([event.clone()])).await.expect("append");
        let other = Event { data: "other".into(), ..event };
        store.append(Append::new([other])).await.expect_err("the same id with other content");
    });
}

/// Would fail if a key, a query string, a name or an event's data could be read in a log, at any level.
#[test]
fn no_log_at_any_level_holds_what_callers_send() {
    for form in ["json", "text"] {
        let home = Home::new();
        let server = Logged::start(&home, &["--log", form, "--log-level", "trace"], &[]);
        ask(&server);
        let log = server.stop();
        assert!(
            !log.contains(CANARY),
            "{}",
            log.lines().find(|line| line.contains(CANARY)).unwrap_or_default()
        );
        for told in ["POST", "/v1/streams/{id}/events", "403", "factlog.v1.EventStoreService/AppendSession"] {
            assert!(log.contains(told), "{told} is not in\n{log}");
        }
    }
}

/// Would fail if a line were lost, or did not say what was asked for and what came of it.
#[test]
fn every_request_that_is_over_has_a_line() {
    let home = Home::new();
    let server = Logged::start(&home, &["--log", "json"], &[("FACTLOG_LOG_LEVEL", "info")]);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = ["content-type: application/json", &format!("traceparent: {trace}")];
    server.http("POST /v1/streams/a-1/events", &headers, "{\"type\":\"t\"}");
    server.http("GET /v1/streams/a-1/events?limit=5", &[], "");
    server.http("GET /nowhere", &[], "");
    let log = server.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let lines: Vec<&Value> = lines.iter().filter(|line| line["target"] == "factlog::access").collect();
    let told: Vec<String> =
        lines.iter().map(|line| format!("{} {} {}", line["method"], line["route"], line["code"])).collect();
    assert_eq!(
        told,
        [
            "\"POST\" \"/v1/streams/{id}/events\" \"201\"",
            "\"GET\" \"/v1/streams/{id}/events\" \"200\"",
            "\"GET\" \"unknown\" \"404\""
        ]
    );
    let first = lines[0];
    assert_eq!((&first["request_bytes"], &first["whole"]), (&Value::from(12), &Value::from(true)));
    assert_eq!(first["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(first["seconds"].as_f64().is_some_and(|seconds| 0.0 < seconds));
    assert!(first["response_bytes"].as_u64().is_some_and(|bytes| 40 < bytes));
    assert!(first["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")));
}

/// Would fail if a log did not say who asked, or held the key that says so.
#[test]
fn a_line_names_who_asked() {
    let home = Home::new();
    let server = Logged::serve(&home, &["--log", "json", "--log-level", "trace"], &[]);
    let key = server.key.clone().expect("a first key");
    let shown = format!("authorization: Bearer {key}");
    assert!(server.http("GET /v1/head", &[&shown], "").starts_with("HTTP/1.1 200"));
    assert!(server.http("GET /v1/head", &[], "").starts_with("HTTP/1.1 401"));
    let log = server.stop();
    assert!(!log.contains(&key), "{log}");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let told: Vec<_> = lines
        .filter(|line| line["target"] == "factlog::access")
        .map(|line| (line["code"].clone(), line["principal"].clone()))
        .collect();
    assert_eq!(told, [("200".into(), "admin".into()), ("401".into(), Value::Null)]);
}

/// Would fail if a busy server filled a disk with lines that nobody asked for.
#[test]
fn what_went_well_is_logged_only_when_asked_for() {
    let home = Home::new();
    for arguments in [&[][..], &["--log", "off", "--log-level", "trace"]] {
        let server = Logged::start(&home, arguments, &[]);
        server.http("GET /v1/head", &[], "");
        let log = server.stop();
        assert!(!log.contains("factlog::access"), "{log}");
        let mut lines = log.lines().filter(|line| !line.starts_with("warning: no key is asked for"));
        assert_eq!(lines.next().is_none(), !arguments.is_empty(), "{log}");
    }
    let ran = home.run(&["serve", "--listen", "127.0.0.1:0", "--log-level", "loud"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}
