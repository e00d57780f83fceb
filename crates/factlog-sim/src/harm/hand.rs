//! A stepped store that one hand works: it does by itself what the engine's threads would have done.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};

use factlog_core::{
    Append, AppendError, Appended, BoxFuture, Clock, Error, EventStore, Query, ReadOptions, RecordedEvent,
    Result, Timestamp,
};
use factlog_engine::simulation::{self, Stepped, Worker};
use factlog_engine::{Engine, Extent, Report, Settings};
use uuid::Uuid;

use crate::disk::SimDisk;

/// Where the store is on its disk.
pub(super) const DIR: &str = "/store";
/// When the first look at the clock is; every later one is a millisecond later.
pub(super) const EPOCH: i64 = 1_800_000_000_000_000;

type Answer = BoxFuture<'static, Result<Appended, AppendError>>;

/// A clock that advances by a millisecond at each look: the same in every run.
#[derive(Debug)]
pub(super) struct Ticking(AtomicI64);

impl Ticking {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(EPOCH)))
    }
}

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1_000, Ordering::Relaxed))
    }
}

/// An open store.
#[derive(Debug)]
pub(super) struct Hand(Stepped);

impl Hand {
    pub(super) fn open(disk: &SimDisk, settings: &Settings, clock: &Arc<Ticking>) -> Result<Self> {
        let id = Uuid::from_u128(0x0001_2345_6789_7abc_8def_0011_2233_4455);
        Stepped::open(disk.mount(), Path::new(DIR), settings.clone(), clock.clone(), id).map(Self)
    }

    pub(super) fn engine(&self) -> &Engine {
        self.0.engine()
    }

    pub(super) fn is_writable(&self) -> bool {
        self.0.is_writable()
    }

    /// One append, in a group of its own.
    pub(super) fn append(&mut self, append: Append) -> Result<Appended, AppendError> {
        let mut answer = self.ask(append);
        loop {
            if let Poll::Ready(done) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return done;
            }
            if !self.0.step(Worker::Writer) {
                return Err(Error::unavailable("the writer has no work, and an append has no answer").into());
            }
        }
    }

    /// Several appends at once: groups under way together, which vouch for nothing of each other.
    pub(super) fn append_together(&mut self, appends: Vec<Append>) -> Result<(), AppendError> {
        let mut waiting = Vec::new();
        for append in appends {
            let mut answer = self.ask(append);
            self.0.expect_company(true);
            if answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                waiting.push(answer);
                // It is taken in now, not together with the next.
                self.0.step(Worker::Writer);
            }
        }
        for answer in &mut waiting {
            loop {
                if let Poll::Ready(done) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    done?;
                    break;
                }
                self.0.step(Worker::Writer);
            }
        }
        Ok(())
    }

    fn ask(&self, append: Append) -> Answer {
        let engine = self.engine().clone();
        Box::pin(async move { engine.append(append).await })
    }

    /// All that a read delivers, and how it ended.
    pub(super) fn read(&self, query: Query, options: ReadOptions) -> (Vec<RecordedEvent>, Option<Error>) {
        pollster::block_on(async {
            let mut events = Vec::new();
            let mut stream = self.engine().read(query, options);
            while let Some(next) = stream.next().await {
                match next {
                    Ok(event) => events.push(event),
                    Err(error) => return (events, Some(error)),
                }
            }
            (events, None)
        })
    }

    /// The background comes to rest.
    pub(super) fn settle(&mut self) {
        while self.0.step(Worker::Sealer) || self.0.step(Worker::Indexer) {}
    }

    pub(super) fn close(self) -> Result<()> {
        self.0.close()
    }
}

/// Verifies all of the store on a disk where nobody has it open.
pub(super) fn verify(disk: &SimDisk) -> Result<Report> {
    simulation::verify(&*disk.mount(), Path::new(DIR), Extent::Full)
}
