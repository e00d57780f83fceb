//! The works: what each store is made to do, in turns, and what is measured of it.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};
use bench_common::clock::{Stopwatch, per_second, process_cpu};
use bench_common::facts::{Fact, own_fact};
use bench_common::latency::Latency;

use crate::store::Store;

/// Facts made so far in this process: no id is given twice, to whichever store.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// Appends of some kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) writers: u64,
    pub(crate) batch: u64,
    pub(crate) conditional: bool,
}

/// All works that append, in the order of the report.
pub(crate) const WORKS: [Work; 6] = [
    Work { name: "1 writer, 1 event", writers: 1, batch: 1, conditional: false },
    Work { name: "1 writer, 1 event, conditional", writers: 1, batch: 1, conditional: true },
    Work { name: "64 writers, 1 event each", writers: 64, batch: 1, conditional: false },
    Work { name: "64 writers, 1 event each, conditional", writers: 64, batch: 1, conditional: true },
    Work { name: "1 writer, 100 events", writers: 1, batch: 100, conditional: false },
    Work { name: "1 writer, 1,000 events", writers: 1, batch: 1_000, conditional: false },
];

/// What came of one round of one store.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) events: u64,
    pub(crate) time: Duration,
    pub(crate) cpu: Duration,
    pub(crate) latency: Latency,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        per_second(self.events, self.time)
    }

    /// This, and one more round.
    pub(crate) fn add(&mut self, more: &Self) {
        self.events += more.events;
        self.time += more.time;
        self.cpu += more.cpu;
        self.latency.add(&more.latency);
    }
}

impl Work {
    /// Appends of each writer that take about this long, going by a round that was measured.
    pub(crate) fn appends_for(&self, time: Duration, measured: &Measured) -> u64 {
        const MOST_EVENTS: f64 = 200_000.0;
        let events = (measured.per_second() * time.as_secs_f64()).min(MOST_EVENTS);
        (events / (self.writers * self.batch) as f64).ceil().max(1.0) as u64
    }

    /// Makes the facts, connects every writer, then lets all of them append at once.
    ///
    /// `head` is the position of the store's last event, before and after.
    pub(crate) fn run(&self, store: &dyn Store, appends: u64, head: &mut u64) -> Result<Measured> {
        let after = self.conditional.then_some(*head);
        let shares: Vec<Vec<Vec<Fact>>> =
            (0..self.writers).map(|writer| self.share(writer, appends)).collect();
        let start = Barrier::new(shares.len() + 1);
        let mut writers: Vec<_> = (0..self.writers).map(|_| store.writer()).collect::<Result<_>>()?;
        let (server, own) = (store.server_cpu(), process_cpu());
        let (parts, time) = std::thread::scope(|scope| {
            let start = &start;
            let begun: Vec<_> = writers
                .iter_mut()
                .zip(shares)
                .map(|(writer, share)| {
                    scope.spawn(move || {
                        start.wait();
                        write(&mut **writer, share, after)
                    })
                })
                .collect();
            // Before it waits: when all are let go it may be the last of them to run.
            let watch = Stopwatch::start();
            start.wait();
            let joined = begun.into_iter().map(|writer| writer.join());
            let parts: Vec<Result<(Latency, u64)>> =
                joined.map(|part| part.unwrap_or_else(|_| Err(anyhow!("a writer panicked")))).collect();
            (parts, watch.elapsed())
        });
        let cpu = process_cpu() - own + store.server_cpu().saturating_sub(server);
        // Only now: a server's time for a writer is no longer told when the writer is gone.
        drop(writers);
        let events = self.writers * appends * self.batch;
        let mut measured = Measured { events, time, cpu, latency: Latency::default() };
        for part in parts {
            let (latency, last) = part?;
            measured.latency.add(&latency);
            *head = last.max(*head);
        }
        Ok(measured)
    }

    /// What one writer appends. One of its tags is its own, so that no condition of it ever fails.
    fn share(&self, writer: u64, appends: u64) -> Vec<Vec<Fact>> {
        let one = |_| {
            let first = NUMBERS.fetch_add(self.batch, Ordering::Relaxed);
            (first..first + self.batch).map(|number| own_fact(number, writer)).collect()
        };
        (0..appends).map(one).collect()
    }
}

/// Appends one share and says where its last event is; each append above the writer's last one where it is conditional.
fn write(
    writer: &mut dyn crate::store::Writer,
    share: Vec<Vec<Fact>>,
    mut after: Option<u64>,
) -> Result<(Latency, u64)> {
    let (mut latency, mut last) = (Latency::default(), 0);
    for facts in share {
        let watch = Stopwatch::start();
        last = writer.append(facts, after)?;
        latency.record(watch.elapsed());
        after = after.map(|_| last);
    }
    Ok((latency, last))
}
