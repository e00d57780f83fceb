//! Each rule of the table is broken once.
use super::*;

const TABLE: &str = "\
# House

| crate | purpose | may depend on | its tests may also use | must never know |
|---|---|---|---|---|
| `core` | words | `bytes` | - | disks, `tokio` |
| `app` | framework | `core`; any library | `engine` | - |
| `engine` | log | `core`, `bytes` | - | - |
";

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn member(depends_on: &[&str], tests_use: &[&str], linked: &[&str]) -> Crate {
    Crate {
        manifest: "x/Cargo.toml".to_owned(),
        depends_on: set(depends_on),
        tests_use: set(tests_use),
        linked: set(linked),
    }
}

fn sound() -> Facts {
    let crates = [
        ("core", member(&["bytes"], &["proptest"], &["bytes"])),
        ("app", member(&["core", "serde"], &["engine"], &[])),
        ("engine", member(&["core", "bytes"], &[], &[])),
    ];
    let crates = crates.map(|(name, facts)| (name.to_owned(), facts));
    Facts { crates: crates.into(), packages: set(&["core", "app", "engine", "bytes", "serde", "tokio"]) }
}

fn found(text: &str, change: impl FnOnce(&mut Facts)) -> Vec<String> {
    let mut facts = sound();
    change(&mut facts);
    let findings = check(&Tree::of(&[(FILE, text)]), |_| Ok(facts)).expect("checked");
    findings.iter().map(ToString::to_string).collect()
}

/// Replaces one member by another.
fn with(name: &'static str, facts: Crate) -> impl FnOnce(&mut Facts) {
    move |all| {
        all.crates.insert(name.to_owned(), facts);
    }
}

#[test]
fn a_true_table_passes() {
    assert_eq!(found(TABLE, |_| {}), Vec::<String>::new());
}

#[test]
fn only_rows_that_forbid_something_are_looked_through() {
    let mut asked = BTreeSet::new();
    let load = |wanted: &BTreeSet<String>| {
        asked = wanted.clone();
        Ok(sound())
    };
    check(&Tree::of(&[(FILE, TABLE)]), load).expect("checked");
    assert_eq!(asked, set(&["core"]));
}

#[test]
fn a_crate_without_a_row_fails() {
    let findings = found(TABLE, with("extra", member(&[], &[], &[])));
    assert_eq!(
        findings,
        [
            "x/Cargo.toml:1: `extra` is not in the crate table of ARCHITECTURE.md: add a row that says why it exists"
        ]
    );
}

#[test]
fn a_row_without_a_crate_fails() {
    let text = format!("{TABLE}| `proto` | wire | `core` | - | - |\n");
    assert_eq!(found(&text, |_| {}), ["ARCHITECTURE.md:8: there is no crate `proto`: remove the row"]);
}

#[test]
fn two_rows_for_one_crate_fail() {
    let text = format!("{TABLE}| `engine` | log | `core`, `bytes` | - | - |\n");
    assert_eq!(found(&text, |_| {}), ["ARCHITECTURE.md:8: `engine` has two rows: leave one"]);
}

#[test]
fn an_edge_that_the_table_has_not_fails() {
    let inside = found(TABLE, with("app", member(&["core", "engine"], &[], &[])));
    assert!(
        inside.len() == 1 && inside[0].starts_with("ARCHITECTURE.md:6: `app` depends on `engine`"),
        "{inside:?}"
    );
    let outside = found(TABLE, with("engine", member(&["core", "serde"], &[], &[])));
    assert!(outside.len() == 1 && outside[0].contains("`engine` depends on `serde`"), "{outside:?}");
}

#[test]
fn an_edge_of_tests_inside_the_workspace_is_named() {
    let findings = found(TABLE, with("engine", member(&["core"], &["app", "serde"], &[])));
    assert_eq!(
        findings,
        ["ARCHITECTURE.md:7: the tests of `engine` use `app`, which its row does not allow"]
    );
}

#[test]
fn what_must_never_be_known_is_not_linked_through_others() {
    let findings = found(TABLE, with("core", member(&["bytes"], &[], &["bytes", "tokio"])));
    assert!(findings.len() == 1 && findings[0].contains("`core` must never know `tokio`"), "{findings:?}");
    let direct = found(TABLE, with("core", member(&["tokio"], &[], &[])));
    assert_eq!(direct.len(), 2, "not allowed and forbidden: {direct:?}");
}

#[test]
fn names_that_do_not_exist_fail() {
    let text = TABLE.replace("`core`, `bytes`", "`core`, `bytes`, `gone`");
    assert_eq!(found(&text, |_| {}), ["ARCHITECTURE.md:7: there is no crate `gone`: remove the name"]);
    let text = TABLE.replace("disks, `tokio`", "`factlog-server`");
    assert_eq!(
        found(&text, |_| {}),
        ["ARCHITECTURE.md:5: there is no crate `factlog-server`: remove the name"]
    );
}

#[test]
fn a_missing_table_fails() {
    assert_eq!(found("# House\n", |_| {}).len(), 1);
    assert_eq!(found(&TABLE.replace("must never know", "never"), |_| {}).len(), 1);
}
