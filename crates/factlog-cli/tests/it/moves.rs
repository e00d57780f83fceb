//! `factlog export`, and the way from store to store and back.

use crate::harness::{Home, events, without_place};

fn mixed() -> Home {
    let home = Home::with_accounts();
    let image = home.write("image", [0xff, 0, 1]);
    home.ok(&[
        "append",
        "--no-stream",
        "--type",
        "logo.set",
        "--payload",
        &format!("@{image}"),
        "--content-type",
        "image/png",
    ]);
    home.ok(&[
        "append",
        "n-1",
        "--type",
        "note.made",
        "--payload",
        "a\nb",
        "--content-type",
        "text/plain",
        "--meta",
        r#"{ "user": {"id":1} }"#,
    ]);
    let two = "{\"type\":\"first\",\"stream\":\"pair-1\"}\n{\"type\":\"second\",\"stream\":\"pair-1\"}\n";
    assert_eq!(home.run_with(&["append", "--no-stream"], two).code, 0);
    assert_eq!(home.run_with(&["import", "-"], events(50)).code, 0);
    home
}

/// Would fail if anything of an event were lost between two stores.
#[test]
fn an_export_imported_elsewhere_exports_the_same_events() {
    let home = mixed();
    for file in ["all.ndjson", "all.ndjson.gz"] {
        home.ok(&["export", file]);
        let by_option = format!("option-{file}");
        home.ok(&["export", "--output", &by_option]);
        let read = |name: &str| std::fs::read(home.path(name)).expect("an export");
        assert_eq!(read(&by_option), read(file));
        assert_eq!(read(file).starts_with(b"\x1f\x8b"), file.ends_with(".gz"));
        let copy = Home::new();
        let path = home.path(file).display().to_string();
        assert_eq!(copy.json(&["import", &path])["added"], 57);
        assert_eq!(without_place(&copy.ok(&["export"])), without_place(&home.ok(&["export"])), "{file}");
        let position = |line: &str| line.find("\"sequence\":\"00").is_some();
        assert!(copy.ok(&["export"]).lines().all(position));
    }
}

/// Would fail if events that were appended together came again one by one: the store knows them only together.
#[test]
fn an_export_imported_where_it_came_from_adds_nothing() {
    let home = mixed();
    home.ok(&["export", "all.ndjson"]);
    let report = home.json(&["import", "all.ndjson"]);
    assert_eq!((&report["added"], &report["duplicates"]), (&0.into(), &57.into()));
    let changed =
        std::fs::read_to_string(home.path("all.ndjson")).expect("the export").replace("\"Ada\"", "\"Eve\"");
    home.write("changed.ndjson", changed);
    let ran = home.run(&["import", "changed.ndjson"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("line 1 of changed.ndjson"), "{}", ran.err);
}

#[test]
fn filters_choose_what_is_exported() {
    let home = mixed();
    for (arguments, count) in [
        (&["export"][..], 57),
        (&["export", "--stream", "account-1"], 3),
        (&["export", "--category", "pair", "--type", "second"], 1),
        (&["export", "--after", "3", "--until", "5"], 2),
        (&["export", "--limit", "4", "--backwards"], 4),
    ] {
        assert_eq!(home.ok(arguments).lines().count(), count, "{arguments:?}");
    }
}

/// Would fail if a broken-off export were taken for a whole one, or if continuing it lost or repeated an event.
#[test]
fn an_unfinished_export_is_continued_to_the_same_file() {
    for file in ["all.ndjson", "all.ndjson.gz"] {
        let home = mixed();
        home.ok(&["export", "--until", "20", "--output", file]);
        let early = std::fs::read(home.path(file)).expect("the export");
        std::fs::remove_file(home.path(file)).expect("it is there");
        let half_a_line =
            if file.ends_with("gz") { &b"\x1f\x8b\x08\x00"[..] } else { &b"{\"specversion\":"[..] };
        let partial = format!("{file}.partial");
        home.write(&partial, [&early, half_a_line].concat());
        let report = home.json(&["export", file, "--resume"]);
        assert_eq!(
            (&report["resumed_after"], &report["events"], &report["last"]),
            (&20.into(), &37.into(), &57.into())
        );
        assert!(!home.path(&partial).exists());

        let copy = Home::new();
        let path = home.path(file).display().to_string();
        assert_eq!(copy.json(&["import", &path])["read"], 57, "{file}");
        assert_eq!(without_place(&copy.ok(&["export"])), without_place(&home.ok(&["export"])), "{file}");
        assert_eq!(home.json(&["export", file, "--resume"])["events"], 0);
    }
}

#[test]
fn the_export_of_another_store_is_not_continued() {
    let (home, other) = (mixed(), mixed());
    let path = home.path("all.ndjson").display().to_string();
    home.ok(&["export", &path]);
    let before = std::fs::read(&path).expect("the export");
    let ran = other.run(&["export", &path, "--resume", "--json"]);
    assert_eq!((ran.code, ran.error()["code"].as_str()), (1, Some("F0009")), "{ran:?}");
    assert_eq!(std::fs::read(&path).expect("still there"), before);
}

#[test]
fn a_file_that_cannot_be_written_is_a_failure_and_standard_output_stays_clean() {
    let home = Home::with_accounts();
    let ran = home.run(&["export", "no/such/directory/all.ndjson"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{ran:?}");
    let ran = home.run(&["export", "--json"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3));
    assert!(ran.err.contains("\"events\":3"), "{}", ran.err);
}
