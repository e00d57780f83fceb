//! Several durable writes at once: begun in one order, ended in any.
//!
//! * A write is over when it is durable or has failed; nothing is tried again.
//! * What it writes is whole blocks of [`super::ALIGNMENT`] bytes over bytes that the file already has.
//! * One thread begins and collects; it can sleep until a write is over or somebody rings the [`Bell`].

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{Disk, DiskFile};

/// Writes under way.
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "a simulator implements it"))]
pub trait Pipeline: Debug + Send {
    /// What is begun from now on goes into this file. Says how long it is. After an error it must be called again.
    fn turn_to(&mut self, path: &Path) -> io::Result<u64>;

    /// Begins a write and does not wait for it. It ends as a [`Done`] with this number, whatever happens.
    fn submit(&mut self, number: u64, bytes: Bytes, offset: u64);

    /// The same on the calling thread, for when there is nothing else to do: it is over when this returns. That is
    /// faster by the hand-over to somebody else.
    fn write(&mut self, number: u64, bytes: Bytes, offset: u64);

    /// Writes that are over and were not told yet, in no order. With `wait`, sleeps while there are none, unless
    /// the bell rings or rang since the last sleep; then there may be none.
    fn finished(&mut self, wait: bool) -> Vec<Done>;

    /// What ends a sleep.
    fn bell(&self) -> Arc<dyn Bell>;

    /// How many writes at once are of use.
    fn depth_max(&self) -> usize;
}

/// The end of a write.
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "a simulator implements it"))]
#[derive(Debug)]
pub struct Done {
    /// The number that it was begun with.
    pub number: u64,
    /// `Ok`: it is durable. After an error nobody knows.
    pub result: io::Result<()>,
}

/// Wakes whoever sleeps in [`Pipeline::finished`].
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "a simulator implements it"))]
pub trait Bell: Debug + Send + Sync {
    /// Ends a sleep, now or the next one.
    fn ring(&self);
}

/// One write after the other, each done when it is begun: what works on every disk.
#[derive(Debug)]
pub(crate) struct OneByOne {
    disk: Arc<dyn Disk>,
    file: Option<Box<dyn DiskFile>>,
    done: Vec<Done>,
}

impl OneByOne {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, file: None, done: Vec::new() }
    }
}

impl Pipeline for OneByOne {
    fn turn_to(&mut self, path: &Path) -> io::Result<u64> {
        let file = self.disk.open(path)?;
        let length = file.length()?;
        self.file = Some(file);
        Ok(length)
    }

    fn submit(&mut self, number: u64, bytes: Bytes, offset: u64) {
        self.write(number, bytes, offset);
    }

    fn write(&mut self, number: u64, bytes: Bytes, offset: u64) {
        let result = match &self.file {
            Some(file) => file.write_durably(&bytes, offset),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        self.done.push(Done { number, result });
    }

    fn finished(&mut self, _wait: bool) -> Vec<Done> {
        std::mem::take(&mut self.done)
    }

    fn bell(&self) -> Arc<dyn Bell> {
        Arc::new(Silent)
    }

    fn depth_max(&self) -> usize {
        1
    }
}

/// Nobody sleeps where every write is over when it has begun.
#[derive(Debug)]
struct Silent;

impl Bell for Silent {
    fn ring(&self) {}
}
