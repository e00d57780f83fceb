//! Files that come and go: strangers are left alone, many are not all kept open, missing ones are told.

use factlog_core::{ErrorKind, EventStore, ReadOptions};

use super::{append, close, fill, load, open, read, small, verify_all};
use crate::{Engine, Settings};

#[test]
fn a_file_that_is_not_the_stores_is_named_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path(), small()));
    for name in ["segments/notes.txt", "wal/7"] {
        let path = dir.path().join(name);
        std::fs::write(&path, "mine").expect("write");
        let error = Engine::open(dir.path(), small()).expect_err("refused");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(std::fs::read(&path).expect("it is there"), b"mine");
        std::fs::remove_file(&path).expect("remove");
    }
    drop(open(dir.path(), small()));
}

#[test]
fn a_store_may_have_more_segments_than_a_process_has_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = Settings { segment_events: 1, wal_bytes: 128 << 10, cache_bytes: 0, ..small() };
    let engine = open(dir.path(), settings.clone());
    let mut events = 0;
    for n in 0..400 {
        let appended = pollster::block_on(engine.append(append(n, events + 1))).expect("append");
        events = appended.last.get();
    }
    close(&engine);
    drop(engine);
    let engine = open(dir.path(), settings);
    assert!(190 < engine.shared().view().segments.len(), "many segments");
    assert_eq!(read(&engine, ReadOptions::default()).0.len() as u64, events);
    let open_files = std::fs::read_dir("/proc/self/fd").expect("list").count();
    assert!(open_files < 170, "{open_files} files are open");
}

#[test]
fn missing_files_are_damage_and_not_an_empty_store() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), Settings { segment_events: 30, ..small() });
    fill(&engine, 60);
    close(&engine);
    drop(engine);
    let files = ["wal", "segments"].map(|name| std::fs::read_dir(dir.path().join(name)).expect("list"));
    let used = load(dir.path()).manifest;
    for path in files.into_iter().flatten().map(|entry| entry.expect("an entry").path()) {
        let number =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u64>().ok());
        if number.is_some_and(|number| number < used.wal_first) {
            continue;
        }
        let aside = dir.path().join("aside");
        std::fs::rename(&path, &aside).expect("move away");
        assert!(!load(dir.path()).damage.is_empty(), "{} is missed", path.display());
        assert!(!verify_all(dir.path()).damage.is_empty(), "{} is missed", path.display());
        std::fs::rename(&aside, &path).expect("move back");
    }
    let (path, aside) = (dir.path().join("STORE"), dir.path().join("wal/aside"));
    std::fs::rename(&path, &aside).expect("move away");
    assert!(!verify_all(dir.path()).damage.is_empty());
    let error = Engine::open(dir.path(), small()).expect_err("refused");
    assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid), "{error}");
    std::fs::rename(&aside, &path).expect("move back");
    drop(open(dir.path(), small()));
}
