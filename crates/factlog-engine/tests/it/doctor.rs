//! The doctor: it finds what was done to a store, and leaves no trace of itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use factlog_core::{Clock, Event, EventStoreExt as _, EventType, Timestamp};
use factlog_engine::{Checkup, Engine, Finding, Level, Settings, doctor};
use tempfile::TempDir;

fn small() -> Settings {
    Settings { segment_events: 100, ..Settings::default() }
}

fn examined(dir: &Path) -> Checkup {
    doctor(dir, &small(), &mut |_| {})
}

fn of<'a>(checkup: &'a Checkup, check: &str) -> Vec<&'a Finding> {
    checkup.findings.iter().filter(|finding| finding.check == check).collect()
}

/// The one finding of a check.
fn the<'a>(checkup: &'a Checkup, check: &str) -> &'a Finding {
    let found = of(checkup, check);
    assert_eq!(found.len(), 1, "{check}: {checkup:?}");
    found[0]
}

fn figure(finding: &Finding, name: &str) -> u64 {
    let found = finding.figures.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no {name} in {finding:?}")).1
}

fn fill(engine: &Engine, events: u32) {
    let kind = EventType::new("lamp.switched-on").expect("a good name");
    for n in 0..events {
        let event = Event::new(kind.clone(), format!("{{\"n\":{n}}}"));
        pollster::block_on(engine.append_one(event)).expect("it is appended");
    }
}

/// A store with sealed events and a tail.
fn store() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::open(dir.path(), small()).expect("it opens");
    fill(&engine, 250);
    drop(engine);
    dir
}

/// Every file below a directory with its bytes and when it was written.
fn files(dir: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let changed = fs::metadata(&path).and_then(|file| file.modified()).expect("it has a time");
            found.insert(path.display().to_string(), (fs::read(&path).expect("it can be read"), changed));
        }
    }
    found
}

/// Would fail if a directory that is fit for a store were called unfit, or something were left in it that makes it so.
#[test]
fn a_fresh_directory_is_fit_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let checkup = examined(dir.path());
    assert!(checkup.worst() < Level::Problem, "{checkup:#?}");
    assert!(the(&checkup, "store").found.contains("there is none yet"));
    let sync = the(&checkup, "sync");
    assert!(
        0 < figure(sync, "durable_p50_ns")
            && figure(sync, "durable_p50_ns") <= figure(sync, "durable_p99_ns")
    );
    assert!(0 < figure(sync, "durable_per_second") && 0 < figure(sync, "plain_p50_ns"), "{sync:?}");
    assert!(0 < figure(the(&checkup, "memory"), "settings_bytes"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "something was left behind");
    drop(Engine::open(dir.path(), small()).unwrap());
}

#[test]
fn a_directory_that_is_to_be_made_is_judged_by_the_one_above_it_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let checkup = examined(&dir.path().join("a/b"));
    assert!(the(&checkup, "directory").found.contains("does not exist yet"), "{checkup:?}");
    assert!(checkup.worst() < Level::Problem, "{checkup:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_is_no_directory_or_somebody_elses_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    let checkup = examined(dir.path());
    assert_eq!(the(&checkup, "store").level, Level::Problem);
    assert!(the(&checkup, "store").found.contains("letter.txt"));
    let checkup = examined(&dir.path().join("letter.txt"));
    assert_eq!(the(&checkup, "directory").level, Level::Problem);
}

/// Would fail if the doctor changed a store, miscounted it, or kept others from opening it afterwards.
#[test]
fn a_store_is_counted_and_not_touched() {
    let dir = store();
    let before = files(dir.path());
    let checkup = examined(dir.path());
    assert!(checkup.worst() < Level::Problem, "{checkup:#?}");
    let segments = the(&checkup, "segments");
    let (sealed, tail) = (figure(segments, "events"), figure(the(&checkup, "opening"), "tail_events"));
    assert!(0 < sealed && sealed + tail == 250, "{checkup:?}");
    assert_eq!(figure(segments, "segments"), figure(the(&checkup, "index"), "index_runs"), "one each so far");
    assert_eq!(figure(the(&checkup, "lock"), "open"), 0);
    assert!(0 < figure(the(&checkup, "space"), "room_events"));
    assert_eq!(the(&checkup, "clock").level, Level::Fine);
    assert!(files(dir.path()) == before, "a file was changed");
    drop(Engine::open(dir.path(), small()).unwrap());
}

/// Would fail if looking took the store from its owner, or passed for a whole look.
#[test]
fn an_open_store_is_looked_at_as_far_as_it_goes() {
    let dir = store();
    let engine = Engine::open(dir.path(), small()).unwrap();
    let checkup = examined(dir.path());
    assert_eq!(figure(the(&checkup, "lock"), "open"), 1);
    assert_eq!(the(&checkup, "opening").level, Level::Unknown);
    assert!(0 < figure(the(&checkup, "segments"), "events"));
    assert!(checkup.worst() < Level::Problem, "{checkup:?}");
    fill(&engine, 10);
}

#[test]
fn damage_is_a_problem_and_what_can_be_mended_a_warning() {
    let dir = store();
    let run = fs::read_dir(dir.path().join("index")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(run).unwrap();
    fs::remove_file(dir.path().join("MANIFEST.1")).unwrap();
    let checkup = examined(dir.path());
    assert_eq!(checkup.worst(), Level::Warning, "{checkup:#?}");
    assert!(the(&checkup, "mendable").found.starts_with("index/"), "{checkup:#?}");
    assert_eq!(the(&checkup, "manifest").level, Level::Warning);

    fs::remove_file(dir.path().join("segments/00000000000000000001.log")).unwrap();
    let checkup = examined(dir.path());
    let damage = of(&checkup, "damage");
    assert!(damage.iter().any(|finding| finding.level == Level::Problem), "{checkup:#?}");
    assert!(damage.iter().all(|finding| finding.advice.is_some()));

    fs::write(dir.path().join("STORE"), "not what it was").unwrap();
    let checkup = examined(dir.path());
    assert_eq!(the(&checkup, "store").level, Level::Problem);
    fs::remove_file(dir.path().join("STORE")).unwrap();
    assert!(the(&examined(dir.path()), "store").found.contains("STORE is missing"));
}

/// Would fail if memory passed for a disk.
#[test]
fn a_file_system_in_memory_is_named() {
    let Ok(dir) = tempfile::tempdir_in("/dev/shm") else { return };
    let checkup = examined(dir.path());
    let system = the(&checkup, "file_system");
    if figure(system, "magic") == 0x0102_1994 {
        assert_eq!((system.level, the(&checkup, "sync").level), (Level::Warning, Level::Warning));
        assert!(system.found.starts_with("tmpfs"));
        assert!(the(&checkup, "sync").found.contains("no disk"));
    }
}

/// Would fail if a directory that nothing can be written to passed. `/proc` is one for whoever may write everywhere.
#[test]
fn a_directory_that_cannot_be_written_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    let read_only = dir.path().join("read-only");
    fs::create_dir(&read_only).unwrap();
    let mut permissions = fs::metadata(&read_only).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&read_only, permissions).unwrap();
    let mighty = fs::write(read_only.join("probe"), "").is_ok();
    let checkup = examined(if mighty { Path::new("/proc") } else { &read_only });
    assert_eq!(the(&checkup, "sync").level, Level::Problem, "{checkup:#?}");
    assert!(mighty || the(&checkup, "directory").level == Level::Problem);
}

#[derive(Debug)]
struct Tomorrow;

impl Clock for Tomorrow {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(factlog_core::SystemClock.now().as_micros() + 86_400_000_000)
    }
}

#[test]
fn a_clock_behind_the_last_event_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open_with(dir.path(), small(), Arc::new(Tomorrow)).unwrap();
    fill(&engine, 1);
    drop(engine);
    let checkup = examined(dir.path());
    let clock = the(&checkup, "clock");
    assert_eq!(clock.level, Level::Warning);
    let behind = figure(clock, "behind_us");
    assert!((86_000_000_000..=86_400_000_000).contains(&behind), "{behind}");
}

/// Would fail if settings that no machine has room for passed, or those that `open` refuses.
#[test]
fn settings_are_held_against_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let greedy = Settings { cache_bytes: 1 << 50, ..small() };
    let checkup = doctor(dir.path(), &greedy, &mut |_| {});
    assert_eq!(the(&checkup, "memory").level, Level::Problem);
    let wrong = Settings { group_bytes: 0, ..small() };
    let mut told = Vec::new();
    let checkup = doctor(dir.path(), &wrong, &mut |finding| told.push(finding.clone()));
    assert_eq!(the(&checkup, "settings").level, Level::Problem);
    assert_eq!(told, checkup.findings, "each finding is told once, in order");
}

/// Would fail if a finding were worded anew, or lost, without anybody seeing it.
#[test]
fn the_findings_are_worded_like_this() {
    let dir = store();
    fs::remove_file(dir.path().join("MANIFEST.1")).unwrap();
    let checkup = examined(dir.path());
    let machine = ["file_system", "space", "files", "direct_io", "open_files", "memory"];
    let text: String = checkup
        .findings
        .iter()
        .filter(|finding| !machine.contains(&finding.check))
        .map(|finding| {
            let found = finding.found.replace(&dir.path().display().to_string(), "[dir]");
            let names: Vec<_> = finding.figures.iter().map(|(name, _)| *name).collect();
            let advice = finding.advice.as_deref().unwrap_or("-");
            let (check, level) = (finding.check, finding.level);
            let level = if check == "sync" { "[level]".to_owned() } else { format!("{level:?}") };
            let advice = if check == "sync" { "[advice]" } else { advice };
            let found = found.split(". ").next().unwrap_or_default().to_owned();
            format!("{check} {level}: {}\n  {advice}\n  {names:?}\n", redacted(&found))
        })
        .collect();
    insta::assert_snapshot!(text);
}

/// With `#` for each number, and without the unit of times and sizes, which follows from the number.
fn redacted(text: &str) -> String {
    let mut out = String::new();
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        let bare = word.trim_matches(|c: char| "(),;:".contains(c));
        let number = bare.starts_with(|c: char| c.is_ascii_digit()) || bare.len() == 36;
        if number {
            out.push_str(&word.replace(bare, "#"));
            let units = ["µs", "ms", "s", "B", "KiB", "MiB", "GiB", "TiB"];
            let unit = |next: &&str| units.contains(&next.trim_matches(|c: char| "(),;:".contains(c)));
            if words.peek().is_some_and(unit) {
                let next = words.next().unwrap_or_default();
                let bare = next.trim_matches(|c: char| "(),;:".contains(c));
                out.push(' ');
                out.push_str(&next.replacen(bare, "[unit]", 1));
            }
        } else {
            out.push_str(word);
        }
        out.push(' ');
    }
    out.trim_end().to_owned()
}
