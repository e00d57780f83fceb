//! Appends and marks in the order of calls, and the bound on what may wait.
//!
//! Whoever has been let in keeps its place, also when its caller goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use factlog_core::{Append, AppendError, Appended, Error, Event, Position, Result};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Appends of one client that wait for their answers.
pub const HELD_APPENDS: usize = 131_072;
/// Bytes of the appends of one client that wait for their answers: 256 MiB.
pub const HELD_BYTES: usize = 256 << 20;
/// What each append counts besides its events.
const APPEND_BYTES: usize = 256;

/// What is done in order.
#[derive(Debug)]
pub(crate) enum Item {
    /// Append this.
    Append(Asked),
    /// Look where the head is, before anything that was called later is sent.
    Mark(Mark),
}

/// An append and who waits for its answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) append: Append,
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Result<Appended, AppendError>>,
    pub(crate) room: Room,
}

/// A question for the head and who waits for its answer.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Result<Option<Position>>>,
}

/// The entrance: `None` once it is closed.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: Mutex<Option<mpsc::UnboundedSender<Item>>>,
    held: Arc<Held>,
}

#[derive(Debug, Default)]
struct Held {
    appends: AtomicUsize,
    bytes: AtomicUsize,
}

/// The room an append takes; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    held: Arc<Held>,
    pub(crate) bytes: usize,
}

impl Queue {
    /// A queue and its exit.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Item>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender: Mutex::new(Some(sender)), held: Arc::default() }, receiver)
    }

    /// Gives an append its place.
    ///
    /// # Errors
    /// `Closed`, or `Unavailable` where too much waits already; nothing was written.
    pub(crate) fn append(
        &self,
        append: Append,
        deadline: Instant,
    ) -> Result<oneshot::Receiver<Result<Appended, AppendError>>> {
        let room = self.room(&append)?;
        let (answer, answered) = oneshot::channel();
        self.push(Item::Append(Asked { append, deadline, answer, room }))?;
        Ok(answered)
    }

    /// Gives a question for the head its place.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn mark(&self, deadline: Instant) -> Result<oneshot::Receiver<Result<Option<Position>>>> {
        let (answer, answered) = oneshot::channel();
        self.push(Item::Mark(Mark { deadline, answer }))?;
        Ok(answered)
    }

    /// Lets nothing in any more. What is in is finished.
    pub(crate) fn close(&self) {
        self.sender.lock().take();
    }

    fn push(&self, item: Item) -> Result<()> {
        let sent = self.sender.lock().as_ref().is_some_and(|sender| sender.send(item).is_ok());
        if sent { Ok(()) } else { Err(closed()) }
    }

    fn room(&self, append: &Append) -> Result<Room> {
        let bytes = APPEND_BYTES
            + append.events.iter().map(|event: &Event| APPEND_BYTES + event.size()).sum::<usize>();
        let held = self.held.clone();
        let appends = held.appends.fetch_add(1, Ordering::Relaxed);
        let waiting = held.bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { held, bytes };
        if HELD_APPENDS <= appends || (HELD_BYTES < waiting + bytes && 0 < waiting) {
            return Err(Error::unavailable(format!(
                "{appends} appends of {waiting} bytes wait for their answers already, which is all this client \
                 holds; nothing was written, try again when some are answered"
            )));
        }
        Ok(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.held.appends.fetch_sub(1, Ordering::Relaxed);
        self.held.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What a closed client answers.
pub(crate) fn closed() -> Error {
    Error::closed("this connection to the store is closed; open another")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::now;
    use factlog_core::{ErrorKind, EventType};

    fn append(bytes: usize) -> Append {
        Append::new([Event::new(EventType::new("a").expect("a type"), vec![0; bytes])])
    }

    #[tokio::test]
    async fn one_too_many_is_refused_at_once_and_room_comes_back() {
        let (queue, mut exit) = Queue::new();
        let waiting: Vec<_> =
            (0..3).map(|_| queue.append(append(HELD_BYTES / 4), now()).expect("room")).collect();
        let refused = queue.append(append(HELD_BYTES / 4), now()).expect_err("no room");
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        drop(exit.try_recv().expect("the first"));
        assert!(queue.append(append(HELD_BYTES / 4), now()).is_ok(), "it has left");
        drop(waiting);
        queue.close();
        assert_eq!(queue.append(append(1), now()).expect_err("closed").kind(), ErrorKind::Closed);
    }
}
