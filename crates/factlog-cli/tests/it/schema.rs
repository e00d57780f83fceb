//! `factlog schema`: what people read, what scripts get, and how CI is stopped.

use factlog_schema::{Event, Lock, Shape};
use serde_json::{Value, json};

use crate::harness::{Home, bare, run};

#[expect(clippy::needless_pass_by_value, reason = "a shape reads best with its fields where they are used")]
fn shape(fields: Value, required: &[&str]) -> Shape {
    Shape::same(&json!({ "type": "object", "properties": fields, "required": required }))
}

/// Two files: `old.lock`, and `new.lock` where one event breaks, one is raised, one is new and one stays.
fn home() -> Home {
    let text = json!({ "type": "string" });
    let opened = Event::new("account.opened", 1, shape(json!({ "owner": text }), &["owner"]));
    let stays = Event::new("account.closed", 1, shape(json!({}), &[]));
    let moved =
        Event::new("customer.moved", 1, shape(json!({ "address": { "type": "object" } }), &["address"]));
    let old = Lock::new([opened.clone(), stays.clone(), moved]).expect("a lock");

    let mut raised = opened;
    raised.version = 2;
    raised.shapes.insert(2, shape(json!({ "owner_id": { "type": "integer" } }), &["owner_id"]));
    let zip = json!({ "type": "object", "properties": { "zip": text }, "required": ["zip"] });
    let moved = Event::new("customer.moved", 1, shape(json!({ "address": zip }), &["address"]));
    let added = Event::new("customer.left", 1, shape(json!({}), &[]));
    let new = Lock::new([raised, stays, moved, added]).expect("a lock");

    let home = Home::new();
    home.write("old.lock", old.to_text());
    home.write("new.lock", new.to_text());
    home
}

#[test]
fn people_read_what_changed_and_what_stands_against_it() {
    let home = home();
    let ran = home.run(&["schema", "check", "new.lock", "--against", "old.lock"]);
    assert_eq!(ran.code, 4);
    insta::assert_snapshot!("schema_check", format!("{}━━ standard error\n{}", ran.out, ran.err));
    assert_eq!(home.ok(&["schema", "diff", "old.lock", "old.lock"]), "nothing changed in 3 events: full\n");
    assert_eq!(home.ok(&["schema", "check", "new.lock"]), "whole: 4 events, 5 versions\n");
}

/// Would fail if a script could not tell a break from a file that is missing, or the wrong side were judged.
#[test]
fn what_is_required_decides_how_it_ends() {
    let home = home();
    for (arguments, code) in [
        (&["check", "new.lock", "--against", "old.lock", "--require", "forward"][..], 4),
        (&["check", "new.lock", "--against", "old.lock", "--require", "full"], 4),
        (&["check", "old.lock", "--against", "old.lock", "--require", "full"], 0),
        (&["diff", "old.lock", "new.lock"], 0),
        (&["diff", "old.lock", "new.lock", "--require", "backward"], 4),
        (&["check", "new.lock", "--against", "gone.lock"], 3),
        (&["check", "new.lock", "--require", "full"], 2),
        (&["diff", "-", "-"], 2),
    ] {
        let ran = home.run(&[&["schema"], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
    }
    let mut command = bare(&["schema", "diff", "old.lock", "new.lock"]);
    command.current_dir(home.path("."));
    assert_eq!(run(command, b"").code, 0, "no store is needed");
}

#[test]
fn the_older_file_may_come_from_git_by_standard_input() {
    let home = home();
    let old = std::fs::read(home.path("old.lock")).expect("it is there");
    let ran = home.run_with(&["schema", "check", "new.lock", "--against", "-", "--json"], old);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(ran.error()["code"], "F0013");
    insta::assert_json_snapshot!("schema_check_json", ran.json());
    let nothing = home.run_with(&["schema", "check", "new.lock", "--against", "-"], "");
    assert_eq!(nothing.code, 1);
    assert!(
        nothing.err.contains("standard input is no events.lock") && nothing.err.contains("it is empty"),
        "{nothing:?}"
    );
}

/// Would fail if a badly merged file passed.
#[test]
fn a_file_whose_fingerprints_do_not_fit_is_refused() {
    let home = home();
    let text = std::fs::read_to_string(home.path("new.lock")).expect("it is there");
    home.write("new.lock", text.replace("\"zip\"", "\"zap\""));
    let ran = home.run(&["schema", "check", "new.lock"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(
        ran.err.contains("event customer.moved: its fingerprint is not that of its shapes"),
        "{}",
        ran.err
    );
}

#[test]
fn an_export_has_a_file_for_each_event_and_version() {
    let home = home();
    let answer = home.json(&["schema", "export", "new.lock", "--out", "schemas/v2"]);
    let files: Vec<&str> =
        answer["files"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    assert_eq!(
        files,
        [
            "account.closed.json",
            "account.opened.v1.json",
            "account.opened.json",
            "customer.left.json",
            "customer.moved.json"
        ]
    );
    for file in files {
        assert!(home.path("schemas/v2").join(file).exists(), "{file}");
    }
    let text = std::fs::read_to_string(home.path("schemas/v2/account.opened.json")).expect("it is there");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(schema["title"], "account.opened");
    assert_eq!(schema["x-factlog-version"], 2);
    assert_eq!(schema["required"], json!(["owner_id"]));
    assert_eq!(
        home.ok(&["schema", "export", "new.lock", "--out", "schemas/v2"]),
        "5 files written to schemas/v2\n"
    );
}
