//! The memory that requests under way hold, and that of large answers: bounded for each connection, and for all together.
//!
//! * What has come of a request is counted until it is answered; of a session, what is not decoded yet, and each append
//!   until it is answered.
//! * Answers have a room of their own, so that whoever does not read keeps nobody from appending. A page counts until it is
//!   sent; of streams, what is larger than a call may always have under way ([`LARGE`]).
//! * Whoever would hold too much is refused at once, with nothing written. Only streams wait for room.
//! * A request that is alone may be larger than the room, so that a small room refuses no append for ever.
//! * The last quarter of the room is for small requests: they go on while others send much.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::Extensions;
use factlog_core::Error;
use factlog_proto::BATCH_BYTES;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::sleep;

/// Bytes up to which a request is small.
const SMALL: usize = 64 << 10;

/// Bytes of one message of a stream from which on it needs room.
pub(crate) const LARGE: usize = 2 * BATCH_BYTES;
/// How often a stream that needs room looks whether there is.
const LOOK: Duration = Duration::from_millis(50);

/// So many bytes may be held, and so many are.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: usize,
    held: Gauge,
}

/// The rooms of one connection: its own, and the server's behind it.
#[derive(Debug)]
pub(crate) struct Rooms {
    requests: [Arc<Room>; 2],
    answers: [Arc<Room>; 2],
    /// Answers that hold something, by their numbers.
    unread: Mutex<HashMap<u64, Arc<AtomicUsize>>>,
    numbered: AtomicU64,
}

/// What one request or its answer holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    rooms: Arc<Rooms>,
    /// `None` for a request.
    answer: Option<Answer>,
    bytes: AtomicUsize,
}

/// An answer, and how many pieces of it were handed on.
#[derive(Debug)]
struct Answer {
    number: u64,
    moves: Arc<AtomicUsize>,
}

impl Room {
    /// So many bytes; `held` tells how many are.
    pub(crate) fn new(bytes: usize, held: Gauge) -> Arc<Self> {
        Arc::new(Self { bytes, held })
    }

    /// Takes so much more for a request that has this much already.
    fn take(&self, more: usize, own: usize) -> bool {
        let before = count(self.held.inc_by(signed(more)));
        let room = if own + more <= SMALL { self.bytes } else { self.bytes - self.bytes / 4 };
        if before + more <= room || before == own {
            return true;
        }
        self.give_back(more);
        false
    }

    fn give_back(&self, bytes: usize) {
        self.held.dec_by(signed(bytes));
    }
}

impl Rooms {
    /// Of a connection that may hold so many bytes, and so many of answers.
    pub(crate) fn new(bytes: usize, requests: Arc<Room>, answers: Arc<Room>) -> Arc<Self> {
        let own = || Room::new(bytes, Gauge::default());
        let (unread, numbered) = (Mutex::default(), AtomicU64::default());
        Arc::new(Self { requests: [own(), requests], answers: [own(), answers], unread, numbered })
    }

    /// Whether answers of the connection hold something.
    pub(crate) fn answering(&self) -> bool {
        0 < self.answers[0].held.get()
    }

    /// The answers that do, and how many pieces of each were handed on.
    pub(crate) fn unread(&self) -> HashMap<u64, usize> {
        let unread = self.unread.lock();
        unread.iter().map(|(number, moves)| (*number, moves.load(Ordering::Relaxed))).collect()
    }
}

/// Bytes of a request, of which there are less than the memory has.
fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn count(held: i64) -> usize {
    usize::try_from(held).unwrap_or(0)
}

impl Held {
    /// Nothing yet, of these rooms, for a request.
    pub(crate) fn nothing(rooms: &Arc<Rooms>) -> Self {
        Self { rooms: rooms.clone(), answer: None, bytes: AtomicUsize::new(0) }
    }

    /// Nothing yet, for the answer to a request with these extensions. The answer's extensions keep it until it is sent.
    pub(crate) fn of_answer(request: &Extensions) -> Option<Arc<Self>> {
        let rooms = request.get::<Arc<Self>>()?.rooms.clone();
        let number = rooms.numbered.fetch_add(1, Ordering::Relaxed);
        let answer = Some(Answer { number, moves: Arc::default() });
        Some(Arc::new(Self { rooms, answer, bytes: AtomicUsize::new(0) }))
    }

    /// Nothing yet, for another request of the same connection.
    pub(crate) fn beside(&self) -> Self {
        Self::nothing(&self.rooms)
    }

    /// Of the connection, and of the server.
    fn own(&self) -> &[Arc<Room>; 2] {
        if self.answer.is_some() { &self.rooms.answers } else { &self.rooms.requests }
    }

    /// Holds so many bytes more. One request does so from one task at a time.
    ///
    /// # Errors
    /// `Unavailable` where there is no room: it holds what it held.
    pub(crate) fn take(&self, more: usize) -> Result<(), Error> {
        let own = self.bytes.load(Ordering::Relaxed);
        for (index, room) in self.own().iter().enumerate() {
            if !room.take(more, own) {
                self.own()[..index].iter().for_each(|room| room.give_back(more));
                let what =
                    if self.answer.is_some() { "answers that are not read" } else { "requests under way" };
                let whose = ["this connection", "this server"][index];
                return Err(Error::unavailable(format!(
                    "the {what} on {whose} hold as much memory as they may ({} bytes), nothing was written; send \
                     it again later, or less at a time",
                    room.bytes
                )));
            }
        }
        self.bytes.fetch_add(more, Ordering::Relaxed);
        if let Some(Answer { number, moves }) = self.answer.as_ref().filter(|_| own == 0) {
            self.rooms.unread.lock().insert(*number, moves.clone());
        }
        Ok(())
    }

    /// Holds so many bytes more as soon as there is room.
    pub(crate) async fn wait(self: Arc<Self>, more: usize) {
        while self.take(more).is_err() {
            sleep(LOOK).await;
        }
    }

    /// Holds nothing any more.
    pub(crate) fn give_back(&self) {
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        if 0 < bytes {
            self.own().iter().for_each(|room| room.give_back(bytes));
            self.answer.iter().for_each(|answer| drop(self.rooms.unread.lock().remove(&answer.number)));
        }
    }

    /// A piece of what it is for was handed on.
    pub(crate) fn moved(&self) {
        if let Some(answer) = &self.answer {
            answer.moves.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn room(bytes: usize) -> Arc<Room> {
        Room::new(bytes, Gauge::default())
    }

    /// Would fail if what is given back were lost, or taken twice: the room would be full for ever, or never.
    #[test]
    fn there_is_room_again_for_what_was_given_back() {
        let rooms = Rooms::new(8 * MIB, room(16 * MIB), room(MIB));
        for _ in 0..3 {
            let held = [(); 5].map(|()| Held::nothing(&rooms));
            let refused = held.iter().filter(|held| held.take(2 * MIB).is_err()).count();
            assert_eq!(refused, 2, "the last quarter of 8 MiB is for small ones");
            held[0].give_back();
            held[4].take(2 * MIB).expect("as much as was given back");
        }
        assert_eq!(rooms.requests.each_ref().map(|room| room.held.get()), [0, 0]);
    }

    /// Would fail if large requests kept small ones out, or if a small room refused a large one for ever.
    #[test]
    fn small_ones_go_on_and_a_large_one_passes_alone() {
        let rooms = Rooms::new(64 * MIB, room(4 * MIB), room(4 * MIB));
        let large = Held::nothing(&rooms);
        for _ in 0..9 {
            large.take(MIB).expect("it is alone");
        }
        let other = Held::nothing(&rooms);
        let error = other.take(1).expect_err("there is no room at all");
        assert!(error.to_string().contains("this server hold as much memory as they may (4194304 bytes)"));
        assert_eq!(count(rooms.requests[0].held.get()), 9 * MIB, "nor of the connection");
        large.give_back();
        other.take(3 * MIB).expect("half the room");
        large.take(MIB).expect_err("not for a large one");
        large.take(SMALL).expect("for a small one");
    }

    /// Would fail if whoever does not read kept others from appending, or a stream that waits for room were never let go on.
    #[tokio::test(start_paused = true)]
    async fn answers_have_a_room_of_their_own() {
        let rooms = Rooms::new(64 * MIB, room(4 * MIB), room(4 * MIB));
        let request = Arc::new(Held::nothing(&rooms));
        let mut extensions = Extensions::new();
        extensions.insert(request.clone());
        let answer = || Held::of_answer(&extensions).expect("there is a request");
        let (unread, stream) = (answer(), answer());
        unread.take(4 * MIB).expect("it is alone");
        assert!(rooms.answering());
        assert!(stream.take(1).is_err());
        request.take(3 * MIB).expect("requests have room");
        let waiting = tokio::spawn(stream.clone().wait(MIB));
        sleep(3 * LOOK).await;
        assert!(!waiting.is_finished());
        unread.give_back();
        waiting.await.expect("it goes on");
        drop((unread, stream));
        assert!(!rooms.answering());
    }
}
