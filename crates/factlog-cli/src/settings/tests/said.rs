//! Who wins, who is said to have won, and what is shown of it.

use std::ffi::OsString;
use std::path::Path;

use super::EVERY;
use crate::failure::Kind as Failed;
use crate::settings::Flags;
use crate::settings::files::{MACHINE, PROJECT, SettingsFile, understood};
use crate::settings::load::{mistyped, searched};
use crate::settings::resolve::{Found, Origin, Resolved, resolve};
use crate::settings::value::Value;

fn file(path: &str, text: &str) -> SettingsFile {
    let file = understood(Path::new(path), text, &EVERY);
    assert_eq!(file.problems, []);
    file
}

fn resolved(flags: &Flags, variable: Option<&str>, files: &[SettingsFile]) -> Resolved {
    let variable = |name: &str| variable.filter(|_| name == "FACTLOG_SIZE").map(OsString::from);
    resolve(&EVERY, flags, variable, files).unwrap()
}

/// Would fail if what somebody typed lost to what somebody once wrote, at any of the six levels.
#[test]
fn the_nearest_word_wins_and_is_named() {
    let files =
        || vec![file("/p/factlog.toml", "size = 13"), file("/u", "\nsize = 14"), file("/m", "size = 15")];
    let flag = Flags::default().with("size", Value::Bytes(11));
    let none = Flags::default();
    let skip = |count: usize| files().split_off(count);
    for (flags, variable, files, value, origin) in [
        (&flag, Some("12"), files(), 11, "--size"),
        (&none, Some("12"), files(), 12, "FACTLOG_SIZE"),
        (&none, Some(""), files(), 13, "/p/factlog.toml:1"),
        (&none, None, files(), 13, "/p/factlog.toml:1"),
        (&none, None, skip(1), 14, "/u:2"),
        (&none, None, skip(2), 15, "/m:1"),
        (&none, None, skip(3), 2048, "default"),
    ] {
        let resolved = resolved(flags, variable, &files);
        assert_eq!(resolved.bytes("size"), value);
        assert_eq!(resolved.get("size").origin.text(), origin);
    }
}

#[test]
fn a_wrong_variable_is_refused_by_its_name_and_not_repeated() {
    let variable = |name: &str| (name == "FACTLOG_TOKEN").then(|| OsString::from("hunter3"));
    let refused = resolve(&EVERY, &Flags::default(), variable, &[]).unwrap_err();
    assert_eq!(refused.kind(), Failed::Usage);
    let said = refused.to_string();
    assert!(said.contains("FACTLOG_TOKEN") && !said.contains("hunter3"), "{said}");
}

/// Would fail if `factlog config show`, which people paste into issues, showed a secret.
#[test]
fn a_secret_is_not_shown_and_has_no_flag() {
    let resolved = resolved(&Flags::default(), None, &[file("/f", "token = \"hunter2\"\nkey-file = \"/k\"")]);
    let token = resolved.get("token");
    assert_eq!(token.line(), "# token = (secret)");
    assert_eq!(token.json()["value"], "(secret)");
    assert!(!token.setting.has_own_flag());
    assert!(!format!("{}{}", token.line(), token.json()).contains("hunter2"));
    // Where a secret lies is no secret.
    assert_eq!(resolved.get("key-file").line(), "key-file = \"/k\"");
    assert!(resolved.get("key-file").setting.has_own_flag());
}

/// Would fail if what is shown could not be used as a file, as with a quote in a path.
#[test]
fn what_is_shown_is_a_file_of_the_same_settings() {
    let text = "address = \"[::1]:9\"\nsize = \"3KiB\"\nword = \"text\"\nswitch = false\nfree = \"a=b, c\"\nfolder = \"/a \\\"b\\\"\\\\c\\n\\u007f\"\n";
    let first = resolved(&Flags::default(), None, &[file("/f", text)]);
    let shown: Vec<String> = first.all().iter().map(Found::line).collect();
    let again = resolved(&Flags::default(), None, &[file("/f", &shown.join("\n"))]);
    for (first, again) in first.all().iter().zip(again.all()) {
        assert_eq!(first.value, again.value, "{}", first.setting.name);
    }
    assert!(!again.switch("switch"));
    assert_eq!(again.text("free"), Some("a=b, c"));
    assert_eq!(again.get("key-file").origin, Origin::Nobody);
}

/// Would fail if the file of the machine won over that of the project, or a relative XDG_CONFIG_HOME were followed.
#[test]
fn files_are_looked_for_in_order() {
    let named = |home: &'static str| {
        move |name: &str| match name {
            "XDG_CONFIG_HOME" => Some(OsString::from(home)),
            "HOME" => Some(OsString::from("/home/ada")),
            _ => None,
        }
    };
    let found = searched(named("/x"));
    assert!(found[0].is_absolute() && found[0].ends_with(PROJECT));
    assert_eq!(found[1..], [Path::new("/x/factlog/config.toml"), Path::new(MACHINE)]);
    assert_eq!(searched(named("x"))[1], Path::new("/home/ada/.config/factlog/config.toml"));
}

#[test]
fn a_variable_that_is_nearly_one_is_told() {
    assert!(mistyped("FACTLOG_LISTN").is_some_and(|told| told.contains("is FACTLOG_LISTEN meant?")));
    for other in ["FACTLOG_LISTEN", "FACTLOG_SERVER", "FACTLOG_SERVICE_HOST", "LISTEN", "FACTLOG_PORT"] {
        assert_eq!(mistyped(other), None, "{other}");
    }
}
