//! The table, and what becomes of what people write.

mod reading;
mod said;
mod trusted;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use clap::CommandFactory as _;

use super::value::Kind;
use super::{Setting, TABLE, page, schema};

/// A table with a setting of every kind, secrets among them.
#[rustfmt::skip]
pub(super) static EVERY: [Setting; 8] = [
    Setting { name: "address", kind: Kind::Address, default: Some("127.0.0.1:1"), secret: false, meaning: "An address" },
    Setting { name: "size", kind: Kind::Bytes { min: 10, max: 4096 }, default: Some("2KiB"), secret: false, meaning: "A size" },
    Setting { name: "word", kind: Kind::Word(&["text", "json"]), default: None, secret: false, meaning: "A word" },
    Setting { name: "free", kind: Kind::Text, default: None, secret: false, meaning: "Some text" },
    Setting { name: "switch", kind: Kind::Switch, default: None, secret: false, meaning: "A switch" },
    Setting { name: "folder", kind: Kind::Directory, default: None, secret: false, meaning: "A folder" },
    Setting { name: "key-file", kind: Kind::File, default: None, secret: true, meaning: "A file with a key" },
    Setting { name: "token", kind: Kind::Word(&["hunter2"]), default: None, secret: true, meaning: "A token" },
];

/// Would fail if a default were out of its own bounds, or two settings shared a name, so that the first start panics.
#[test]
fn every_row_is_whole() {
    let names: BTreeSet<&str> = TABLE.iter().map(|setting| setting.name).collect();
    assert_eq!(names.len(), TABLE.len());
    for setting in &TABLE {
        let name = setting.name;
        assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'), "{name}");
        assert!(!setting.meaning.ends_with('.') && !setting.meaning.contains('|'), "{name}");
        if let Some(default) = setting.default {
            setting.kind.parse(OsStr::new(default)).expect(name);
        }
    }
}

/// Would fail if a flag of `factlog serve` were no setting, so that no file could say it, or a setting had no flag.
#[test]
fn the_flags_of_the_server_are_the_settings() {
    let command = crate::cli::Cli::command();
    let serve = command.find_subcommand("serve").expect("a command");
    let flags: BTreeSet<&str> = serve.get_arguments().filter_map(clap::Arg::get_long).collect();
    let settings = TABLE.iter().filter(|setting| setting.has_own_flag()).map(|setting| setting.name);
    assert_eq!(flags, settings.chain(["config"]).collect());
}

#[test]
fn the_page_of_settings_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    if std::env::var_os("FACTLOG_UPDATE").is_some() {
        std::fs::write(&path, page::markdown()).expect("write the page");
    }
    let found = std::fs::read_to_string(&path).expect("docs/settings.md");
    assert!(
        found == page::markdown(),
        "docs/settings.md is not the table: run this test with FACTLOG_UPDATE=1"
    );
}

/// Would fail if an editor took a key that the server refuses.
#[test]
fn the_schema_knows_the_keys_of_the_table_and_no_others() {
    let schema = schema();
    let keys: BTreeSet<&str> =
        schema["properties"].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, TABLE.iter().map(|setting| setting.name).collect());
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["compression"]["enum"], serde_json::json!(["zstd", "none"]));
    assert_eq!(schema["properties"]["cache-bytes"]["default"], 24 << 20);
}

#[test]
fn the_variable_and_the_flag_follow_from_the_name() {
    assert_eq!(super::variable("index-cache-bytes"), "FACTLOG_INDEX_CACHE_BYTES");
    assert_eq!(super::flag("index-cache-bytes"), "--index-cache-bytes");
}
