//! Every call of gRPC and every route of HTTP, each with a request that asks for something: by somebody unknown, without a grant, with
//! every grant but the right one, and with the right one.
//!
//! * The calls are those of the descriptors, the routes those of the OpenAPI document. One without a row in `calls` or `routes` fails.
//! * What the right grant brings shows that the others were refused because of theirs, and not because of the request.
//! * Whoever was refused has changed nothing.

mod calls;
mod house;
mod raw;
mod routes;

use std::collections::BTreeSet;

use tonic::Code;

use self::house::{CANARY, House, STREAM};
use self::raw::call;
use crate::web::send;

/// A row for each that is described, and for nothing else.
fn complete(described: Vec<String>, rows: impl Iterator<Item = &'static str>) {
    let (described, rows): (BTreeSet<_>, BTreeSet<_>) =
        (described.into_iter().collect(), rows.map(str::to_owned).collect());
    assert_eq!(described, rows, "each has a row in the table, which says what it tells to whom");
}

fn enough(row: &calls::Row) -> fn(&[u8]) -> bool {
    if row.call.ends_with("/Subscribe") { calls::caught_up } else { |_| false }
}

/// Would fail if a call, also one that is added later, were answered to somebody unknown, or told or changed what no grant says.
#[tokio::test]
async fn no_call_is_open_to_those_without_its_grant() {
    let house = House::build().await;
    let (channel, rows, before) = (house.channel(), calls::rows(&house.ids), house.state().await);
    complete(calls::described(), rows.iter().map(|row| row.call));
    for row in &rows {
        let path = format!("/factlog.v1.{}", row.call);
        for key in &house.strangers {
            let told = call(&channel, &path, key.as_deref(), &row.message, enough(row)).await;
            assert_eq!(
                told.refused.map(|status| status.code()),
                Some(Code::Unauthenticated),
                "{path} {key:?}"
            );
            assert!(told.messages.is_empty(), "{path}");
        }
        for (who, key, grant) in house.keys.iter().filter(|(_, _, grant)| !row.opened_by.contains(grant)) {
            let told = call(&channel, &path, Some(key), &row.message, enough(row)).await;
            let text = told.refused.as_ref().map(ToString::to_string).unwrap_or_default();
            let said = String::from_utf8_lossy(&told.messages.concat()).into_owned() + &text;
            let code = told.refused.map(|status| status.code());
            match row.closed {
                calls::Closed::Refused(wanted) => {
                    assert_eq!(
                        (code, told.messages.len()),
                        (Some(wanted), 0),
                        "{path} with {grant:?}: {said}"
                    );
                }
                calls::Closed::Tells(only) => {
                    assert_eq!(code, None, "{path} with {grant:?}: {said}");
                    assert!(only(&told.messages, who), "{path} with {grant:?}: {said}");
                }
            }
            assert!(!said.replace(STREAM, "").contains(CANARY), "{path} with {grant:?}: {said}");
        }
    }
    assert!(house.state().await == before, "somebody who may not has changed something");
    for row in &rows {
        for (_, key, grant) in house.keys.iter().filter(|(_, _, grant)| row.opened_by.contains(grant)) {
            let path = format!("/factlog.v1.{}", row.call);
            let told = call(&channel, &path, Some(key), &row.message, enough(row)).await;
            assert!(
                told.refused.is_none() && (row.open)(&told.messages),
                "{path} with {grant:?}: {:?}",
                told.refused
            );
        }
    }
    house.kept.served.stop().await;
}

/// The same over HTTP.
#[tokio::test]
async fn no_route_is_open_to_those_without_its_grant() {
    let house = House::build().await;
    let (address, rows, before) = (house.kept.served.address, routes::rows(&house.ids), house.state().await);
    complete(routes::described(), rows.iter().map(|row| row.route));
    for row in &rows {
        let asked = &row.asked;
        for key in &house.strangers {
            let bearer = key.as_ref().map(|key| format!("authorization: Bearer {key}"));
            let headers = bearer.as_deref().into_iter().chain(["content-type: application/json"]);
            let answer = send(address, asked, &headers.collect::<Vec<_>>(), row.body).await;
            match row.route {
                "GET /health/live" | "GET /health/ready" => assert_eq!(answer.status, 200, "{asked}"),
                _ => {
                    assert_eq!(answer.status, 401, "{asked} {key:?}");
                    assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{asked}");
                }
            }
            assert!(
                !answer.body.contains(CANARY) && !answer.body.contains("head"),
                "{asked}: {}",
                answer.body
            );
        }
        for (who, key, grant) in house.keys.iter().filter(|(_, _, grant)| !row.opened_by.contains(grant)) {
            let (status, body) = house.ask(row, key).await;
            match row.closed {
                routes::Closed::Refused(wanted) => {
                    assert_eq!(status, wanted, "{asked} with {grant:?}: {body}");
                }
                routes::Closed::Tells(only) => {
                    assert!(status == 200 && only(&body, who), "{asked} with {grant:?}: {status} {body}");
                }
            }
            assert!(!body.contains(CANARY), "{asked} with {grant:?}: {body}");
        }
    }
    assert!(house.state().await == before, "somebody who may not has changed something");
    for row in &rows {
        for (_, key, grant) in house.keys.iter().filter(|(_, _, grant)| row.opened_by.contains(grant)) {
            let (status, body) = house.ask(row, key).await;
            assert!((row.open)(status, &body), "{} with {grant:?}: {status} {body}", row.asked);
        }
    }
    house.kept.served.stop().await;
}

/// Would fail if somebody unknown learned more than that the server is well.
#[tokio::test]
async fn somebody_unknown_learns_that_the_server_is_well_and_no_more() {
    let house = House::build().await;
    let channel = house.channel();
    for path in ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"] {
        let told = call(&channel, path, None, &[], |_| true).await;
        // Field 1, `status`: 1, `SERVING`.
        assert_eq!(
            (told.refused.map(|status| status.code()), told.messages),
            (None, vec![vec![8, 1]]),
            "{path}"
        );
    }
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let told = call(&channel, &path, None, &[], |_| true).await;
        let code = told.refused.map(|status| status.code());
        assert_eq!((code, told.messages.len()), (Some(Code::Unauthenticated), 0), "{path}");
    }
    house.kept.served.stop().await;
}
