//! Tests that need the engine's inside: formats byte by byte, recovery, damage, failing disks.

mod admin;
mod crash;
mod damage;
mod faults;
mod formats;
mod golden;
mod pipeline;
mod pipelines;
mod queue;
mod steps;
mod windows;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use factlog_core::{
    Append, Clock, ContentType, Event, EventId, EventStore, EventType, Query, ReadOptions, RecordedEvent,
    StreamId, Tags, Timestamp,
};

use crate::{Engine, Settings};

/// A clock that advances by a millisecond at each look: the same in every run.
#[derive(Debug, Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000 + self.0.fetch_add(1_000, Ordering::Relaxed))
    }
}

/// Small files, so that a test sees rolling and sealing with few events.
fn small() -> Settings {
    Settings { wal_file_bytes: 64 << 10, wal_bytes: 64 << 20, ..Settings::default() }
}

fn open(dir: &Path, settings: Settings) -> Engine {
    Engine::open_with(dir, settings, Arc::new(Ticking::default())).expect("open")
}

/// The n-th event: every field is used by some n.
fn event(n: u64) -> Event {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    let data = format!(r#"{{"n":{n},"pad":"{}"}}"#, "x".repeat((n % 7 * 40) as usize));
    let mut event =
        Event::new(EventType::new(["order.placed", "order.paid"][(n % 2) as usize]).expect("type"), data)
            .with_id(EventId::from_bytes(id))
            .tagged(Tags::new((0..n % 3).map(|tag| format!("tag:{}", tag + n % 5))).expect("tags"));
    if n % 4 != 3 {
        event = event.in_stream(StreamId::new(format!("order-{}", n % 6)).expect("stream"));
    }
    if n % 5 == 4 {
        event = event.with_metadata(r#"{"user":"ada"}"#).with_content_type(ContentType::BYTES);
    }
    event
}

/// The n-th append, with 1 to 4 events whose numbers begin at `first`.
fn append(n: u64, first: u64) -> Append {
    Append::new((first..=first + n % 4).map(event))
}

/// Appends `count` appends one by one, each in a group of its own; returns the number of events.
fn fill(engine: &Engine, count: u64) -> u64 {
    let mut next = 1;
    for n in 0..count {
        let appended = pollster::block_on(engine.append(append(n, next))).expect("append");
        assert_eq!(appended.first.get(), next);
        next = appended.last.get() + 1;
    }
    next - 1
}

/// All events that a read delivers, and how it ended.
fn read(engine: &Engine, options: ReadOptions) -> (Vec<RecordedEvent>, Option<factlog_core::Error>) {
    pollster::block_on(async {
        let mut events = Vec::new();
        let mut stream = engine.read(Query::All, options);
        while let Some(next) = stream.next().await {
            match next {
                Ok(event) => events.push(event),
                Err(error) => return (events, Some(error)),
            }
        }
        (events, None)
    })
}

fn close(engine: &Engine) {
    pollster::block_on(engine.close()).expect("close");
}
