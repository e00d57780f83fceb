//! What a file says, and what is refused about it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::EVERY;
use crate::settings::files::{SettingsFile, understood};
use crate::settings::value::{Kind, Value};

fn read(text: &str) -> SettingsFile {
    understood(Path::new("/etc/f.toml"), text, &EVERY)
}

/// Would fail if a value were taken for another, or a path depended on where the server was started.
#[test]
fn a_file_says_every_kind_of_value() {
    let file = read(
        "address = \"[::1]:70\"\nsize = 0x10\nword = \"json\"\n# a note\nswitch = true\nfolder = \"data\"\nkey-file = \"/k\"\n",
    );
    assert_eq!(file.problems, []);
    let said: Vec<(&str, usize, &Value)> =
        file.entries.iter().map(|entry| (entry.setting.name, entry.line, &entry.value)).collect();
    let expected = [
        ("address", 1, Value::Address("[::1]:70".parse().unwrap())),
        ("folder", 6, Value::Path(PathBuf::from("/etc/data"))),
        ("key-file", 7, Value::Path(PathBuf::from("/k"))),
        ("size", 2, Value::Bytes(16)),
        ("switch", 5, Value::Switch(true)),
        ("word", 3, Value::Word("json")),
    ];
    assert_eq!(said.len(), expected.len());
    for (name, line, value) in &expected {
        assert!(said.contains(&(name, *line, value)), "{name}: {said:?}");
    }
}

/// Would fail if a slip were passed over, or told of another line, or only the first were told.
#[test]
fn every_problem_is_told_by_its_line() {
    let file = read(
        "adress = \"127.0.0.1:1\"\naddress = \"localhost\"\n\nsize = 9\nword = \"xml\"\nswitch = \"true\"\nfolder = 7\n[section]\na = 1\n",
    );
    let told: Vec<String> = file.problems.iter().map(crate::settings::Problem::text).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn bounds_and_units_are_kept() {
    for (text, value) in [
        ("10", Some(10)),
        ("9", None),
        ("4096", Some(4096)),
        ("4097", None),
        ("4KiB", Some(4096)),
        ("4 KiB", Some(4096)),
        ("5KiB", None),
        ("99999999999999999999", None),
        ("18446744073709551615GiB", None),
        ("-10", None),
        ("+10", None),
        ("KiB", None),
        ("", None),
    ] {
        let found = Kind::Bytes { min: 10, max: 4096 }.parse(OsStr::new(text)).ok();
        assert_eq!(found, value.map(Value::Bytes), "{text:?}");
    }
}

/// Would fail if a file that is no TOML at all stopped something, or its line were wrong.
#[test]
fn what_is_no_toml_is_one_problem_with_its_line() {
    for (text, line) in [("a", 1), ("size = 10\nsize = 11\n", 2), ("size = 10\n\nword = \n", 3), ("\u{0}", 1)]
    {
        let file = read(text);
        assert_eq!((file.problems.len(), file.problems[0].line), (1, line), "{text:?}: {:?}", file.problems);
        assert!(file.entries.is_empty());
    }
}

/// Would fail if a key that was written into the wrong place were printed into a log.
#[test]
fn what_is_refused_is_not_repeated() {
    for text in ["size = \"hunter3\"", "tokn = \"hunter3\"", "word = [\"hunter3\"]", "token = \"hunter3\""] {
        let file = read(text);
        assert_eq!(file.problems.len(), 1);
        assert!(!file.problems[0].text().contains("hunter3"), "{}", file.problems[0].text());
    }
}

proptest! {
    /// Would fail if a file could make the server panic, or send its reader to a line that is not there.
    #[test]
    fn any_file_is_understood_or_told_by_a_line_of_it(
        parts in proptest::collection::vec(prop_oneof![
            Just("size = "), Just("address"), Just("word"), Just("switch"), Just("token"), Just("folder"), Just("free"),
            Just("= "), Just("."), Just("["), Just("]"), Just("{"), Just("}"), Just("\""), Just("\"\"\""), Just("'"),
            Just("\n"), Just("\r\n"), Just("#"), Just("0x"), Just("99999999999999999999999"), Just("-1"), Just("1e9"),
            Just("true"), Just("\"json\""), Just("1979-05-27"), Just("\\"), Just("\u{0}"), Just("č"), Just(" "),
        ], 0..40),
    ) {
        let text = parts.concat();
        let file = read(&text);
        let lines = 1 + text.matches('\n').count();
        for line in file.problems.iter().map(|problem| problem.line).chain(file.entries.iter().map(|entry| entry.line)) {
            prop_assert!((1..=lines).contains(&line), "line {} of {:?}", line, text);
        }
    }
}
