//! What a client asks next, drawn from the run's generator and what the client knows.

use factlog_core::{
    Append, AppendCondition, Event, EventId, EventType, ExpectedRevision, Position, Query, QueryItem,
    ReadOptions, Revision, StartFrom, StreamId, Tags, Tracking, TrackingSource,
};
use fastrand::Rng;

use super::swarm::Swarm;

/// Draws questions.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    pub(super) rng: &'a mut Rng,
    pub(super) swarm: &'a Swarm,
    /// The highest head that the client was told.
    pub(super) head: Option<Position>,
}

impl Asking<'_> {
    pub(super) fn append(&mut self) -> Append {
        let count = self.rng.u32(1..=self.swarm.events);
        let events: Vec<_> = (0..count).map(|_| self.event()).collect();
        let mut append = Append::new(events);
        for _ in 0..self.rng.u32(..3) {
            append = append.when(self.condition());
        }
        if self.rng.u32(..8) == 0 {
            let position = Position::new(self.rng.u64(1..200)).expect("not 0");
            append = append.tracking(Tracking { source: self.source(), position });
        }
        append
    }

    fn event(&mut self) -> Event {
        let bytes = self.rng.usize(..self.swarm.bytes as usize);
        let mut data = vec![b'x'; bytes];
        self.rng.fill(&mut data[..bytes / 2]);
        let mut id = [0; 16];
        self.rng.fill(&mut id);
        let tags = (0..self.swarm.tags).filter(|_| self.rng.u32(..3) == 0).map(|n| format!("tag:{n}"));
        let tags: Vec<_> = tags.collect();
        let event = Event::new(self.event_type(), data).with_id(EventId::from_bytes(id));
        let event = event.tagged(Tags::new(tags).expect("a few short tags"));
        if self.rng.u32(..4) == 0 { event } else { event.in_stream(self.stream()) }
    }

    fn event_type(&mut self) -> EventType {
        EventType::new(format!("type.{}", self.rng.u32(..self.swarm.types))).expect("a short name")
    }

    fn stream(&mut self) -> StreamId {
        let n = self.rng.u32(..self.swarm.streams);
        StreamId::new(format!("kind{}-{n}", n % 2)).expect("a short name")
    }

    pub(super) fn source(&mut self) -> TrackingSource {
        TrackingSource::new(format!("source-{}", self.rng.u32(..3))).expect("a short name")
    }

    fn condition(&mut self) -> AppendCondition {
        if self.rng.bool() {
            return AppendCondition::none_match(self.query(), self.somewhere());
        }
        let expected = match self.rng.u32(..5) {
            0 => ExpectedRevision::Any,
            1 => ExpectedRevision::NoStream,
            2 => ExpectedRevision::Exists,
            _ => ExpectedRevision::At(Revision::new(self.rng.u64(..8))),
        };
        AppendCondition::revision(self.stream(), expected)
    }

    /// The head that the client knows, or a place below it.
    fn somewhere(&mut self) -> Option<Position> {
        let head = Position::number(self.head);
        match self.rng.u32(..3) {
            0 => Position::new(self.rng.u64(..=head)),
            _ => self.head,
        }
    }

    pub(super) fn query(&mut self) -> Query {
        match self.rng.u32(..6) {
            0 => Query::All,
            1 => Query::stream(self.stream()),
            _ => {
                let items: Vec<_> = (0..self.rng.u32(1..4)).map(|_| self.item()).collect();
                Query::any_of(items).expect("a few items")
            }
        }
    }

    fn item(&mut self) -> QueryItem {
        let mut item = QueryItem::default();
        if self.rng.bool() {
            item.types = vec![self.event_type()];
        }
        if self.swarm.tags != 0 && self.rng.bool() {
            let tag = format!("tag:{}", self.rng.u32(..self.swarm.tags));
            item.tags = Tags::new([tag]).expect("a short tag");
        }
        item
    }

    pub(super) fn options(&mut self) -> ReadOptions {
        let mut options = ReadOptions::default();
        if self.rng.bool() {
            options = options.after(self.somewhere());
        }
        if self.rng.u32(..4) == 0 {
            options = options.limit(self.rng.u64(1..20));
        }
        if self.rng.u32(..3) == 0 { options.backwards() } else { options }
    }

    pub(super) fn start(&mut self) -> StartFrom {
        match self.rng.u32(..3) {
            0 => StartFrom::Beginning,
            1 => StartFrom::End,
            _ => self.head.into(),
        }
    }
}
