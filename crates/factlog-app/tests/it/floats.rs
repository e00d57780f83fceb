//! Fractions: what is written and read back in between must not change a state by its last bit.

use factlog::{
    App, Event, EventStore as _, MemoryStore, OnTimeout, Projection, Recorded, Result, Snapshots, Tags, View,
    tags,
};
use factlog_core::{Append, Event as RawEvent};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use crate::SOON;

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "heat.measured", tags(sensor))]
struct Measured {
    sensor: u64,
    value: f64,
}

#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Heat(f64);

impl View for Heat {
    type Id = u64;
    type Event = Measured;
    const NAME: &'static str = "heat";
    fn tags(sensor: &u64) -> Result<Tags> {
        tags![sensor = sensor]
    }
    fn apply(&mut self, event: &Measured) {
        self.0 = self.0 / 3.0 + event.value;
    }
}

struct Heats;

impl Projection for Heats {
    type Event = Measured;
    type Key = u64;
    type Document = f64;
    const NAME: &'static str = "heats";
    fn keys(&self, recorded: &Recorded<Measured>) -> Vec<u64> {
        vec![recorded.event.sensor]
    }
    fn apply(&self, _: &u64, heat: Option<f64>, recorded: &Recorded<Measured>) -> Option<f64> {
        Some(heat.unwrap_or(0.0) / 3.0 + recorded.event.value)
    }
}

const MEASURED: u64 = 300;

async fn measure(store: &MemoryStore, n: u64) {
    let data = format!(r#"{{"sensor":{},"value":{}}}"#, n % 3, 0.1 * n as f64);
    let event = RawEvent::new("heat.measured".parse().unwrap(), data)
        .tagged(Tags::new([format!("sensor:{}", n % 3)]).unwrap());
    store.append(Append::new([event])).await.unwrap();
}

/// Trap 18: a snapshot that rounds decides differently from a replay.
#[test]
fn a_snapshot_of_fractions_equals_a_full_replay_to_the_last_bit() {
    block_on(async {
        let store = MemoryStore::new();
        let cached = App::builder(store.clone()).snapshots(Snapshots::in_memory(1)).build();
        let plain = App::new(store.clone());
        for n in 0..MEASURED {
            measure(&store, n).await;
            let id = n % 3;
            assert_eq!(
                cached.load::<Heat>(&id).await.unwrap().state,
                plain.load::<Heat>(&id).await.unwrap().state
            );
        }
        assert_eq!(cached.snapshot_counts().discarded, 0);
    });
}

/// A document that is rounded each time it is written drifts away from the one a rebuild comes to.
#[tokio::test]
async fn fractions_in_a_file_equal_those_in_memory_to_the_last_bit() {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::new();
    let app = App::new(store.clone());
    let file = app.project(Heats).sqlite(directory.path().join("h.sqlite")).start().unwrap();
    let memory = app.project(Heats).in_memory().start().unwrap();
    for n in 0..MEASURED {
        measure(&store, n).await;
        let head = app.store().head().await.unwrap().position;
        for model in [&file, &memory] {
            model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
        }
        assert_eq!(file.all().await.unwrap(), memory.all().await.unwrap());
    }
}
