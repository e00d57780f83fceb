//! Tests of runs: against a model, damaged in every way, long lists, and the golden file.

mod damage;
mod golden;
mod lists;
mod model;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use factlog_core::EventId;
use uuid::Uuid;

use super::footer::{Footer, Section};
use super::page::Seal;
use super::{Built, Entry, Gather, PAGE, Pages, Run, RunName, Wrong, keys};
use crate::storage::DiskFile;

const STORE: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

/// A file in memory that a test can look into and harm.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("not poisoned").clone()
    }

    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }
}

impl DiskFile for Memory {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock().expect("not poisoned");
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.0.lock().expect("not poisoned");
        let end = offset as usize + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(new);
        Ok(())
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }
}

/// An event as the index sees it.
#[derive(Clone, Debug)]
struct Named {
    stream: Option<String>,
    event_type: String,
    tags: Vec<String>,
    first: bool,
}

fn id(position: u64) -> EventId {
    EventId::from_bytes(u128::from(position).to_be_bytes())
}

/// What a run should hold: each key with its base and postings, each id's hash with its position.
#[derive(Debug, Default, PartialEq)]
struct Model {
    keys: BTreeMap<Vec<u8>, (u64, Vec<u64>)>,
    ids: Vec<(u64, u64)>,
}

/// Gathers events whose first has this position; `revisions` counts the events of each stream.
fn gather(events: &[Named], first: u64, revisions: &mut BTreeMap<String, u64>) -> (Memory, Built, Model) {
    let (mut gather, mut model) = (Gather::new(STORE, first), Model::default());
    for (position, event) in (first..).zip(events) {
        let mut post = |kind, name: &str, base| {
            let list = model.keys.entry(keys::key(kind, name)).or_insert((base, Vec::new()));
            list.1.push(position);
        };
        let mut revision = 0;
        if let Some(stream) = &event.stream {
            let next = revisions.entry(stream.clone()).or_default();
            revision = *next;
            *next += 1;
            post(keys::STREAM, stream, revision);
            let category = stream.split('-').next().expect("a part");
            if !category.is_empty() {
                post(keys::CATEGORY, category, 0);
            }
        }
        post(keys::EVENT_TYPE, &event.event_type, 0);
        event.tags.iter().for_each(|tag| post(keys::TAG, tag, 0));
        let first_id = id(position);
        if event.first {
            model.ids.push((keys::id_hash(keys::seed(STORE), &first_id), position));
        }
        gather.add(Entry {
            position,
            revision,
            stream: event.stream.as_deref(),
            event_type: &event.event_type,
            tags: event.tags.iter().map(String::as_str),
            first_id: event.first.then_some(&first_id),
        });
    }
    model.ids.sort_unstable();
    let file = Memory::default();
    let built = gather.write(first + events.len() as u64 - 1, &file).expect("a run in memory");
    (file, built, model)
}

fn open(file: &Memory, name: RunName) -> Result<Arc<Run>, Wrong> {
    let pages = Arc::new(Pages::new(1 << 20, 0));
    Run::open(STORE, name, Box::new(file.clone()), pages).map(Arc::new)
}

/// Everything that a run holds, by going through it.
fn contents(run: &Arc<Run>) -> Result<Model, Wrong> {
    let mut model = Model::default();
    for key in run.keys(&[]) {
        let (key, found) = key?;
        let (mut list, mut postings) = (run.cursor(&found), Vec::new());
        while let Some(position) = list.advance()? {
            postings.push(position);
        }
        model.keys.insert(key, (found.base, postings));
    }
    model.ids = run.id_entries().collect::<Result<_, _>>()?;
    Ok(model)
}

/// Events with few names, many names and long names, always the same ones.
fn some_events(count: u64) -> Vec<Named> {
    let event = |n: u64| Named {
        stream: (n % 4 != 3).then(|| format!("order-{}", n * n % 50)),
        event_type: ["order.placed", "order.paid"][(n % 2) as usize].to_owned(),
        tags: (0..n % 3)
            .map(|tag| format!("{}:{}", "tag".repeat(1 + (n % 40) as usize), tag * 7 + n % 11))
            .collect(),
        first: n % 3 != 1,
    };
    (0..count).map(event).collect()
}

/// A run's file as a later program might have written it: with an optional section that this one does not know.
pub(crate) fn with_optional_section(store: Uuid, name: RunName, bytes: &[u8]) -> Vec<u8> {
    let (pages, footer) = bytes.split_at(bytes.len() - PAGE);
    let number = (pages.len() / PAGE) as u64;
    let footer = Footer::decode(footer, store, name, number + 1).expect("a footer");
    let section = Section { first: 0, pages: 1, count: 0 };
    let mut page = footer.encode(store, name, &[(99, 1, section)]);
    page.resize(PAGE - 8, 0);
    crate::checksum::push_trailer(Seal::new(store, name).seed(number), &mut page);
    [pages, &page].concat()
}
