//! `factlog serve`: a store behind a socket, as other programs meet it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};

use factlog_client::RemoteStore;
use factlog_core::{Append, Delivery, ErrorKind, Event, EventStore as _, EventType, Query, StartFrom};
use serde_json::Value;

use crate::harness::{Home, piped};

/// The server, and where it is.
fn serve(home: &Home) -> (Child, String) {
    serve_with(home, &["--insecure"], |_| {})
}

/// The same with more arguments, and with what its surroundings are changed to.
pub(crate) fn serve_with(home: &Home, more: &[&str], change: impl FnOnce(&mut Command)) -> (Child, String) {
    let mut command = home.command(&[&["serve", "--listen", "127.0.0.1:0", "--json"], more].concat());
    change(&mut command);
    started(piped(&mut command))
}

/// A server that was started, and where it is.
pub(crate) fn started(mut server: Child) -> (Child, String) {
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    let url =
        serde_json::from_str::<Value>(&line).expect("a document")["url"].as_str().expect("a url").to_owned();
    (server, url)
}

pub(crate) fn signal(server: &Child, name: &str) {
    let kill = Command::new("kill").args([name, &server.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
}

/// Would fail if a server did not serve, or if an operator's stop lost an answer or left the store as if it had crashed.
#[test]
fn a_served_store_is_used_from_another_program_and_stops_in_order() {
    let home = Home::with_accounts();
    for stop in ["-INT", "-TERM"] {
        let (mut server, url) = serve(&home);
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
            signal(&server, stop);
            let ended = loop {
                match following.next().await.expect("a reason") {
                    Ok(Delivery::CaughtUp(_)) => {}
                    Ok(Delivery::Event(event)) => panic!("nothing more is appended: {event:?}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(ended.kind(), ErrorKind::Unavailable);
        });
        assert_eq!(server.wait().expect("it ends").code(), Some(0), "{stop}");
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
