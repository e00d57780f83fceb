//! Keys and grants as an operator keeps them: on files, and over a real server that asks for keys.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::{Home, Ran, bare, run};
use crate::server::Server;

/// Runs a command on a served store with this key.
fn on(server: &Server, key_file: &str, arguments: &[&str]) -> Ran {
    run(bare(&[arguments, &["--server", server.url(), "--key-file", key_file]].concat()), b"")
}

/// Would fail if a first start let everybody in, or showed its key again or in a file that others read.
#[test]
fn the_first_start_makes_a_key_once() {
    let home = Home::new();
    let server = Server::with_keys(&home, &[]);
    let key = server.told("admin_key").to_owned();
    let file = home.write("admin.key", &key);
    assert_eq!(on(&server, &file, &["append", "a-1", "--type", "t", "--payload", "1"]).code, 0);
    let wrong = home.write("wrong.key", "factlog_0_0");
    let refused = on(&server, &wrong, &["head"]);
    assert_eq!((refused.code, refused.out.as_str()), (5, ""), "{refused:?}");
    assert!(refused.err.contains("F0014") && refused.err.contains("--key-file"), "{refused:?}");
    assert_eq!(run(bare(&["read", "--all", "--server", server.url()]), b"").code, 5, "without a key");
    server.stop();
    let again = Server::with_keys(&home, &[]);
    assert_eq!(again.said["admin_key"], Value::Null);
    assert_eq!(on(&again, &file, &["read", "a-1"]).code, 0, "it is good after a restart");
    again.stop();

    let home = Home::new();
    let path = home.path("first.key").display().to_string();
    let server = Server::with_keys(&home, &["--admin-key-file", &path]);
    assert_eq!(server.said["admin_key"], Value::Null);
    let mode = home.path("first.key").metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(on(&server, &path, &["auth", "whoami", "--json"]).json()["principal"], "admin");
    server.stop();
    // The same command line again, as a supervisor would.
    Server::with_keys(&home, &["--admin-key-file", &path]).stop();

    // A key that was made before, as a secret that an orchestrator hands in.
    let other = Home::new();
    let generated = other.ok(&["auth", "keys", "generate"]);
    let given = other.write("given.key", &generated);
    let server = Server::with_keys(&other, &["--admin-key-file", &given]);
    assert_eq!(on(&server, &given, &["auth", "whoami", "--json"]).json()["principal"], "admin");
    server.stop();
    let third = Home::new();
    let no_key = third.write("no.key", "hunter2");
    let refused = third.run(&["serve", "--listen", "127.0.0.1:0", "--admin-key-file", &no_key]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("that is no key") && !refused.err.contains("hunter2"), "{refused:?}");
}

/// Would fail if an operator could not give a program a key of its own, see it, renew it and take it back.
#[test]
fn a_program_gets_a_key_of_its_own_and_loses_it() {
    let home = Home::with_accounts();
    let (first, next) = (home.path("orders.key"), home.path("next.key"));
    let (first, next) = (first.display().to_string(), next.display().to_string());
    let made = home.json(&[
        "auth",
        "keys",
        "create",
        "teller",
        "--grant",
        "read,append stream:account-1",
        "--output",
        &first,
    ]);
    let id = made["id"].as_str().expect("an id");
    assert_eq!(
        (&made["principal"], &made["state"], &made["secret"]),
        (&"teller".into(), &"good".into(), &Value::Null)
    );
    let server = Server::with_keys(&home, &[]);
    assert_eq!(server.said["admin_key"], Value::Null, "there is a key already");
    let streams = on(&server, &first, &["streams", "list", "--json"]).json();
    assert_eq!(streams["streams"].as_array().map(Vec::len), Some(1), "{streams}");
    assert_eq!(on(&server, &first, &["read", "account-2"]).code, 3, "it does not exist for it");
    assert_eq!(on(&server, &first, &["append", "account-1", "--type", "t", "--payload", "1"]).code, 0);
    let denied = on(&server, &first, &["append", "account-2", "--type", "t", "--payload", "1"]);
    assert_eq!(denied.code, 5, "{denied:?}");
    insta::assert_snapshot!("denied", denied.err);
    assert_eq!(on(&server, &first, &["auth", "keys", "list"]).code, 5);
    server.stop();

    let rotated = home.json(&[
        "auth",
        "keys",
        "rotate",
        id,
        "--overlap",
        "1h",
        "--expires",
        "never",
        "--output",
        &next,
    ]);
    assert_eq!(rotated["expires_at"], Value::Null);
    home.ok(&["auth", "keys", "revoke", id]);
    let listed = home.json(&["auth", "keys", "list"]);
    let states: Vec<_> = listed["keys"].as_array().expect("keys").iter().map(|key| &key["state"]).collect();
    assert_eq!(states.iter().filter(|state| **state == "revoked").count(), 1, "{listed}");
    let server = Server::with_keys(&home, &[]);
    assert_eq!(on(&server, &first, &["head"]).code, 5);
    assert_eq!(on(&server, &next, &["head"]).code, 0);
    server.stop();
}

#[test]
fn who_may_what_is_told_with_the_grant_it_rests_on() {
    let home = Home::with_accounts();
    home.ok(&["auth", "grants", "set", "orders", "read,append stream:orders-", "read tag:public"]);
    let can = |words: &[&str]| {
        let ran = home.run(&[&["auth", "can-i"], words].concat());
        format!("{}: {}{}", ran.code, ran.out, ran.err)
    };
    let told = [
        can(&["append", "orders-7", "--as", "orders"]),
        can(&["append", "payments-7", "--as", "orders"]),
        can(&["read", "payments-7", "--tag", "public", "--as", "orders"]),
        can(&["append", "$server-access"]),
        can(&["read", "--as", "nobody"]),
        home.ok(&["auth", "grants", "list"]),
        home.ok(&["auth", "whoami"]),
        home.run(&["auth", "grants", "set", "orders", "write everything"]).err,
        home.run(&["auth", "grants", "set", "orders"]).err,
    ];
    insta::assert_snapshot!("who_may_what", told.join("\n---\n"));
    home.ok(&["auth", "grants", "set", "orders", "--nothing"]);
    assert!(can(&["read", "orders-7", "--as", "orders"]).starts_with("5: "));
}
