//! Under which conditions an append may happen: from the body, and from `If-Match` and `If-None-Match`.

use axum::http::{HeaderMap, header};
use factlog_core::{
    AppendCondition, Category, Error, EventType, ExpectedRevision, Position, Query, QueryItem, Revision,
    StreamFilter, StreamId, Tags, Tracking, TrackingSource, limits,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::body::List;
use super::json::{AtMost, malformed};
use super::problem::Problem;
use super::spec::{bodies, names};

/// Events with the conditions under which they are appended.
// `{"events":[...],"conditions":[...],"tracking":{...}}`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConditionalAppend)]
pub(crate) struct Wrapper<'a> {
    #[serde(borrow)]
    #[schema(value_type = bodies::Events)]
    pub(crate) events: List<'a>,
    /// All of them have to hold
    #[serde(borrow, default)]
    #[schema(value_type = Vec<OneCondition>, max_items = 1000)]
    conditions: AtMost<&'a RawValue, { limits::CONDITIONS_MAX }>,
    tracking: Option<Consumed>,
}

/// What has to hold for an append.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only described; the handler reads a `Condition`")]
pub(crate) enum OneCondition {
    /// The stream is there
    #[serde(deny_unknown_fields)]
    Revision {
        #[schema(value_type = names::StreamId)]
        stream: String,
        expected: Expected,
    },
    /// No event above the position matches one of the items
    #[serde(deny_unknown_fields)]
    NoneMatch {
        #[schema(value_type = Vec<Item>, max_items = 1000)]
        none_match: Vec<Item>,
        #[schema(value_type = names::After, required = false)]
        after: u64,
    },
}

/// A revision, or `no_stream`, `exists`, `any`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only described")]
pub(crate) enum Expected {
    #[schema(value_type = names::Revision)]
    At(u64),
    Word(ExpectedWord),
}

#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it is only described")]
pub(crate) enum ExpectedWord {
    NoStream,
    Exists,
    Any,
}

/// `{"stream":"account-1","expected":7}`, or `{"none_match":[{"tags":["seat:1"]}],"after":12}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    stream: Option<String>,
    expected: Option<Value>,
    none_match: Option<AtMost<Item, { limits::QUERY_ITEMS_MAX }>>,
    after: Option<u64>,
}

/// Any of the types (or any type), all of the tags, in the stream or category.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueryItem)]
pub(crate) struct Item {
    #[serde(default)]
    #[schema(value_type = Vec<names::EventType>, max_items = 1000)]
    types: AtMost<String, { limits::QUERY_TYPES_MAX }>,
    #[serde(default)]
    #[schema(value_type = Vec<names::Tag>, max_items = 64)]
    tags: AtMost<String, { limits::TAGS_MAX }>,
    #[schema(value_type = Option<names::StreamId>)]
    stream: Option<String>,
    #[schema(value_type = Option<names::Category>)]
    category: Option<String>,
}

/// How far a consumer of another log has come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Tracking)]
pub(crate) struct Consumed {
    #[schema(value_type = names::TrackingSource)]
    source: String,
    #[schema(value_type = names::Position)]
    position: u64,
}

impl Wrapper<'_> {
    /// The conditions and the tracking.
    pub(crate) fn conditions(self) -> Result<(Vec<AppendCondition>, Option<Tracking>), Problem> {
        // One after the other, so that what all of them name is counted before there is memory for it.
        let mut terms = 0;
        let mut one = |(index, raw): (usize, &RawValue)| {
            let condition = serde_json::from_str::<Condition>(raw.get()).map_err(|error| malformed(&error));
            let condition = condition.and_then(|condition| Ok(condition.meaning()?));
            let condition = condition.map_err(|problem| problem.about(&format!("condition {index}")))?;
            terms += condition.terms();
            if limits::CONDITION_TERMS_MAX < terms {
                let most = limits::CONDITION_TERMS_MAX;
                let what = format!("more than {most} items, types and tags in the conditions of one append");
                return Err(Problem::invalid(what));
            }
            Ok(condition)
        };
        let conditions = self.conditions.0.into_iter().enumerate().map(&mut one).collect::<Result<_, _>>()?;
        let tracking = self.tracking.map(|consumed| {
            let position = Position::new(consumed.position)
                .ok_or_else(|| Error::invalid("the position of `tracking` is 0; the first is 1"))?;
            Ok::<_, Error>(Tracking { source: TrackingSource::new(consumed.source)?, position })
        });
        Ok((conditions, tracking.transpose()?))
    }
}

impl Condition {
    fn meaning(self) -> Result<AppendCondition, Error> {
        match self {
            Self { stream: Some(stream), expected: Some(expected), none_match: None, after: None } => {
                let expected = match (expected.as_u64(), expected.as_str()) {
                    (Some(revision), _) => ExpectedRevision::At(Revision::new(revision)),
                    (None, Some("any")) => ExpectedRevision::Any,
                    (None, Some("exists")) => ExpectedRevision::Exists,
                    (None, Some("no_stream")) => ExpectedRevision::NoStream,
                    (None, _) => {
                        return Err(Error::invalid(
                            "`expected` is a revision, \"no_stream\", \"exists\" or \"any\"",
                        ));
                    }
                };
                Ok(AppendCondition::revision(StreamId::new(stream)?, expected))
            }
            Self { stream: None, expected: None, none_match: Some(items), after } => {
                let items: Vec<_> = items.0.into_iter().map(Item::meaning).collect::<Result<_, _>>()?;
                Ok(AppendCondition::none_match(Query::any_of(items)?, after.and_then(Position::new)))
            }
            _ => Err(Error::invalid("give `stream` and `expected`, or `none_match` and perhaps `after`")),
        }
    }
}

impl Item {
    fn meaning(self) -> Result<QueryItem, Error> {
        let stream = match (self.stream, self.category) {
            (None, None) => None,
            (Some(stream), None) => Some(StreamFilter::Id(StreamId::new(stream)?)),
            (None, Some(category)) => Some(StreamFilter::Category(Category::new(category)?)),
            (Some(_), Some(_)) => {
                return Err(Error::invalid("`stream` and `category` in one item; give one"));
            }
        };
        let types = self.types.0.into_iter().map(EventType::new).collect::<Result<_, _>>()?;
        Ok(QueryItem { types, tags: Tags::new(self.tags.0)?, stream })
    }
}

/// What `If-Match` and `If-None-Match` expect of the stream.
pub(crate) fn expected(headers: &HeaderMap) -> Result<Option<ExpectedRevision>, Problem> {
    let one = |name: header::HeaderName| {
        let mut values = headers.get_all(&name).iter();
        let value = values.next().map(|value| value.to_str().unwrap_or("?").trim().to_owned());
        if values.next().is_some() {
            return Err(
                Problem::invalid(format!("header {name} is there twice")).with("header", name.as_str())
            );
        }
        Ok(value)
    };
    match (one(header::IF_MATCH)?, one(header::IF_NONE_MATCH)?) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Problem::invalid("If-Match and If-None-Match together; give one")),
        (None, Some(none)) if none == "*" => Ok(Some(ExpectedRevision::NoStream)),
        (None, Some(_)) => {
            Err(Problem::invalid("If-None-Match: only `*` is known, for a stream without events")
                .with("header", "if-none-match"))
        }
        (Some(any), None) if any == "*" => Ok(Some(ExpectedRevision::Exists)),
        (Some(tag), None) => {
            let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let digits = number.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let revision = digits.and_then(|text| text.parse().ok());
            revision.map(|number| Some(ExpectedRevision::At(Revision::new(number)))).ok_or_else(|| {
                Problem::invalid("If-Match: give the ETag of the stream, its last revision in quotes, or `*`")
                    .with("header", "if-match")
            })
        }
    }
}
