//! Pauses between attempts and waits, on a thread of our own.
//!
//! It parks the thread: the timers of the caller's runtime may be off, idle or gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::mpsc;

/// Pauses that grow from the first to the longest.
#[derive(Debug)]
pub(crate) struct Pauses(Duration);

impl Pauses {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(5);

    pub(crate) fn new() -> Self {
        Self(Self::FIRST)
    }

    /// The next order, with `None` in it when nobody can give one any more; nothing if there is none after the pause or a
    /// little earlier.
    pub(crate) fn wait_for<T>(&mut self, orders: &mut mpsc::Receiver<T>) -> Poll<Option<T>> {
        let waker = Waker::from(Unpark::here());
        let mut context = Context::from_waker(&waker);
        if let Poll::Ready(order) = orders.poll_recv(&mut context) {
            return Poll::Ready(order);
        }
        thread::park_timeout(self.0);
        self.0 = (self.0 * 2).min(Self::LONGEST);
        orders.poll_recv(&mut context)
    }
}

/// Ends the pause of the thread that parks.
#[derive(Debug)]
pub(crate) struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Unpark {
    /// For the thread that calls it.
    pub(crate) fn here() -> Arc<Self> {
        Arc::new(Self { thread: thread::current(), woken: AtomicBool::new(false) })
    }

    /// Whether it was woken since this was last asked: a pause may also end by time, or by somebody else.
    pub(crate) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
