//! The embedded engine of factlog, with its default settings.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use bench_common::facts::Fact;
use bench_common::footprint;
use factlog_core::{
    Append, AppendCondition, Event, EventId, EventStore, EventType, Position, Query, QueryItem, ReadOptions,
    StreamId, Tags,
};
use factlog_engine::{Engine, Settings};

use crate::store::{Store, Writer};

struct Factlog {
    engine: Engine,
    dir: PathBuf,
}

pub(crate) fn open(dir: &Path) -> Result<Box<dyn Store>> {
    Ok(Box::new(Factlog { engine: Engine::open(dir, Settings::default())?, dir: dir.to_owned() }))
}

impl Store for Factlog {
    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(&self.engine))
    }

    fn scan(&self) -> Result<u64> {
        let mut events = self.engine.read(Query::All, ReadOptions::default());
        pollster::block_on(async {
            let mut count = 0;
            while let Some(event) = events.next().await {
                std::hint::black_box(event?);
                count += 1;
            }
            Ok(count)
        })
    }

    /// Of this up to 64 MiB are recycled write-ahead files, however many events there are.
    fn disk_bytes(&self) -> Result<u64> {
        Ok(footprint::used_bytes(&self.dir)?)
    }
}

impl Writer for &Engine {
    fn append(&mut self, facts: Vec<Fact>, after: Option<u64>) -> Result<u64> {
        let boundary = after.map(|after| condition(&facts[0], after)).transpose()?;
        let events: Result<Vec<Event>> = facts.into_iter().map(event).collect();
        let mut append = Append::new(events?);
        append.conditions.extend(boundary);
        let appended = pollster::block_on(EventStore::append(*self, append));
        Ok(appended.map_err(|error| anyhow!("factlog refused: {error}"))?.last.get())
    }
}

fn condition(fact: &Fact, after: u64) -> Result<AppendCondition> {
    let query = Query::any_of([QueryItem::tagged(Tags::new(fact.tags.clone())?)])?;
    Ok(AppendCondition::none_match(query, Position::new(after)))
}

fn event(fact: Fact) -> Result<Event> {
    Ok(Event::new(EventType::new(fact.event_type)?, fact.data)
        .with_id(EventId::from_bytes(fact.id))
        .in_stream(StreamId::new(fact.stream)?)
        .tagged(Tags::new(fact.tags)?))
}
