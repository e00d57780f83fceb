//! All grants of a principal, and what they decide. Pure: no store, no clock.

use std::fmt;

use super::{Action, Grant, SERVER_STREAMS};
use crate::{Event, EventType, Query, QueryItem, Result, StreamId, limits};

/// What a principal may do: the union of its grants. Without one it may do nothing.
///
/// ```
/// use factlog_core::access::Grants;
/// use factlog_core::{Event, EventType, StreamId};
///
/// let grants = Grants::parse(["read,append stream:orders-"])?;
/// let placed = Event::new(EventType::new("order.placed")?, "{}");
/// assert!(grants.may_append(&placed.clone().in_stream(StreamId::new("orders-7")?)));
/// assert!(!grants.may_append(&placed.in_stream(StreamId::new("payments-7")?)));
/// # Ok::<(), factlog_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(pub(super) Vec<Grant>);

impl Grants {
    /// From the texts of the grants.
    ///
    /// # Errors
    /// `Invalid` for the first that is no grant.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        texts.into_iter().map(str::parse).collect::<Result<_>>().map(Self)
    }

    /// What the first key of a store may do: everything that can be granted.
    pub fn everything() -> Self {
        let all = |stream_prefix| Grant::of(&[Action::Read, Action::Append], stream_prefix);
        Self(vec![Grant::of(&[Action::Call, Action::Admin], None), all(None), all(Some("$"))])
    }

    /// The grants, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// Whether this event may be read.
    pub fn may_read(&self, event: &Event) -> bool {
        self.0.iter().any(|grant| grant.reads(event))
    }

    /// Whether this event may be appended. Nobody appends to the server's own streams.
    pub fn may_append(&self, event: &Event) -> bool {
        !is_the_servers(event) && self.0.iter().any(|grant| grant.appends(event))
    }

    /// Whether keys and grants may be looked at and changed.
    pub fn may_administer(&self) -> bool {
        self.0.iter().any(|grant| grant.has(Action::Admin))
    }

    /// Whether what a program offers under this name, `service/name`, may be called.
    pub fn may_call(&self, name: &str) -> bool {
        self.0.iter().any(|grant| grant.calls(name))
    }

    /// The grant by which this event may be read or appended. What is called stands where the stream does.
    pub fn deciding(&self, action: Action, event: &Event) -> Option<&Grant> {
        self.0.iter().find(|grant| match action {
            Action::Read => grant.reads(event),
            Action::Append => !is_the_servers(event) && grant.appends(event),
            Action::Call => grant.calls(event.stream.as_ref().map_or("", |name| name.as_str())),
            Action::Admin => grant.has(Action::Admin),
        })
    }

    /// Whether all that the query could match may be read.
    pub fn covers(&self, query: &Query) -> bool {
        self.covers_items(query, true)
    }

    /// Whether a condition may be about what this query matches: its outcome tells whether such events exist. That the server
    /// has events of its own is no secret.
    pub fn covers_condition(&self, query: &Query) -> bool {
        self.covers_items(query, false)
    }

    fn covers_items(&self, query: &Query, with_server: bool) -> bool {
        let mut reading = self.0.iter().filter(|grant| grant.has(Action::Read));
        if reading.clone().any(Grant::is_general) && reading.any(Grant::is_of_the_system) {
            return true;
        }
        let covered = |item: &QueryItem| {
            self.0.iter().any(|grant| grant.has(Action::Read) && grant.covers(item, with_server))
        };
        match query {
            Query::All => covered(&QueryItem::default()),
            Query::AnyOf(items) => items.iter().all(covered),
        }
    }

    /// Whether this action is allowed on all of a stream, or on a tracking source of this name.
    pub fn covers_stream(&self, action: Action, stream: &str) -> bool {
        let reserved = action == Action::Append && stream.starts_with(SERVER_STREAMS);
        !reserved && self.0.iter().any(|grant| grant.has(action) && grant.covers_stream(stream))
    }

    /// Whether every event of this type may be read, the server's own apart.
    pub fn reads_type(&self, event_type: &EventType) -> bool {
        self.0.iter().any(|grant| grant.has(Action::Read) && grant.covers_type(event_type))
    }

    /// Whether every event may be read, the server's own apart.
    pub fn reads_everything(&self) -> bool {
        self.0.iter().any(|grant| grant.has(Action::Read) && grant.is_general())
    }

    /// Whether a stream's last revision may be asked for in a condition: it may be read, or written.
    pub fn may_expect(&self, stream: &StreamId) -> bool {
        [Action::Read, Action::Append].into_iter().any(|action| self.covers_stream(action, stream.as_str()))
    }

    /// A query that matches whatever this one matches and may be read, and as little else as can be said.
    pub fn narrow(&self, query: &Query) -> Query {
        let everything = [QueryItem::default()];
        let items = match query {
            Query::All => &everything[..],
            Query::AnyOf(items) => items,
        };
        let reading = self.0.iter().filter(|grant| grant.has(Action::Read));
        let narrowed: Vec<_> =
            reading.flat_map(|grant| items.iter().filter_map(|item| grant.narrow(item))).collect();
        let too_many = narrowed.is_empty() || limits::QUERY_ITEMS_MAX < narrowed.len();
        if too_many || narrowed.contains(&QueryItem::default()) {
            return query.clone();
        }
        Query::AnyOf(narrowed)
    }
}

fn is_the_servers(event: &Event) -> bool {
    event.stream.as_ref().is_some_and(|stream| stream.as_str().starts_with(SERVER_STREAMS))
}

/// The grants, with `; ` between.
impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        self.0.iter().enumerate().try_for_each(|(n, grant)| match n {
            0 => write!(f, "{grant}"),
            _ => write!(f, "; {grant}"),
        })
    }
}

#[cfg(test)]
mod tests;
