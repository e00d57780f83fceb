//! What the check does with a file that is missing, the same, different, or no lock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate as factlog_app;
use crate::Event;

#[derive(Event, JsonSchema, Serialize, Deserialize)]
#[event(name = "a.opened", crate = factlog_app)]
struct Opened {
    owner: String,
}

mod later {
    use super::*;

    #[derive(Event, JsonSchema, Serialize, Deserialize)]
    #[event(name = "a.opened", crate = factlog_app)]
    pub(super) struct Opened {
        pub(super) owner: String,
        pub(super) limit: u64,
    }
}

const DESK: Surroundings = Surroundings { update: false, ci: false };
const UPDATE: Surroundings = Surroundings { update: true, ci: false };
const CI: Surroundings = Surroundings { update: false, ci: true };

fn now() -> Catalog {
    Catalog::new().with::<Opened>()
}

fn later() -> Catalog {
    Catalog::new().with::<later::Opened>()
}

/// A test that writes the file where nobody commits it would pass for ever and guard nothing.
#[test]
fn the_file_is_written_where_there_is_none_but_not_in_ci() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("events.lock");
    let missing = now().check_in(&path, CI).unwrap_err().to_string();
    assert!(missing.contains("is not there") && !path.exists(), "{missing}");
    assert_eq!(now().check_in(&path, DESK).unwrap(), Checked::Written);
    assert_eq!(now().check_in(&path, CI).unwrap(), Checked::Same);
    assert_eq!(now().check_in(&path, UPDATE).unwrap(), Checked::Same);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left over");
}

#[test]
fn a_difference_fails_with_the_verdict_in_words_until_the_file_is_written_again() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("events.lock");
    now().check_in(&path, DESK).unwrap();
    let breaking = later().check_in(&path, DESK).unwrap_err();
    let text = format!("{breaking:?}").replace(&path.display().to_string(), "events.lock");
    insta::assert_snapshot!(text, @"
    the events differ from events.lock: forward
      a.opened: changed, forward
        new programs cannot read what is stored: limit: required field added without default
    Give a new field a serde default, or raise the version and write an upcast, keep older shapes and names. If nothing of that shape was ever stored, run the test again with FACTLOG_EVENTS_LOCK=update and commit the file.
    ");
    assert_eq!(later().check_in(&path, UPDATE).unwrap(), Checked::Written);
    let back = now().check_in(&path, CI).unwrap_err().to_string();
    assert!(back.contains("a.opened: changed, backward"), "{back}");
    assert!(
        back.contains("programs that run now cannot read what new ones write: limit: field removed"),
        "{back}"
    );
}

#[test]
fn a_file_that_is_no_lock_or_cannot_be_written_is_said() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("events.lock");
    fs::write(&path, "<<<<<<< HEAD").unwrap();
    let merged = now().check_in(&path, DESK).unwrap_err().to_string();
    assert!(merged.contains("it is no JSON, so no events.lock"), "{merged}");
    let nowhere = now().check_in(&home.path().join("none/events.lock"), DESK).unwrap_err().to_string();
    assert!(nowhere.starts_with("cannot write"), "{nowhere}");
    let two = now().with::<later::Opened>().check_in(&path, DESK).unwrap_err().to_string();
    assert!(two.starts_with("two types are stored under the name a.opened"), "{two}");
}
