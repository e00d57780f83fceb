//! Recorded events read as typed facts: the names, versions and upcasts of `factlog-app`.

use factlog_app::{Event, EventSet, Recorded, Upcast, fuzzing};
use factlog_core::{Event as RawEvent, EventId, EventType, Position, RecordedEvent, Timestamp};
use factlog_engine::fuzzing::Row;
use serde::{Deserialize, Serialize};

pub(crate) const TARGETS: &[Row] =
    &[("facts", facts, facts_seeds), ("snapshot", fuzzing::snapshot, fuzzing::snapshot_seeds)];

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "account.opened", version = 3, upcast(OpenedV2), renamed_from("account.created"))]
struct Opened {
    owner: String,
    limit: Option<i64>,
    rates: Vec<f64>,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.created")]
struct OpenedV1 {
    name: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", version = 2, upcast(OpenedV1), renamed_from("account.created"))]
struct OpenedV2 {
    owner: String,
    limit: i64,
}

impl Upcast<OpenedV1> for OpenedV2 {
    fn upcast(old: OpenedV1) -> Self {
        Self { owner: old.name, limit: 0 }
    }
}

impl Upcast<OpenedV2> for Opened {
    fn upcast(old: OpenedV2) -> Self {
        Self { owner: old.owner, limit: Some(old.limit), rates: Vec::new() }
    }
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "account.closed", tags(account = account))]
struct Closed {
    account: u64,
}

#[derive(EventSet, Clone, Debug, PartialEq)]
enum Facts {
    Opened(Opened),
    Closed(Closed),
}

/// Lines: the type, the metadata, and behind them the data.
fn facts(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |&byte| byte == b'\n');
    let (name, metadata) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(Ok(name)) = std::str::from_utf8(name).map(EventType::new) else { return };
    let data = parts.next().unwrap_or_default().to_vec();
    let event =
        RawEvent::new(name, data).with_metadata(metadata.to_vec()).with_id(EventId::from_bytes([7; 16]));
    let (position, recorded_at) = (Position::FIRST, Timestamp::from_micros(0));
    let mut raw = RecordedEvent { position, recorded_at, revision: None, event };
    let found: Vec<_> = match Recorded::<Facts>::facts(&raw) {
        Ok(found) => found.collect(),
        Err(error) => {
            assert_eq!(error.position(), Some(position), "an error says where");
            assert_eq!(error.event_type(), raw.event.event_type.as_str());
            return;
        }
    };
    for fact in found {
        drop(fact.metadata());
        // What was lifted is written in its present shape, and read as the same.
        let Ok(encoded) = fact.event.encode() else { return };
        raw.event.event_type = encoded.name.parse().expect("a name of the set");
        raw.event.data = encoded.data;
        raw.event.metadata = format!(r#"{{"schema":{}}}"#, encoded.version).into();
        let again: Vec<_> = Recorded::<Facts>::facts(&raw).expect("what was written can be read").collect();
        assert_eq!(again.len(), 1, "what is in its present shape is one fact");
        assert_eq!(again[0].event, fact.event, "a fact comes back");
    }
}

fn facts_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let lines = |text: &str| text.as_bytes().to_vec();
    vec![
        (
            "present",
            lines(
                "account.opened\n{\"schema\":3,\"correlation_id\":\"a\"}\n{\"owner\":\"Ada\",\"limit\":null,\"rates\":[1.1,-0.0]}",
            ),
        ),
        ("first", lines("account.created\n\n{\"name\":\"Ada\"}")),
        ("second", lines("account.opened\n{\"schema\":2}\n{\"owner\":\"Ada\",\"limit\":-5}")),
        ("other", lines("account.closed\n{}\n{\"account\":18446744073709551615}")),
    ]
}
