//! The inbox of the writer: bounded in number and bytes, first come first served, never dropping anything.
//!
//! Whoever finds it full waits for a ticket's turn; the writer takes all that is there.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use event_listener::Event as Wake;
use factlog_core::{Append, AppendCondition, AppendError, Appended, Event, Result, StreamId, Tracking};
use futures_channel::oneshot;
use parking_lot::{Condvar, Mutex};

use crate::ledger::Recorded;
use crate::record::{self, Boundary, ContentHash};
use crate::state::closed;

/// An append made ready on the caller's thread: the writer only stamps and copies.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The events without their data.
    pub(crate) events: Vec<Event>,
    pub(crate) conditions: Vec<AppendCondition>,
    pub(crate) tracking: Option<Tracking>,
    pub(crate) records: Vec<u8>,
    /// Where in `records` each begins.
    pub(crate) offsets: Vec<u32>,
    pub(crate) content: u64,
    /// What the caller's thread found in the log so far.
    pub(crate) known: Known,
}

/// What an append brings along from the sealed log, which the writer does not look at.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// What follows is right for the events up to here.
    pub(crate) sealed: u64,
    /// How many events each stream has there, for streams that no generation had.
    pub(crate) streams: HashMap<StreamId, u64>,
    /// The append there that has the first event's id.
    pub(crate) recorded: Option<Recorded>,
    /// For each condition, what was found; empty if nothing was looked up.
    pub(crate) checked: Vec<Checked>,
}

/// A condition looked up over history that does not change any more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checked {
    /// Up to here; the writer looks at what came after.
    pub(crate) upto: u64,
    /// The newest match up to there.
    pub(crate) newest: Option<u64>,
}

impl Prepared {
    /// Encodes a validated append.
    pub(crate) fn new(append: Append) -> Self {
        let Append { mut events, conditions, tracking } = append;
        let (mut records, mut offsets, mut content) =
            (Vec::new(), Vec::with_capacity(events.len()), ContentHash::new());
        let last = events.len() - 1;
        for (at, event) in events.iter_mut().enumerate() {
            let start = records.len();
            offsets.push(u32::try_from(start).expect("an append is far below 4 GiB"));
            record::encode(event, Boundary { first: at == 0, last: at == last }, &mut records);
            content.add(&records[start..]);
            event.data = Bytes::new();
            event.metadata = Bytes::new();
        }
        Self {
            events,
            conditions,
            tracking,
            records,
            offsets,
            content: content.finish(),
            known: Known::default(),
        }
    }

    /// Of the revisions of its events, the last of each stream, in the order of [`Prepared::streams`].
    pub(crate) fn last_revisions(&self, revisions: &[u64]) -> Vec<u64> {
        let mut last: Vec<u64> = Vec::new();
        let mut places: HashMap<&StreamId, usize> = HashMap::new();
        let mut before = None;
        for (event, &revision) in self.events.iter().zip(revisions) {
            let Some(stream) = &event.stream else { continue };
            if before == Some(stream) && places.len() <= 1 {
                // Most appends have one stream.
                last[0] = revision;
                continue;
            }
            before = Some(stream);
            match places.get(stream) {
                Some(&at) => last[at] = revision,
                None => {
                    places.insert(stream, last.len());
                    last.push(revision);
                }
            }
        }
        last
    }

    /// The streams it mentions, in the order in which it first does.
    pub(crate) fn streams(&self) -> Vec<&StreamId> {
        let mut streams: Vec<&StreamId> = Vec::new();
        let mut known = HashSet::new();
        for stream in self.events.iter().filter_map(|event| event.stream.as_ref()) {
            // Most appends have one stream, or change it seldom.
            if streams.last() != Some(&stream) && known.insert(stream) {
                streams.push(stream);
            }
        }
        streams
    }
}

/// An append on its way, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) prepared: Prepared,
    pub(crate) reply: oneshot::Sender<Result<Appended, AppendError>>,
}

/// What the writer finds.
#[derive(Debug)]
pub(crate) enum Taken {
    /// All that waited, up to a bound.
    Group(Vec<Request>),
    /// Nothing came for a while.
    Idle,
    /// Nothing will come any more.
    Closed,
}

/// The inbox.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    arrived: Condvar,
    left: Wake,
    max_appends: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    requests: VecDeque<Request>,
    bytes: usize,
    closed: bool,
    /// Tickets are served in order; those given up are passed over.
    next_ticket: u64,
    serving: u64,
    given_up: BTreeSet<u64>,
    writer_waits: bool,
}

impl Inner {
    fn pass(&mut self) {
        self.serving += 1;
        while self.given_up.remove(&self.serving) {
            self.serving += 1;
        }
    }
}

impl Queue {
    pub(crate) fn new(max_appends: usize, max_bytes: usize) -> Self {
        Self { inner: Mutex::default(), arrived: Condvar::new(), left: Wake::new(), max_appends, max_bytes }
    }

    /// Enters when it is this append's turn and there is room. The order of first polls is the order of entry.
    pub(crate) async fn push(&self, request: Request) -> Result<()> {
        let mut ticket = Ticket { queue: self, number: None };
        let mut request = Some(request);
        loop {
            let listener = {
                let mut inner = self.inner.lock();
                if inner.closed {
                    return Err(closed());
                }
                let number = *ticket.number.get_or_insert_with(|| {
                    inner.next_ticket += 1;
                    inner.next_ticket - 1
                });
                let bytes = request.as_ref().map_or(0, |request| request.prepared.records.len());
                if number == inner.serving && self.has_room(&inner, bytes) {
                    inner.bytes += bytes;
                    inner.requests.extend(request.take());
                    inner.pass();
                    ticket.number = None;
                    let wake = std::mem::take(&mut inner.writer_waits);
                    let others = inner.serving < inner.next_ticket;
                    drop(inner);
                    if wake {
                        self.arrived.notify_one();
                    }
                    if others {
                        self.left.notify(usize::MAX);
                    }
                    return Ok(());
                }
                self.left.listen()
            };
            listener.await;
        }
    }

    fn has_room(&self, inner: &Inner, bytes: usize) -> bool {
        inner.requests.is_empty()
            || (inner.requests.len() < self.max_appends && inner.bytes + bytes <= self.max_bytes)
    }

    /// Waits for appends and takes up to `max_bytes` of them, at least one. With `idle_after`, gives up after it.
    pub(crate) fn take(&self, max_bytes: usize, idle_after: Option<Duration>) -> Taken {
        let mut inner = self.inner.lock();
        while inner.requests.is_empty() {
            if inner.closed {
                return Taken::Closed;
            }
            inner.writer_waits = true;
            match idle_after {
                None => self.arrived.wait(&mut inner),
                Some(time) => {
                    if self.arrived.wait_for(&mut inner, time).timed_out() && inner.requests.is_empty() {
                        return if inner.closed { Taken::Closed } else { Taken::Idle };
                    }
                }
            }
        }
        inner.writer_waits = false;
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(request) = inner.requests.front() {
            let length = request.prepared.records.len();
            if !group.is_empty() && max_bytes < bytes + length {
                break;
            }
            bytes += length;
            group.extend(inner.requests.pop_front());
        }
        inner.bytes -= bytes;
        let others = inner.serving < inner.next_ticket;
        drop(inner);
        if others {
            self.left.notify(usize::MAX);
        }
        Taken::Group(group)
    }

    /// Nothing enters any more; what is inside stays for the writer.
    pub(crate) fn close(&self) {
        self.inner.lock().closed = true;
        self.arrived.notify_one();
        self.left.notify(usize::MAX);
    }

    /// Takes what is still inside of a closed queue.
    pub(crate) fn drain(&self) -> Vec<Request> {
        let mut inner = self.inner.lock();
        inner.bytes = 0;
        inner.requests.drain(..).collect()
    }
}

/// A place in the line; giving it up lets the next one pass.
struct Ticket<'a> {
    queue: &'a Queue,
    number: Option<u64>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut inner = self.queue.inner.lock();
        if number == inner.serving {
            inner.pass();
        } else {
            inner.given_up.insert(number);
        }
        drop(inner);
        self.queue.left.notify(usize::MAX);
    }
}
