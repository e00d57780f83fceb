//! The inbox of the writer: bounded in number and bytes, first come first served, never dropping anything.
//!
//! * Whoever finds it full stands in line outside. The writer lets in as many as it has made room for; nobody is
//!   woken for it, since all that an append waits for is its answer.
//! * Who goes away while still in line is forgotten; who is inside may be recorded.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use factlog_core::{
    Append, AppendCondition, AppendError, Appended, Error, Event, Result, StreamId, Tracking,
};
use futures_channel::oneshot;
use parking_lot::{Condvar, Mutex};

use crate::ledger::Recorded;
use crate::record::{self, Boundary, ContentHash};
use crate::state::closed;
use crate::storage::Bell;

/// What a name or a tag in a condition takes, about.
const TERM_BYTES: usize = 64;

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
    /// The memory that it takes, about.
    pub(crate) cost: usize,
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
        let terms: usize = conditions.iter().map(AppendCondition::terms).sum();
        let cost = records.len() + events.len() * size_of::<Event>() + terms * TERM_BYTES;
        Self {
            events,
            conditions,
            tracking,
            records,
            offsets,
            content: content.finish(),
            cost,
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
    /// What wakes the writer where it waits for the disk.
    bell: OnceLock<Arc<dyn Bell>>,
    max_appends: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    requests: VecDeque<Request>,
    bytes: usize,
    /// Those in line, by ticket.
    outside: BTreeMap<u64, Request>,
    next_ticket: u64,
    closed: bool,
    writer: Writer,
}

/// What the writer wants to be woken for.
#[derive(Clone, Copy, Debug, Default)]
enum Writer {
    /// It comes and looks by itself.
    #[default]
    Busy,
    /// It waits here, for anything.
    Here,
    /// It waits for the disk, or for so many appends.
    AtTheDisk { appends: usize },
}

impl Inner {
    fn enter(&mut self, request: Request) {
        self.bytes += request.prepared.cost;
        self.requests.push_back(request);
    }

    fn leave(&mut self) -> Option<Request> {
        let request = self.requests.pop_front()?;
        self.bytes -= request.prepared.cost;
        Some(request)
    }
}

impl Queue {
    pub(crate) fn new(max_appends: usize, max_bytes: usize) -> Self {
        Self {
            inner: Mutex::default(),
            arrived: Condvar::new(),
            bell: OnceLock::new(),
            max_appends,
            max_bytes,
        }
    }

    /// Whom to tell when the writer waits for the disk and something arrives.
    pub(crate) fn set_bell(&self, bell: Arc<dyn Bell>) {
        // There is one writer, and it tells its bell once.
        drop(self.bell.set(bell));
    }

    /// Enters, or stands in line until there is room. The order of calls is the order of entry.
    pub(crate) fn push(&self, request: Request) -> Result<Place<'_>> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(closed());
        }
        if !inner.outside.is_empty() || !self.has_room(&inner, &request) {
            let ticket = inner.next_ticket;
            inner.next_ticket += 1;
            inner.outside.insert(ticket, request);
            return Ok(Place { queue: self, ticket: Some(ticket) });
        }
        inner.enter(request);
        match inner.writer {
            Writer::Here => {
                inner.writer = Writer::Busy;
                drop(inner);
                self.arrived.notify_one();
            }
            Writer::AtTheDisk { appends } if appends <= inner.requests.len() => {
                inner.writer = Writer::Busy;
                drop(inner);
                if let Some(bell) = self.bell.get() {
                    bell.ring();
                }
            }
            Writer::AtTheDisk { .. } | Writer::Busy => {}
        }
        Ok(Place { queue: self, ticket: None })
    }

    fn has_room(&self, inner: &Inner, request: &Request) -> bool {
        inner.requests.is_empty()
            || (inner.requests.len() < self.max_appends
                && inner.bytes + request.prepared.cost <= self.max_bytes)
    }

    /// Waits for appends and takes up to `max_bytes` of them, at least one. With `idle_after`, gives up after it.
    pub(crate) fn take(&self, max_bytes: usize, idle_after: Option<Duration>) -> Taken {
        let mut inner = self.inner.lock();
        while inner.requests.is_empty() {
            if inner.closed {
                return Taken::Closed;
            }
            inner.writer = Writer::Here;
            match idle_after {
                None => self.arrived.wait(&mut inner),
                Some(time) => {
                    if self.arrived.wait_for(&mut inner, time).timed_out() && inner.requests.is_empty() {
                        return if inner.closed { Taken::Closed } else { Taken::Idle };
                    }
                }
            }
        }
        Taken::Group(self.take_group(&mut inner, max_bytes))
    }

    /// Takes up to `max_bytes` of what waits, if that is `appends` at least and the first of them fits. If not, the
    /// bell will ring when so many have arrived.
    pub(crate) fn take_at_least(&self, appends: usize, max_bytes: usize) -> Option<Vec<Request>> {
        let mut inner = self.inner.lock();
        if inner.requests.len() < appends {
            inner.writer = Writer::AtTheDisk { appends };
            return None;
        }
        let first = inner.requests.front()?;
        if max_bytes < first.prepared.records.len() {
            // Only the disk can change that.
            inner.writer = Writer::Busy;
            return None;
        }
        Some(self.take_group(&mut inner, max_bytes))
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.inner.lock().requests.is_empty()
    }

    fn take_group(&self, inner: &mut Inner, max_bytes: usize) -> Vec<Request> {
        inner.writer = Writer::Busy;
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(request) = inner.requests.front() {
            bytes += request.prepared.records.len();
            if !group.is_empty() && max_bytes < bytes {
                break;
            }
            group.extend(inner.leave());
        }
        while let Some(next) = inner.outside.first_entry() {
            let fits = inner.requests.is_empty()
                || (inner.requests.len() < self.max_appends
                    && inner.bytes + next.get().prepared.cost <= self.max_bytes);
            if !fits {
                break;
            }
            let request = next.remove();
            inner.enter(request);
        }
        group
    }

    /// Nothing enters any more; what is inside stays for the writer, what is in line hears why.
    pub(crate) fn close(&self, why: &Error) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        let outside = std::mem::take(&mut inner.outside);
        drop(inner);
        self.arrived.notify_one();
        for request in outside.into_values() {
            // A caller that went away needs no answer.
            drop(request.reply.send(Err(why.clone().into())));
        }
    }

    /// Takes what is still inside of a closed queue.
    pub(crate) fn drain(&self) -> Vec<Request> {
        let mut inner = self.inner.lock();
        inner.bytes = 0;
        inner.requests.drain(..).collect()
    }
}

/// A place inside or in line. Giving it up leaves the line.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    queue: &'a Queue,
    ticket: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        // Dropped without the lock: a waker may run as its answer's other end goes.
        let left = self.queue.inner.lock().outside.remove(&ticket);
        drop(left);
    }
}
