//! Questions: queries of every shape and ranges of every kind, many of them about what is there.

use factlog_core::{
    Category, Event, EventStore, EventType, Position, Query, QueryItem, ReadOptions, Revision, StreamFilter,
    StreamId, Tags, Timestamp,
};

use super::logs::{Log, Shape};
use super::random::Random;
use crate::Engine;

const STRANGE: [&str; 6] = ["never-1", "order", "a:1", "placed", "loan-1", "rare"];

/// One read.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) query: Query,
    pub(super) options: ReadOptions,
    /// Only events recorded later.
    pub(super) after_time: Option<Timestamp>,
    /// Only events recorded by then.
    pub(super) until_time: Option<Timestamp>,
}

impl Question {
    pub(super) fn new(random: &mut Random, log: &Log) -> Self {
        let query = query(random, log);
        let mut options = ReadOptions::default();
        let wide = log.shape != Shape::Large && random.once_in(3);
        if !wide {
            options.after = place(random, log).and_then(Position::new);
            options.until = place(random, log).filter(|&until| 0 < until).and_then(Position::new);
            if let (Some(after), Some(until)) = (options.after, options.until)
                && until < after
                && !random.once_in(20)
            {
                (options.after, options.until) = (Some(until), Some(after));
            }
        }
        if random.once_in(2) {
            options = options.backwards();
        }
        if random.once_in(2) {
            let most = *random.pick(&[1, 2, 4, 20, 300]);
            options = options.limit(random.below(most + 1));
        }
        if random.once_in(3) && options.from_revision(Revision::new(0)).validate(&query).is_ok() {
            options = options.from_revision(Revision::new(random.below(40)));
        }
        let time = |random: &mut Random| {
            let event = &log.events[random.below(log.events.len() as u64) as usize];
            Timestamp::from_micros(event.recorded_at.as_micros() + random.below(3) as i64 - 1)
        };
        let by_time = !log.events.is_empty() && random.once_in(8);
        let after_time = (by_time && random.once_in(2)).then(|| time(random));
        let until_time = (by_time && random.once_in(2)).then(|| time(random));
        Self { query, options, after_time, until_time }
    }

    /// The options with the times put as positions, as whoever reads by time does.
    pub(super) fn by_position(&self, engine: &Engine, told: &str) -> ReadOptions {
        let position_at = |time| pollster::block_on(engine.position_at(time)).expect(told);
        let mut options = self.options;
        if let Some(after) = self.after_time {
            options.after = options.after.max(position_at(after));
        }
        if let Some(until) = self.until_time {
            match position_at(until) {
                Some(position) => {
                    options.until = Some(options.until.map_or(position, |until| until.min(position)));
                }
                // There is nothing by then; a bound of 0 has no other name.
                None => options.limit = Some(0),
            }
        }
        options
    }
}

/// A bound: at times none, at times where a segment ends or behind the log.
fn place(random: &mut Random, log: &Log) -> Option<u64> {
    let last = log.events.len() as u64;
    match random.below(10) {
        0 | 1 => None,
        2..5 => {
            let borders: Vec<_> = log.borders().into_iter().collect();
            let border = if borders.is_empty() { last } else { *random.pick(&borders) };
            Some((border + random.below(3)).saturating_sub(1))
        }
        _ => Some(random.below(last + 4)),
    }
}

fn query(random: &mut Random, log: &Log) -> Query {
    let items = match random.below(100) {
        0 => return Query::All,
        1 => 30,
        2..60 => 1,
        _ => 1 + random.below(4),
    };
    let first = item(random, log);
    let mut items: Vec<_> = (1..items).map(|_| item(random, log)).collect();
    if random.once_in(6) {
        // All of one stream, so that revisions may count.
        items.iter_mut().for_each(|item| item.stream.clone_from(&first.stream));
    }
    items.insert(0, first);
    Query::any_of(items).expect("within the bounds")
}

fn item(random: &mut Random, log: &Log) -> QueryItem {
    let strange = Event::new(name(random), "");
    let strange = strange.in_stream(StreamId::new(*random.pick(&STRANGE)).expect("a stream"));
    let strange = strange.tagged(Tags::new([*random.pick(&STRANGE)]).expect("tags"));
    // What an event has is what some event is found by; a part of another's makes for fewer or none.
    let mut model = || match log.events.is_empty() || random.once_in(20) {
        true => strange.clone(),
        false => random.pick(&log.events).event.clone(),
    };
    let models = [model(), model(), model()];
    let at = |random: &mut Random| if random.once_in(6) { 1 } else { 0 };
    let mut item = QueryItem::default();
    if random.once_in(2) {
        item.types.push(models[at(random)].event_type.clone());
        for _ in 0..random.below(4) {
            item.types.push(models[random.below(3) as usize].event_type.clone());
        }
    }
    if random.once_in(2) {
        let tags: Vec<_> = models[at(random)].tags.iter().filter(|_| !random.once_in(3)).cloned().collect();
        item.tags = Tags::new(tags).expect("tags");
        if random.once_in(6) {
            item.tags = item.tags.with(models[2].tags.iter().take(1).cloned()).expect("tags");
        }
    }
    if random.once_in(2) {
        let stream = models[at(random)].stream.clone();
        item.stream = stream.map(|stream| match Category::new(stream.category()) {
            Ok(category) if random.once_in(3) => StreamFilter::Category(category),
            _ => StreamFilter::Id(stream),
        });
    }
    item
}

fn name(random: &mut Random) -> EventType {
    EventType::new(*random.pick(&STRANGE)).expect("a type")
}
