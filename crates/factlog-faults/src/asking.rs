//! What clients ask, derived from numbers, so that a process only tells the numbers and whoever listens knows the rest.
//!
//! * An event is a function of its id, and an id one of the world's seed, the append's number and the event's place in it.
//! * Everything else that is asked is a function of the world's seed, a number and what the client knew.
//! * Numbers hold the life (of the process) that first used them, and names change with lives, so that streams and tags
//!   come, grow and are left alone as they do in real logs.

use factlog_core::{
    Append, AppendCondition, ContentType, Event, EventId, EventType, ExpectedRevision, Position, Query,
    QueryItem, ReadOptions, Revision, StartFrom, StreamFilter, StreamId, Tags, Tracking, TrackingSource,
};
use fastrand::Rng;

/// The events that a read looks at: so many places at most, to bound what is told.
const READ_SPAN: u64 = 300;
/// Streams of one pair of lives.
const STREAMS: u32 = 30;
const TYPES: u32 = 4;
const TAGS: u32 = 6;

/// Everything that could be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    seed: u32,
    /// Bytes of an event's data at most, but for the few large ones.
    bytes: usize,
}

/// What a client knew when it asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Knowledge {
    /// The highest head that it was told; 0 for none.
    pub(crate) head: u64,
    /// The last revision of the append's own stream that it was told.
    pub(crate) revision: Option<u64>,
}

/// The number of a client's question: unique among all lives.
pub(crate) fn number(life: u32, client: u32, n: u32) -> u64 {
    u64::from(life) << 40 | u64::from(client) << 32 | u64::from(n)
}

fn life_of(number: u64) -> u64 {
    number >> 40
}

impl World {
    pub(crate) fn new(seed: u32, bytes: usize) -> Self {
        Self { seed, bytes }
    }

    fn rng(self, number: u64, what: u64) -> Rng {
        // Fibonacci hashing spreads neighbours over all seeds.
        let spread = (number ^ what.rotate_left(56)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Rng::with_seed(spread ^ u64::from(self.seed))
    }

    /// The append with this number.
    pub(crate) fn append(self, number: u64, known: Knowledge) -> Append {
        let mut rng = self.rng(number, 1);
        let count = [1, 1, 1, 2, 3, 12][rng.usize(..6)];
        let count = if rng.u32(..100) == 0 { 200 } else { count };
        let mut append = Append::new((0..count).map(|at| self.event(self.id(number, at))));
        for _ in 0..[0, 0, 1, 1, 2][rng.usize(..5)] {
            append = append.when(self.condition(&mut rng, number, known));
        }
        if rng.u32(..8) == 0 {
            let position = Position::new(known.head + rng.u64(1..60)).expect("above 0");
            append = append.tracking(Tracking { source: source(&mut rng), position });
        }
        append
    }

    fn id(self, number: u64, at: u32) -> EventId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.seed.to_be_bytes());
        bytes[12..].copy_from_slice(&at.to_be_bytes());
        EventId::from_bytes(bytes)
    }

    /// The event with this id, whether anybody appended it or not.
    pub(crate) fn event(self, id: EventId) -> Event {
        let (number, rest) = id.as_bytes().split_at(8);
        let number = u64::from_be_bytes(number.try_into().expect("8 bytes"));
        let at = u32::from_be_bytes(rest[4..].try_into().expect("4 bytes"));
        let mut rng = self.rng(number, 2 + u64::from(at));
        let length = if rng.u32(..400) == 0 { 100_000 } else { rng.usize(..=self.bytes) };
        let mut data = vec![b'x'; length];
        rng.fill(&mut data[..length / 2]);
        let tags = (0..TAGS).filter(|_| rng.u32(..4) == 0).collect::<Vec<_>>();
        let tags = Tags::new(tags.into_iter().map(|n| tag(number, n))).expect("a few short tags");
        let mut event = Event::new(event_type(&mut rng), data).with_id(id).tagged(tags);
        if rng.u32(..8) == 0 {
            event = event.with_content_type(ContentType::BYTES).with_metadata(format!("{{\"n\":{at}}}"));
        }
        match rng.u32(..4) {
            0 => event,
            1 | 2 => event.in_stream(self.subject(number)),
            _ => event.in_stream(stream(&mut rng, number)),
        }
    }

    /// The stream that an append is mostly about.
    pub(crate) fn subject(self, number: u64) -> StreamId {
        stream(&mut self.rng(number, 0), number)
    }

    fn condition(self, rng: &mut Rng, number: u64, known: Knowledge) -> AppendCondition {
        if rng.bool() {
            let after = match rng.u32(..8) {
                0 => rng.u64(..=known.head),
                1 | 2 => known.head.saturating_sub(rng.u64(..30)),
                _ => known.head,
            };
            return AppendCondition::none_match(drawn_query(rng, number), Position::new(after));
        }
        let at = |revision| ExpectedRevision::At(Revision::new(revision));
        let expected = match (rng.u32(..6), known.revision) {
            (0, _) => ExpectedRevision::Any,
            (1, _) | (2.., None) => ExpectedRevision::NoStream,
            (2, Some(_)) => ExpectedRevision::Exists,
            (3, Some(revision)) => at(revision.saturating_sub(1)),
            (4.., Some(revision)) => at(revision),
        };
        AppendCondition::revision(self.subject(number), expected)
    }

    /// A read: what it looks for, and where.
    pub(crate) fn read(self, number: u64, head: u64) -> (Query, ReadOptions) {
        let mut rng = self.rng(number, 1);
        let query = drawn_query(&mut rng, number);
        let from = if rng.u32(..4) == 0 { rng.u64(..=head) } else { head.saturating_sub(READ_SPAN) };
        let after = from + rng.u64(..READ_SPAN);
        let mut options = ReadOptions::default().after(Position::new(after));
        options = options.until(Position::new(after + rng.u64(1..=READ_SPAN)));
        if rng.u32(..4) == 0 {
            options = options.limit(rng.u64(1..20));
        }
        (query, if rng.bool() { options.backwards() } else { options })
    }

    /// A subscription: what it follows, and from where.
    pub(crate) fn follow(self, number: u64, head: u64) -> (Query, StartFrom) {
        let mut rng = self.rng(number, 1);
        let query = drawn_query(&mut rng, number);
        let from = match rng.u32(..4) {
            0 => StartFrom::End,
            1 if head < 2_000 => StartFrom::Beginning,
            1 => Position::new(head - rng.u64(..2_000)).into(),
            _ => Position::new(head).into(),
        };
        (query, from)
    }

    /// Whose tracking is asked for.
    pub(crate) fn source(self, number: u64) -> TrackingSource {
        source(&mut self.rng(number, 1))
    }
}

fn event_type(rng: &mut Rng) -> EventType {
    EventType::new(format!("thing.{}-happened", rng.u32(..TYPES))).expect("a short name")
}

/// Half of the tags are known in all lives.
fn tag(number: u64, n: u32) -> String {
    if n.is_multiple_of(2) { format!("tag:{n}") } else { format!("case:{}.{n}", life_of(number)) }
}

fn stream(rng: &mut Rng, number: u64) -> StreamId {
    let n = rng.u32(..STREAMS);
    StreamId::new(format!("kind{}-{}.{n}", n % 3, life_of(number) / 2)).expect("a short name")
}

fn source(rng: &mut Rng) -> TrackingSource {
    TrackingSource::new(format!("source-{}", rng.u32(..3))).expect("a short name")
}

fn drawn_query(rng: &mut Rng, number: u64) -> Query {
    match rng.u32(..6) {
        0 => Query::All,
        1 => Query::stream(stream(rng, number)),
        _ => {
            let items: Vec<_> = (0..rng.u32(1..4)).map(|_| item(rng, number)).collect();
            Query::any_of(items).expect("a few items")
        }
    }
}

fn item(rng: &mut Rng, number: u64) -> QueryItem {
    let mut item = QueryItem::default();
    if rng.bool() {
        item.types = vec![event_type(rng)];
    }
    if rng.u32(..3) != 0 {
        item.tags = Tags::new([tag(number, rng.u32(..TAGS))]).expect("a short tag");
    }
    if rng.u32(..4) == 0 {
        let stream = stream(rng, number);
        let category = stream.category().parse().expect("a short name");
        item.stream =
            Some(if rng.bool() { StreamFilter::Category(category) } else { StreamFilter::Id(stream) });
    }
    item
}

#[cfg(test)]
mod tests {
    //! Were an event not a function of its id, everything that was read would look like damage, or damage like an event.
    use super::*;

    #[test]
    fn events_can_be_told_by_their_ids_alone_and_differ() {
        let world = World::new(7, 300);
        for n in 0..300 {
            let known = Knowledge { head: u64::from(n), revision: Some(3) };
            let append = world.append(number(n, n % 12, n), known);
            assert!(append.validate().is_ok());
            assert_eq!(append, world.append(number(n, n % 12, n), known));
            for event in &append.events {
                assert_eq!(*event, world.event(event.id));
                assert_ne!(event.id, World::new(8, 300).append(number(n, n % 12, n), known).events[0].id);
            }
        }
    }
}
