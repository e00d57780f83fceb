//! Each absence is broken once, and spoken of once without being broken.
use super::*;
use crate::tidy::rust;

fn found(path: &str, text: &str) -> Vec<String> {
    let tree = Tree::of(&[(path, text)]);
    check(&tree, &rust::sources(&tree)).iter().map(ToString::to_string).collect()
}

#[test]
fn only_storage_touches_files() {
    let writer = "crates/factlog-engine/src/writer.rs";
    for line in [
        "use std::fs;",
        "use std::fs::File;",
        "use std::{fs, io};",
        "use std::{\n    fs::File,\n};",
        "fn a() { std::fs::read(x) }",
        "use rustix::fs::fdatasync;",
        "use std::{\n    io,\n    os::unix::fs::FileExt,\n};",
    ] {
        assert_eq!(found(writer, &format!("//! W.\n{line}\n")).len(), 1, "{line}");
    }
    assert_eq!(
        found(writer, "//! W.\nuse std::fs;\n"),
        [
            "crates/factlog-engine/src/writer.rs:2: touches files outside `storage/`: go through the storage module"
        ]
    );
}

#[test]
fn storage_tests_comments_and_other_crates_may_name_files() {
    let text = "//! W.\nuse std::fs;\n";
    assert_eq!(found("crates/factlog-engine/src/storage.rs", text), Vec::<String>::new());
    assert_eq!(found("crates/factlog-engine/src/storage/disk.rs", text), Vec::<String>::new());
    assert_eq!(found("crates/factlog-engine/tests/it.rs", text), Vec::<String>::new());
    assert_eq!(found("crates/factlog-cli/src/main.rs", text), Vec::<String>::new());
    let spoken = "//! Never names std::fs.\nuse std::{io, sync};\nlet fs = 1;\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
    assert_eq!(found("crates/factlog-engine/src/writer.rs", spoken), Vec::<String>::new());
}

#[test]
fn unsafe_code_fails_also_in_tests() {
    let text = "//! A b.\n// unsafe is spoken of\n#![deny(unsafe_code)]\nfn a() { unsafe { b() } }\n";
    let findings = found("crates/factlog-core/src/a.rs", text);
    assert_eq!(
        findings,
        [
            "crates/factlog-core/src/a.rs:4: `unsafe`: find a safe way; this file is not one of those that may hold it"
        ]
    );
    assert_eq!(found("crates/factlog-core/tests/a.rs", text).len(), 1);
    assert_eq!(found("crates/factlog-engine/src/storage/uring.rs", text).len(), 0);
}

#[test]
fn notes_to_oneself_fail() {
    let note = NOTES[0];
    let text = format!("//! A b.\n// {note}: later\nlet x = \"{note}\";\nlet {note}S = 1;\n");
    assert_eq!(
        found("xtask/src/a.rs", &text),
        [format!("xtask/src/a.rs:2: a note `{note}`: do it now, or write an issue")]
    );
    assert_eq!(found("docs/a.md", &format!("Say {note} here.\nNot `{note}` here.\n")).len(), 1);
    assert_eq!(found("Cargo.toml", &format!("# {note}\n")).len(), 1);
}

#[test]
fn unfinished_code_fails() {
    for code in ["todo!()", "std::todo!(\"x\")", "dbg!(1)", "unimplemented!()"] {
        assert_eq!(found("xtask/src/a.rs", &format!("//! A b.\nfn a() {{ {code} }}\n")).len(), 1, "{code}");
    }
    assert_eq!(
        found("xtask/src/a.rs", "//! A b.\nfn a() { let todo = 1; println!(\"dbg!\"); }\n"),
        Vec::<String>::new()
    );
}
