//! `factlog projections` while the program runs, and after.

use std::sync::atomic::Ordering;

use factlog::projection::Switch;
use factlog_core::{Append, Clock as _, Event, EventStore as _, EventType, SystemClock};
use serde_json::{Value, json};

use super::program::Program;
use crate::harness::{Home, run};

/// Would fail if an order reached nobody, were answered before it is done, or were forgotten by a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_until_it_is_resumed_and_is_seen() {
    let program = Program::start();
    program.deposit(&[(1, 5), (2, 6)]).await;
    let model = program.project(Switch::WhenBuilt);
    program.caught_up(&model).await;
    program.until(&["projections", "show", "amounts"], |shown| shown["state"] == "live").await;

    let paused = program.json(&["projections", "pause", "amounts"]).await;
    assert_eq!(paused, json!({ "projection": "amounts", "order": "pause", "done": true, "said": "paused" }));
    program.deposit(&[(1, 7)]).await;
    let shown = program.until(&["projections", "show", "amounts"], |shown| shown["lag_events"] == 1).await;
    assert_eq!(
        (&shown["state"], &shown["applied"], &shown["head"]),
        (&json!("paused"), &json!(2), &json!(3))
    );
    assert!(shown["lag_seconds"].is_u64(), "{shown}");

    let resumed = program.cli(&["projections", "resume", "amounts"]).await;
    assert_eq!((resumed.code, resumed.out.as_str()), (0, "amounts: resumed\n"), "{resumed:?}");
    program.caught_up(&model).await;
    let shown = program.until(&["projections", "show", "amounts"], |shown| shown["state"] == "live").await;
    assert_eq!((&shown["lag_events"], &shown["lag_seconds"]), (&json!(0), &json!(0)));
    model.stop().await.expect("it stops");
}

/// Would fail if the command ended before it is built, or never; or if readers did not see the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_followed_to_its_end_and_can_be_switched_back() {
    let program = Program::start();
    program.deposit(&(0..150).map(|n| (n % 7, n)).collect::<Vec<_>>()).await;
    let model = program.project(Switch::WhenBuilt);
    program.caught_up(&model).await;
    program.rests.store(true, Ordering::Relaxed);
    let look = async {
        let rebuilding = |seen: &Value| seen["projections"][0]["state"] == "rebuilding";
        let seen = program.until(&["projections", "list"], rebuilding).await;
        assert_eq!(
            (&seen["projections"][0]["building"], &seen["projections"][0]["serving"]),
            (&json!(2), &json!(1))
        );
        program.rests.store(false, Ordering::Relaxed);
    };
    let (rebuilt, ()) = tokio::join!(program.json(&["projections", "rebuild", "amounts"]), look);
    assert_eq!(
        (&rebuilt["generation"], &rebuilt["switched"], &rebuilt["applied"]),
        (&json!(2), &json!(true), &json!(150)),
        "{rebuilt}"
    );
    let shown = program.json(&["projections", "show", "amounts"]).await;
    assert_eq!((&shown["serving"], &shown["generations"][0]["phase"]), (&json!(2), &json!("kept")));

    let back = program.cli(&["projections", "back", "amounts"]).await;
    assert_eq!(
        (back.code, back.out.as_str()),
        (0, "amounts: generation 1 is what readers see\n"),
        "{back:?}"
    );
    let again = program.cli(&["projections", "back", "amounts", "--json"]).await;
    assert_eq!(again.code, 1, "{again:?}");
    assert_eq!(again.error()["why"], "no other generation is kept to switch to");
    let forth = program.json(&["projections", "switch", "amounts"]).await;
    assert_eq!(forth["said"], "generation 2 is what readers see");
    model.stop().await.expect("it stops");
}

/// Would fail if a rebuild that waits for an operator waited for ever, or said that readers see it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_by_hand_is_built_and_waits() {
    let program = Program::start();
    program.deposit(&[(1, 5), (2, 6)]).await;
    let model = program.project(Switch::ByHand);
    program.caught_up(&model).await;
    let rebuilt = program.cli(&["projections", "rebuild", "amounts"]).await;
    assert_eq!(rebuilt.code, 0, "{rebuilt:?}");
    assert!(rebuilt.out.starts_with("amounts: generation 2 is built from 2 events in "), "{rebuilt:?}");
    assert!(
        rebuilt.out.ends_with("`factlog projections switch amounts` lets readers see it\n"),
        "{rebuilt:?}"
    );
    assert_eq!(program.json(&["projections", "show", "amounts"]).await["serving"], 1);
    program.json(&["projections", "switch", "amounts"]).await;
    program.until(&["projections", "show", "amounts"], |shown| shown["serving"] == 2).await;
    model.stop().await.expect("it stops");
}

/// Would fail if a rebuild that cannot be done were waited for without end, or its reason were lost with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_fails_says_why() {
    let program = Program::start();
    program.deposit(&[(1, 5)]).await;
    let model = program.project(Switch::WhenBuilt);
    program.caught_up(&model).await;
    let broken = Event::new(EventType::new("account.deposited").expect("a type"), "{}");
    program.app.store().append(Append::new([broken])).await.expect("appended");
    program.until(&["projections", "list"], |seen| seen["projections"][0]["state"] == "failed").await;
    let ran = program.cli(&["projections", "rebuild", "amounts", "--json"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.error()["why"].as_str().is_some_and(|why| why.contains("does not fit the struct")),
        "{ran:?}"
    );
    program.until(&["projections", "show", "amounts"], |shown| shown["given_up"]["generation"] == 2).await;
    // It failed before.
    drop(model.stop().await);
}

/// Would fail if an order to nobody hung, or were carried out later although its giver was told that it was not.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_program_nothing_is_done_unless_the_order_is_left_for_it() {
    let program = Program::start();
    program.deposit(&[(1, 5)]).await;
    let model = program.project(Switch::WhenBuilt);
    program.caught_up(&model).await;
    program.until(&["projections", "show", "amounts"], |shown| shown["head"] == 1).await;
    model.stop().await.expect("it stops");

    let ran = program.cli(&["projections", "pause", "amounts", "--json"]).await;
    assert_eq!(ran.code, 6, "{ran:?}");
    assert_eq!(ran.error()["what"], "no program runs amounts; nothing was done");
    assert!(ran.error()["why"].as_str().is_some_and(|why| why.starts_with("it was stopped ")), "{ran:?}");
    let table = program.cli(&["projections", "list"]).await.out;
    insta::assert_snapshot!("list_of_a_stopped_one", table);

    let left = program.json(&["projections", "pause", "amounts", "--no-wait"]).await;
    assert_eq!(left["done"], false);
    let model = program.project(Switch::WhenBuilt);
    program.until(&["projections", "show", "amounts"], |shown| shown["state"] == "paused").await;
    model.stop().await.expect("it stops");
    let model = program.project(Switch::WhenBuilt);
    program.until(&["projections", "show", "amounts"], |shown| shown["state"] == "paused").await;
    model.stop().await.expect("it stops");
}

/// Would fail if a document that is wrong, missing or left over passed, or a parked, edited or skipped event did not.
#[tokio::test(flavor = "multi_thread")]
async fn what_readers_see_is_held_against_a_fold_from_the_first_event() {
    let program = Program::start();
    program.poison.store(13, Ordering::Relaxed);
    program.deposit(&(0..100).map(|n| (n % 7, 100 + n)).collect::<Vec<_>>()).await;
    program.deposit(&[(1, 13), (2, 13), (3, 13), (1, 8), (2, 8), (3, 8)]).await;
    let model = program.project_with(Switch::WhenBuilt, 3);
    program.caught_up(&model).await;
    program.until(&["parked", "list"], |listed| listed["parked"].as_array().map(Vec::len) == Some(3)).await;
    program.json(&["parked", "skip", "amounts", "account-1", "--reason", "typed twice"]).await;
    program.json(&["parked", "edit", "amounts", "account-2", r#"{"account":2,"amount":14}"#]).await;
    let same = program.cli(&["projections", "verify", "amounts"]).await;
    assert_eq!(same.code, 0, "{same:?}");
    let found = "amounts: 106 events folded again come to the same 7 documents; 1 key parked (position ";
    assert!(same.out.starts_with(found), "{same:?}");

    let file = rusqlite::Connection::open(program.home.path("read.sqlite")).expect("it opens");
    let change = "UPDATE factlog_documents SET document = '[1]' WHERE key = '\"account-4\"';
         DELETE FROM factlog_documents WHERE key = '\"account-5\"';
         INSERT INTO factlog_documents VALUES ('amounts', 1, '\"account-9\"', '[1]');";
    file.execute_batch(change).expect("it is changed");
    let ran = program.cli(&["projections", "verify", "amounts", "--json"]).await;
    assert_eq!(
        (ran.code, &ran.json()["different"], &ran.json()["same"]),
        (7, &json!(3), &json!(false)),
        "{ran:?}"
    );
    insta::assert_json_snapshot!("differences", ran.json()["named"]);
    assert_eq!(ran.error()["what"], "3 keys of amounts are not what the log comes to");

    program.json(&["projections", "rebuild", "amounts"]).await;
    assert_eq!(program.json(&["projections", "verify", "amounts"]).await["same"], true);
    model.stop().await.expect("it stops");
}

/// A file as a program leaves it, with these rows of `amounts`.
fn left(home: &Home, rows: &[(&str, Value)]) -> rusqlite::Connection {
    let file = rusqlite::Connection::open(home.path("read.sqlite")).expect("it opens");
    file.execute_batch(
        "CREATE TABLE factlog_rows (name TEXT, row TEXT, value TEXT, PRIMARY KEY (name, row))",
    )
    .expect("a table");
    for (row, value) in rows {
        let put = "INSERT INTO factlog_rows VALUES ('amounts', ?1, ?2)";
        file.execute(put, [*row, &value.to_string()]).expect("a row");
    }
    file
}

/// A program that is behind, builds and does not advance, and has just said so.
pub(super) fn stalled(home: &Home) -> rusqlite::Connection {
    let now = SystemClock.now().as_micros();
    let status = |applied: u64, rate: f64, left: Option<u64>| {
        json!({
            "state": "stalled", "problem": "it has not advanced", "applied": applied, "head": 2_500_000, "rate": rate,
            "remaining_seconds": left, "behind_seconds": 7_300, "advanced_at": now - 300_500_000, "parked": 0,
            "unread": 0, "at": now, "owner": "p",
        })
    };
    let generation =
        |phase: &str| json!({ "version": 1, "fingerprint": "f", "phase": phase, "because": null });
    let range = |position: u64| json!({ "to": 1024, "position": position });
    left(
        home,
        &[
            ("serving", json!(3)),
            ("generation/00000003", generation("serving")),
            ("generation/00000004", generation("building")),
            ("range/00000003/0000", range(1_000_000)),
            ("range/00000004/0000", range(500_000)),
            ("status/00000003", status(1_000_000, 0.0, None)),
            ("status/00000004", status(500_000, 12_345.6, Some(162))),
        ],
    )
}

/// Would fail if one that runs and stands still looked like one that is well, or like one that does not run.
#[test]
fn a_projection_that_runs_and_does_not_advance_is_its_own_state() {
    let home = Home::new();
    drop(stalled(&home));
    let table = home.ok(&["projections", "list", "--read-model", "read.sqlite"]);
    let shown = home.ok(&["projections", "show", "amounts", "--read-model", "read.sqlite"]);
    let shown: Vec<&str> = shown.lines().filter(|line| !line.starts_with("seen")).collect();
    insta::assert_snapshot!("stalled", format!("{table}\n{}", shown.join("\n")));
}

/// Would fail if an order that nobody took were carried out after its giver was told that nothing was done.
#[test]
fn an_order_that_nobody_takes_is_taken_back() {
    let home = Home::new();
    let file = stalled(&home);
    let orders = || -> i64 {
        file.query_row("SELECT count(*) FROM factlog_rows WHERE row LIKE 'order/%'", [], |row| row.get(0))
            .expect("a count")
    };
    let pause = ["projections", "pause", "amounts", "--read-model", "read.sqlite"];
    let ran = home.run(&[&pause[..], &["--timeout", "1"]].concat());
    assert_eq!((ran.code, orders()), (6, 0), "{ran:?}");
    insta::assert_snapshot!("not_taken", ran.err);
    home.ok(&[&pause[..], &["--no-wait"]].concat());
    assert_eq!(orders(), 1);
    let unknown = home.run(&["projections", "pause", "amount", "--read-model", "read.sqlite"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    insta::assert_snapshot!("no_such_projection", unknown.err);
    file.execute("UPDATE factlog_rows SET value = '{' WHERE row = 'generation/00000004'", [])
        .expect("changed");
    let damaged = home.run(&["projections", "list", "--read-model", "read.sqlite"]);
    assert_eq!(damaged.code, 7, "{damaged:?}");
}

/// The form of what scripts read, and of what people do.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_and_people_read_the_same() {
    let program = Program::start();
    program.deposit(&[(1, 5), (2, 6)]).await;
    let model = program.project(Switch::WhenBuilt);
    program.caught_up(&model).await;
    let ready = |shown: &Value| shown["state"] == "live" && shown["generations"][0]["built"] == true;
    program.until(&["projections", "show", "amounts"], ready).await;
    let listed = program.json(&["projections", "list"]).await;
    let shown = program.json(&["projections", "show", "amounts"]).await;
    insta::assert_json_snapshot!("projections", json!({ "list": varying(listed), "show": varying(shown) }));
    let text = program.cli(&["projections", "show", "amounts"]).await.out;
    let steady = text.lines().filter(|line| !["advanced", "seen"].iter().any(|name| line.starts_with(name)));
    let steady: Vec<&str> = steady.collect();
    insta::assert_snapshot!("show", steady[..steady.len() - 1].join("\n"));
    model.stop().await.expect("it stops");
}

/// The JSON without what differs from run to run.
pub(super) fn varying(mut value: Value) -> Value {
    let varies = [
        "advanced_at",
        "seen_at",
        "rate",
        "seconds_since_advance",
        "fingerprint",
        "retry_at",
        "id",
        "recorded_at",
    ];
    match &mut value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                let taken = member.take();
                let shown = varies.contains(&name.as_str()) && !taken.is_null();
                *member = if shown { Value::from(format!("[{name}]")) } else { varying(taken) };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = varying(item.take())),
        _ => {}
    }
    value
}

/// Would fail if a mistyped name made a file, hung, or left an order that nobody takes.
#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let home = Home::new();
    home.write(
        "text",
        "this is no database, but a text that is long enough to be looked at, and then some more of it\n",
    );
    home.write("empty", "");
    rusqlite::Connection::open(home.path("empty"))
        .expect("a file")
        .execute_batch("CREATE TABLE t (a)")
        .expect("a table");
    let mut said = String::new();
    for (arguments, code) in [
        (&["projections", "list"][..], 2),
        (&["projections", "list", "--read-model", "gone"], 3),
        (&["projections", "list", "--read-model", "text"], 1),
        (&["projections", "list", "--read-model", "empty"], 3),
        (&["parked", "skip", "amounts", "k", "--read-model", "empty"], 2),
    ] {
        let ran = run(home.command(arguments), b"");
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert_eq!(ran.out, "");
        said.push_str(&format!("━━ factlog {}\n{}\n", arguments.join(" "), ran.err));
    }
    assert!(!home.path("gone").exists());
    insta::assert_snapshot!("errors", said);
}
