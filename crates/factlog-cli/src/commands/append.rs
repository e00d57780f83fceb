//! `factlog append`: one event from the command line, or several from standard input in one atomic append.

pub(crate) mod input;

use clap::{ArgGroup, Args};
use factlog_core::{
    Append, AppendCondition, Appended, ContentType, Event, EventId, EventType, ExpectedRevision, Position,
    Query, QueryItem, Revision, StreamFilter, StreamId, Tag, Tags,
};
use serde_json::json;

use crate::context::Context;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::answer;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog append account-42 --type account.opened --payload '{\"owner\":\"Ada\"}' --data bank.db
  factlog append account-42 --type account.closed --expected 7 --tag account:42 --data bank.db
  factlog append --no-stream --type rate.set --payload @rate.json --data bank.db
  factlog append --no-stream --type seat.taken --tag seat:9A --if-no-match-tag seat:9A
  factlog read account-42 --format ndjson --data a.db | factlog append --no-stream --data b.db";

/// Append one event, or those on standard input together
///
/// Without --type, standard input holds one JSON object per line with the members `type`, `stream`, `id`,
/// `tags`, `content_type`, `data`, `metadata` (or `data_base64`, `metadata_base64`), of which only `type` must
/// be there. They are appended atomically: all or none.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("place").required(true).args(["stream", "no_stream"]))]
#[command(group = ArgGroup::new("boundary").multiple(true).args(["if_no_match_tag", "if_no_match_type", "if_no_match_stream"]))]
pub(crate) struct Arguments {
    /// The stream
    stream: Option<StreamId>,
    /// In no stream, or in the streams that the lines on standard input name
    #[arg(long)]
    no_stream: bool,
    /// The event's type, such as account.opened
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<EventType>,
    /// The event's data: the text itself, @FILE, or - for standard input; {} if absent
    #[arg(long, visible_alias = "body", value_name = "JSON|@FILE|-", requires = "event_type")]
    payload: Option<String>,
    /// The event's metadata: the text itself or @FILE
    #[arg(long, value_name = "JSON|@FILE", requires = "event_type")]
    meta: Option<String>,
    /// The event's id, a UUID: repeating an append with the same id writes nothing
    #[arg(long, value_name = "UUID", requires = "event_type")]
    id: Option<EventId>,
    /// A label to find the event by; repeat for more
    #[arg(long = "tag", value_name = "TAG", requires = "event_type")]
    tags: Vec<Tag>,
    /// The media type of the data
    #[arg(long, value_name = "TYPE", requires = "event_type", value_parser = ContentType::new, default_value = "application/json")]
    content_type: ContentType,
    /// Where the stream must be: any, none (it does not exist), exists, or the revision of its last event
    #[arg(long, value_name = "any|none|exists|REVISION", value_parser = expected, requires = "stream")]
    expected: Option<ExpectedRevision>,
    /// Only if no event has this tag; repeated: all of these
    #[arg(long, value_name = "TAG")]
    if_no_match_tag: Vec<Tag>,
    /// Only if no event has this type; repeated: any of these
    #[arg(long, value_name = "TYPE")]
    if_no_match_type: Vec<EventType>,
    /// Only if no event lies in this stream
    #[arg(long, value_name = "STREAM")]
    if_no_match_stream: Option<StreamId>,
    /// Look for such an event only above this position: the head of what you decided on
    #[arg(long, value_name = "POSITION", requires = "boundary")]
    after: Option<Position>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let events = match &arguments.event_type {
        Some(event_type) => vec![arguments.event(event_type)?],
        None => input::events(arguments.stream.as_ref())?,
    };
    let ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
    let mut append = Append::new(events);
    append.conditions = arguments.conditions()?;
    let store = context.write()?;
    let appended = pollster::block_on(store.append(append)).map_err(|error| Failure::append(&error));
    // What became of the events is said first: they are durable whatever closing comes to.
    let closed = store.close();
    let appended = appended?;
    answer(context.json, || document(&appended, &ids), || text(&appended))?;
    closed
}

impl Arguments {
    fn event(&self, event_type: &EventType) -> Outcome<Event> {
        let is_json = self.content_type == ContentType::JSON;
        let data = match &self.payload {
            Some(argument) => input::argument("--payload", argument, is_json)?,
            None => b"{}".to_vec(),
        };
        let tags =
            Tags::new(self.tags.iter().cloned()).map_err(|error| Failure::store("use these tags", &error))?;
        let mut event =
            Event::new(event_type.clone(), data).tagged(tags).with_content_type(self.content_type.clone());
        event.stream.clone_from(&self.stream);
        if let Some(id) = self.id {
            event.id = id;
        }
        if let Some(argument) = &self.meta {
            event.metadata = input::argument("--meta", argument, true)?.into();
        }
        Ok(event)
    }

    fn conditions(&self) -> Outcome<Vec<AppendCondition>> {
        let mut conditions = Vec::new();
        if let (Some(stream), Some(expected)) = (&self.stream, self.expected) {
            conditions.push(AppendCondition::revision(stream.clone(), expected));
        }
        let stream = self.if_no_match_stream.clone().map(StreamFilter::Id);
        if !self.if_no_match_tag.is_empty() || !self.if_no_match_type.is_empty() || stream.is_some() {
            let invalid = |error| Failure::store("use this condition", &error);
            let tags = Tags::new(self.if_no_match_tag.iter().cloned()).map_err(invalid)?;
            let item = QueryItem { types: self.if_no_match_type.clone(), tags, stream };
            conditions.push(AppendCondition::none_match(Query::any_of([item]).map_err(invalid)?, self.after));
        }
        Ok(conditions)
    }
}

fn expected(text: &str) -> Result<ExpectedRevision, String> {
    match text {
        "any" => Ok(ExpectedRevision::Any),
        "none" => Ok(ExpectedRevision::NoStream),
        "exists" => Ok(ExpectedRevision::Exists),
        number => {
            let revision: Revision =
                number.parse().map_err(|_| "give `any`, `none`, `exists` or a revision from 0".to_owned())?;
            Ok(ExpectedRevision::At(revision))
        }
    }
}

fn document(appended: &Appended, ids: &[String]) -> serde_json::Value {
    let revisions = appended.revisions.iter();
    json!({
        "first": appended.first.get(),
        "last": appended.last.get(),
        "revisions": revisions.map(|at| json!({ "stream": at.stream.as_str(), "revision": at.revision.get() })).collect::<Vec<_>>(),
        "deduplicated": appended.deduplicated,
        "ids": ids,
    })
}

fn text(appended: &Appended) -> String {
    let mut text = if appended.first == appended.last {
        format!("position {}", appended.first)
    } else {
        format!("positions {} to {}", appended.first, appended.last)
    };
    for at in &appended.revisions {
        text.push_str(&format!(", {}@{}", crate::output::printable(at.stream.as_str()), at.revision));
    }
    if appended.deduplicated {
        text.push_str(" (already recorded)");
    }
    text
}

/// A wrong value on the command line that clap could not see.
fn usage(what: impl Into<String>) -> Failure {
    Failure::new(Kind::Usage, what)
}
