//! What drives a scenario: an executor of one future, racers on threads, and a clock that is told the time.
//!
//! Nothing here knows a store. No time limit decides a result: the one there is only turns a hang into a report.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::{BoxFuture, Clock, Timestamp};

/// How long nothing may wake a future before it counts as hung: 60 seconds, in slices.
const STALL_SLICES: u32 = 600;
const SLICE: Duration = Duration::from_millis(100);

/// Polls a future on this thread until it is ready, asleep in between.
///
/// # Panics
/// When nothing has woken the future for a minute: the store lost a wake-up, or never delivers what it owes.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(unpark.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        unpark.sleep();
    }
}

/// A clock that shows the time it was last set to, 1970-01-01T00:00:00Z at first. It can be set back.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this time.
    pub fn at(time: Timestamp) -> Self {
        Self(AtomicI64::new(time.as_micros()))
    }

    /// Sets it.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Runs `racers` threads that start together, each giving up its turn a different number of times first.
/// Answers what each returned, in their order; a panic of one is a panic here.
pub(super) fn race<T: Send>(racers: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(racers);
    thread::scope(|scope| {
        let (start, run) = (&start, &run);
        let threads: Vec<_> = (0..racers)
            .map(|racer| {
                scope.spawn(move || {
                    start.wait();
                    // Neither in step nor in order: 7 is coprime to the usual numbers of racers.
                    (0..racer * 7 % racers).for_each(|_| thread::yield_now());
                    run(racer)
                })
            })
            .collect();
        threads.into_iter().map(join).collect()
    })
}

/// Runs `race` while one more thread watches. The watcher looks again and again until it is told that the race
/// is over, and then once more, so that it has seen the end.
pub(super) fn race_watched<T: Send>(
    racers: usize,
    run: impl Fn(usize) -> T + Sync,
    mut look: impl FnMut() + Send,
) -> Vec<T> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                look();
                thread::yield_now();
            }
            look();
        });
        let answers = {
            // Also when a racer panics: the watcher must not look for ever.
            let _over = SetOnDrop(&over);
            race(racers, run)
        };
        join(watcher);
        answers
    })
}

/// What a thread returned; its panic goes on here, so that the report names what it found.
pub(super) fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A future that has been polled once, and what it answered if it was ready.
pub(super) enum Started<'a, T> {
    Pending(BoxFuture<'a, T>),
    Ready(T),
}

/// Polls a future once.
pub(super) fn start<T>(mut future: BoxFuture<'_, T>) -> Started<'_, T> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Started::Ready(value),
        Poll::Pending => Started::Pending(future),
    }
}

impl<T> Started<'_, T> {
    pub(super) async fn finish(self) -> T {
        match self {
            Self::Pending(future) => future.await,
            Self::Ready(value) => value,
        }
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Wakes the thread that polls.
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Unpark {
    /// Returns once woken. Slices, because a thread may also be unparked for somebody else's reasons.
    fn sleep(&self) {
        for _ in 0..STALL_SLICES {
            if self.woken.swap(false, Ordering::SeqCst) {
                return;
            }
            thread::park_timeout(SLICE);
        }
        assert!(
            self.woken.swap(false, Ordering::SeqCst),
            "nothing woke this future for a minute: a wake-up was lost, or something owed never comes"
        );
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}
