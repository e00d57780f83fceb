//! `factlog serve`: a store behind a socket, as other programs meet it.

use factlog_client::RemoteStore;
use factlog_core::{Append, Delivery, ErrorKind, Event, EventStore as _, EventType, Query, StartFrom};

use crate::harness::Home;
use crate::server::Server;

/// Would fail if a server did not serve, or if an operator's stop lost an answer or left the store as if it had crashed.
#[test]
fn a_served_store_is_used_from_another_program_and_stops_in_order() {
    let home = Home::with_accounts();
    for stop in ["-INT", "-TERM"] {
        let mut server = Server::start(&home, &[]);
        let url = server.url().to_owned();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let store = RemoteStore::open(&format!("{url}?deadline=20s&resume=100ms")).expect("a url");
            let head = store.head().await.expect("a head").position.expect("three events");
            let mut following = store.subscribe(Query::All, StartFrom::End);
            let event = Event::new(EventType::new("account.audited").expect("a type"), "{}");
            let appended = store.append(Append::new([event])).await.expect("append");
            assert_eq!(appended.first, head.next());
            let seen = following.next_event().await.expect("open").expect("well");
            assert_eq!(seen.position, appended.first);
            server.signal(stop);
            let ended = loop {
                match following.next().await.expect("a reason") {
                    Ok(Delivery::CaughtUp(_)) => {}
                    Ok(Delivery::Event(event)) => panic!("nothing more is appended: {event:?}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(ended.kind(), ErrorKind::Unavailable);
        });
        assert_eq!(server.ended(), Some(0), "{stop}");
    }
    assert_eq!(home.json(&["head"])["position"], 5);
}

/// Would fail if a store without authentication were served to other machines, or one were made for a server that
/// cannot run.
#[test]
fn an_address_that_others_can_reach_is_refused_before_a_store_is_made() {
    let home = Home::new();
    let ran = home.run(&["serve", "--listen", "0.0.0.0:0", "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.error()["code"], "F0009");
    assert!(!home.store().exists());
}
