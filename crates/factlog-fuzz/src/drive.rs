//! The stable driver: inputs one after the other, each under watch for panics, memory and time.
//!
//! A panic is caught and told with its place; memory is counted by the allocator of whoever calls; an input that takes
//! longer than [`PATIENCE`] ends the process, with the input written down.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use crate::{Mutator, Target};

/// No input takes so long, on the slowest machine and in a debug build.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The bytes that were allocated since the process began, all added up.
pub type Meter = fn() -> usize;

/// An input that showed a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The input itself.
    pub input: Vec<u8>,
    /// What happened: a panic with its place, or too much memory.
    pub what: String,
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs inputs of one target.
#[derive(Debug)]
pub struct Driver {
    target: &'static Target,
    meter: Meter,
    watched: Arc<Watched>,
    /// The most memory that a run took beyond its allowance for each byte.
    pub memory: usize,
}

#[derive(Debug, Default)]
struct Watched {
    input: Mutex<(u64, Vec<u8>)>,
    over: AtomicBool,
}

impl Driver {
    /// Watches over a target. `stuck` is called, on another thread, with an input that never ends.
    pub fn new(target: &'static Target, meter: Meter, stuck: fn(&'static Target, &[u8])) -> Self {
        let watched = Arc::new(Watched::default());
        let watching = watched.clone();
        thread::spawn(move || {
            let mut before = 0;
            while !watching.over.load(Ordering::Relaxed) {
                thread::park_timeout(PATIENCE);
                let input = watching.input.lock();
                if input.0 == before && input.0 % 2 == 1 {
                    stuck(target, &input.1);
                }
                before = input.0;
            }
        });
        Self { target, meter, watched, memory: 0 }
    }

    /// Runs one input.
    ///
    /// # Errors
    /// The fault that it shows.
    pub fn run(&mut self, input: &[u8]) -> Result<(), Failure> {
        {
            let mut watched = self.watched.input.lock();
            watched.0 += 1;
            watched.1.clear();
            watched.1.extend_from_slice(input);
        }
        let before = (self.meter)();
        let result = catch_unwind(AssertUnwindSafe(|| (self.target.run)(input)));
        let taken = (self.meter)() - before;
        self.watched.input.lock().0 += 1;
        self.memory = self.memory.max(taken.saturating_sub(self.target.memory.per_byte * input.len()));
        let what = match result {
            Err(_) => brief(&PANIC.take().unwrap_or_else(|| "a panic".to_owned())),
            Ok(()) if self.target.memory.most(input.len()) < taken => {
                let most = self.target.memory.most(input.len());
                format!(
                    "{taken} bytes were allocated for an input of {}; at most {most} are allowed",
                    input.len()
                )
            }
            Ok(()) => return Ok(()),
        };
        Err(Failure { input: input.to_vec(), what })
    }

    /// Runs every input of a corpus, then so many that a seed makes of them; stops at the first fault.
    ///
    /// # Errors
    /// That fault, with the shortest input found that shows it.
    pub fn mutate(&mut self, corpus: &[Vec<u8>], seed: u64, runs: u64) -> Result<(), Failure> {
        let mut mutator = Mutator::new(seed);
        for _ in 0..runs {
            let input = mutator.next(corpus);
            self.run(&input).map_err(|failure| self.shorten(failure))?;
        }
        Ok(())
    }

    /// Takes parts out of a failing input, and sets bytes to zero, as long as it fails in the same place.
    pub fn shorten(&mut self, mut failure: Failure) -> Failure {
        let place = |what: &str| what.split_once(": ").map_or(String::new(), |(place, _)| place.to_owned());
        let same = |driver: &mut Self, input: &[u8], what: &str| {
            driver.run(input).err().is_some_and(|found| place(&found.what) == place(what))
        };
        let mut size = failure.input.len().next_power_of_two() / 2;
        while 0 < size {
            let mut at = 0;
            while at < failure.input.len() {
                let end = (at + size).min(failure.input.len());
                let without = [&failure.input[..at], &failure.input[end..]].concat();
                let mut zeroed = failure.input.clone();
                zeroed[at..end].fill(0);
                if same(self, &without, &failure.what) {
                    failure.input = without;
                } else if zeroed != failure.input && same(self, &zeroed, &failure.what) {
                    failure.input = zeroed;
                    at = end;
                } else {
                    at = end;
                }
            }
            size /= 2;
        }
        if let Err(found) = self.run(&failure.input.clone()) {
            failure.what = found.what;
        }
        failure
    }
}

/// The beginning of what a panic says: an assertion may show whole files.
fn brief(text: &str) -> String {
    const CHARS: usize = 400;
    text.chars().take(CHARS).collect()
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.watched.over.store(true, Ordering::Relaxed);
    }
}

/// Lets panics be remembered with their places in place of being printed, while `work` is done.
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let before = take_hook();
    set_hook(Box::new(|panic| {
        let place =
            panic.location().map_or(String::new(), |place| format!("{}:{}", place.file(), place.line()));
        let text = panic.payload_as_str().unwrap_or("a panic");
        PANIC.set(Some(format!("{place}: {text}")));
    }));
    let result = work();
    set_hook(before);
    result
}

#[cfg(test)]
mod tests {
    //! Would fail if a fault were not noticed: then no run says anything.

    use std::process::abort;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::targets::Memory;

    static TAKEN: AtomicUsize = AtomicUsize::new(0);

    /// Panics from seven bytes on if one of them is 7, and takes 100 bytes for each byte.
    fn faulty(bytes: &[u8]) {
        TAKEN.fetch_add(100 * bytes.len(), Ordering::Relaxed);
        assert!(bytes.len() < 7 || !bytes.contains(&7), "a seven");
    }

    static FAULTY: Target = Target {
        name: "faulty",
        run: faulty,
        seeds: Vec::new,
        memory: Memory { bytes: 1_000, per_byte: 64 },
        work: 1,
    };

    #[test]
    fn panics_and_memory_are_noticed_and_cut_down_to_what_shows_them() {
        quietly(|| {
            let mut driver = Driver::new(&FAULTY, || TAKEN.load(Ordering::Relaxed), |_, _| abort());
            assert_eq!(driver.run(&[7; 6]), Ok(()));
            let failure = driver.run(&[1, 2, 3, 7, 5, 6, 7, 8, 9]).expect_err("it panics");
            assert!(
                failure.what.contains("drive.rs:") && failure.what.contains("a seven"),
                "{}",
                failure.what
            );
            let shorter = driver.shorten(failure);
            assert_eq!(shorter.input.len(), 7);
            assert_eq!(shorter.input.iter().filter(|&&byte| byte == 7).count(), 1);
            assert!(driver.run(&[1; 27]).is_ok(), "2,700 bytes of 2,728");
            let failure = driver.run(&[1; 28]).expect_err("2,800 bytes of 2,792");
            assert!(failure.what.contains("at most 2792 are allowed"), "{}", failure.what);
        });
    }

    #[test]
    fn a_seed_finds_the_fault_and_finds_it_again() {
        let corpus = [vec![1; 12]];
        let find = |seed| {
            let mut driver = Driver::new(&FAULTY, || 0, |_, _| abort());
            quietly(|| driver.mutate(&corpus, seed, 10_000)).expect_err("one of them has a seven").input
        };
        assert_eq!(find(3), find(3));
        let (mut one, mut same, mut other) = (Mutator::new(3), Mutator::new(3), Mutator::new(4));
        let made = |mutator: &mut Mutator| (0..50).map(|_| mutator.next(&corpus)).collect::<Vec<_>>();
        let (one, same, other) = (made(&mut one), made(&mut same), made(&mut other));
        assert_eq!(one, same);
        assert_ne!(one, other);
    }
}
