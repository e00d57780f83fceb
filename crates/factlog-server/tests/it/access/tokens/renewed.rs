//! A client whose token ends while it works, and who finds the next one in the same file.

use std::time::Duration;

use factlog_core::{Delivery, EventStore as _, EventStoreExt as _, Query, StartFrom};

use super::provider::Pair;
use super::{Login, NOW, later, second};
use crate::access::event;

/// Would fail if a program had to be started anew for each token, or lost an event on the way from one to the next.
#[tokio::test]
async fn a_client_goes_on_with_the_next_token_in_its_file() {
    let pair = Pair::ed("d");
    let login = Login::start(&[&pair]).await;
    login.grant("jwt:ada", &["read,append"]).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    let put = |ends: i64| {
        let mut claims = login.claims("ada");
        claims["exp"] = ends.into();
        let next = directory.path().join("next");
        std::fs::write(&next, pair.token(&claims)).expect("write");
        std::fs::rename(&next, &file).expect("rename");
    };
    put(NOW + 600);
    let ada = login.served.client(&format!("?key-file={}&deadline=60s", file.display()));
    let mut following = ada.subscribe(Query::All, StartFrom::End);
    while !matches!(following.next().await, Some(Ok(Delivery::CaughtUp(_)))) {}
    let mut expected = Vec::new();
    for round in 1..=3 {
        let appended = ada.append_one(event(Some("a-1"), &[], "placed")).await.expect("it is good");
        expected.push(appended.last);
        put(NOW + 600 + round * 600);
        later(Duration::from_secs(2)).await;
        login.clock.set(second(NOW + round * 600 + 60));
        later(Duration::from_secs(61)).await;
    }
    let appended = ada.append_one(event(Some("a-1"), &[], "placed")).await.expect("it is good");
    expected.push(appended.last);
    for position in expected {
        let delivered = following.next_event().await.expect("it is open").expect("it goes on");
        assert_eq!(delivered.position, position);
    }
    assert!(0 < ada.resumed(), "no stream ended");
    login.served.stop().await;
}
