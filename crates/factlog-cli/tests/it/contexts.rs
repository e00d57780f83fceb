//! `factlog context`, and the store that a context chooses.

use std::os::unix::fs::PermissionsExt as _;

use crate::harness::{Home, Ran, bare, piped, run};

/// Runs it with no variable but the home's file of contexts.
fn plain(home: &Home, arguments: &[&str], context: &str) -> Ran {
    let mut command = bare(arguments);
    command.env("XDG_CONFIG_HOME", home.path("config")).env("FACTLOG_CONTEXT", context);
    command.current_dir(home.path(""));
    run(command, b"")
}

/// Would fail if a name led to another store than the one it was kept for, or a directory depended on where one stands.
#[test]
fn a_context_is_kept_used_shown_and_forgotten() {
    let home = Home::with_accounts();
    let ok = |line: &[&str]| {
        let ran = plain(&home, line, "");
        assert_eq!(ran.code, 0, "{line:?}: {ran:?}");
        ran
    };
    ok(&["context", "add", "mine", "--data", "store"]);
    ok(&["context", "add", "prod", "--server", "factlog://127.0.0.1:1"]);
    assert_eq!(plain(&home, &["head"], "").code, 2);
    ok(&["context", "use", "mine"]);
    let file = home.path("config/factlog/contexts.toml");
    assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    let listed = ok(&["context", "list"]).out.replace(&home.store().display().to_string(), "[store]");
    insta::assert_snapshot!("contexts", listed);
    let shown = ok(&["context", "show", "--json"]).json();
    assert_eq!((&shown["name"], &shown["current"]), (&"mine".into(), &true.into()));
    assert_eq!(shown["data"], home.store().display().to_string());
    let all = ok(&["context", "list", "--json"]).json();
    assert_eq!(all["contexts"][1]["server"], "factlog://127.0.0.1:1");
    // The one in use, another by option or variable, and what is said outright.
    assert_eq!(ok(&["head", "--json"]).json()["position"], 3);
    assert_eq!(plain(&home, &["head", "--context", "prod"], "").code, 6);
    assert_eq!(plain(&home, &["head"], "prod").code, 6);
    assert_eq!(plain(&home, &["head", "--data", "store"], "prod").code, 0);
    assert_eq!(plain(&home, &["head", "--data", "store", "--context", "prod"], "").code, 0);
    assert_eq!(plain(&home, &["verify", "--context", "prod"], "").code, 2);
    assert_eq!(plain(&home, &["verify"], "").code, 0);
    ok(&["context", "remove", "mine"]);
    assert_eq!(plain(&home, &["head"], "").code, 2);
    assert!(home.store().exists());
}

#[test]
fn a_name_that_is_taken_unknown_or_wrong_is_refused() {
    let home = Home::new();
    assert_eq!(plain(&home, &["context", "add", "prod", "--data", "a"], "").code, 0);
    assert_eq!(plain(&home, &["context", "add", "prod", "--data", "a"], "").code, 0);
    let mut told = String::new();
    for (line, code) in [
        (&["context", "add", "prod", "--data", "b"][..], 1),
        (&["context", "add", "other"], 2),
        (&["context", "add", "other", "--server", "http://a:1"], 2),
        (&["context", "add", "other", "--server", "factlog://a:1", "--data", "b"], 2),
        (&["context", "use", "prdo"], 3),
        (&["context", "remove", "zzz"], 3),
        (&["context", "show"], 3),
        (&["head", "--context", "prd"], 3),
    ] {
        let ran = plain(&home, line, "");
        assert_eq!(ran.code, code, "{line:?}: {ran:?}");
        told.push_str(&ran.err.replace(&home.path("").display().to_string(), "[home]/"));
    }
    assert_eq!(plain(&home, &["context", "add", "a b", "--data", "a"], "").code, 2);
    insta::assert_snapshot!("refused_contexts", told);
}

/// Would fail if a slip in an editor cost all other contexts.
#[test]
fn a_file_that_cannot_be_understood_is_told_by_its_line_and_left_as_it_is() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("config/factlog")).expect("a directory");
    let text = "current = \"prod\"\n\n[contexts.prod]\nserver = factlog://a:1\n";
    home.write("config/factlog/contexts.toml", text);
    for line in [&["context", "add", "b", "--data", "b"][..], &["context", "list"], &["head"]] {
        let ran = plain(&home, line, "");
        assert_eq!(ran.code, 1, "{line:?}: {ran:?}");
        assert!(ran.err.contains("line 4 of ") && ran.err.contains("not written over"), "{ran:?}");
    }
    // What needs no context does not care.
    assert_eq!(plain(&home, &["head", "--data", "nothing"], "").code, 3);
    assert_eq!(std::fs::read_to_string(home.path("config/factlog/contexts.toml")).expect("there"), text);
}

/// Would fail if two programs that keep a name at the same time lost one of them.
#[test]
fn names_that_are_kept_at_the_same_time_are_all_kept() {
    let home = Home::new();
    let names: Vec<String> = (0..12).map(|n| format!("n{n:02}")).collect();
    let adding: Vec<_> = names
        .iter()
        .map(|name| {
            let mut command = bare(&["context", "add", name, "--data", name]);
            command.env("XDG_CONFIG_HOME", home.path("config")).current_dir(home.path(""));
            piped(&mut command)
        })
        .collect();
    for child in adding {
        let ended = child.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "{ended:?}");
    }
    let listed = plain(&home, &["context", "list", "--json"], "").json();
    let kept: Vec<&str> = listed["contexts"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(kept, names);
}

/// Would fail if one that reads, changes and replaces the file did not keep another from doing so meanwhile.
#[test]
fn a_name_is_kept_only_after_the_other_program_has_let_go() {
    let home = Home::new();
    assert_eq!(plain(&home, &["context", "add", "first", "--data", "a"], "").code, 0);
    let lock = std::fs::File::open(home.path("config/factlog/contexts.lock")).expect("a file to lock");
    lock.lock().expect("the lock");
    let mut command = bare(&["context", "add", "second", "--data", "b"]);
    command.env("XDG_CONFIG_HOME", home.path("config")).current_dir(home.path(""));
    let mut waiting = piped(&mut command);
    // It is waiting once the kernel says so, in a line with an arrow; that it would end instead is what must not be.
    let pid = format!(" {} ", waiting.id());
    let waits = || {
        std::fs::read_to_string("/proc/locks")
            .is_ok_and(|locks| locks.lines().any(|line| line.contains("->") && line.contains(&pid)))
    };
    while !waits() {
        assert!(waiting.try_wait().expect("a state").is_none(), "it did not wait");
        std::thread::yield_now();
    }
    assert_eq!(
        plain(&home, &["context", "list", "--json"], "").json()["contexts"].as_array().map(Vec::len),
        Some(1)
    );
    drop(lock);
    assert!(waiting.wait().expect("it ends").success());
    assert_eq!(
        plain(&home, &["context", "list", "--json"], "").json()["contexts"].as_array().map(Vec::len),
        Some(2)
    );
}
