//! Files over the life of an event: written once, held against every later program.

#![expect(unused_qualifications, reason = "the derives name the framework from its root")]

use super::*;
use crate::{Split, Upcast};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "money.debited", renamed_from("debit"), crate = crate)]
struct MovedV1 {
    coins: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "money.moved", version = 2, upcast(MovedV1), split_from(Halves), crate = crate)]
struct Moved {
    cents: u64,
}

impl Upcast<MovedV1> for Moved {
    fn upcast(old: MovedV1) -> Self {
        Self { cents: old.coins * 100 }
    }
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "money/moved twice", crate = crate)]
struct Twice(u64);

struct Halves;
impl Split for Halves {
    type Old = Twice;
    type Into = Moved;
    fn split(Twice(cents): Twice) -> Vec<Moved> {
        vec![Moved { cents: cents / 2 }, Moved { cents: cents - cents / 2 }]
    }
}

#[derive(EventSet)]
#[event_set(crate = crate)]
enum MoneyEvent {
    Moved(Moved),
}

/// The event as a later program has it, which lifts the first version to something else.
mod later {
    use super::*;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "money.moved", version = 2, upcast(MovedV1), split_from(Halves), crate = crate)]
    pub(super) struct Moved {
        cents: u64,
        #[serde(default)]
        note: String,
    }

    impl Upcast<MovedV1> for Moved {
        fn upcast(old: MovedV1) -> Self {
            Self { cents: old.coins, note: String::new() }
        }
    }

    #[derive(EventSet)]
    #[event_set(crate = crate)]
    pub(super) enum MoneyEvent {
        Moved(Moved),
    }

    pub(super) struct Halves;
    impl Split for Halves {
        type Old = Twice;
        type Into = Moved;
        fn split(Twice(_): Twice) -> Vec<Moved> {
            Vec::new()
        }
    }
}

/// And as one has it that has forgotten what was before.
mod forgetful {
    use super::*;
    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "money.moved", crate = crate)]
    pub(super) struct Moved {
        coins: u64,
    }
}

const FILES: [&str; 4] =
    ["debit.v1.json", "money%2Fmoved%20twice.v1.json", "money.debited.v1.json", "money.moved.v2.json"];

fn examples(directory: &Path) -> Golden {
    golden(directory).example(MovedV1 { coins: 3 }).example(Moved { cents: 5 }).example(Twice(7))
}

fn contents(directory: &Path) -> Vec<String> {
    FILES.iter().map(|name| fs::read_to_string(directory.join(name)).unwrap()).collect()
}

/// A version without a file is one whose meaning may change unseen.
#[test]
fn every_name_and_version_needs_a_file_and_is_told_how_to_get_one() {
    let home = tempfile::tempdir().unwrap();
    let wrong = examples(home.path()).wrong::<MoneyEvent>(Bless::Nothing);
    for (wrong, name) in wrong.iter().zip(FILES) {
        assert!(wrong.contains(name) && wrong.contains("run the test with FACTLOG_BLESS=1"), "{wrong}");
    }
    assert_eq!((wrong.len(), golden_files(home.path()).len()), (4, 0));

    let wrong = golden(home.path()).example(Moved { cents: 5 }).wrong::<MoneyEvent>(Bless::Missing);
    assert_eq!((wrong.len(), golden_files(home.path()).len()), (3, 1), "what has an example is written");
    assert!(wrong[0].contains("add `.example(...)` with the struct of debit version 1"), "{}", wrong[0]);
    assert!(examples(home.path()).wrong::<MoneyEvent>(Bless::Missing).is_empty());
    assert!(golden(home.path()).wrong::<MoneyEvent>(Bless::Nothing).is_empty());
    assert_eq!(golden_files(home.path()), FILES);
    insta::assert_snapshot!(contents(home.path()).concat());
}

/// Traps 19 and 40: an event that is read as something else, in silence, is somebody's money.
#[test]
fn what_is_read_as_something_else_or_not_at_all_is_said_and_never_written_over() {
    let home = tempfile::tempdir().unwrap();
    assert!(examples(home.path()).wrong::<MoneyEvent>(Bless::Missing).is_empty());
    let written = contents(home.path());
    for bless in [Bless::Nothing, Bless::Missing] {
        let wrong = examples(home.path()).wrong::<later::MoneyEvent>(bless);
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        let line = "  + \"money.moved version 2: {\\\"cents\\\":3,\\\"note\\\":\\\"\\\"}\"\n";
        assert!(wrong[0].ends_with(line) && wrong[0].contains("FACTLOG_BLESS=changed"), "{}", wrong[0]);
        assert_eq!(contents(home.path()), written);
    }
    let wrong = golden(home.path()).wrong::<forgetful::Moved>(Bless::Changed);
    assert_eq!(wrong.len(), 5, "one is missing, four are of what is read no more: {wrong:?}");
    assert!(wrong[1].contains("the set reads this name and version no more"), "{}", wrong[1]);
    assert_eq!(contents(home.path()), written);

    assert!(golden(home.path()).wrong::<later::MoneyEvent>(Bless::Changed).is_empty());
    assert!(golden(home.path()).wrong::<later::MoneyEvent>(Bless::Nothing).is_empty());
    let data = |text: &String| serde_json::from_str::<File>(text).unwrap().data;
    assert!(contents(home.path()).iter().map(data).eq(written.iter().map(data)), "what is stored stays");
}

#[test]
fn files_that_are_spoilt_or_of_another_event_are_said() {
    let home = tempfile::tempdir().unwrap();
    assert!(examples(home.path()).wrong::<MoneyEvent>(Bless::Missing).is_empty());
    let [debit, moved] = [FILES[0], FILES[3]].map(|name| home.path().join(name));
    let text = fs::read_to_string(&moved).unwrap();
    fs::write(&debit, &text).unwrap();
    fs::write(&moved, text.replace("\"cents\": 5\n  },", "\"cents\": -5\n  },")).unwrap();
    fs::write(home.path().join(FILES[1]), "{").unwrap();
    let wrong = examples(home.path()).wrong::<MoneyEvent>(Bless::Changed);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong[0].ends_with("is of money.moved version 2; give it back its name"), "{}", wrong[0]);
    assert!(wrong[1].contains("is no golden file"), "{}", wrong[1]);
    assert!(wrong[2].contains("cannot read money.moved version 2"), "{}", wrong[2]);
}
