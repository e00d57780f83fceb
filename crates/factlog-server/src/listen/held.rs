//! The memory that requests under way hold, and answers that are made whole: bounded for each connection, and for all together.
//!
//! * What has come of a request is counted until it is answered; of a session, what is not decoded yet, and each append
//!   until it is answered. A page counts until it is sent.
//! * Whoever would hold too much is refused at once, with nothing written. Nobody waits for room.
//! * A request that is alone may be larger than the room, so that a small room refuses no append for ever.
//! * The last quarter of the room is for small requests: they go on while others send much.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::Extensions;
use factlog_core::Error;
use prometheus_client::metrics::gauge::Gauge;

/// Bytes up to which a request is small.
const SMALL: usize = 64 << 10;

/// So many bytes may be held, and so many are.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: usize,
    held: Gauge,
}

/// What one request holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    /// Of its connection, and of the server.
    rooms: [Arc<Room>; 2],
    bytes: AtomicUsize,
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

/// Bytes of a request, of which there are less than the memory has.
fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn count(held: i64) -> usize {
    usize::try_from(held).unwrap_or(0)
}

impl Held {
    /// Nothing yet, of these rooms.
    pub(crate) fn nothing(connection: &Arc<Room>, server: &Arc<Room>) -> Self {
        Self { rooms: [connection.clone(), server.clone()], bytes: AtomicUsize::new(0) }
    }

    /// Nothing yet, for the answer to a request with these extensions. The answer's extensions keep it until it is sent.
    pub(crate) fn of_answer(request: &Extensions) -> Option<Arc<Self>> {
        request.get::<Arc<Self>>().map(|held| Arc::new(held.beside()))
    }

    /// Nothing yet, of the same rooms.
    pub(crate) fn beside(&self) -> Self {
        let [connection, server] = &self.rooms;
        Self::nothing(connection, server)
    }

    /// Holds so many bytes more. One request does so from one task at a time.
    ///
    /// # Errors
    /// `Unavailable` where there is no room: it holds what it held.
    pub(crate) fn take(&self, more: usize) -> Result<(), Error> {
        let own = self.bytes.load(Ordering::Relaxed);
        for (index, room) in self.rooms.iter().enumerate() {
            if !room.take(more, own) {
                self.rooms[..index].iter().for_each(|room| room.give_back(more));
                let whose = ["this connection", "this server"][index];
                return Err(Error::unavailable(format!(
                    "the requests under way on {whose} hold as much memory as they may ({} bytes), nothing was \
                     written; send it again later, or less at a time",
                    room.bytes
                )));
            }
        }
        self.bytes.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// Holds nothing any more.
    pub(crate) fn give_back(&self) {
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        self.rooms.iter().for_each(|room| room.give_back(bytes));
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
        let (connection, server) = (room(8 * MIB), room(16 * MIB));
        for _ in 0..3 {
            let held = [(); 5].map(|()| Held::nothing(&connection, &server));
            let refused = held.iter().filter(|held| held.take(2 * MIB).is_err()).count();
            assert_eq!(refused, 2, "the last quarter of 8 MiB is for small ones");
            held[0].give_back();
            held[4].take(2 * MIB).expect("as much as was given back");
        }
        assert_eq!([connection, server].map(|room| room.held.get()), [0, 0]);
    }

    /// Would fail if large requests kept small ones out, or if a small room refused a large one for ever.
    #[test]
    fn small_ones_go_on_and_a_large_one_passes_alone() {
        let (connection, server) = (room(64 * MIB), room(4 * MIB));
        let large = Held::nothing(&connection, &server);
        for _ in 0..9 {
            large.take(MIB).expect("it is alone");
        }
        let other = Held::nothing(&connection, &server);
        let error = other.take(1).expect_err("there is no room at all");
        assert!(error.to_string().contains("this server hold as much memory as they may (4194304 bytes)"));
        assert_eq!(count(connection.held.get()), 9 * MIB, "nor of the connection");
        large.give_back();
        other.take(3 * MIB).expect("half the room");
        large.take(MIB).expect_err("not for a large one");
        large.take(SMALL).expect("for a small one");
    }
}
