//! Pauses between attempts, on a thread of our own.
//!
//! It parks the thread: the timers of the caller's runtime may be off, idle or gone.

use std::sync::Arc;
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
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
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
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
