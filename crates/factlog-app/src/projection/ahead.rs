//! Reading ahead: a worker that is far behind has other threads read and decode the log for it, up to the head of that
//! moment.
//!
//! * The positions are cut into stretches and dealt to the threads in turn; the worker takes them back in the same turn,
//!   so that it sees every event once and in order. Each thread is four pieces ahead at most.
//! * What the worker has folded goes back to the thread that made it, which frees it and uses its room again: counts of
//!   references and memory stay with one thread.
//! * A stretch may end within an append. Each piece says when its first and last event were recorded, and the worker commits
//!   only where that tells two appends apart.
//! * A read by types goes through an index, which costs more for each event than reading on. Where the first events show
//!   that most concern the projection, all are read and the others left out.

use std::collections::HashSet;
use std::sync::Arc;

use factlog_core::{Error, EventStore, EventType, Position, Query, ReadOptions, Result};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::ProjectionError;
use super::batch::yield_now;
use super::route::{PieceOf, Route};
use super::supervisor::Running;
use super::target::{Chunk, Target, guarded};
use super::waits::{Halt, Waited};

/// Positions behind the head from which on it is worth threads.
const FAR: u64 = 20_000;
/// Positions of a stretch where all events are read, and where an index is asked.
const STRETCHES: (u64, u64) = (8_192, 32_768);
/// Events and bytes after which a piece of a stretch is handed over.
const EVENTS_MAX: u64 = 4_096;
const BYTES_MAX: usize = 4 << 20;
/// Events by which it is decided how to read.
const PROBE: u64 = 1_024;
/// One event in so many must concern the projection for all to be read.
const DENSE: u64 = 3;
/// Pieces of one thread that wait for the worker.
const WAITING_MAX: usize = 4;
/// Events after which a thread looks whether it is still wanted.
const YIELD: u64 = 256;

/// What is to be read.
pub(super) struct Far<T: Target> {
    pub(super) target: Arc<T>,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) query: Query,
    pub(super) types: Arc<HashSet<EventType>>,
    pub(super) route: Route,
    pub(super) after: Option<Position>,
    pub(super) head: Option<Position>,
    pub(super) threads: usize,
    /// Whether most events concern the projection.
    pub(super) dense: bool,
}

pub(super) fn is_far(after: Option<Position>, head: Option<Position>) -> bool {
    FAR < Position::number(head).saturating_sub(Position::number(after))
}

/// Whether most events concern the projection, by the first of them.
pub(super) async fn dense(
    store: &dyn EventStore,
    types: &HashSet<EventType>,
    after: Option<Position>,
) -> Result<bool> {
    let mut events = store.read(Query::All, ReadOptions::default().after(after).limit(PROBE));
    let (mut all, mut wanted) = (0, 0);
    while let Some(event) = events.next().await.transpose()? {
        all += 1;
        wanted += u64::from(types.contains(&event.event.event_type));
    }
    Ok(all <= DENSE * wanted)
}

/// A piece, and whether its stretch goes on in the next one of the same thread.
type Sent<T> = Result<(PieceOf<T>, bool), ProjectionError>;

/// Threads that read; they end with their handle.
pub(super) struct Ahead<T: Target> {
    lanes: Vec<Lane<T>>,
    /// The lane that has the next piece.
    next: usize,
    pub(super) head: Option<Position>,
    threads: Vec<Running>,
}

/// Pieces from one thread, and the way back to it.
struct Lane<T: Target> {
    pieces: mpsc::Receiver<Sent<T>>,
    used: mpsc::Sender<ChunkOf<T>>,
}

type ChunkOf<T> = Chunk<<T as Target>::Event, <T as Target>::Key>;

impl<T: Target> Ahead<T> {
    pub(super) fn start(far: Far<T>) -> Result<Self> {
        let far = Arc::new(far);
        let mut ahead = Self { lanes: Vec::new(), next: 0, head: far.head, threads: Vec::new() };
        for lane in 0..far.threads {
            let (sender, pieces) = mpsc::channel(WAITING_MAX);
            let (used, mut room) = mpsc::channel(WAITING_MAX);
            let name = format!("projection {} reads", T::NAME);
            let far = far.clone();
            let thread = Running::start(&name, Handle::try_current().ok(), move |halt| {
                let mut read = || {
                    Reader {
                        far: &far,
                        halt: &halt,
                        sender: &sender,
                        room: &mut room,
                        wanted: Wanted::default(),
                    }
                    .read(lane as u64);
                    Ok::<_, String>(())
                };
                if guarded(&mut read).is_err() {
                    // A worker that is gone needs no answer.
                    let _ = halt.wait(sender.send(Err(ProjectionError::Panicked(T::NAME))), None);
                }
            })?;
            ahead.lanes.push(Lane { pieces, used });
            ahead.threads.push(thread);
        }
        Ok(ahead)
    }

    /// The next piece and the lane it came from; the last one ends at the head it was started for.
    pub(super) async fn next(&mut self) -> Result<(usize, PieceOf<T>), ProjectionError> {
        let Some(sent) = self.lanes[self.next].pieces.recv().await else {
            let name = T::NAME;
            let message = format!("a thread that reads for read model {name} is gone");
            return Err(Error::unavailable(message).into());
        };
        let (piece, goes_on) = sent?;
        let lane = self.next;
        if !goes_on {
            self.next = (self.next + 1) % self.lanes.len();
        }
        Ok((lane, piece))
    }

    /// Gives the room of a piece back to the thread that made it.
    pub(super) fn give_back(&self, lane: usize, chunk: ChunkOf<T>) {
        // Where there is no place for it, it is freed here.
        let _ = self.lanes[lane].used.try_send(chunk);
    }
}

impl<T: Target> Drop for Ahead<T> {
    fn drop(&mut self) {
        self.lanes.clear();
        self.threads.iter().for_each(|thread| thread.halt.halt());
        self.threads.drain(..).for_each(Running::end);
    }
}

/// One thread's part.
struct Reader<'a, T: Target> {
    far: &'a Far<T>,
    halt: &'a Halt,
    sender: &'a mpsc::Sender<Sent<T>>,
    room: &'a mut mpsc::Receiver<ChunkOf<T>>,
    wanted: Wanted,
}

/// Nobody waits for more.
struct Unwanted;

/// Which types were asked about lately, found by where their text lies: a store gives most events of a type the same one.
/// It holds on to what it knows, so no other type can lie there meanwhile.
#[derive(Default)]
struct Wanted([Option<(EventType, bool)>; 32]);

impl Wanted {
    fn contains(&mut self, types: &HashSet<EventType>, event_type: &EventType) -> bool {
        let place = event_type.as_str().as_ptr().addr();
        let slot = &mut self.0[(place >> 4) % 32];
        match slot {
            Some((known, wanted)) if known.as_str().as_ptr().addr() == place => *wanted,
            Some(_) | None => {
                let wanted = types.contains(event_type);
                *slot = Some((event_type.clone(), wanted));
                wanted
            }
        }
    }
}

impl<T: Target> Reader<'_, T> {
    fn read(&mut self, lane: u64) {
        let (after, head) = (Position::number(self.far.after), Position::number(self.far.head));
        let length = if self.far.dense { STRETCHES.0 } else { STRETCHES.1 };
        let mut from = after + lane * length;
        while from < head {
            if self.stretch(from, (from + length).min(head)).is_err() {
                return;
            }
            from += self.far.threads as u64 * length;
        }
    }

    fn send(&self, sent: Sent<T>) -> Result<(), Unwanted> {
        let last = sent.is_err();
        match self.halt.wait(self.sender.send(sent), None) {
            Waited::Ready(Ok(())) if !last => Ok(()),
            Waited::Ready(_) | Waited::Halted | Waited::Tick => Err(Unwanted),
        }
    }

    /// Sends what is in `(after, until]`, in one piece or several.
    fn stretch(&mut self, after: u64, until: u64) -> Result<(), Unwanted> {
        let far = self.far;
        let query = if far.dense { Query::All } else { far.query.clone() };
        let options = ReadOptions::default().after(Position::new(after)).until(Position::new(until));
        let mut events = far.store.read(query, options);
        loop {
            let waited = self.halt.wait(self.piece(&mut events, until), None);
            let Waited::Ready(piece) = waited else { return Err(Unwanted) };
            let goes_on = piece.as_ref().is_ok_and(|piece| piece.head.is_none());
            self.send(piece.map(|piece| (piece, goes_on)))?;
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// The next piece; the last one of a stretch knows how far that goes.
    async fn piece(
        &mut self,
        events: &mut factlog_core::EventStream,
        until: u64,
    ) -> Result<PieceOf<T>, ProjectionError> {
        let far = self.far;
        let mut piece = far.route.piece(self.room.try_recv().unwrap_or_default());
        let until = Position::new(until);
        // A checkpoint may only be moved to where the store has been.
        if events.head().await? < until {
            let name = T::NAME;
            let message = format!("the log that read model {name} is built from became shorter");
            return Err(Error::unavailable(message).into());
        }
        let (mut bytes, mut polled) = (0, 0);
        while let Some(raw) = events.next().await {
            let raw = match raw {
                Ok(raw) => raw,
                Err(error) => return Err(error.into()),
            };
            polled += 1;
            if polled % YIELD == 0 {
                yield_now().await;
            }
            if far.dense && !self.wanted.contains(&far.types, &raw.event.event_type) {
                continue;
            }
            bytes += raw.event.size();
            far.route.add(&*far.target, raw, &mut piece)?;
            if EVENTS_MAX <= piece.events || BYTES_MAX <= bytes {
                return Ok(piece);
            }
        }
        piece.head = until;
        // What was recorded since then is not in it, so it has not caught up; but an append ends there.
        piece.whole = until == far.head;
        Ok(piece)
    }
}
