//! Waiting on a thread of our own: for a future, for a moment, or until told to halt.
//!
//! The timers of the caller's runtime may be off, idle or gone, so none is used: the thread parks.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::Mutex;

use crate::pause::Unpark;

/// Tells a thread to halt, or to look again at what it knows.
#[derive(Debug, Default)]
pub(super) struct Halt {
    halt: AtomicBool,
    reload: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

/// What a wait came to.
pub(super) enum Waited<A> {
    Ready(A),
    /// Nothing yet: time is up, or a little earlier.
    Tick,
    Halted,
}

impl Waited<()> {
    /// As if something else had been waited for.
    pub(super) fn nothing<A>(self) -> Waited<A> {
        match self {
            Self::Halted => Waited::Halted,
            Self::Tick | Self::Ready(()) => Waited::Tick,
        }
    }
}

impl Halt {
    /// To be called on the thread that waits, before anybody else tells it anything.
    pub(super) fn here(&self) {
        *self.thread.lock() = Some(thread::current());
    }

    pub(super) fn halt(&self) {
        self.halt.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn reload(&self) {
        self.reload.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn wake(&self) {
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }

    pub(super) fn halted(&self) -> bool {
        self.halt.load(Ordering::Acquire)
    }

    pub(super) fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::AcqRel)
    }

    /// Waits for the future: without a tick for as long as it takes, with one about so long.
    pub(super) fn wait<A>(&self, future: impl Future<Output = A>, tick: Option<Duration>) -> Waited<A> {
        let mut future = pin!(future);
        let unpark = Unpark::here();
        let waker = Waker::from(unpark.clone());
        let mut context = Context::from_waker(&waker);
        let mut late = false;
        loop {
            if self.halted() {
                return Waited::Halted;
            }
            if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
                return Waited::Ready(answer);
            }
            match tick {
                Some(_) if late => return Waited::Tick,
                Some(tick) => thread::park_timeout(tick),
                None => thread::park(),
            }
            // Woken by the future, it may be ready; otherwise time is up, or there is something else to look at.
            late = !unpark.take_woken();
        }
    }

    /// Waits that long, or less where it is woken.
    pub(super) fn pause(&self, time: Duration) -> Waited<()> {
        self.wait(std::future::pending(), Some(time))
    }
}
