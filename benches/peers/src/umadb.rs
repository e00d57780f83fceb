//! UmaDB, embedded: its store and its own writer thread, set up as its server sets them up.
//!
//! It has no streams; the stream is a third tag, so that events can be found by as many names as elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use bench_common::facts::Fact;
use bench_common::footprint;
use tokio::sync::{mpsc, oneshot, watch};
use umadb_core::db::UmaDb;
use umadb_core::mvcc::{Mvcc, StorageOptions};
use umadb_core::writer_thread_blocking::writer_thread_blocking;
use umadb_core::writer_thread_request::WriterThreadRequest;
use umadb_dcb::{DcbAppendCondition, DcbEvent, DcbEventStoreSync, DcbQuery, DcbQueryItem};
use uuid::Uuid;

use crate::store::{Store, Writer};

/// As its server has it: events of one commit, and requests that may wait.
const BATCH_EVENTS: usize = 2048;
const WAITING: usize = 1024;

struct Uma {
    db: UmaDb,
    requests: mpsc::Sender<WriterThreadRequest>,
    writer: Option<JoinHandle<()>>,
    dir: PathBuf,
}

pub(crate) fn open(dir: &Path) -> Result<Box<dyn Store>> {
    let mvcc =
        Arc::new(Mvcc::new(false, StorageOptions::default().db_path(dir)).context("UmaDB did not open")?);
    let (requests, waiting) = mpsc::channel(WAITING);
    let (head, _) = watch::channel(None);
    let for_writer = mvcc.clone();
    let writer = std::thread::spawn(move || writer_thread_blocking(for_writer, waiting, head, BATCH_EVENTS));
    Ok(Box::new(Uma { db: UmaDb::from_arc(mvcc), requests, writer: Some(writer), dir: dir.to_owned() }))
}

impl Store for Uma {
    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(self.requests.clone()))
    }

    fn scan(&self) -> Result<u64> {
        let mut count = 0;
        for event in self.db.read(None, None, false, None)? {
            std::hint::black_box(event?);
            count += 1;
        }
        Ok(count)
    }

    fn disk_bytes(&self) -> Result<u64> {
        Ok(footprint::used_bytes(&self.dir)?)
    }
}

impl Drop for Uma {
    fn drop(&mut self) {
        if self.requests.blocking_send(WriterThreadRequest::Shutdown).is_ok()
            && let Some(writer) = self.writer.take()
        {
            // Its panic has been printed; the figures were taken before.
            drop(writer.join());
        }
    }
}

impl Writer for mpsc::Sender<WriterThreadRequest> {
    fn append(&mut self, facts: Vec<Fact>, after: Option<u64>) -> Result<u64> {
        let condition = after.map(|after| {
            let query = DcbQuery::new().item(DcbQueryItem::new().tags(facts[0].tags.clone()));
            DcbAppendCondition::new(query).after(Some(after))
        });
        let (response_tx, response) = oneshot::channel();
        let events = facts.into_iter().map(event).collect();
        let request =
            WriterThreadRequest::Append { events, condition, tracking_info: None, response_tx, cancel: None };
        self.blocking_send(request).ok().context("UmaDB's writer is gone")?;
        Ok(response.blocking_recv().context("UmaDB's writer did not answer")??)
    }
}

fn event(fact: Fact) -> DcbEvent {
    let [one, other] = fact.tags;
    DcbEvent::new()
        .event_type(fact.event_type)
        .tags([one, other, format!("stream:{}", fact.stream)])
        .data(fact.data)
        .uuid(Uuid::from_bytes(fact.id))
}
