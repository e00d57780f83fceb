//! The memory of a process over time: its highest, a hard limit, and the moment when it has nothing left to do.
//!
//! The kernel keeps the peak of all resident pages, those of files included. What the process itself holds is sampled.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::clock::{Stopwatch, process_cpu};
use crate::footprint::Memory;

/// Time between two samples of memory.
const SAMPLE: Duration = Duration::from_millis(5);
/// Time between two looks at whether anything goes on.
const LOOK: Duration = Duration::from_millis(250);
/// Looks without anything going on after which nothing does.
const QUIET: u32 = 4;
/// Processor time between two looks that is nothing: this program's own looking.
const NOTHING: Duration = Duration::from_millis(12);

/// Samples the private memory of this process until it is dropped or asked.
#[derive(Debug)]
pub struct Sampler {
    peak: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Begins now.
    pub fn start() -> Self {
        let (peak, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (seen, ended) = (peak.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                seen.fetch_max(Memory::of_this_process().unwrap_or_default().private, Ordering::Relaxed);
                std::thread::sleep(SAMPLE);
            }
        });
        Self { peak, stop, thread: Some(thread) }
    }

    /// The highest private memory so far, in bytes.
    pub fn peak(&self) -> Result<u64> {
        self.peak.fetch_max(Memory::of_this_process()?.private, Ordering::Relaxed);
        Ok(self.peak.load(Ordering::Relaxed))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A sampler that panicked has sampled less; nothing else is lost.
            drop(thread.join());
        }
    }
}

/// Refuses this process more private memory than this from now on: an allocation beyond it ends the process.
///
/// `RLIMIT_DATA` counts what may be written, touched or not, and so is stricter than what is resident. The page cache
/// is not counted.
pub fn limit(bytes: u64) -> Result<()> {
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    setrlimit(Resource::Data, limit).context("the limit of private memory could not be set")
}

/// How long this process went on working by itself.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Settled {
    /// Seconds until it did nothing more.
    pub seconds: f64,
    /// Seconds of processor time it took.
    pub cpu_seconds: f64,
    /// Whether it came to rest in the time it was given.
    pub at_rest: bool,
}

/// Waits until this process takes no processor time for a second and nothing changes in a directory.
pub fn settle(dir: &Path, most: Duration) -> Result<Settled> {
    let (watch, started) = (Stopwatch::start(), process_cpu());
    let mut settled = Settled { seconds: 0.0, cpu_seconds: 0.0, at_rest: false };
    let (mut quiet, mut before) = (0, listing(dir)?);
    while quiet < QUIET && watch.elapsed() < most {
        let cpu = process_cpu();
        std::thread::sleep(LOOK);
        let now = listing(dir)?;
        if process_cpu() - cpu <= NOTHING && now == before {
            quiet += 1;
        } else {
            quiet = 0;
            settled.seconds = watch.elapsed().as_secs_f64();
            settled.cpu_seconds = (process_cpu() - started).as_secs_f64();
        }
        before = now;
    }
    settled.at_rest = quiet == QUIET;
    Ok(settled)
}

/// Names and lengths of all files, in any order that stays.
fn listing(dir: &Path) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))? {
            let entry = entry?;
            // Stores remove files while they are looked at.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                waiting.push(entry.path());
            } else {
                files.push((entry.path().to_string_lossy().into_owned(), metadata.len()));
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if what was freed before the end were not in the peak.
    #[test]
    fn the_peak_is_what_was_held_in_between() {
        let sampler = Sampler::start();
        let before = sampler.peak().unwrap();
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        std::thread::sleep(4 * SAMPLE);
        drop(held);
        assert!(before + (60 << 20) <= sampler.peak().unwrap());
    }

    /// Would fail if work in another thread were taken for rest.
    #[test]
    fn a_process_is_at_rest_when_it_is_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let worker = std::thread::spawn(|| {
            let watch = Stopwatch::start();
            while watch.elapsed() < Duration::from_millis(600) {
                std::hint::black_box(watch.elapsed());
            }
        });
        let hurried = settle(dir.path(), Duration::from_millis(100)).unwrap();
        let settled = settle(dir.path(), Duration::from_secs(30)).unwrap();
        worker.join().unwrap();
        assert!(!hurried.at_rest && settled.at_rest && 0.0 < settled.cpu_seconds, "{settled:?}");
    }
}
