//! What must hold for a store whose processes were killed.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use factlog_core::{Event, EventStore, Query, QueryItem, ReadOptions, Tags};

use super::{appends_in, events_of, head, open, source, work};
use crate::storage::killing::{Last, Moment, Steps};
use crate::tests::{event, read, settle};
use crate::{Engine, Extent, verify};

/// Appends that come on top, so that there is sealing again.
const MORE: u64 = 8;

/// Nothing is damaged, all that was acknowledged is there once and whole, the store goes on and cleans up.
pub(super) fn everything(dir: &Path, acknowledged: u64, told: &str) {
    // A process that was killed before there was a store left nothing to verify.
    if dir.join("STORE").exists() {
        let report = verify(dir, Extent::Full, &mut |_| {}).expect(told);
        assert_eq!(report.damage, vec![], "{told}");
    }
    let never: Arc<Steps> = Steps::new(dir, Last::Never, Moment::After);
    let engine = open(dir, &never);
    assert!(engine.damage().iter().all(|damage| damage.lost().is_none()), "{told}: {:?}", engine.damage());
    let appends = appends_in(head(&engine)).expect(told);
    assert!((acknowledged..=acknowledged + 1).contains(&appends), "{told}: {acknowledged} became {appends}");
    content(&engine, appends, told);
    for n in [0, appends / 2, appends.saturating_sub(1)].into_iter().filter(|&n| n < appends) {
        let again = pollster::block_on(engine.append(work(n))).expect(told);
        assert!(again.deduplicated, "{told}: append {n}");
        assert_eq!(again.first.get()..=again.last.get(), events_of(n), "{told}: append {n}");
    }
    for n in appends..appends + MORE {
        let appended = pollster::block_on(engine.append(work(n))).expect(told);
        assert_eq!((appended.deduplicated, appended.first.get()), (false, *events_of(n).start()), "{told}");
    }
    settle(&engine);
    content(&engine, appends + MORE, told);
    pollster::block_on(engine.close()).expect(told);
    drop(engine);
    let report = verify(dir, Extent::Full, &mut |_| {}).expect(told);
    assert!(report.is_clean(), "{told}: {report:?}");
    files(dir, report.segments, report.runs, told);
}

/// The log is what was appended, tracking is as of its end, and the index says what a scan says.
fn content(engine: &Engine, appends: u64, told: &str) {
    let last = appends.checked_sub(1).map_or(0, |n| *events_of(n).end());
    let (log, error) = read(engine, ReadOptions::default());
    assert!(error.is_none() && log.len() as u64 == last, "{told}: {} of {last}, {error:?}", log.len());
    for (recorded, n) in log.iter().zip(1..) {
        assert_eq!((recorded.position.get(), &recorded.event), (n, &event(n)), "{told}");
    }
    let mut tracking = BTreeMap::new();
    for mark in (0..appends).filter_map(|n| work(n).tracking) {
        tracking.insert(mark.source, mark.position);
    }
    for source in (0..5).map(source) {
        let found = pollster::block_on(engine.tracking(source.as_str())).expect(told);
        assert_eq!(found, tracking.get(&source).copied(), "{told}: {source:?}");
    }
    for query in log.iter().flat_map(|recorded| queries(&recorded.event)).collect::<HashSet<_>>() {
        let expected = log.iter().filter(|recorded| query.matches(&recorded.event));
        let found = engine.read(query.clone(), ReadOptions::default()).collect();
        let found = pollster::block_on(found).expect(told).events;
        assert!(found.iter().eq(expected), "{told}: {query:?}");
    }
}

/// What an event can be found by.
fn queries(event: &Event) -> impl Iterator<Item = Query> {
    let tags = event.tags.iter().map(|tag| QueryItem::tagged(Tags::new([tag.as_str()]).expect("a tag")));
    let one = |item| Query::any_of([item]).expect("a query");
    let all = tags.chain([QueryItem::of_types([event.event_type.clone()])]).map(one);
    all.chain(event.stream.clone().map(Query::stream))
}

/// There are the files of the store, and no others: interrupted steps left nothing behind.
fn files(dir: &Path, segments: u64, runs: u64, told: &str) {
    let names = |path: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(path).expect(told);
        entries.map(|entry| entry.expect(told).file_name().to_string_lossy().into_owned()).collect()
    };
    let mut top = names(dir);
    top.sort_unstable();
    assert_eq!(top, ["LOCK", "MANIFEST.0", "MANIFEST.1", "STORE", "index", "segments", "wal"], "{told}");
    assert_eq!(names(&dir.join("segments")).len() as u64, segments, "{told}");
    assert_eq!(names(&dir.join("index")).len() as u64, runs, "{told}");
    let wal = names(&dir.join("wal"));
    assert!(wal.iter().all(|name| crate::wal_files::number_of(name).is_some()), "{told}: {wal:?}");
}
