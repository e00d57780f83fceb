//! `--server`: the same commands on the same store, behind a real server process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;

use serde_json::Value;

use crate::harness::{Home, Ran, bare, events, piped, redacted, run, without_place};
use crate::server::Server;

/// Runs a command on a served store.
fn on(server: &Server, arguments: &[&str], input: &str) -> Ran {
    run(bare(&[arguments, &["--server", server.url()]].concat()), input.as_bytes())
}

/// Would fail if a script had to know whether a store is served: another output, another exit code, another error.
#[test]
fn a_served_store_answers_as_the_same_store_in_files_does() {
    let home = Home::with_accounts();
    let lines = [
        &["read", "account-1"][..],
        &["read", "--all", "--json"],
        &["read", "--all", "--format", "cloudevents", "--backwards"],
        &["read", "--category", "account", "--type", "account.opened", "--after", "1", "--limit", "1"],
        &["read", "--all", "--at", "2000-01-01T00:00:00Z"],
        &["tail", "--from", "beginning", "--until-caught-up"],
        &["tail", "account-2", "--from", "beginning", "--limit", "1", "--format", "cloudevents"],
        &["head"],
        &["head", "--json"],
        &["streams", "list"],
        &["streams", "list", "--json", "--limit", "1"],
        &["streams", "info", "account-1", "--json"],
        &["read", "account-9"],
        &["read", "account-9", "--json"],
        &["append", "account-1", "--type", "t", "--expected", "7"],
        &["append", "account-1", "--type", "t", "--expected", "none", "--json"],
        &["append", "account-1", "--type", "account.opened", "--payload", "1", "--id", "no"],
    ];
    let embedded: Vec<Ran> = lines.iter().map(|line| home.run(line)).collect();
    let (stats, export) = (home.json(&["stats"]), home.ok(&["export"]));
    let server = Server::start(&home, &[]);
    for (line, here) in lines.iter().zip(&embedded) {
        let there = on(&server, line, "");
        assert_eq!((there.code, &there.out, &there.err), (here.code, &here.out, &here.err), "{line:?}");
    }
    assert_eq!([2, 3, 4].map(|code| embedded.iter().filter(|ran| ran.code == code).count()), [1, 2, 2]);
    let there = on(&server, &["stats", "--json"], "").json();
    assert_eq!(there["store"], stats["store"]);
    assert_eq!(redacted(there), redacted(stats));
    assert_eq!(on(&server, &["export"], "").out, export);
}

/// Would fail if an event that went through a server lost or changed anything, or came twice.
#[test]
fn what_is_appended_and_imported_through_a_server_is_in_the_store() {
    let (home, other) = (Home::new(), Home::new());
    let file = home.write("events.ndjson", events(500));
    let server = Server::start(&home, &[]);
    let appended = ["append", "s-1", "--type", "a", "--id", "00000000-0000-4000-8000-000000000001", "--json"];
    let first = on(&server, &appended, "").json();
    assert_eq!((&first["first"], &first["deduplicated"]), (&1.into(), &false.into()));
    assert_eq!(on(&server, &appended, "").json()["deduplicated"], true);
    other.ok(&appended[..6]);
    let there = on(&server, &["import", &file, "--json"], "");
    assert_eq!((there.code, redacted(there.json())), (0, redacted(other.json(&["import", &file]))));
    let whole = on(&server, &["export"], "").out;
    assert_eq!(without_place(&whole), without_place(&other.ok(&["export"])));
    assert_eq!(whole.lines().count(), 501);
    // Its own export, again: everything is known to be there.
    let again = on(&server, &["import", "-", "--json"], &whole).json();
    assert_eq!((&again["added"], &again["duplicates"]), (&0.into(), &501.into()));
    // And an export that is continued.
    let part = home.path("part.ndjson.gz").display().to_string();
    assert_eq!(on(&server, &["export", &part, "--until", "100"], "").code, 0);
    let resumed = on(&server, &["export", &part, "--resume", "--json"], "").json();
    assert_eq!((&resumed["resumed_after"], &resumed["events"]), (&100.into(), &401.into()));
    server.stop();
    assert_eq!(home.ok(&["export"]), whole);
}

/// Would fail if following ended, missed or repeated something when an operator starts the server anew, or if people
/// were told of it never, or again and again.
#[test]
fn following_goes_on_after_the_server_was_started_again_and_says_so_once() {
    let home = Home::with_accounts();
    let server = Server::start(&home, &[]);
    let url = server.url().to_owned();
    let address = url.strip_prefix("factlog://").expect("a url").to_owned();
    let follow = ["tail", "--from", "beginning", "--format", "ndjson", "--server", &url];
    let mut tail = piped(&mut bare(&follow));
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    let mut position = || {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str::<Value>(&line).expect("an event")["position"].as_u64()
    };
    assert_eq!([position(), position(), position()], [Some(1), Some(2), Some(3)]);
    server.stop();
    home.ok(&["append", "account-1", "--type", "account.audited"]);
    let server = Server::of(&mut home.command(&["serve", "--insecure", "--listen", &address, "--json"]));
    assert_eq!(position(), Some(4));
    assert_eq!(on(&server, &["append", "account-1", "--type", "account.audited"], "").code, 0);
    assert_eq!(position(), Some(5));
    tail.kill().expect("it runs");
    let mut said = String::new();
    tail.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    tail.wait().expect("it ends");
    assert_eq!(
        said,
        format!("the connection to {url} broke; following resumes by itself, without gap or repeat\n")
    );
}

/// Would fail if following a server that never comes back hung for ever, or ended without saying which one it was.
#[test]
fn following_ends_with_the_name_of_a_server_that_stays_away() {
    let home = Home::with_accounts();
    let server = Server::start(&home, &[]);
    let url = format!("{}?resume=300ms", server.url());
    let mut tail = piped(&mut bare(&["tail", "--from", "beginning", "--json", "--server", &url]));
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    for _ in 0..3 {
        lines.next().expect("a line").expect("text");
    }
    server.stop();
    assert!(lines.next().is_none());
    let ended = tail.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(6));
    let said = String::from_utf8(ended.stderr).expect("UTF-8");
    let error: Value = serde_json::from_str(said.lines().last().expect("a reason")).expect("a document");
    assert_eq!(error["error"]["code"], "F0006");
    assert!(error["error"]["why"].as_str().expect("why").starts_with(&url), "{said}");
    assert!(
        error["error"]["what_to_do"].as_str().expect("advice").contains("`factlog serve` still runs"),
        "{said}"
    );
}

/// Would fail if a command hung, or left people guessing which server, where none is.
#[test]
fn a_server_that_is_not_there_is_named_with_what_to_do() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
    let url = format!("factlog://{free}");
    for line in [&["head"][..], &["append", "s", "--type", "t"], &["tail"], &["import", "-"], &["stats"]] {
        let ran = run(bare(&[line, &["--server", &url, "--json"]].concat()), b"");
        assert_eq!((ran.code, ran.out.as_str()), (6, ""), "{line:?}: {ran:?}");
        let error = ran.error();
        assert_eq!(error["code"], "F0006");
        assert_eq!(error["what"], format!("no server answers at {url}"));
        assert!(error["what_to_do"].as_str().expect("advice").contains("is `factlog serve` running there?"));
    }
    let ran = run(bare(&["head", "--server", "localhost"]), b"");
    assert_eq!(ran.code, 2, "{ran:?}");
    insta::assert_snapshot!("no_connection_string", ran.err);
}

/// Would fail if one of two stores were taken silently, or a variable won over the command line.
#[test]
fn a_server_and_a_directory_exclude_each_other_and_the_command_line_wins() {
    let home = Home::with_accounts();
    let ran = run(bare(&["--data", "a", "head", "--server", "factlog://127.0.0.1:1", "--json"]), b"");
    assert_eq!((ran.code, ran.error()["code"].as_str()), (2, Some("F0002")), "{ran:?}");
    let with_variable = |arguments: &[&str], data: &str, server: &str| {
        let mut command = bare(arguments);
        command.env("FACTLOG_DATA", data).env("FACTLOG_SERVER", server);
        run(command, b"")
    };
    let store = home.store().display().to_string();
    let ran = with_variable(&["head"], &store, "factlog://127.0.0.1:1");
    assert_eq!(ran.code, 2, "{ran:?}");
    insta::assert_snapshot!("two_variables", ran.err);
    let nowhere = "factlog://127.0.0.1:1";
    assert_eq!(with_variable(&["head", "--data", &store], "/nonexistent", nowhere).code, 0);
    let server = Server::start(&home, &[]);
    assert_eq!(with_variable(&["head", "--server", server.url()], "/nonexistent", nowhere).code, 0);
    assert_eq!(with_variable(&["head"], "", server.url()).code, 0);
}

/// Would fail if a command that works on files ignored `--server`, and did something to a store nobody meant.
#[test]
fn what_works_on_files_refuses_a_server_and_says_why() {
    let mut told = String::new();
    for line in [
        &["verify"][..],
        &["doctor"],
        &["serve"],
        &["bench", "append"],
        &["projections", "list", "--read-model", "x"],
        &["parked", "list", "--read-model", "x"],
        &["processes", "list"],
    ] {
        let ran = run(bare(&[line, &["--server", "factlog://127.0.0.1:1"]].concat()), b"");
        assert_eq!(ran.code, 2, "{line:?}: {ran:?}");
        told.push_str(&ran.err);
    }
    let mut command = bare(&["verify"]);
    command.env("FACTLOG_SERVER", "factlog://127.0.0.1:1");
    told.push_str(&run(command, b"").err);
    insta::assert_snapshot!("on_files", told);
}
