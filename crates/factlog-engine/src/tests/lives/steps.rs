//! The steps of a life, out of few enough names that they meet.

use std::time::Duration;

use factlog_core::{
    Category, Event, EventType, ExpectedRevision, Query, QueryItem, Revision, StreamFilter, StreamId, Tags,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::{Compression, JournalMode, Settings};

const TYPES: [&str; 4] = ["opened", "paid", "closed", "odd"];
const TAGS: [&str; 5] = ["a:1", "a:2", "b", "paid", "ß"];
const STREAMS: [&str; 5] = ["order-1", "order-2", "loan-1", "order", "-x"];

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// These, each begun before the first is answered.
    Append(Vec<Draft>),
    /// One that was recorded, as it was or with other content.
    Again {
        which: Index,
        changed: bool,
    },
    Ask(Ask),
    /// The clock goes on, or back.
    Time(i64),
    /// Closed, and opened with these settings.
    Reopen(Settings),
    /// The same without closing.
    Kill(Settings),
}

#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) events: Vec<EventDraft>,
    pub(super) conditions: Vec<Condition>,
    /// A source, and how much further it has come.
    pub(super) tracking: Option<(u8, u64)>,
}

#[derive(Clone, Debug)]
pub(super) struct EventDraft {
    event_type: &'static str,
    stream: Option<&'static str>,
    tags: Vec<&'static str>,
    bytes: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// Nothing matches that is newer than what was the head so many events ago.
    NoneMatch {
        query: Query,
        back: u64,
    },
    Revision {
        stream: StreamId,
        expected: ExpectedRevision,
    },
    /// The stream is where the reference has it before the appends of the step.
    Follows {
        stream: StreamId,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) query: Query,
    /// In two-hundredths of the log, so that some lie behind its end.
    pub(super) after: Option<u8>,
    pub(super) until: Option<u8>,
    pub(super) from_revision: Option<u64>,
    pub(super) limit: Option<u64>,
    pub(super) backwards: bool,
}

impl EventDraft {
    pub(super) fn event(&self) -> Event {
        // Neither all the same nor beyond compression.
        let data: Vec<u8> = (0..self.bytes).map(|n| (n * n % 251) as u8).collect();
        let event = Event::new(EventType::new(self.event_type).expect("a type"), data);
        let event = event.tagged(Tags::new(self.tags.iter().copied()).expect("tags"));
        match self.stream {
            Some(stream) => event.in_stream(StreamId::new(stream).expect("a stream")),
            None => event,
        }
    }
}

pub(super) fn life() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => vec(draft(), 1..8).prop_map(Step::Append),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(which, changed)| Step::Again { which, changed }),
        5 => ask().prop_map(Step::Ask),
        2 => (-5_000_i64..20_000).prop_map(Step::Time),
        2 => settings().prop_map(Step::Reopen),
        2 => settings().prop_map(Step::Kill),
    ];
    vec(step, 1..40)
}

pub(super) fn settings() -> impl Strategy<Value = Settings> {
    let sizes =
        (select(&[1, 3, 10, 1_000][..]), select(&[64 << 10, 128 << 10][..]), select(&[1, 8 << 20][..]));
    let journal = select(&[JournalMode::Auto, JournalMode::Threads, JournalMode::Plain][..]);
    let others = (select(&[Compression::Zstd, Compression::None][..]), any::<bool>(), 1..9_usize, 0..20_u64);
    (sizes, journal, others).prop_map(|(sizes, journal, (compression, keeps, groups_in_flight, vouch))| {
        let (segment_events, wal_file_bytes, group_bytes) = sizes;
        let cache = if keeps { 1 << 20 } else { 0 };
        Settings {
            segment_events,
            wal_file_bytes,
            wal_bytes: 256 << 10,
            group_bytes,
            groups_in_flight,
            journal,
            vouch_after: Duration::from_millis(vouch),
            compression,
            cache_bytes: cache,
            index_cache_bytes: cache,
            filter_bytes: cache,
            ..Settings::default()
        }
    })
}

fn draft() -> impl Strategy<Value = Draft> {
    let conditions = prop_oneof![2 => Just(Vec::new()), 1 => vec(condition(), 1..3)];
    let tracking = option::weighted(0.2, (0..3_u8, select(&[0, 1, 1, 1, 5][..])));
    (vec(event(), 1..5), conditions, tracking).prop_map(|(events, conditions, tracking)| Draft {
        events,
        conditions,
        tracking,
    })
}

fn event() -> impl Strategy<Value = EventDraft> {
    let bytes = prop_oneof![20 => 0..200_usize, 1 => 4_000..90_000_usize];
    (select(&TYPES[..]), option::of(select(&STREAMS[..])), vec(select(&TAGS[..]), 0..4), bytes)
        .prop_map(|(event_type, stream, tags, bytes)| EventDraft { event_type, stream, tags, bytes })
}

fn stream() -> impl Strategy<Value = StreamId> {
    select(&STREAMS[..]).prop_map(|stream| StreamId::new(stream).expect("a stream"))
}

fn condition() -> impl Strategy<Value = Condition> {
    let expected = prop_oneof![
        Just(ExpectedRevision::Any),
        Just(ExpectedRevision::NoStream),
        Just(ExpectedRevision::Exists),
        (0..9_u64).prop_map(|revision| ExpectedRevision::At(Revision::new(revision))),
    ];
    prop_oneof![
        3 => (query(), 0..12_u64).prop_map(|(query, back)| Condition::NoneMatch { query, back }),
        1 => (stream(), expected).prop_map(|(stream, expected)| Condition::Revision { stream, expected }),
        2 => stream().prop_map(|stream| Condition::Follows { stream }),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let any_of = vec(item(), 1..4).prop_map(|items| Query::any_of(items).expect("a query"));
    prop_oneof![1 => Just(Query::All), 12 => any_of, 4 => stream().prop_map(Query::stream)]
}

fn item() -> impl Strategy<Value = QueryItem> {
    let category = select(&["order", "loan", "none"][..])
        .prop_map(|name| StreamFilter::Category(Category::new(name).expect("a category")));
    let filter = prop_oneof![stream().prop_map(StreamFilter::Id), category];
    let types = vec(select(&TYPES[..]).prop_map(|name| EventType::new(name).expect("a type")), 0..3);
    let tags = vec(select(&TAGS[..]), 0..3).prop_map(|tags| Tags::new(tags).expect("tags"));
    (types, tags, option::of(filter)).prop_map(|(types, tags, stream)| QueryItem { types, tags, stream })
}

fn ask() -> impl Strategy<Value = Ask> {
    let ends = (option::of(0..=220_u8), option::of(1..=220_u8));
    (query(), ends, option::weighted(0.2, 0..9_u64), option::of(0..20_u64), any::<bool>()).prop_map(
        |(query, (after, until), from_revision, limit, backwards)| Ask {
            query,
            after,
            until,
            from_revision,
            limit,
            backwards,
        },
    )
}
