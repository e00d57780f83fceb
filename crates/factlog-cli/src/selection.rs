//! Which events: the arguments that `read`, `tail` and `export` share, turned into a query and read options.

use clap::Args;
use factlog_core::{
    Administration, Category, EventStore, EventType, Position, Query, QueryItem, ReadOptions, Revision,
    StreamFilter, StreamId, Tag, Tags, Timestamp,
};

use crate::failure::{Failure, Kind, Outcome};

/// Which events.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Only events of this type; repeated: of any of these
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<EventType>,
    /// Only events with this tag; repeated: with all of these
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,
    /// Only events in streams of this category (the text before the first `-`)
    #[arg(long, value_name = "CATEGORY")]
    pub(crate) category: Option<Category>,
}

/// Which part of the log, and which way.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Range {
    /// Only events above this position
    #[arg(long, value_name = "POSITION")]
    after: Option<Position>,
    /// Only events up to and including this position
    #[arg(long, value_name = "POSITION")]
    until: Option<Position>,
    /// Only events recorded at or before this time, such as 2026-11-21T10:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "until")]
    at: Option<Timestamp>,
    /// Only events of this revision or a later one
    #[arg(long, value_name = "REVISION", requires = "stream")]
    from_revision: Option<Revision>,
    /// At most this many events
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Newest first
    #[arg(long)]
    backwards: bool,
}

impl Filter {
    /// The query for these, within `stream` where one is named.
    pub(crate) fn query(&self, stream: Option<&StreamId>) -> Outcome<Query> {
        let by_stream = stream.cloned().map(StreamFilter::Id);
        let within = by_stream.or_else(|| self.category.clone().map(StreamFilter::Category));
        if self.types.is_empty() && self.tags.is_empty() && within.is_none() {
            return Ok(Query::All);
        }
        let invalid = |error| Failure::store("use this filter", &error);
        let tags = Tags::new(self.tags.iter().cloned()).map_err(invalid)?;
        Query::any_of([QueryItem { types: self.types.clone(), tags, stream: within }]).map_err(invalid)
    }
}

impl Range {
    /// The options for these; `None` when nothing had been recorded by the time asked for.
    pub(crate) fn options(&self, store: &dyn EventStore) -> Outcome<Option<ReadOptions>> {
        let mut until = self.until;
        if let Some(time) = self.at {
            let known = pollster::block_on(store.position_at(time));
            until =
                known.map_err(|error| Failure::store(format!("find what was known at {time}"), &error))?;
            if until.is_none() {
                return Ok(None);
            }
        }
        let mut options = ReadOptions::default().after(self.after).until(until);
        options.from_revision = self.from_revision;
        options.limit = self.limit;
        Ok(Some(if self.backwards { options.backwards() } else { options }))
    }
}

/// Not found, unless the stream has an event: a mistyped name must not look like an empty stream.
pub(crate) fn must_exist(store: &dyn Administration, stream: &StreamId) -> Outcome {
    let info = pollster::block_on(store.stream(stream.clone()));
    match info.map_err(|error| Failure::store(format!("look for stream {stream}"), &error))? {
        Some(_) => Ok(()),
        None => Err(no_stream(stream)),
    }
}

/// The failure to find a stream.
pub(crate) fn no_stream(stream: &StreamId) -> Failure {
    Failure::new(Kind::NotFound, format!("stream {stream} does not exist"))
        .advise("`factlog streams list` shows those that do")
}
