//! What grants allow, against the plain meaning of their words.

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
    (proptest::sample::select(&STREAMS[..]), tags, 0..TYPES.len()).prop_map(|(stream, tags, n)| match stream
        .is_some_and(|stream| stream.starts_with(SERVER_STREAMS))
    {
        true => event(stream, &[], TYPES[2]),
        false => event(stream, &tags, TYPES[n % 2]),
    })
}

fn grants() -> impl Strategy<Value = Grants> {
    let stream = ["", " stream:orders-", " stream:orders", " stream:$", " stream:$server-", " stream:pay"];
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

/// Would fail if a grant for one call let its owner make another, or a grant for events make any.
#[test]
fn calls_are_granted_by_name_and_by_nothing_else() {
    let may = |texts: &[&str], name| Grants::parse(texts.iter().copied()).expect("grants").may_call(name);
    for nobody in [&[][..], &["read,append"], &["admin"], &["read,append stream:$"]] {
        assert!(!may(nobody, "bank/withdraw"), "{nobody:?}");
    }
    assert!(may(&["call"], "bank/withdraw") && may(&["read,call"], "shop/order"));
    assert!(may(&["call app:bank"], "bank/withdraw"));
    assert!(!may(&["call app:bank"], "bank2/withdraw") && !may(&["call app:bank"], "shop/bank"));
    assert!(may(&["call app:bank/open"], "bank/open"));
    assert!(!may(&["call app:bank/open"], "bank/open-all") && !may(&["call app:bank/open"], "bank/close"));
    assert!(Grants::everything().may_call("bank/withdraw"));
    let events = event(Some("bank"), &[], "placed");
    let calls = Grants::parse(["call"]).expect("grants");
    assert!(!calls.may_read(&events) && !calls.may_append(&events) && !calls.may_administer());
    assert!(!calls.covers(&Query::All) && !calls.reads_everything());
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
        ("call app:", "neither app:SERVICE"),
        ("call app:bank/", "neither app:SERVICE"),
        ("call app:a/b/c", "neither app:SERVICE"),
        ("call app:Bank", "neither app:SERVICE"),
        ("read,call app:bank", "a grant of their own"),
        ("call stream:bank", "no stream, tag or type"),
        ("call app:a app:b", "twice"),
    ] {
        let told = text.parse::<Grant>().expect_err(text).to_string();
        assert!(told.contains(why), "{told}");
    }
}
