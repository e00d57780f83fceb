//! Names that would hide one another are refused when the server begins.

use std::sync::Arc;

use factlog::{App, MemoryStore};
use factlog_service::{Refused, Server, Service};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::bank::Deposit;

#[derive(Deserialize)]
struct Nothing {}

fn with(service: &str, command: &str, query: &str) -> Service {
    Service::new(service, App::new(MemoryStore::new())).command::<Deposit>(command).query(
        query,
        [],
        |_: Nothing, _| async { Ok::<_, Refused>(1) },
    )
}

#[tokio::test]
async fn a_name_that_hides_another_is_refused_at_the_start() {
    let serve = async |services: Vec<Service>| {
        let mut server = Server::new(Arc::new(MemoryStore::new()));
        for service in services {
            server = server.mount(service);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        server.serve(listener, async {}).await
    };
    serve(vec![with("bank", "a", "b"), with("shop", "a", "b")]).await.expect("all have names of their own");
    for (services, told) in [
        (vec![with("bank", "a", "a")], "bank/a is offered twice"),
        (vec![with("bank", "a", "b"), with("bank", "c", "d")], "bank is offered twice"),
        (vec![with("Bank", "a", "b")], "\"Bank\" is no name"),
        (vec![with("bank", "a/b", "b")], "\"a/b\" is no name"),
        (vec![with("", "a", "b")], "\"\" is no name"),
    ] {
        let error = serve(services).await.expect_err(told).to_string();
        assert!(error.contains(told), "{error}");
    }
}
