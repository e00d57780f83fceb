//! Harm done by hand to every place: the log cut at every byte, every bit of a small store's files turned.
//!
//! * [`cuts`]: what is behind a byte of the write-ahead log is gone.
//! * [`flips`]: a bit is turned, or a sector replaced.
//!
//! Nothing is left to chance but the store's own bytes, drawn from a seed, and which cases a sample has. A case that
//! breaks a promise is named so that it can be repeated alone.

pub mod cuts;
pub mod flips;
mod hand;

use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which cases are looked at.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What the store's bytes are drawn from.
    pub seed: u64,
    /// Every n-th case; 1 for all of them.
    pub sample: u64,
    /// Every n-th again of the cases that say least: see [`cuts::run`] and [`flips::run`].
    pub rest: u64,
    /// Only the case of this name.
    pub only: Option<String>,
}

impl Choice {
    /// All cases of a seed.
    pub fn all(seed: u64) -> Self {
        Self { seed, sample: 1, rest: 1, only: None }
    }

    /// Every n-th, from one on that the seed draws.
    pub fn sample(seed: u64, every: u64) -> Self {
        Self { sample: every.max(1), ..Self::all(seed) }
    }

    /// Those that are chosen among some cases, of which a sample has every n-th.
    fn cases(&self, among: Range<u64>, every: u64, name: impl Fn(u64) -> String) -> Vec<u64> {
        if let Some(only) = &self.only {
            return among.filter(|&case| name(case) == *only).collect();
        }
        let every = every.max(1).min((among.end - among.start).max(1));
        let from = fastrand::Rng::with_seed(self.seed).u64(..every);
        among.skip(position(from)).step_by(position(every)).collect()
    }

    fn broken(&self, mode: &str, case: &str, what: &str) -> Broken {
        let again =
            format!("again: cargo run --release -p factlog-sim -- {mode} --seed {} --only {case}", self.seed);
        Broken(vec![format!("{case}: {what}\n{again}")])
    }
}

/// So many cases that break a promise are told.
const TOLD: usize = 10;

/// Promises that broke: where, what, and the command that repeats it.
#[derive(Clone, Debug)]
pub struct Broken(Vec<String>);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// A number of cases as an index.
fn position(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Does all cases on all cores, until some break a promise.
fn on_all_cores<T: Send>(
    cases: &[u64],
    examine: impl Fn(u64) -> Result<T, Broken> + Sync,
) -> Result<Vec<T>, Broken> {
    const AT_ONCE: usize = 64;
    let next = AtomicUsize::new(0);
    let results = Mutex::new((Vec::with_capacity(cases.len()), Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let from = next.fetch_add(AT_ONCE, Ordering::Relaxed).min(cases.len());
                    let some = &cases[from..cases.len().min(from + AT_ONCE)];
                    if some.is_empty() {
                        return;
                    }
                    let done: Vec<_> = some.iter().map(|&case| examine(case)).collect();
                    let mut results = results.lock().expect("nobody panics with the results");
                    for done in done {
                        match done {
                            Ok(done) => results.0.push(done),
                            Err(Broken(broken)) => results.1.extend(broken),
                        }
                    }
                    if TOLD <= results.1.len() {
                        next.store(cases.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (done, mut broken) = results.into_inner().expect("nobody panics with the results");
    broken.truncate(TOLD);
    if broken.is_empty() { Ok(done) } else { Err(Broken(broken)) }
}

/// Runs an examination; a panic is told like any broken promise.
fn without_panic<T>(examine: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let done = catch_unwind(AssertUnwindSafe(examine));
    done.unwrap_or_else(|panic| {
        let told = panic.downcast_ref::<String>().map(String::as_str);
        let told = told.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("nothing");
        Err(format!("a panic, which said: {told}"))
    })
}

#[cfg(test)]
mod tests;
