//! Every route of HTTP: what is asked, what it answers without the right grant, and with it.

use serde_json::Value;

use super::house::{CANARY, Ids, STREAM};

/// Held against the router by `web_openapi`.
const DOCUMENT: &str = include_str!("../../../../../../docs/openapi.json");
/// What programs beside the store add, which is in no document.
const PROGRAMS: [&str; 3] = ["GET /app", "GET /app/{service}/{name}", "POST /app/{service}/{name}"];

/// What is to come without the right grant.
pub(super) enum Closed {
    /// A problem with this status.
    Refused(u16),
    /// 200 with what this principal may know and nothing else.
    Tells(fn(&str, &str) -> bool),
}

/// One request.
pub(super) struct Row {
    /// As it stands in the document.
    pub(super) route: &'static str,
    pub(super) asked: String,
    pub(super) body: &'static str,
    pub(super) closed: Closed,
    /// By which of the grants it is answered in full.
    pub(super) opened_by: &'static [&'static str],
    /// Whether it was: this shows that the request does ask for what is kept.
    pub(super) open: fn(u16, &str) -> bool,
}

impl Row {
    fn new(route: &'static str, query: &str, closed: Closed) -> Self {
        let asked = format!("{route}{query}");
        Self { route, asked, body: "", closed, opened_by: &[], open: |_, _| false }
    }

    fn told(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    fn opened_by(mut self, grants: &'static [&'static str], open: fn(u16, &str) -> bool) -> Self {
        (self.opened_by, self.open) = (grants, open);
        self
    }

    fn at(mut self, from: &str, to: &str) -> Self {
        self.asked = self.asked.replace(from, to);
        self
    }
}

/// Every route there is.
pub(super) fn described() -> Vec<String> {
    let document: Value = serde_json::from_str(DOCUMENT).expect("a document");
    let mut routes: Vec<_> = PROGRAMS.map(str::to_owned).into();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let methods = item.as_object().expect("methods").keys();
        routes.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    routes
}

fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn shown(status: u16, body: &str) -> bool {
    status == 200 && body.contains(CANARY)
}

fn none_of(body: &str, list: &str) -> bool {
    json(body)[list].as_array().is_some_and(Vec::is_empty)
}

fn no_events(body: &str, _: &str) -> bool {
    none_of(body, "events")
}

/// Anything: that there is no canary in it is looked at everywhere.
fn anything(body: &str, _: &str) -> bool {
    !body.is_empty()
}

/// The requests. What they say themselves has no canary in it, but for what is asked for by name.
pub(super) fn rows(ids: &Ids) -> Vec<Row> {
    [of_events(), of_lists(), of_keys(ids), of_the_caller(), of_programs(), of_the_server()]
        .into_iter()
        .flatten()
        .collect()
}

fn of_events() -> Vec<Row> {
    let placed = r#"{"type":"placed","data":{}}"#;
    let made = |status: u16, _: &str| status == 201;
    let caught_up = |body: &str, _: &str| {
        json(body).as_array().is_some_and(|all| all.len() == 1 && all[0]["event"] == "caught-up")
    };
    let stream = "GET /v1/streams/{id}/events";
    vec![
        Row::new("GET /v1/events", "", Closed::Tells(no_events)).opened_by(&["read"], shown),
        Row::new("GET /v1/events", "?tag=canary:1&backwards=true&limit=1", Closed::Tells(no_events))
            .opened_by(&["read"], shown),
        Row::new("POST /v1/events", "", Closed::Refused(403)).told(placed).opened_by(&["append"], made),
        Row::new(stream, "", Closed::Tells(no_events)).at("{id}", STREAM).opened_by(&["read"], shown),
        Row::new("POST /v1/streams/{id}/events", "", Closed::Refused(403))
            .at("{id}", "vault-2")
            .told(placed)
            .opened_by(&["append"], made),
        Row::new("GET /v1/subscribe", "", Closed::Tells(caught_up)).opened_by(&["read"], shown),
    ]
}

fn of_lists() -> Vec<Row> {
    vec![
        Row::new("GET /v1/streams", "", Closed::Tells(|body, _| none_of(body, "streams")))
            .opened_by(&["read"], shown),
        Row::new("GET /v1/types", "", Closed::Tells(|body, _| none_of(body, "types")))
            .opened_by(&["read"], shown),
        // How far the log is, any good key may know.
        Row::new("GET /v1/head", "", Closed::Tells(|body, _| json(body)["position"].is_u64())),
    ]
}

fn of_keys(ids: &Ids) -> Vec<Row> {
    let kept =
        |route, body, open| Row::new(route, "", Closed::Refused(403)).told(body).opened_by(&["admin"], open);
    let create = r#"{"principal":"eve","grants":["admin"],"expires_at":null}"#;
    let rotate = r#"{"old_expires_at":"2096-01-01T00:00:00Z","expires_at":null}"#;
    vec![
        kept("GET /v1/keys", "", shown),
        kept("POST /v1/keys", create, |status, _| status == 201),
        kept("POST /v1/keys/{id}/rotate", rotate, |status, _| status == 201).at("{id}", &ids.rotated),
        kept("DELETE /v1/keys/{id}", "", |status, _| status == 204).at("{id}", &ids.revoked),
        kept("GET /v1/principals", "", shown),
        kept("PUT /v1/principals/{name}/grants", r#"{"grants":["admin"]}"#, |status, _| status == 200)
            .at("{name}", "p-0"),
    ]
}

fn of_the_caller() -> Vec<Row> {
    let decided = |body: &str, who: &str| json(body)["principal"] == who;
    vec![
        Row::new("GET /v1/whoami", "", Closed::Tells(|body, who| json(body)["name"] == who)),
        Row::new("GET /v1/can-i", "?action=read&stream=vault-1", Closed::Tells(decided)),
        Row::new("GET /v1/can-i", "?action=read&as=canary", Closed::Refused(403))
            .opened_by(&["admin"], shown),
    ]
}

fn of_programs() -> Vec<Row> {
    let named = |row: Row| row.at("{service}", "vault").at("{name}", "open");
    vec![
        Row::new("GET /app", "", Closed::Tells(|body, _| none_of(body, "services")))
            .opened_by(&["call"], |status, body| status == 200 && !none_of(body, "services")),
        named(Row::new("GET /app/{service}/{name}", "", Closed::Refused(403))).opened_by(&["call"], shown),
        named(Row::new("POST /app/{service}/{name}", "", Closed::Refused(403)))
            .at("open", "fill")
            .told("{}")
            .opened_by(&["call"], |status, body| status == 201 && body.contains(CANARY)),
        // Whether there is such a call is not told either.
        named(Row::new("GET /app/{service}/{name}", "", Closed::Refused(403)))
            .at("vault", "nothing")
            .opened_by(&["call"], |status, _| status == 404),
    ]
}

/// What any good key may know of the server.
fn of_the_server() -> Vec<Row> {
    [
        "GET /health/live",
        "GET /health/ready",
        "GET /health/projections",
        "GET /metrics",
        "GET /v1/openapi.json",
    ]
    .map(|route| Row::new(route, "", Closed::Tells(anything)))
    .into()
}
