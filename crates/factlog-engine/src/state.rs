//! The life of an open store: open, perhaps poisoned, closing, stopped. It only ever goes forward.
//!
//! * After poisoning nothing is appended, reads go on. After closing has begun neither is possible.
//! * The lock of the directory is let go only when the writer has stopped, so that nobody writes without it.

use std::sync::atomic::{AtomicBool, Ordering};

use event_listener::Event as Wake;
use factlog_core::{Error, Result};
use parking_lot::Mutex;

use crate::storage::DiskFile;

/// The life of one open store.
#[derive(Debug)]
pub(crate) struct Life {
    closing: AtomicBool,
    inner: Mutex<Inner>,
    changed: Wake,
}

#[derive(Debug)]
struct Inner {
    poisoned: Option<Error>,
    writer_stopped: bool,
    /// Nobody is left who would let go of the lock.
    abandoned: bool,
    lock: Option<Box<dyn DiskFile>>,
}

impl Life {
    /// An open store that holds this lock and has no writer yet.
    pub(crate) fn new(lock: Box<dyn DiskFile>) -> Self {
        let inner = Inner { poisoned: None, writer_stopped: true, abandoned: false, lock: Some(lock) };
        Self { closing: AtomicBool::new(false), inner: Mutex::new(inner), changed: Wake::new() }
    }

    /// Whether reading is possible.
    pub(crate) fn readable(&self) -> Result<()> {
        if self.closing.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }

    /// Whether appending is possible.
    pub(crate) fn appendable(&self) -> Result<()> {
        match &self.inner.lock().poisoned {
            Some(cause) => Err(poisoned(cause)),
            None => self.readable(),
        }
    }

    /// There is a writer now.
    pub(crate) fn writer_started(&self) {
        self.inner.lock().writer_stopped = false;
    }

    /// The writer has ended and touches no file any more.
    pub(crate) fn writer_stopped(&self) {
        let mut inner = self.inner.lock();
        inner.writer_stopped = true;
        if inner.abandoned {
            inner.lock = None;
        }
        drop(inner);
        self.changed.notify(usize::MAX);
    }

    /// The writer's end lets go of the lock, since nobody else will.
    pub(crate) fn abandon(&self) {
        self.inner.lock().abandoned = true;
    }

    /// A write failed; the first failure is the one that is told.
    pub(crate) fn poison(&self, cause: Error) {
        self.inner.lock().poisoned.get_or_insert(cause);
    }

    /// Closing has begun.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Waits for the writer's end, then lets go of the lock.
    ///
    /// # Errors
    /// What poisoned the store.
    pub(crate) async fn stopped(&self) -> Result<()> {
        loop {
            let changed = self.changed.listen();
            if self.inner.lock().writer_stopped {
                return self.release();
            }
            changed.await;
        }
    }

    /// Lets go of the lock; the writer must have ended.
    pub(crate) fn release(&self) -> Result<()> {
        let mut inner = self.inner.lock();
        assert!(inner.writer_stopped, "the lock is held while there is a writer");
        inner.lock = None;
        inner.poisoned.as_ref().map_or(Ok(()), |cause| Err(poisoned(cause)))
    }
}

/// What everybody hears after closing.
pub(crate) fn closed() -> Error {
    Error::closed("the store is closed; open it again")
}

/// What an append hears after a write failed.
pub(crate) fn poisoned(cause: &Error) -> Error {
    let message = format!(
        "a write failed, so this handle accepts nothing any more: {cause}; close it and open the store again"
    );
    Error::closed(message).because(cause.clone())
}
