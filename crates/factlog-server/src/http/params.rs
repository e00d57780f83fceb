//! Query parameters: every one is known and well, or the request is refused with its name.

use std::fmt::Display;
use std::str::FromStr;

use factlog_core::{Category, EventType, Position, Query, QueryItem, StreamFilter, StreamId, Tags};
use percent_encoding::percent_decode_str;

use super::problem::Problem;

/// Names that may stand more than once.
const REPEATABLE: [&str; 2] = ["type", "tag"];
/// Events or streams of a page, where the caller says nothing.
pub(crate) const LIMIT: u64 = 100;
/// The most a caller may ask for.
pub(crate) const LIMIT_MAX: u64 = 1_000;

/// The parameters of one request, decoded.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `a=1&b=2`.
    ///
    /// # Errors
    /// A name that is not among `known`, one that is there twice, a value that is no UTF-8.
    pub(crate) fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut params = Self(Vec::new());
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let what = format!("there is no parameter `{name}` here; known: {known}");
                return Err(Problem::invalid(what).with("parameter", name));
            }
            if !REPEATABLE.contains(&name.as_str()) && params.one(&name).is_some() {
                let what = format!("the parameter `{name}` is there twice; give it once");
                return Err(Problem::invalid(what).with("parameter", name));
            }
            params.0.push((name, decode(value)?));
        }
        Ok(params)
    }

    /// The value of this name.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Names and values, in the order in which they came.
    #[cfg(feature = "fuzzing")]
    pub(super) fn pairs(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of this name as what it stands for.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.one(name).map(|text| text.parse().map_err(|error| wrong(name, error))).transpose()
    }

    /// An exclusive lower bound, where 0 is the beginning.
    pub(crate) fn after(&self) -> Result<Option<Position>, Problem> {
        match self.one("after") {
            Some("0") => Ok(None),
            _ => self.parsed("after"),
        }
    }

    /// How many at most.
    pub(crate) fn limit(&self) -> Result<u64, Problem> {
        let limit = self.parsed("limit")?.unwrap_or(LIMIT);
        if (1..=LIMIT_MAX).contains(&limit) {
            return Ok(limit);
        }
        Err(wrong("limit", format!("{limit} is out of bounds; give 1 to {LIMIT_MAX}")))
    }

    /// A switch: absent, `name`, `name=true` or `name=false`.
    pub(crate) fn switch(&self, name: &str) -> Result<bool, Problem> {
        match self.one(name) {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(other) => Err(wrong(name, format!("{other:?} is neither true nor false"))),
        }
    }

    /// What `type`, `tag`, `category` and `stream` ask for: one of the types, all of the tags.
    pub(crate) fn query(&self, stream: Option<StreamId>) -> Result<Query, Problem> {
        let named = self.one("stream").map(StreamId::new).transpose();
        let named = stream.or(named.map_err(|error| wrong("stream", error))?);
        let category = self.one("category").map(Category::new).transpose();
        let category = category.map_err(|error| wrong("category", error))?;
        let stream = match (named, category) {
            (Some(_), Some(_)) => {
                return Err(wrong("category", "it cannot stand beside a stream; give one of the two"));
            }
            (Some(stream), None) => Some(StreamFilter::Id(stream)),
            (None, category) => category.map(StreamFilter::Category),
        };
        let types: Result<Vec<_>, _> = self.all("type").map(EventType::new).collect();
        let types = types.map_err(|error| wrong("type", error))?;
        let tags = Tags::new(self.all("tag")).map_err(|error| wrong("tag", error))?;
        if stream.is_none() && types.is_empty() && tags.is_empty() {
            return Ok(Query::All);
        }
        Ok(Query::any_of([QueryItem { types, tags, stream }])?)
    }
}

pub(super) fn wrong(name: &str, why: impl Display) -> Problem {
    Problem::invalid(format!("parameter `{name}`: {why}")).with("parameter", name)
}

fn decode(text: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(error) => Err(Problem::invalid(format!("the query string {text:?} is no UTF-8: {error}"))),
    }
}
