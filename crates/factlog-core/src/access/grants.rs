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
        Self(vec![Grant::of(&[Action::Admin], None), all(None), all(Some("$"))])
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

    /// The grant by which this event may be read or appended.
    pub fn deciding(&self, action: Action, event: &Event) -> Option<&Grant> {
        self.0.iter().find(|grant| match action {
            Action::Read => grant.reads(event),
            Action::Append => !is_the_servers(event) && grant.appends(event),
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{StreamFilter, Tags};

    const STREAMS: [Option<&str>; 7] = [
        None,
        Some("orders-1"),
        Some("orders"),
        Some("orders2-1"),
        Some("payments-1"),
        Some("$process-x"),
        Some("$server-audit"),
    ];
    const TAGS: [&str; 4] = ["tenant:a", "tenant:b", "order:1", "plain"];
    const TYPES: [&str; 3] = ["placed", "paid", "$server.key-created"];

    fn event(stream: Option<&str>, tags: &[&str], event_type: &str) -> Event {
        let event = Event::new(EventType::new(event_type).expect("a type"), "{}");
        let event = event.tagged(Tags::new(tags.iter().copied()).expect("tags"));
        match stream {
            Some(stream) => event.in_stream(StreamId::new(stream).expect("a stream")),
            None => event,
        }
    }

    /// Events as they are: the server's own have its types and no tags.
    fn events() -> impl Strategy<Value = Event> {
        let tags = proptest::sample::subsequence(&TAGS[..], 0..=TAGS.len());
        (proptest::sample::select(&STREAMS[..]), tags, 0..TYPES.len()).prop_map(|(stream, tags, n)| {
            match stream.is_some_and(|stream| stream.starts_with(SERVER_STREAMS)) {
                true => event(stream, &[], TYPES[2]),
                false => event(stream, &tags, TYPES[n % 2]),
            }
        })
    }

    fn grants() -> impl Strategy<Value = Grants> {
        let stream =
            ["", " stream:orders-", " stream:orders", " stream:$", " stream:$server-", " stream:pay"];
        let tag = ["", "", " tag:tenant:a", " tag:tenant:b"];
        let event_type = ["", "", " type:placed", " type:paid"];
        let one = (
            proptest::sample::select(&["read", "append", "read,append", "admin"][..]),
            proptest::sample::select(stream.to_vec()),
            proptest::sample::select(tag.to_vec()),
            proptest::sample::select(event_type.to_vec()),
        );
        proptest::collection::vec(one.prop_map(|(a, s, t, e)| format!("{a}{s}{t}{e}")), 0..4)
            .prop_map(|texts| Grants::parse(texts.iter().map(String::as_str)).expect("grants"))
    }

    fn queries() -> impl Strategy<Value = Query> {
        let streams = [
            None,
            Some(StreamFilter::Id(StreamId::new("orders-1").expect("a stream"))),
            Some(StreamFilter::Id(StreamId::new("$server-audit").expect("a stream"))),
            Some(StreamFilter::Category("orders".parse().expect("a category"))),
            Some(StreamFilter::Category("$server".parse().expect("a category"))),
            Some(StreamFilter::Category("$process".parse().expect("a category"))),
        ];
        let item = (
            proptest::sample::select(streams.to_vec()),
            proptest::sample::subsequence(&TAGS[..], 0..2),
            proptest::sample::subsequence(&TYPES[..], 0..3),
        )
            .prop_map(|(stream, tags, types)| QueryItem {
                stream,
                tags: Tags::new(tags).expect("tags"),
                types: types.into_iter().map(|text| text.parse().expect("a type")).collect(),
            });
        prop_oneof![
            Just(Query::All),
            proptest::collection::vec(item, 1..4).prop_map(|items| Query::any_of(items).expect("a query")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        /// Would fail if a query that is passed on unfiltered could bring an event that may not be read.
        #[test]
        fn what_is_covered_may_be_read(grants in grants(), query in queries(), event in events()) {
            if query.matches(&event) {
                prop_assert!(!grants.covers(&query) || grants.may_read(&event), "{grants}: {query:?}");
                let servers = is_the_servers(&event);
                prop_assert!(!grants.covers_condition(&query) || servers || grants.may_read(&event));
            }
        }

        /// Would fail if narrowing lost an event that may be read.
        #[test]
        fn a_narrower_query_loses_nothing(grants in grants(), query in queries(), event in events()) {
            if query.matches(&event) && grants.may_read(&event) {
                prop_assert!(grants.narrow(&query).matches(&event), "{grants}: {query:?}");
            }
        }

        /// Would fail if one more grant took something away, or one less gave something.
        #[test]
        fn grants_only_add(grants in grants(), more in grants(), event in events()) {
            let both = Grants([grants.0.clone(), more.0.clone()].concat());
            prop_assert_eq!(both.may_read(&event), grants.may_read(&event) || more.may_read(&event));
            prop_assert_eq!(both.may_append(&event), grants.may_append(&event) || more.may_append(&event));
        }

        /// Would fail if the text of a grant, which is what is stored, meant another.
        #[test]
        fn grants_survive_as_text(grants in grants()) {
            let texts: Vec<String> = grants.iter().map(ToString::to_string).collect();
            prop_assert_eq!(Grants::parse(texts.iter().map(String::as_str)).expect("grants"), grants);
        }
    }

    #[test]
    fn a_grant_speaks_of_what_it_names() {
        let may = |text, stream, tags: &[&str]| {
            let (grants, event) = (Grants::parse([text]).expect(text), event(stream, tags, "placed"));
            (grants.may_read(&event), grants.may_append(&event))
        };
        assert_eq!(may("read,append", None, &[]), (true, true));
        assert_eq!(may("read,append stream:orders-", None, &[]), (false, false));
        assert_eq!(may("read,append stream:orders-", Some("orders-1"), &[]), (true, true));
        assert_eq!(may("read,append stream:orders-", Some("orders2-1"), &[]), (false, false));
        assert_eq!(may("read,append tag:tenant:a", None, &["order:1", "tenant:a"]), (true, true));
        assert_eq!(may("read,append tag:tenant:a", None, &["tenant:b"]), (false, false));
        // Otherwise one tenant could put events among another's.
        assert_eq!(may("read,append tag:tenant:a", None, &["tenant:a", "tenant:b"]), (true, false));
        assert_eq!(may("read,append", Some("$process-x"), &[]), (true, false));
        assert_eq!(may("read,append stream:$", Some("$process-x"), &[]), (true, true));
        assert_eq!(may("read,append", Some("$server-audit"), &[]), (false, false));
        assert_eq!(may("read,append stream:$server-", Some("$server-audit"), &[]), (true, false));
        assert_eq!(may("admin", Some("orders-1"), &[]), (false, false));
        assert!(!Grants::everything().may_append(&event(Some("$server-access"), &[], "placed")));
        assert!(Grants::everything().covers(&Query::All));
    }

    #[test]
    fn what_is_no_grant_is_told_why() {
        for (text, why) in [
            ("", "names no action"),
            ("write", "\"write\" is no action"),
            ("read streams:a", "none of stream:PREFIX"),
            ("read stream:", "names no prefix"),
            ("read stream:a stream:b", "twice"),
            ("read tag:", "tag is empty"),
            ("read orders-1", "none of stream:PREFIX"),
        ] {
            let told = text.parse::<Grant>().expect_err(text).to_string();
            assert!(told.contains(why), "{told}");
        }
    }
}
