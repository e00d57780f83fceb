//! Settings from flags, variables and files, as the binary takes, shows and refuses them.

use crate::harness::{Home, Ran, bare, run};

/// Runs it in the home's directory with these variables, and no data directory named.
fn plain(home: &Home, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = bare(arguments);
    command.env("XDG_CONFIG_HOME", home.path("config")).envs(variables.iter().copied());
    command.current_dir(home.path(""));
    run(command, b"")
}

/// What a setting is and who said so.
fn shown(ran: &Ran, name: &str) -> (serde_json::Value, serde_json::Value) {
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.json();
    let settings = document["settings"].as_array().expect("a list");
    let setting = settings.iter().find(|setting| setting["name"] == name).expect("a setting");
    (setting["value"].clone(), setting["origin"].clone())
}

/// Would fail if two ways to say the same thing were taken in another order than the page says.
#[test]
fn what_is_said_nearest_holds() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("config/factlog")).expect("a directory");
    home.write("config/factlog/config.toml", "listen = \"127.0.0.1:2\"\ncache-bytes = 4096\n");
    let show = ["config", "show", "--json"];
    let origin = |ran: &Ran, name| shown(ran, name).1;
    let user = plain(&home, &show, &[]);
    assert_eq!(shown(&user, "cache-bytes").0, 4096);
    assert_eq!(
        (&origin(&user, "listen")["from"], &origin(&user, "listen")["line"]),
        (&"file".into(), &1.into())
    );
    home.write("factlog.toml", "\nlisten = \"127.0.0.1:3\"\ndata = \"store\"\n");
    let project = plain(&home, &show, &[]);
    assert_eq!(
        (shown(&project, "listen").0, &origin(&project, "listen")["line"]),
        ("127.0.0.1:3".into(), &2.into())
    );
    assert_eq!(
        shown(&project, "cache-bytes").0,
        4096,
        "a file that says nothing of it leaves it to the next"
    );
    assert_eq!(shown(&project, "data").0, home.store().display().to_string());
    let variable = [("FACTLOG_LISTEN", "127.0.0.1:4"), ("FACTLOG_DATA", "elsewhere")];
    let ran = plain(&home, &show, &variable);
    assert_eq!(shown(&ran, "listen").0, "127.0.0.1:4");
    assert_eq!(
        shown(&ran, "data"),
        ("elsewhere".into(), serde_json::json!({"from": "variable", "name": "FACTLOG_DATA"}))
    );
    let ran = plain(&home, &[&show[..], &["--listen", "127.0.0.1:5", "--data", "here"]].concat(), &variable);
    assert_eq!(
        shown(&ran, "listen"),
        ("127.0.0.1:5".into(), serde_json::json!({"from": "flag", "name": "--listen"}))
    );
    assert_eq!(shown(&ran, "data").0, "here");
    // One file instead of all, by a flag or a variable.
    let other = home.write("other.toml", "compression = \"none\"\n");
    let ran = plain(&home, &[&show[..], &["--config", &other]].concat(), &[]);
    assert_eq!(
        (shown(&ran, "compression").0, shown(&ran, "listen").0),
        ("none".into(), "127.0.0.1:4270".into())
    );
    assert_eq!(shown(&plain(&home, &show, &[("FACTLOG_CONFIG", &other)]), "compression").0, "none");
    assert_eq!(plain(&home, &["config", "show", "--config", "missing.toml"], &[]).code, 3);
}

/// Would fail if a context, which is how people name a store, were not heeded, or won over a file beside it.
#[test]
fn a_context_names_the_data_where_nothing_nearer_does() {
    let home = Home::new();
    assert_eq!(plain(&home, &["context", "add", "mine", "--data", "kept"], &[]).code, 0);
    let show = ["config", "show", "--json"];
    assert_eq!(shown(&plain(&home, &show, &[]), "data").0, serde_json::Value::Null);
    assert_eq!(plain(&home, &["context", "use", "mine"], &[]).code, 0);
    let kept = home.path("kept").display().to_string();
    let (value, origin) = shown(&plain(&home, &show, &[]), "data");
    assert_eq!((value, &origin["from"]), (kept.clone().into(), &"context".into()));
    home.write("factlog.toml", "data = \"store\"\n");
    assert_eq!(shown(&plain(&home, &show, &[]), "data").0, home.store().display().to_string());
    assert_eq!(shown(&plain(&home, &show, &[("FACTLOG_CONTEXT", "mine")]), "data").0, kept);
}

#[test]
fn people_read_a_file_of_settings_and_who_said_so() {
    let home = Home::new();
    home.write("factlog.toml", "data = \"store\"\nlisten = \"[::1]:0\"\n");
    let ran = plain(&home, &["config", "show", "--origin"], &[("FACTLOG_FILTER_BYTES", "1MiB")]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    insta::assert_snapshot!("settings", without_width(&ran.out, &home));
}

/// The text with the home's path and the spaces before origins replaced: both differ from run to run.
fn without_width(text: &str, home: &Home) -> String {
    let path = home.path("").display().to_string();
    let lines = text.lines().map(|line| match line.rsplit_once("  # ") {
        Some((setting, origin)) => format!("{}  # {origin}\n", setting.trim_end()),
        None => format!("{line}\n"),
    });
    lines.collect::<String>().replace(&path, "[home]/")
}

/// Would fail if a server started with a setting that its operator had mistyped, or said less than where it stands.
#[test]
fn a_wrong_file_is_refused_with_all_its_problems() {
    let home = Home::new();
    let text = "listen = \"127.0.0.1:0\"\nlisen = \"127.0.0.1:0\"\ncache-bytes = \"2TiB\"\ndata = 7\n";
    let file = home.write("factlog.toml", text);
    let checked = plain(&home, &["config", "check"], &[]);
    assert_eq!(checked.code, 1, "{checked:?}");
    insta::assert_snapshot!("checked", checked.out.replace(&home.path("").display().to_string(), "[home]/"));
    let named = plain(&home, &["config", "check", &file, "--json"], &[]);
    assert_eq!((named.code, named.json()["problems"].as_array().map(Vec::len)), (1, Some(3)));
    assert_eq!(named.error()["code"], "F0009");
    let served = plain(&home, &["serve", "--data", "store", "--json"], &[]);
    assert_eq!((served.code, served.out.as_str()), (1, ""), "{served:?}");
    assert!(
        served.error()["what"].as_str().is_some_and(|what| what.contains("factlog.toml:2 ")),
        "{served:?}"
    );
    assert!(!home.store().exists());
    home.write("factlog.toml", "cache-bytes = \"2MiB\"\n");
    assert_eq!(plain(&home, &["config", "check"], &[]).code, 0);
    let wrong = plain(&home, &["config", "check", "--json"], &[("FACTLOG_LISTEN", "here")]);
    assert_eq!((wrong.code, &wrong.error()["code"]), (2, &"F0002".into()), "{wrong:?}");
}

#[test]
fn a_wrong_flag_is_refused_as_every_wrong_command_line() {
    for (flag, value) in [("--listen", "here"), ("--cache-bytes", "many"), ("--compression", "gzip")] {
        let ran = plain(&Home::new(), &["serve", flag, value], &[]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(flag) && ran.err.ends_with("code: F0002\n"), "{ran:?}");
    }
}

/// Would fail if a file that every user of the machine can change were followed without a word.
#[test]
fn a_file_that_anybody_can_change_is_warned_about() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let file = home.write("factlog.toml", "listen = \"127.0.0.1:0\"\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).expect("a mode");
    let ran = plain(&home, &["config", "show"], &[("FACTLOG_LISTENN", "x")]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("warning: anybody can change ") && ran.err.contains("(mode 666)"), "{ran:?}");
    assert!(ran.err.contains("is FACTLOG_LISTEN meant?"), "{ran:?}");
}

#[test]
fn the_schema_and_the_deployments_are_printed() {
    let schema = run(bare(&["config", "schema"]), b"").json();
    assert_eq!(schema["properties"]["listen"]["default"], "127.0.0.1:4270");
    for (what, file) in [
        ("systemd", include_str!("../../../../deploy/factlog.service")),
        ("dockerfile", include_str!("../../../../deploy/Dockerfile")),
        ("kubernetes", include_str!("../../../../deploy/kubernetes.yaml")),
        ("compose", include_str!("../../../../deploy/compose.yaml")),
    ] {
        let ran = run(bare(&["gen", what]), b"");
        assert_eq!((ran.code, ran.out.as_str()), (0, file), "{what}");
        assert_eq!(run(bare(&["gen", what, "--json"]), b"").json()["text"], file);
    }
}
