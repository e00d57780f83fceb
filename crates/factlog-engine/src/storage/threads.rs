//! Durable writes by a few threads, each of which does one at a time.
//!
//! * Every thread has the file open for itself: the system tells the failure of a sync once for each open file, and
//!   among threads that share one the wrong write could hear of it.
//! * Dropping it brings what was begun to its end.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::pipeline::{Bell, Done, Pipeline};
use super::{Disk, DiskFile};

/// The threads and what they share with the one that gives them work.
#[derive(Debug)]
pub(crate) struct Threads {
    desk: Arc<Desk>,
    path: Option<Arc<Path>>,
    /// The file for writes on the calling thread.
    own: Option<Box<dyn DiskFile>>,
    disk: Arc<dyn Disk>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Desk {
    inner: Mutex<Inner>,
    /// There is something to write, or to stop for.
    work: Condvar,
    /// A write is over, or the bell rang.
    news: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    jobs: VecDeque<Job>,
    done: Vec<Done>,
    rung: bool,
    stop: bool,
}

#[derive(Debug)]
struct Job {
    path: Arc<Path>,
    number: u64,
    bytes: Bytes,
    offset: u64,
}

impl Threads {
    /// Starts so many threads.
    pub(crate) fn start(disk: Arc<dyn Disk>, count: usize) -> io::Result<Self> {
        let mut threads = Self { desk: Arc::default(), path: None, own: None, disk, threads: Vec::new() };
        for _ in 0..count {
            let (desk, disk) = (threads.desk.clone(), threads.disk.clone());
            let thread = std::thread::Builder::new().name("factlog-io".into());
            threads.threads.push(thread.spawn(move || desk.work(&*disk))?);
        }
        Ok(threads)
    }
}

impl Pipeline for Threads {
    fn turn_to(&mut self, path: &Path) -> io::Result<u64> {
        let file = self.disk.open(path)?;
        let length = file.length()?;
        (self.path, self.own) = (Some(path.into()), Some(file));
        Ok(length)
    }

    fn submit(&mut self, number: u64, bytes: Bytes, offset: u64) {
        let mut inner = self.desk.inner.lock();
        match self.path.clone() {
            Some(path) => inner.jobs.push_back(Job { path, number, bytes, offset }),
            None => inner.done.push(Done { number, result: Err(io::ErrorKind::NotFound.into()) }),
        }
        drop(inner);
        self.desk.work.notify_one();
    }

    fn write(&mut self, number: u64, bytes: Bytes, offset: u64) {
        let result = match &self.own {
            Some(file) => file.write_durably(&bytes, offset),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        self.desk.inner.lock().done.push(Done { number, result });
    }

    fn finished(&mut self, wait: bool) -> Vec<Done> {
        let mut inner = self.desk.inner.lock();
        while wait && inner.done.is_empty() && !inner.rung {
            self.desk.news.wait(&mut inner);
        }
        inner.rung &= !wait;
        std::mem::take(&mut inner.done)
    }

    fn bell(&self) -> Arc<dyn Bell> {
        self.desk.clone()
    }

    fn depth_max(&self) -> usize {
        self.threads.len()
    }
}

impl Drop for Threads {
    /// What was begun is brought to an end: nobody may write to the file afterwards.
    fn drop(&mut self) {
        self.desk.inner.lock().stop = true;
        self.desk.work.notify_all();
        for thread in self.threads.drain(..) {
            // A panic there has been reported by the panic hook.
            drop(thread.join());
        }
    }
}

impl Bell for Desk {
    fn ring(&self) {
        self.inner.lock().rung = true;
        self.news.notify_one();
    }
}

impl Desk {
    fn work(&self, disk: &dyn Disk) {
        let mut open: Option<(Arc<Path>, Box<dyn DiskFile>)> = None;
        loop {
            let job = {
                let mut inner = self.inner.lock();
                loop {
                    if let Some(job) = inner.jobs.pop_front() {
                        break job;
                    }
                    if inner.stop {
                        return;
                    }
                    self.work.wait(&mut inner);
                }
            };
            let result = write(disk, &mut open, &job);
            self.inner.lock().done.push(Done { number: job.number, result });
            self.news.notify_one();
        }
    }
}

/// Writes in the thread's own open file.
fn write(disk: &dyn Disk, open: &mut Option<(Arc<Path>, Box<dyn DiskFile>)>, job: &Job) -> io::Result<()> {
    let file = match open.take() {
        Some((path, file)) if path == job.path => file,
        _ => disk.open(&job.path)?,
    };
    let (_, file) = open.insert((job.path.clone(), file));
    file.write_durably(&job.bytes, job.offset)
}
