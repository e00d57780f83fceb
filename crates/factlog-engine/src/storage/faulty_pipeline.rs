//! Durable writes that fail on demand and end when a test says so, in the order it says.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::faulty::Faults;
use super::{Bell, Done, Pipeline};

/// What a test says about single writes.
#[derive(Debug, Default)]
pub(crate) struct Script {
    inner: Mutex<Inner>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether the ends of writes are held back until they are released.
    holds: bool,
    released: Vec<u64>,
    failing: HashSet<u64>,
    submitted: u64,
    rung: bool,
    /// Whether the writer sleeps until something is released or arrives.
    sleeps: bool,
}

impl Script {
    /// From now on writes end for the writer when they are released.
    pub(crate) fn hold(&self) {
        self.inner.lock().holds = true;
    }

    /// Writes end for the writer when they do, and all that were held back do now.
    pub(crate) fn let_go(&self) {
        self.inner.lock().holds = false;
        self.news.notify_all();
    }

    /// Lets the writer hear of the end of a write. Numbers begin at 1 each time the store is opened.
    pub(crate) fn release(&self, number: u64) {
        self.inner.lock().released.push(number);
        self.news.notify_all();
    }

    /// The write of this number fails.
    pub(crate) fn fail(&self, number: u64) {
        self.inner.lock().failing.insert(number);
    }

    /// Waits until the writer has heard of all that was released, has done what follows from it, and sleeps.
    pub(crate) fn settle(&self) {
        let mut inner = self.inner.lock();
        while !(inner.sleeps && inner.released.is_empty() && !inner.rung) {
            self.news.wait(&mut inner);
        }
    }

    /// Waits until so many writes were begun since the store was opened.
    pub(crate) fn wait_for(&self, submitted: u64) {
        let mut inner = self.inner.lock();
        while inner.submitted < submitted {
            self.news.wait(&mut inner);
        }
    }
}

/// A pipeline with [`Faults`].
#[derive(Debug)]
pub(crate) struct FaultyPipeline {
    inner: Box<dyn Pipeline>,
    faults: Arc<Faults>,
    /// Writes of the inner pipeline that are not over, and whether they are said to have failed.
    under_way: HashMap<u64, bool>,
    /// Writes that are over and held back.
    held: HashMap<u64, Done>,
}

impl FaultyPipeline {
    pub(crate) fn new(inner: Box<dyn Pipeline>, faults: Arc<Faults>) -> Self {
        *faults.script.inner.lock() = Inner::default();
        Self { inner, faults, under_way: HashMap::new(), held: HashMap::new() }
    }

    fn begin(&mut self, number: u64, bytes: Bytes, offset: u64, at_once: bool) {
        let fails = self.faults.pass().is_err() | self.faults.script.inner.lock().failing.contains(&number);
        if fails && !self.faults.is_after_the_write() {
            self.held.insert(number, Done { number, result: Err(io::Error::from_raw_os_error(5)) });
        } else {
            self.under_way.insert(number, fails);
            if at_once {
                self.inner.write(number, bytes, offset);
            } else {
                self.inner.submit(number, bytes, offset);
            }
        }
        self.faults.script.inner.lock().submitted += 1;
        self.faults.script.news.notify_all();
    }

    /// Takes in what the inner pipeline has ended; what was to fail has failed.
    fn take_in(&mut self, done: Vec<Done>) -> Vec<Done> {
        let judged = done.into_iter().map(|Done { number, result }| {
            let fails = self.under_way.remove(&number).unwrap_or(false);
            if result.is_ok() && !fails {
                self.faults.count_durable_write();
            }
            Done { number, result: if fails { Err(io::Error::from_raw_os_error(5)) } else { result } }
        });
        judged.collect()
    }
}

impl Pipeline for FaultyPipeline {
    fn turn_to(&mut self, path: &Path) -> io::Result<u64> {
        self.inner.turn_to(path)
    }

    fn submit(&mut self, number: u64, bytes: Bytes, offset: u64) {
        self.begin(number, bytes, offset, false);
    }

    fn write(&mut self, number: u64, bytes: Bytes, offset: u64) {
        self.begin(number, bytes, offset, true);
    }

    fn finished(&mut self, wait: bool) -> Vec<Done> {
        if !self.faults.script.inner.lock().holds {
            let mut done: Vec<_> = self.held.drain().map(|(_, done)| done).collect();
            let inner = self.inner.finished(wait && done.is_empty());
            done.extend(self.take_in(inner));
            return done;
        }
        while !self.under_way.is_empty() {
            let inner = self.inner.finished(true);
            let done = self.take_in(inner);
            self.held.extend(done.into_iter().map(|done| (done.number, done)));
        }
        let script = &self.faults.script;
        let mut inner = script.inner.lock();
        loop {
            if !inner.holds && !self.held.is_empty() {
                return self.held.drain().map(|(_, done)| done).collect();
            }
            let (ended, early) = std::mem::take(&mut inner.released)
                .into_iter()
                .partition(|number| self.held.contains_key(number));
            inner.released = early;
            let ended: Vec<u64> = ended;
            if !ended.is_empty() || !wait || inner.rung {
                inner.rung &= !wait;
                return ended.iter().filter_map(|number| self.held.remove(number)).collect();
            }
            inner.sleeps = true;
            script.news.notify_all();
            script.news.wait(&mut inner);
            inner.sleeps = false;
        }
    }

    fn bell(&self) -> Arc<dyn Bell> {
        Arc::new(FaultyBell { inner: self.inner.bell(), faults: self.faults.clone() })
    }

    fn depth_max(&self) -> usize {
        self.inner.depth_max()
    }
}

#[derive(Debug)]
struct FaultyBell {
    inner: Arc<dyn Bell>,
    faults: Arc<Faults>,
}

impl Bell for FaultyBell {
    fn ring(&self) {
        self.inner.ring();
        self.faults.script.inner.lock().rung = true;
        self.faults.script.news.notify_all();
    }
}
