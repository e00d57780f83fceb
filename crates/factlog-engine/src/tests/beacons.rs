//! Damage to beacons, which hold no event: none is lost with them.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use factlog_core::{Append, EventStore};

use super::damage::{check_what_is_left, live, quiet};
use super::{append, close, event, fill, load, open, settle, verify_all, with_flip};
use crate::Settings;

#[test]
fn damage_to_a_beacon_that_is_not_needed_any_more_costs_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), quiet());
    fill(&engine, 2);
    close(&engine);
    let beacon = load(dir.path()).end.expect("an end").offset - 4096;
    let engine = open(dir.path(), quiet());
    let next = pollster::block_on(engine.head()).expect("the head").position.expect("events").get() + 1;
    let appended = pollster::block_on(engine.append(append(2, next))).expect("append");
    close(&engine);
    for offset in (beacon..beacon + 4096).step_by(61) {
        with_flip(&dir.path().join("wal/00000001"), offset, || {
            let recovered = load(dir.path());
            assert_eq!(recovered.damage, [], "a flip at {offset}");
            assert_eq!(recovered.head, appended.last.get(), "a flip at {offset}");
        });
    }
}

#[test]
fn a_damaged_beacon_takes_no_event_in_front_of_it_or_behind_it_with_it() {
    // With 15 events the beacon is the last frame of its file.
    for events in [3, 15] {
        let dir = tempfile::tempdir().expect("a directory");
        live(dir.path(), 1..=events);
        let beacon = events * 4096;
        live(dir.path(), events + 1..=events + 1);
        let end = load(dir.path()).end.expect("an end");
        let last = dir.path().join("wal").join(crate::wal_files::file_name(end.number));
        let check = |vouched: bool| {
            let recovered = load(dir.path());
            assert_eq!(recovered.damage, [], "{events} events, vouched for: {vouched}");
            let [note] = &recovered.notes[..] else { panic!("{:?}", recovered.notes) };
            let told = (note.file.as_str(), note.offset, note.lost());
            assert_eq!(told, ("wal/00000001", beacon, None), "{events} events, vouched for: {vouched}");
            assert_eq!(recovered.head, events + 1, "nothing that was acknowledged is cut off");
            check_what_is_left(&recovered, events + 1);
        };
        with_flip(&dir.path().join("wal/00000001"), beacon + 200, || {
            check(true);
            // A crash leaves no beacon behind the last event.
            let file = OpenOptions::new().write(true).open(&last).expect("open");
            file.write_all_at(&[0; 4096], end.offset - 4096).expect("write");
            check(false);
        });
    }
}

#[test]
fn a_damaged_beacon_is_told_of_and_the_next_opening_writes_it_again() {
    let dir = tempfile::tempdir().expect("a directory");
    live(dir.path(), 1..=3);
    live(dir.path(), 4..=4);
    let path = dir.path().join("wal/00000001");
    let whole = std::fs::read(&path).expect("read");
    let file = OpenOptions::new().write(true).open(&path).expect("open");
    file.write_all_at(&[0; 4096], 3 * 4096).expect("write");
    let report = verify_all(dir.path());
    assert_eq!((report.damage.len(), report.mendable.len()), (0, 1), "{report:?}");
    assert_eq!((&*report.mendable[0].file, report.mendable[0].offset), ("wal/00000001", 3 * 4096));
    let engine = open(dir.path(), quiet());
    assert_eq!(engine.damage(), report.mendable, "whoever opens it is told");
    pollster::block_on(engine.append(Append::new([event(5)]))).expect("it can be written");
    close(&engine);
    assert_eq!(std::fs::read(&path).expect("read")[..5 * 4096], whole[..5 * 4096]);
    let report = verify_all(dir.path());
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn a_beacon_that_only_sealed_events_or_nothing_stand_in_front_of_takes_none_behind_it_with_it() {
    // What is in front of the beacon is wiped as sealing would have done it: nothing is left that it followed.
    let dir = tempfile::tempdir().expect("a directory");
    let settings = || Settings { segment_events: 12, ..quiet() };
    let engine = open(dir.path(), settings());
    for n in 1..=12 {
        pollster::block_on(engine.append(Append::new([event(n)]))).expect("append");
    }
    settle(&engine);
    close(&engine);
    drop(engine);
    let end = load(dir.path()).end.expect("an end");
    let engine = open(dir.path(), settings());
    pollster::block_on(engine.append(Append::new([event(13)]))).expect("append");
    close(&engine);
    drop(engine);
    let whole = load(dir.path());
    assert_eq!((whole.manifest.sealed(), whole.head), (12, 13));
    let path = dir.path().join("wal").join(crate::wal_files::file_name(end.number));
    let beacon = end.offset - 4096;
    with_flip(&path, beacon + 200, || {
        let recovered = load(dir.path());
        assert_eq!((recovered.damage.len(), recovered.head), (0, 13), "{:?}", recovered.damage);
    });
}
