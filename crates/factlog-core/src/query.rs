//! Queries: which events a read, a subscription or a condition is about.
//!
//! [`Query::matches`] is the meaning of a query; every store's index is tested against it.

use crate::limits;
use crate::{Category, Error, Event, EventType, Result, StreamId, Tags};

/// Which events: all, or those that match at least one item.
///
/// ```
/// use factlog_core::{Event, EventType, Query, QueryItem, Tags};
///
/// let course = Query::any_of([QueryItem::tagged(Tags::new(["course:c1"])?)])?;
/// let event = Event::new(EventType::new("student.enrolled")?, "{}").tagged(Tags::new(["course:c1", "student:s9"])?);
/// assert!(course.matches(&event));
/// # Ok::<(), factlog_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// Every event.
    All,
    /// Events that match at least one of these. An empty list is refused by every store.
    AnyOf(Vec<QueryItem>),
}

/// One alternative of a query: all that it names must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct QueryItem {
    /// The event's type is one of these; empty for any type.
    pub types: Vec<EventType>,
    /// The event has all of these tags.
    pub tags: Tags,
    /// The event lies in the stream or category named; `None` for any, including none.
    pub stream: Option<StreamFilter>,
}

/// A stream, or all streams of a category.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StreamFilter {
    /// Exactly this stream.
    Id(StreamId),
    /// Every stream of this category.
    Category(Category),
}

impl Query {
    /// Events that match at least one of `items`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when there is no item, or a bound of [`limits`] is passed.
    pub fn any_of(items: impl IntoIterator<Item = QueryItem>) -> Result<Self> {
        let query = Self::AnyOf(items.into_iter().collect());
        query.validate()?;
        Ok(query)
    }

    /// The events of one stream.
    pub fn stream(stream: StreamId) -> Self {
        Self::AnyOf(vec![QueryItem { stream: Some(StreamFilter::Id(stream)), ..QueryItem::default() }])
    }

    /// The events of every stream of a category.
    pub fn category(category: Category) -> Self {
        Self::AnyOf(vec![QueryItem {
            stream: Some(StreamFilter::Category(category)),
            ..QueryItem::default()
        }])
    }

    /// Whether the query asks for this event: the meaning of a query, and the oracle of every store's tests.
    pub fn matches(&self, event: &Event) -> bool {
        match self {
            Self::All => true,
            Self::AnyOf(items) => items.iter().any(|item| item.matches(event)),
        }
    }

    /// Checks the bounds; stores call it on every query they are given.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid), with the bound that was passed.
    pub fn validate(&self) -> Result<()> {
        let Self::AnyOf(items) = self else { return Ok(()) };
        if items.is_empty() {
            return Err(Error::invalid(
                "a query without items matches nothing; name one, or ask for all events",
            ));
        }
        check_count("items in a query", items.len(), limits::QUERY_ITEMS_MAX)?;
        items.iter().try_for_each(|item| {
            check_count("types in a query item", item.types.len(), limits::QUERY_TYPES_MAX)
        })
    }
}

impl QueryItem {
    /// Events that have all of these tags.
    pub fn tagged(tags: Tags) -> Self {
        Self { tags, ..Self::default() }
    }

    /// Events of one of these types.
    pub fn of_types(types: impl IntoIterator<Item = EventType>) -> Self {
        Self { types: types.into_iter().collect(), ..Self::default() }
    }

    /// Whether this item asks for the event.
    pub fn matches(&self, event: &Event) -> bool {
        (self.types.is_empty() || self.types.contains(&event.event_type))
            && event.tags.contains_all(&self.tags)
            && self.stream.as_ref().is_none_or(|filter| filter.matches(event.stream.as_ref()))
    }
}

impl StreamFilter {
    fn matches(&self, stream: Option<&StreamId>) -> bool {
        match (self, stream) {
            (_, None) => false,
            (Self::Id(wanted), Some(stream)) => wanted == stream,
            (Self::Category(wanted), Some(stream)) => wanted.as_str() == stream.category(),
        }
    }
}

pub(crate) fn check_count(what: &str, count: usize, max: usize) -> Result<()> {
    if count > max {
        return Err(Error::invalid(format!("{count} {what}; at most {max} are allowed")));
    }
    Ok(())
}
