//! `factlog projections list --server`: what a server's program tells of its projections, and what stays with files.

use std::sync::Arc;
use std::time::Duration;

use factlog_core::{BoxFuture, Clock as _, MemoryStore, Position, SystemClock, Timestamp};
use factlog_server::{ProjectionHealth, ProjectionsHealth};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::projections::stalled;
use crate::harness::{Home, Ran, bare, run};
use crate::server::Server;

#[derive(Debug)]
struct Told(Vec<ProjectionHealth>);

impl ProjectionsHealth for Told {
    fn projections(&self) -> BoxFuture<'_, Vec<ProjectionHealth>> {
        Box::pin(std::future::ready(self.0.clone()))
    }
}

/// Runs what takes the URL of a server with one projection that is well, one that is behind and one that has failed.
fn beside_a_program(test: impl FnOnce(&str)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut late = ProjectionHealth::new("orders", "catching up");
    (late.lag_events, late.lag) = (70_000, Duration::from_secs(7_300));
    (late.applied, late.parked) = (Position::new(1_234_567), 2);
    late.advanced_at = Some(Timestamp::from_micros(SystemClock.now().as_micros() - 300_500_000));
    let mut failed = ProjectionHealth::new("stock", "failed");
    failed.problem = Some("the file is gone\u{1b}[2J".to_owned());
    let told = Told(vec![ProjectionHealth::new("calm", "live"), late, failed]);
    let server = factlog_server::Server::new(Arc::new(MemoryStore::new()))
        .projections(Arc::new(told), Duration::from_secs(30));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("bind");
    let url = format!("factlog://{}", listener.local_addr().expect("an address"));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = runtime.spawn(server.serve(listener, async {
        // The test may have failed.
        let _ = stopped.await;
    }));
    test(&url);
    stop.send(()).expect("it runs");
    runtime.block_on(serving).expect("no panic").expect("it ends in order");
}

fn on(url: &str, arguments: &[&str]) -> Ran {
    run(bare(&[&["projections"], arguments, &["--server", url]].concat()), b"")
}

/// Would fail if an operator could not see from afar which read model is behind, or a script had to read a table.
#[test]
fn a_server_lists_the_projections_of_its_program() {
    beside_a_program(|url| {
        let ran = on(url, &["list"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        insta::assert_snapshot!("served", ran.out);
        let listed = on(url, &["list", "--json"]).json();
        let late = &listed["projections"][1];
        assert!(late["advanced_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{late}");
        assert!((300..).contains(&late["seconds_since_advance"].as_u64().expect("seconds")), "{late}");
        assert_eq!(
            listed["projections"][0],
            json!({
                "name": "calm", "state": "live", "problem": null, "well": true, "applied": null, "lag_events": 0,
                "lag_seconds": 0, "advanced_at": null, "seconds_since_advance": null, "parked": 0,
            })
        );
        let named = |name: &str| late[name].as_u64();
        assert_eq!((named("applied"), named("lag_events")), (Some(1_234_567), Some(70_000)));
        assert_eq!((named("lag_seconds"), named("parked")), (Some(7_300), Some(2)));
        assert_eq!(late["well"], false);
    });
}

/// Would fail if a file and a server were mixed up: the command line goes first, then a file before a server.
#[test]
fn it_is_clear_whether_a_file_or_a_server_is_listed() {
    let home = Home::new();
    drop(stalled(&home));
    let name = |arguments: &[&str], server: &str| {
        let mut command = bare(&[&["projections", "list", "--json"], arguments].concat());
        command.env("FACTLOG_READ_MODEL", home.path("read.sqlite")).env("FACTLOG_SERVER", server);
        let ran = run(command, b"");
        assert_eq!(ran.code, 0, "{arguments:?} {ran:?}");
        ran.json()["projections"][0]["name"].clone()
    };
    beside_a_program(|url| {
        assert_eq!(name(&[], url), "amounts");
        assert_eq!(name(&["--server", url], ""), "calm");
        let file = home.path("read.sqlite").display().to_string();
        assert_eq!(name(&["--read-model", &file], url), "amounts");
        let mut by_variable = bare(&["projections", "list", "--json"]);
        by_variable.env("FACTLOG_SERVER", url);
        assert_eq!(run(by_variable, b"").json()["projections"][0]["name"], "calm");
    });
}

/// Would fail if what only files can do were tried on a server, or refused without a word of where it can be done.
#[test]
fn everything_but_a_list_refuses_a_server() {
    let url = "factlog://127.0.0.1:1";
    let orders = ["show", "pause", "resume", "rebuild", "switch", "back", "verify"];
    for line in
        orders.map(|order| vec![order, "amounts"]).into_iter().chain([vec!["list", "--read-model", "x"]])
    {
        let ran = on(url, &[&line[..], &["--json"]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line:?} {ran:?}");
        let error = ran.error();
        let what = error["what"].as_str().expect("what");
        assert!(what.contains("works on files, and --server names a server"), "{line:?} {error}");
        assert!(error["why"].as_str().expect("why").contains("`factlog projections list`"), "{error}");
    }
    let ran = on(url, &["list", "--json"]);
    assert_eq!((ran.code, ran.error()["what"].clone()), (6, json!(format!("no server answers at {url}"))));
}

/// Would fail if `factlog serve` refused the question, which has no projections, or told somebody unknown.
#[test]
fn a_store_that_is_served_by_itself_has_none() {
    let home = Home::new();
    let server = Server::start(&home, &[]);
    let ran = on(server.url(), &["list", "--json"]);
    assert_eq!((ran.code, ran.json()), (0, json!({ "projections": [] })));
    server.stop();
    let server = Server::with_keys(&home, &[]);
    let ran = on(server.url(), &["list", "--json"]);
    assert_eq!((ran.code, ran.out.as_str(), &ran.error()["code"]), (5, "", &json!("F0014")), "{ran:?}");
    let key = home.write("admin.key", server.told("admin_key"));
    let ran = on(server.url(), &["list", "--json", "--key-file", &key]);
    assert_eq!((ran.code, &ran.json()["projections"]), (0, &Value::Array(Vec::new())), "{ran:?}");
    server.stop();
}
