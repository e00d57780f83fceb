//! Damage to index files of an open store, and sectors that the disk cannot read: answers stay right, appends go on
//! where nothing is lost, and nothing is ever cut off or removed without a word.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_core::{
    Append, AppendCondition, ErrorKind, EventStore, Position, Query, QueryItem, ReadOptions, SystemClock,
};

use super::{close, event, files, fill, flip, load, open, read, settle, small, verify_all};
use crate::storage::faulty::{Faults, FaultyDisk};
use crate::{Engine, Settings};

/// Enough events for lists that take pages of their own, and nothing remembered of pages and blocks.
fn forgetful() -> Settings {
    Settings { segment_events: 400, cache_bytes: 0, index_cache_bytes: 0, filter_bytes: 0, ..small() }
}

/// Two segments and something behind them.
fn store(dir: &Path) -> u64 {
    let engine = open(dir, forgetful());
    for first in [1, 401, 801] {
        let last = (first + 399).min(810);
        pollster::block_on(engine.append(Append::new((first..=last).map(event)))).expect("append");
    }
    settle(&engine);
    close(&engine);
    810
}

fn index_file(dir: &Path, first: u64) -> PathBuf {
    let mut paths: Vec<_> =
        files(dir).into_keys().filter(|path| path.extension().is_some_and(|e| e == "idx")).collect();
    paths.retain(|path| path.to_string_lossy().contains(&format!("0-{first:020}")));
    paths.pop().expect("an index file")
}

/// Queries by type, stream and tag say what the log says.
fn check_queries(engine: &Engine, what: &str) {
    let (log, error) = read(engine, ReadOptions::default());
    assert!(error.is_none(), "{what}: {error:?}");
    let sample = [&log[0], &log[1], &log[3], &log[5]];
    let items = sample.iter().flat_map(|recorded| {
        let one = QueryItem::of_types([recorded.event.event_type.clone()]);
        [one.clone(), QueryItem { tags: recorded.event.tags.clone(), ..one }]
    });
    let queries = items.map(|item| Query::any_of([item]).expect("a query"));
    let streams = sample.iter().filter_map(|recorded| recorded.event.stream.clone()).map(Query::stream);
    for query in queries.chain(streams) {
        for options in [ReadOptions::default(), ReadOptions::default().backwards()] {
            let found = pollster::block_on(engine.read(query.clone(), options).collect()).expect(what).events;
            assert_eq!(
                found.len(),
                log.iter().filter(|recorded| query.matches(&recorded.event)).count(),
                "{what}"
            );
        }
    }
}

#[test]
fn any_damaged_page_of_an_index_costs_no_answer_and_no_append() {
    let dir = tempfile::tempdir().expect("a directory");
    let events = store(dir.path());
    let path = index_file(dir.path(), 1);
    let pages = std::fs::metadata(&path).expect("metadata").len() / 4096;
    assert!(4 < pages, "several kinds of pages");
    for page in 0..pages {
        for sees_it in ["as a wrong checksum", "as an error of the disk"] {
            let what = format!("page {page}, {sees_it}");
            let copy = tempfile::tempdir().expect("a directory");
            super::copy(dir.path(), copy.path());
            let faults = Arc::new(Faults::default());
            let disk = Arc::new(FaultyDisk(faults.clone()));
            let path = copy.path().join(path.strip_prefix(dir.path()).expect("inside"));
            let harm = || match sees_it {
                "as a wrong checksum" => flip(&path, page * 4096 + 1000),
                _ => faults.set_unreadable(&path.to_string_lossy(), page * 4096 + 1000),
            };
            // The footer is read by opening, the rest by an open store.
            let footer = page == pages - 1;
            if footer {
                harm();
            }
            let engine = Engine::open_on(disk, copy.path(), forgetful(), Arc::new(SystemClock)).expect(&what);
            if !footer {
                harm();
            }
            check_queries(&engine, &what);
            let appended = pollster::block_on(engine.append(Append::new([event(events + 1)]))).expect(&what);
            assert_eq!(appended.first.get(), events + 1, "{what}");
            let again = pollster::block_on(engine.append(Append::new((1..=400).map(event)))).expect(&what);
            assert!(again.deduplicated, "{what}");
            settle(&engine);
            check_queries(&engine, &what);
            close(&engine);
        }
    }
}

#[test]
fn an_index_that_cannot_be_built_again_ends_what_needs_it_and_nothing_else() {
    for while_open in [false, true] {
        let dir = tempfile::tempdir().expect("a directory");
        let events = store(dir.path());
        let path = index_file(dir.path(), 1);
        flip(&dir.path().join("segments").join(crate::segment::file_name(1)), 3000);
        if !while_open {
            std::fs::remove_file(&path).expect("remove");
        }
        let engine = open(dir.path(), forgetful());
        if while_open {
            let pages = std::fs::metadata(&path).expect("metadata").len() / 4096;
            (0..pages - 1).for_each(|page| flip(&path, page * 4096 + 1000));
        }
        let query = Query::any_of([QueryItem::of_types([event(1).event_type])]).expect("a query");
        let found = pollster::block_on(engine.read(query.clone(), ReadOptions::default()).collect());
        assert_eq!(found.expect_err("it cannot be known").kind(), ErrorKind::Corrupt);
        let options = ReadOptions::default().after(Position::new(400));
        let found = pollster::block_on(engine.read(query.clone(), options).collect()).expect("the rest");
        assert!(200 <= found.events.len());
        let append = Append::new([event(events + 1)]).when(AppendCondition::none_match(query, None));
        let refused =
            pollster::block_on(engine.append(append)).expect_err("what cannot be known is not assumed");
        assert_eq!(refused.failed().expect("an error").kind(), ErrorKind::Corrupt);
        close(&engine);
    }
}

#[test]
fn an_end_of_the_log_that_cannot_be_read_is_not_cut_off() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), small());
    let events = fill(&engine, 8);
    close(&engine);
    drop(engine);
    let before = files(dir.path());
    let last = load(dir.path()).unvouched.pop().expect("a last frame").offset;
    let faults = Arc::new(Faults::default());
    // The last group and what vouches for it, in one sector as large as some disks have.
    (0..4).for_each(|page| faults.set_unreadable("wal/00000001", last - 4096 + page * 4096));
    let disk = Arc::new(FaultyDisk(faults));
    let engine = Engine::open_on(disk, dir.path(), small(), Arc::new(SystemClock)).expect("open");
    let (seen, error) = read(&engine, ReadOptions::default());
    assert!((seen.len() as u64) < events && error.is_some(), "{} of {events}", seen.len());
    let refused =
        pollster::block_on(engine.append(Append::new([event(1_000)]))).expect_err("nothing is appended");
    assert_eq!(refused.failed().expect("an error").kind(), ErrorKind::Corrupt);
    close(&engine);
    assert!(before == files(dir.path()), "nothing was touched");
}

#[test]
fn a_file_that_only_a_lost_manifest_knew_is_not_removed_for_its_first_frame() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), small());
    let manifests = ["MANIFEST.0", "MANIFEST.1"].map(|name| dir.path().join(name));
    let older = manifests.each_ref().map(|path| std::fs::read(path).expect("read"));
    let events = fill(&engine, 40);
    close(&engine);
    drop(engine);
    let second = dir.path().join("wal/00000002");
    assert!(second.exists(), "it went on in another file");
    manifests.iter().zip(older).for_each(|(path, bytes)| std::fs::write(path, bytes).expect("write"));
    flip(&second, 200);
    let engine = open(dir.path(), small());
    let (seen, error) = read(&engine, ReadOptions::default());
    assert!((seen.len() as u64) < events && error.is_some(), "the damage is told");
    close(&engine);
    assert!(second.exists(), "and the file is kept");
}

#[test]
fn what_a_verification_finds_in_an_index_is_mended_though_nobody_reads_it() {
    let dir = tempfile::tempdir().expect("a directory");
    store(dir.path());
    let path = index_file(dir.path(), 1);
    flip(&path, 4096 + 1000);
    let report = verify_all(dir.path());
    assert!(report.damage.is_empty() && !report.mendable.is_empty(), "{report:?}");
    assert_eq!(crate::mend(dir.path(), &report).expect("mend"), 1);
    assert!(!path.exists());
    let engine = open(dir.path(), forgetful());
    settle(&engine);
    close(&engine);
    drop(engine);
    assert!(verify_all(dir.path()).is_clean() && path.exists());
    flip(&dir.path().join("segments").join(crate::segment::file_name(1)), 3000);
    flip(&path, 4096 + 1000);
    let refused =
        crate::mend(dir.path(), &verify_all(dir.path())).expect_err("there is nothing to build it from");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(path.exists());
}
