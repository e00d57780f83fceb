//! Tephra, embedded and, where it was built, served on loopback; with its default settings.
//!
//! Its events have no id, no time and no stream; the stream is a third tag.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use bench_common::facts::Fact;
use bench_common::footprint;
use tephra::{
    AppendCondition, Event, EventType, Position, Query, QueryItem, SegmentConfig, SegmentSet, Tag, Tags,
    WriteCoordinator, WriteHandle, WriterConfig,
};

use crate::store::{Store, Writer};

/// The server's default; the library has none.
const SEGMENT_BYTES: usize = 256 << 20;

struct Embedded {
    handle: WriteHandle,
    // Dropped after the handle: it stops the writer.
    _coordinator: WriteCoordinator,
    dir: PathBuf,
}

pub(crate) fn open(dir: &Path) -> Result<Box<dyn Store>> {
    Ok(Box::new(embedded(dir)?))
}

fn embedded(dir: &Path) -> Result<Embedded> {
    let set = SegmentSet::open(dir, SegmentConfig::new(SEGMENT_BYTES)).context("Tephra did not open")?;
    let (coordinator, handle) = WriteCoordinator::start(set, WriterConfig::default())?;
    Ok(Embedded { handle, _coordinator: coordinator, dir: dir.to_owned() })
}

impl Store for Embedded {
    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(self.handle.clone()))
    }

    fn scan(&self) -> Result<u64> {
        let mut reads = self.handle.read(&Query::All, Position::ZERO, None);
        let mut count = 0;
        while let Some(event) = reads.next() {
            std::hint::black_box(event?.event.data());
            count += 1;
        }
        Ok(count)
    }

    fn disk_bytes(&self) -> Result<u64> {
        Ok(footprint::used_bytes(&self.dir)?)
    }
}

impl Writer for WriteHandle {
    fn append(&mut self, facts: Vec<Fact>, after: Option<u64>) -> Result<u64> {
        let condition = after.map(|after| condition(&facts[0], after)).transpose()?;
        let events: Result<Vec<Event>> = facts.iter().map(event).collect();
        let appended = WriteHandle::append(self, events?, condition);
        Ok(appended.map_err(|error| anyhow!("Tephra refused: {error}"))?.last.get())
    }
}

fn condition(fact: &Fact, after: u64) -> Result<AppendCondition> {
    let query = Query::item(QueryItem::with_tags(tags(fact.tags.clone())?));
    Ok(AppendCondition::new(query).after(Position::new(after)))
}

fn tags(names: impl IntoIterator<Item = String>) -> Result<Tags> {
    let tags: Result<Vec<Tag>, _> = names.into_iter().map(Tag::new).collect();
    Ok(Tags::new(tags?)?)
}

fn names(fact: &Fact) -> [String; 3] {
    let [one, other] = fact.tags.clone();
    [one, other, format!("stream:{}", fact.stream)]
}

fn event(fact: &Fact) -> Result<Event> {
    Ok(Event::new(&EventType::new(fact.event_type)?, &tags(names(fact))?, &fact.data)?)
}

/// The same store behind its server, in this process, and its blocking client.
#[cfg(feature = "tephra-served")]
pub(crate) mod served {
    use std::net::SocketAddr;
    use std::thread::JoinHandle;

    use tephra_client::Client;
    use tephra_server::{Server, ServerConfig, ShutdownHandle};

    use super::{Embedded, Fact, Path, Position, Query, Result, Store, Writer, condition, embedded, names};

    struct Served {
        store: Embedded,
        address: SocketAddr,
        stop: ShutdownHandle,
        server: Option<JoinHandle<()>>,
    }

    pub(crate) fn open(dir: &Path) -> Result<Box<dyn Store>> {
        let store = embedded(dir)?;
        let port = crate::ports::free()?;
        let server = Server::bind(("127.0.0.1", port), store.handle.clone(), ServerConfig::default())?;
        let (address, stop) = (server.local_addr(), server.shutdown_handle());
        let server =
            std::thread::spawn(move || server.run().expect("the server of Tephra runs until it is stopped"));
        Ok(Box::new(Served { store, address, stop, server: Some(server) }))
    }

    impl Store for Served {
        fn writer(&self) -> Result<Box<dyn Writer + '_>> {
            Ok(Box::new(Client::connect(self.address)?))
        }

        fn scan(&self) -> Result<u64> {
            let mut client = Client::connect(self.address)?;
            let mut count = 0;
            for event in client.read(Query::All, Position::ZERO, None)? {
                std::hint::black_box(event?);
                count += 1;
            }
            Ok(count)
        }

        fn disk_bytes(&self) -> Result<u64> {
            self.store.disk_bytes()
        }
    }

    impl Drop for Served {
        fn drop(&mut self) {
            self.stop.shutdown();
            if let Some(server) = self.server.take() {
                // Its panic has been printed; the figures were taken before.
                drop(server.join());
            }
        }
    }

    impl Writer for Client {
        fn append(&mut self, facts: Vec<Fact>, after: Option<u64>) -> Result<u64> {
            let condition = after.map(|after| condition(&facts[0], after)).transpose()?;
            let mut events = Vec::with_capacity(facts.len());
            for fact in facts {
                events.push(tephra_client::Event::new(fact.event_type, names(&fact), fact.data)?);
            }
            Ok(Client::append(self, events, condition)?.last.get())
        }
    }
}
