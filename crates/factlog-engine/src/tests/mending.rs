//! Loss of what is derived: index files and the manifest's copies gone or flipped, while the store is open and between
//! two openings. Appends and reads go on, every answer is right, the files come back, and `verify` says what happened.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use factlog_core::{Append, Category, EventStore, Position, Query, QueryItem, ReadOptions, Tags};

use super::{close, copy, do_all, event, flip, load, open, read, settle, small, verify_all};
use crate::manifest::FILES;
use crate::{Engine, Settings};

/// Events of the store that is harmed: eight segments under a merged run, three under a run each, and a tail.
const EVENTS: u64 = 115;
/// Events appended after the harm: three more segments, too few for another merge.
const MORE: u64 = 30;

fn settings() -> Settings {
    Settings { segment_events: 10, index_cache_bytes: 0, ..small() }
}

/// Appends events one by one, each segment at its usual place.
fn go_on(engine: &Engine, events: std::ops::RangeInclusive<u64>, told: &str) {
    for n in events {
        let appended = pollster::block_on(engine.append(Append::new([event(n)])));
        assert_eq!(appended.expect(told).first.get(), n, "{told}");
        settle(engine);
    }
}

fn store(dir: &Path) {
    let engine = open(dir, settings());
    go_on(&engine, 1..=EVENTS, "a store");
    close(&engine);
    drop(engine);
    let names = indexes(dir);
    let merged = names.iter().filter(|path| path.to_string_lossy().contains("/1-")).count();
    assert_eq!((names.len(), merged), (4, 1), "{names:?}");
}

/// The index files, in order.
fn indexes(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("index")).expect("list");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort_unstable();
    paths
}

/// Everything is there, and found by all that it has.
fn check(engine: &Engine, events: u64, told: &str) {
    let (log, error) = read(engine, ReadOptions::default());
    assert!(error.is_none() && log.len() as u64 == events, "{told}: {} events, {error:?}", log.len());
    assert!(log.iter().zip(1..).all(|(recorded, n)| recorded.event == event(n)), "{told}");
    let mut queries = HashSet::new();
    for event in log.iter().map(|recorded| &recorded.event) {
        queries.insert(QueryItem::of_types([event.event_type.clone()]));
        queries
            .extend(event.tags.iter().map(|tag| QueryItem::tagged(Tags::new([tag.as_str()]).expect("tags"))));
    }
    let mut queries: Vec<_> =
        queries.into_iter().map(|item| Query::any_of([item]).expect("a query")).collect();
    queries.extend((0..6).map(|n| Query::stream(format!("order-{n}").try_into().expect("a stream"))));
    queries.push(Query::category(Category::new("order").expect("a category")));
    for query in queries {
        for after in [None, Position::new(85)] {
            let options = ReadOptions::default().after(after);
            let mut expected: Vec<_> = log
                .iter()
                .filter(|recorded| query.matches(&recorded.event) && after < Some(recorded.position))
                .collect();
            let found = pollster::block_on(engine.read(query.clone(), options).collect()).expect(told).events;
            assert!(found.iter().eq(expected.iter().copied()), "{told}: {query:?} after {after:?}");
            expected.reverse();
            let found = engine.read(query.clone(), options.backwards()).collect();
            let found = pollster::block_on(found).expect(told).events;
            assert!(found.iter().eq(expected), "{told}: {query:?} after {after:?}, backwards");
        }
    }
    for n in 1..=events {
        let again = pollster::block_on(engine.append(Append::new([event(n)]))).expect(told);
        assert!(again.deduplicated && again.first.get() == n, "{told}: event {n} again");
    }
}

/// Where a harm is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Open,
    Closed,
}

/// Something that happens to a store's files.
struct Harm {
    name: String,
    does: Box<dyn Fn(&Path) + Sync>,
}

impl Harm {
    fn new(name: impl Into<String>, does: impl Fn(&Path) + Sync + 'static) -> Self {
        Self { name: name.into(), does: Box::new(does) }
    }

    fn remove(name: &str) -> Self {
        let file = name.to_owned();
        Self::new(format!("{name} removed"), move |dir| {
            std::fs::remove_file(dir.join(&file)).expect("remove");
        })
    }

    fn flip(name: &str, offset: u64) -> Self {
        let file = name.to_owned();
        Self::new(format!("{name} flipped at {offset}"), move |dir| flip(&dir.join(&file), offset))
    }
}

/// Every index file, and in each a bit of every page; all of them; their directory; the manifest's copies.
fn harms(dir: &Path) -> Vec<Harm> {
    let mut harms = Vec::new();
    for path in indexes(dir) {
        let name = path.strip_prefix(dir).expect("inside").to_string_lossy().into_owned();
        let pages = std::fs::metadata(&path).expect("metadata").len() / 4096;
        harms.extend((0..pages).map(|page| Harm::flip(&name, page * 4096 + page * 997 % 4096)));
        harms.push(Harm::remove(&name));
    }
    harms.push(Harm::new("every index file removed", |dir| {
        indexes(dir).iter().for_each(|path| std::fs::remove_file(path).expect("remove"));
    }));
    harms.push(Harm::new("index/ removed", |dir| {
        std::fs::remove_dir_all(dir.join("index")).expect("remove");
    }));
    let newest = FILES[usize::from(load(dir).manifest.sequence % 2 == 1)];
    harms.push(Harm::remove(newest));
    harms.push(Harm::flip(newest, 100));
    harms.push(Harm::new("both copies of the manifest removed", |dir| {
        FILES.iter().for_each(|name| std::fs::remove_file(dir.join(name)).expect("remove"));
    }));
    harms
}

/// Harms a copy of a store, goes on with it, and waits for it to be whole again.
fn examine(store: &Path, harm: &Harm, when: When) {
    let told = format!("{}, {when:?}", harm.name);
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    copy(store, dir);
    let mut events = EVENTS;
    let mut told_so = Vec::new();
    if when == When::Open {
        let engine = open(dir, settings());
        check(&engine, events, &told);
        (harm.does)(dir);
        go_on(&engine, events + 1..=events + MORE, &told);
        events += MORE;
        check(&engine, events, &told);
        settle(&engine);
        told_so = engine.damage();
        close(&engine);
    } else {
        (harm.does)(dir);
    }
    let report = verify_all(dir);
    assert_eq!((report.damage, report.events), (vec![], events), "{told}");
    // A copy of the manifest that is lost while the store is open is written again without anybody's having missed it.
    if when == When::Closed || !harm.name.contains("manifest") && !harm.name.starts_with("MANIFEST") {
        assert!(!told_so.is_empty() || !report.mendable.is_empty(), "{told}: nobody says so");
    }
    let engine = open(dir, settings());
    assert!(engine.damage().iter().all(|damage| damage.lost().is_none()), "{told}: {:?}", engine.damage());
    go_on(&engine, events + 1..=events + MORE, &told);
    events += MORE;
    check(&engine, events, &told);
    settle(&engine);
    // Nobody closed it: whole files are there already.
    let view = engine.shared().view();
    let runs: Vec<_> = view.slots.iter().filter_map(|slot| slot.run.as_ref()).map(|run| run.name()).collect();
    assert_eq!(runs.len(), view.slots.len(), "{told}");
    for name in runs {
        assert!(dir.join(crate::run::relative_path(name)).exists(), "{told}: {name:?} is no file");
    }
    close(&engine);
    drop(engine);
    let report = verify_all(dir);
    assert!(report.is_clean() && report.events == events, "{told}: {report:?}");
}

#[test]
fn whatever_happens_to_what_is_derived_the_store_goes_on_and_mends_it() {
    let dir = tempfile::tempdir().expect("a directory");
    store(dir.path());
    let harms = harms(dir.path());
    let cases: Vec<_> =
        harms.iter().flat_map(|harm| [When::Open, When::Closed].map(|when| (harm, when))).collect();
    assert!(40 < cases.len(), "{} cases", cases.len());
    do_all(&cases, |(harm, when)| examine(dir.path(), harm, *when));
}

/// Would fail if what happened were worded anew, or no longer told, without anybody seeing it.
#[test]
fn verify_says_what_happened_to_the_index_and_the_manifest() {
    let dir = tempfile::tempdir().expect("a directory");
    store(dir.path());
    let newest = FILES[usize::from(load(dir.path()).manifest.sequence % 2 == 1)];
    let indexes = indexes(dir.path());
    let name = |at: usize| format!("index/{}", indexes[at].file_name().expect("a name").to_string_lossy());
    let footer = std::fs::metadata(&indexes[0]).expect("metadata").len() - 4000;
    let harms = [
        Harm::remove(&name(0)),
        Harm::flip(&name(0), 100),
        Harm::flip(&name(0), footer),
        Harm::remove(&name(3)),
        Harm::flip(&name(3), 100),
        Harm::new("index/ removed", |dir| std::fs::remove_dir_all(dir.join("index")).expect("remove")),
        Harm::remove(newest),
        Harm::flip(newest, 100),
    ];
    let mut text = String::new();
    for harm in harms {
        let harmed = tempfile::tempdir().expect("a directory");
        copy(dir.path(), harmed.path());
        (harm.does)(harmed.path());
        let report = verify_all(harmed.path());
        assert_eq!((report.events, report.damage), (EVENTS, vec![]), "{}", harm.name);
        writeln!(text, "{}", harm.name).expect("text grows");
        for mendable in report.mendable {
            writeln!(text, "  {mendable}").expect("text grows");
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn merging_removes_no_file_that_is_just_being_built_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), settings());
    let runs = || -> Vec<_> {
        let view = engine.shared().view();
        view.slots.iter().filter_map(|slot| slot.run.as_ref().map(|run| run.name())).collect()
    };
    let somebody_builds = engine.shared().background.rebuilding.lock();
    for n in 1..=EVENTS {
        pollster::block_on(engine.append(Append::new([event(n)]))).expect("append");
        while engine.shared().sealing.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let is_merged = |path: &PathBuf| {
        let path = path.to_string_lossy();
        path.contains("/1-") && path.ends_with(".idx")
    };
    for _ in 0..600 {
        if indexes(dir.path()).iter().any(is_merged) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // Time enough to do what it must not do.
    std::thread::sleep(Duration::from_millis(50));
    let shown = runs();
    assert!(8 <= shown.len() && shown.iter().all(|run| run.level == 0), "{shown:?}");
    for run in shown {
        assert!(dir.path().join(crate::run::relative_path(run)).exists(), "{run:?} is shown, and gone");
    }
    drop(somebody_builds);
    settle(&engine);
    assert_eq!(runs().iter().filter(|run| run.level == 1).count(), 1);
    check(&engine, EVENTS, "once nobody builds any more");
}
