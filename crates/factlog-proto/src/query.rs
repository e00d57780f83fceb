//! Queries, to the wire and back.
//!
//! An empty list of alternatives passes here: to refuse it, as every store does, is the store's business.

use factlog_core::{
    Category, Error, EventType, Query, QueryItem, Result, StreamFilter, StreamId, Tags, limits,
};

use crate::event::required;
use crate::v1;
use crate::v1::query::Query as Wire;
use crate::v1::query_item::Within;

impl From<Query> for v1::Query {
    fn from(query: Query) -> Self {
        let query = match query {
            Query::All => Wire::All(()),
            Query::AnyOf(items) => {
                Wire::AnyOf(v1::QueryItems { items: items.into_iter().map(Into::into).collect() })
            }
        };
        Self { query: Some(query) }
    }
}

impl TryFrom<v1::Query> for Query {
    type Error = Error;

    fn try_from(query: v1::Query) -> Result<Self> {
        match required("the kind of a query (`all` or `any_of`)", query.query)? {
            Wire::All(()) => Ok(Self::All),
            Wire::AnyOf(v1::QueryItems { items }) => {
                check_count("items in a query", items.len(), limits::QUERY_ITEMS_MAX)?;
                Ok(Self::AnyOf(items.into_iter().map(TryInto::try_into).collect::<Result<_>>()?))
            }
        }
    }
}

impl From<QueryItem> for v1::QueryItem {
    fn from(item: QueryItem) -> Self {
        Self {
            types: item.types.iter().map(|name| name.as_str().to_owned()).collect(),
            tags: item.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
            within: item.stream.map(|filter| match filter {
                StreamFilter::Id(stream) => Within::Stream(stream.as_str().to_owned()),
                StreamFilter::Category(category) => Within::Category(category.as_str().to_owned()),
            }),
        }
    }
}

impl TryFrom<v1::QueryItem> for QueryItem {
    type Error = Error;

    fn try_from(item: v1::QueryItem) -> Result<Self> {
        check_count("types in a query item", item.types.len(), limits::QUERY_TYPES_MAX)?;
        let within = |within| {
            Ok::<_, Error>(match within {
                Within::Stream(stream) => StreamFilter::Id(StreamId::new(stream)?),
                Within::Category(category) => StreamFilter::Category(Category::new(category)?),
            })
        };
        Ok(Self {
            types: item.types.into_iter().map(EventType::new).collect::<Result<_>>()?,
            tags: Tags::new(item.tags)?,
            stream: item.within.map(within).transpose()?,
        })
    }
}

/// Refuses what is too much before anything is made of it.
pub(crate) fn check_count(what: &str, count: usize, max: usize) -> Result<()> {
    if count <= max {
        return Ok(());
    }
    Err(Error::invalid(format!("{count} {what}; at most {max} are allowed")))
}
